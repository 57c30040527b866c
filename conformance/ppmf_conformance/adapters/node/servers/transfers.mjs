// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Extension": transfers from 128 base transfers. Keys are blocks, one after the other.

import { createCipheriv } from "node:crypto";

import { BLOCK, bitOf, checkLength, packBits, range, sha256, text, u64, xor } from "./bytes.mjs";

const COLUMNS = 128;
const columnBytes = (count) => 16 * Math.ceil(count / COLUMNS);
export const columnsBytes = (count) => COLUMNS * columnBytes(count);

// PPMF-OTE-008; a place is { session, epoch, sender }.
const keystream = (place, seed, i) => {
  const counter = sha256(text("ppmf/v2/ot-counter/"), place.session, u64(place.epoch), text(place.sender), u64(i));
  const cipher = createCipheriv("aes-128-ctr", seed, counter.subarray(0, BLOCK));
  return (count) => cipher.update(Buffer.alloc(count));
};

// The bits of a nibble, each at the bottom of a byte.
const SPREAD = range(16).map((bits) => (bits & 1) | ((bits & 2) << 7) | ((bits & 4) << 14) | ((bits & 8) << 21));

// PPMF-OTE-005: bit i of key j is bit j of column i. Eight columns of eight transfers are turned at once.
const keysOf = (columns, count) => {
  const keys = Buffer.alloc(BLOCK * 8 * columns[0].length);
  for (let byte = 0; byte < BLOCK; byte += 1)
    for (let at = 0; at < columns[0].length; at += 1) {
      let [low, high] = [0, 0];
      for (let i = 0; i < 8; i += 1) {
        const bits = columns[8 * byte + i][at];
        low |= SPREAD[bits & 15] << i;
        high |= SPREAD[bits >> 4] << i;
      }
      for (let j = 0; j < 4; j += 1) {
        keys[BLOCK * (8 * at + j) + byte] = low >>> (8 * j);
        keys[BLOCK * (8 * at + 4 + j) + byte] = high >>> (8 * j);
      }
    }
  return keys.subarray(0, BLOCK * count);
};

export class Chooser {
  #streams;

  constructor(place, seeds) {
    this.#streams = seeds.map((pair, i) => pair.map((seed) => keystream(place, seed, i)));
  }

  // PPMF-OTE-004: what is sent for these bits, and the chosen keys.
  choose(bits) {
    const size = columnBytes(bits.length);
    const choices = Buffer.concat([packBits(bits)], size); // zeros follow
    const zero = this.#streams.map(([stream]) => stream(size));
    const columns = this.#streams.map(([, stream], i) => xor(xor(zero[i], stream(size)), choices));
    return { columns: Buffer.concat(columns), keys: keysOf(zero, bits.length) };
  }
}

export class Sender {
  #streams;

  constructor(place, seeds, offset) {
    this.#streams = seeds.map((seed, i) => keystream(place, seed, i));
    this.offset = offset;
  }

  // The keys of choice 0 of so many transfers; a wrong length uses up nothing (PPMF-OTE-006).
  take(columns, count) {
    checkLength(columns, columnsBytes(count), "transfer-columns: columns");
    const size = columnBytes(count);
    const found = this.#streams.map((stream, i) => {
      const own = stream(size);
      return bitOf(this.offset, i) ? xor(own, columns.subarray(i * size, (i + 1) * size)) : own;
    });
    return keysOf(found, count);
  }
}
