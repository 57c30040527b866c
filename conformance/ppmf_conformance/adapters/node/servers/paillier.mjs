// SPDX-License-Identifier: Apache-2.0
// Chapter 4: the Paillier suites. Integers are BigInts; a matrix has its rows one after the other, both blocks joined.

import { checkPrimeSync } from "node:crypto";

import { refuse } from "../users/refusal.mjs";
import { slots } from "../users/suites.mjs";
import { checkLength, range } from "./bytes.mjs";

const WINDOW = 4n;

export const power = (base, exponent, modulus) => {
  if (exponent < 0n) return power(inverse(base, modulus), -exponent, modulus);
  const table = [1n];
  for (const k of range(15)) table.push((table[k] * base) % modulus);
  const digits = [];
  for (let rest = exponent; rest; rest >>= WINDOW) digits.push(Number(rest & 15n));
  let found = 1n;
  for (const digit of digits.reverse()) {
    for (let k = 0; k < 4; k += 1) found = (found * found) % modulus;
    if (digit) found = (found * table[digit]) % modulus;
  }
  return found;
};

export const gcd = (a, b) => {
  while (b) [a, b] = [b, a % b];
  return a;
};

export const inverse = (value, modulus) => {
  let [r, s, x, y] = [modulus, ((value % modulus) + modulus) % modulus, 0n, 1n];
  while (s) {
    const t = r / s;
    [r, s, x, y] = [s, r - t * s, y, x - t * y];
  }
  return ((x % modulus) + modulus) % modulus;
};

const numberOf = (bytes) => BigInt(`0x0${bytes.toString("hex")}`);
const bytesOf = (value, size) => Buffer.from(value.toString(16).padStart(2 * size, "0"), "hex");

const SMALL = range(998, 2).filter((n) => range(Math.floor(Math.sqrt(n)) - 1, 2).every((d) => n % d));

const isPower = (value) => {
  const bits = value.toString(2).length;
  for (let e = 2; e <= bits; e += 1) {
    let [low, high] = [1n, 1n << BigInt(Math.ceil(bits / e))];
    while (low < high) {
      const middle = (low + high + 1n) >> 1n;
      if (middle ** BigInt(e) <= value) low = middle;
      else high = middle - 1n;
    }
    if (low ** BigInt(e) === value) return true;
  }
  return false;
};

// PPMF-AHE-004.
export const readModulus = (bytes, bits, where) => {
  checkLength(bytes, bits / 8, where);
  const N = numberOf(bytes);
  if (N.toString(2).length !== bits) refuse("range", `${where}: not of ${bits} bits`);
  if (SMALL.some((p) => N % BigInt(p) === 0n)) refuse("range", `${where}: divisible by a small prime`);
  if (isPower(N)) refuse("range", `${where}: a perfect power`);
  if (checkPrimeSync(N)) refuse("range", `${where}: prime`);
  return N;
};

// PPMF-AHE-005.
export const readCiphertexts = (bytes, bits, N, count, where) => {
  const size = bits / 4;
  checkLength(bytes, size * count, where);
  return range(count).map((k) => {
    const c = numberOf(bytes.subarray(k * size, (k + 1) * size));
    if (c === 0n || c >= N * N || gcd(c, N) !== 1n) refuse("range", `${where}: not a ciphertext`);
    return c;
  });
};

// PPMF-AHE-008: entries as many to a plaintext as there are slots.
const pack = (entries, { width, count }) =>
  range(Math.ceil(entries.length / count)).map((c) =>
    entries.slice(c * count, (c + 1) * count).reduce((sum, entry, k) => sum | (entry << BigInt(k * width)), 0n),
  );
const unpack = (plain, { width }, count) => range(count).map((k) => BigInt.asUintN(width, plain >> BigInt(k * width)));

export const decryptor = (p, q) => {
  const N = p * q;
  const lambda = ((p - 1n) * (q - 1n)) / gcd(p - 1n, q - 1n);
  const mu = inverse(lambda, N);
  return (c) => (((power(c, lambda, N * N) - 1n) / N) * mu) % N;
};

const prime = (coins, bits) => {
  const top = 3n << BigInt(bits - 2);
  for (;;) {
    const found = top | coins.integer(bits) | 1n;
    if (checkPrimeSync(found)) return found;
  }
};

// The layout of an orientation's matrix: of how many ciphertexts a block is, and which rows of X it is wanted with.
export const paillierLayout = (bits, k, { rows, columns, outputs, uses }) => {
  const slot = slots(bits, rows, outputs, k);
  if (slot.count < 1) refuse("parameters", `ring_bits = ${k}: no slot of ${slot.width} bits in ${bits}`);
  return { slot, rows, columns, uses, perBlock: Math.ceil(columns / slot.count) };
};

// The owner of a key: encrypts rows, and opens answers.
export class PaillierOwner {
  constructor(bits, k, coins, layouts) {
    this.bits = bits;
    this.k = k;
    this.coins = coins;
    this.layouts = layouts;
    const p = prime(coins, bits / 2);
    let q = p;
    while (q === p) q = prime(coins, bits / 2);
    this.N = p * q;
    this.decrypt = decryptor(p, q);
    this.publicKey = bytesOf(this.N, bits / 8);
  }

  // The groups of orientation `at`, which are its rows, from entries row by row.
  encryptRows(at, entries) {
    const { slot, rows, columns } = this.layouts[at];
    const N2 = this.N ** 2n;
    return range(rows).map((j) => {
      const blocks = [0, 1].map((b) => entries.slice((2 * j + b) * columns, (2 * j + b + 1) * columns));
      const plain = blocks.flatMap((block) =>
        pack(
          [...block].map((v) => BigInt.asUintN(this.k, v)),
          slot,
        ),
      );
      return Buffer.concat(
        plain.map((v) => {
          const c = ((1n + v * this.N) * randomiser(this.coins, this.N)) % N2;
          return bytesOf(c, this.bits / 4);
        }),
      );
    });
  }

  // The shares of both blocks, row after row of their uses.
  open(at, bytes) {
    const { slot, columns, uses } = this.layouts[at];
    return openAnswer(this, slot, this.k, [columns, columns], uses, bytes);
  }
}

// PPMF-AHE-010: the owner's shares of an answer, block after block; a key is { bits, N, decrypt }.
export const openAnswer = ({ bits, N, decrypt }, slot, k, blocks, uses, bytes) => {
  const perBlock = blocks.map((columns) => Math.ceil(columns / slot.count));
  const counts = uses.map(([first, end], b) => (end - first) * perBlock[b]);
  const total = counts.reduce((sum, count) => sum + count, 0);
  const found = readCiphertexts(bytes, bits, N, total, "product-answer: answer");
  let next = 0;
  return counts.map((count, b) => {
    const share = [];
    for (let c = 0; c < count; c += 1) {
      const column = (c % perBlock[b]) * slot.count;
      share.push(...unpack(decrypt(found[next++]), slot, Math.min(slot.count, blocks[b] - column)));
    }
    return BigUint64Array.from(share, (value) => BigInt.asUintN(k, value));
  });
};

const randomiser = (coins, N) => {
  let r = 0n;
  while (gcd(r, N) !== 1n) r = coins.below(N);
  return power(r, N, N * N);
};

// The peer of that owner: takes the rows, and answers.
export class PaillierPeer {
  constructor(bits, k, coins, layouts, key) {
    this.bits = bits;
    this.k = k;
    this.coins = coins;
    this.N = readModulus(key, bits, "server-key: product_key");
    this.layouts = layouts;
    this.rows = layouts.map(() => []);
  }

  takeGroups(at, bytes) {
    const { perBlock } = this.layouts[at];
    const count = bytes.length / ((2 * perBlock * this.bits) / 4);
    const found = readCiphertexts(bytes, this.bits, this.N, 2 * perBlock * count, "encrypted-rows: rows");
    for (const g of range(count)) this.rows[at].push(found.slice(2 * perBlock * g, 2 * perBlock * (g + 1)));
  }

  // PPMF-AHE-013.
  addOwn(at, entries) {
    const { slot, columns } = this.layouts[at];
    const N2 = this.N ** 2n;
    this.rows[at] = this.rows[at].map((row, j) => {
      const own = [0, 1].flatMap((b) => {
        const block = entries.slice((2 * j + b) * columns, (2 * j + b + 1) * columns);
        return pack(
          [...block].map((v) => BigInt.asUintN(this.k, v)),
          slot,
        );
      });
      return row.map((c, at_) => (c * (1n + own[at_] * this.N)) % N2);
    });
  }

  // PPMF-AHE-009, -010: the answer for the rows of X, each of as many numbers as M has rows, and the own shares.
  answer(at, X) {
    const { slot, rows, columns, uses, perBlock } = this.layouts[at];
    const N2 = this.N ** 2n;
    const parts = [];
    const shares = uses.map(([first, end], b) => {
      const share = [];
      for (let r = first; r < end; r += 1)
        for (let c = 0; c < perBlock; c += 1) {
          const wanted = Math.min(slot.count, columns - c * slot.count);
          const masks = range(wanted).map(() => this.coins.integer(slot.width - 1));
          let product = ((1n + pack(masks, slot)[0] * this.N) * randomiser(this.coins, this.N)) % N2;
          for (let j = 0; j < rows; j += 1)
            product = (product * power(this.rows[at][j][b * perBlock + c], BigInt.asUintN(this.k, X[r][j]), N2)) % N2;
          parts.push(bytesOf(product, this.bits / 4));
          share.push(...masks.map((mask) => BigInt.asUintN(this.k, -mask)));
        }
      return BigUint64Array.from(share);
    });
    return { answer: Buffer.concat(parts), shares };
  }
}
