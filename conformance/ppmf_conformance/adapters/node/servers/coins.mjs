// SPDX-License-Identifier: Apache-2.0
// Randomness of a party (PPMF-SES-005): a keystream, whose seed is drawn by the system unless the caller wants to draw
// the same again, which is for tests alone.

import { createCipheriv, randomBytes } from "node:crypto";

import { sha256, text } from "./bytes.mjs";

export class Coins {
  #stream;

  constructor(label) {
    const key = label === undefined ? randomBytes(32) : sha256(text("ppmf coins of a test/"), Buffer.from(label));
    this.#stream = createCipheriv("aes-256-ctr", key, Buffer.alloc(16));
  }

  bytes(count) {
    return this.#stream.update(Buffer.alloc(count));
  }

  // Ring elements, uniform in 64 bits.
  words(count) {
    const bytes = this.bytes(8 * count);
    return BigUint64Array.from({ length: count }, (_, k) => bytes.readBigUInt64LE(8 * k));
  }

  // An integer of so many bits.
  integer(bits) {
    return BigInt.asUintN(bits, BigInt(`0x0${this.bytes(Math.ceil(bits / 8)).toString("hex")}`));
  }

  // An integer in [0, end).
  below(end) {
    const bits = end.toString(2).length;
    for (;;) {
      const found = this.integer(bits);
      if (found < end) return found;
    }
  }

  // Numbers uniform in {-1, 0, 1}.
  ternary(count) {
    const out = new Float64Array(count);
    for (let at = 0; at < count;)
      for (const byte of this.bytes(count)) if (byte < 255 && at < count) out[at++] = (byte % 3) - 1;
    return out;
  }

  // PPMF-RLW-005: 21 bits less 21 others.
  errors(count) {
    const bytes = this.bytes(6 * count);
    return Float64Array.from({ length: count }, (_, k) => {
      const ones = (at) => onesOf(bytes[at] | (bytes[at + 1] << 8) | ((bytes[at + 2] & 31) << 16));
      return ones(6 * k) - ones(6 * k + 3);
    });
  }
}

const onesOf = (value) => {
  let found = 0;
  for (let rest = value; rest; rest &= rest - 1) found += 1;
  return found;
};
