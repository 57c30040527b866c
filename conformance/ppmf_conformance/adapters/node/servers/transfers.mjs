// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Extension": transfers from 128 base transfers. Keys are blocks, one after the other.

import { createCipheriv } from "node:crypto";

import { BLOCK, bitOf, checkLength, packBits, sha256, text, u64, xor } from "./bytes.mjs";

const COLUMNS = 128;
const columnBytes = (count) => 16 * Math.ceil(count / COLUMNS);
export const columnsBytes = (count) => COLUMNS * columnBytes(count);

// PPMF-OTE-008; a place is { session, epoch, sender }.
const keystream = (place, seed, i) => {
  const counter = sha256(text("ppmf/v2/ot-counter/"), place.session, u64(place.epoch), text(place.sender), u64(i));
  const cipher = createCipheriv("aes-128-ctr", seed, counter.subarray(0, BLOCK));
  return (count) => cipher.update(Buffer.alloc(count));
};

// PPMF-OTE-005: bit i of key j is bit j of column i.
const keysOf = (columns, count) => {
  const keys = Buffer.alloc(BLOCK * count);
  columns.forEach((column, i) => {
    const [byte, shift] = [i >> 3, i & 7];
    for (let j = 0; j < count; j += 1) keys[BLOCK * j + byte] |= bitOf(column, j) << shift;
  });
  return keys;
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
