// SPDX-License-Identifier: Apache-2.0
// Chapter 4: what both sides know of a lattice suite in a session. A table has the residues of its numbers modulo each prime, p_0 first; the entries of a
// matrix stand row by row, both blocks of a row joined.

import { PRIMES, budget, product } from "../users/suites.mjs";
import { range } from "./bytes.mjs";
import { Ring, SEED, inverseMod, mod, packedBytes, powerMod } from "./ring.mjs";

// PPMF-RLW-015: where the numbers of a matrix stand, and how many secrets they need.
export const secretsFor = (columns, N) => 2 * Math.ceil(columns / N);
export const groupSize = (columns, N) => {
  let g = 1;
  while (g < 128 && 2 * g * columns <= N) g *= 2;
  return g;
};
export const secretOf = (block, column, N) => 2 * Math.floor(column / N) + block;
export const coefficientOf = (row, column, g, N) => (row % g) * (N / g) + (column % N);
const groupsOf = (rows, g) => range(Math.ceil(rows / g)).map((c) => range(Math.min(g, rows - c * g), c * g));

export class Lattice {
  constructor(N, k, primes, kept) {
    Object.assign(this, { N, k, primes: PRIMES.slice(0, primes), kept: PRIMES.slice(0, kept) });
    [this.q, this.less] = [product(this.primes), product(this.kept)];
  }

  get rings() {
    this.made ??= this.primes.map((p) => new Ring(this.N, p));
    return this.made;
  }

  encoding(message) {
    return (this.q * message + (1n << BigInt(this.k - 1))) >> BigInt(this.k);
  }

  // Integers as a table: BigInts of any size; Numbers below 2^31 in absolute value; and words, which are BigInts of 64
  // bits with a sign.
  table(integers, primes = this.primes) {
    return primes.map((p) => {
      const one = BigInt(p);
      return Float64Array.from(integers, (value) => mod(Number(value % one), p));
    });
  }
  tableOf(small) {
    return this.primes.map((p) => Float64Array.from(small, (value) => mod(value, p)));
  }
  tableOfWords(words) {
    const halves = new DataView(BigInt64Array.from(words).buffer);
    const high = Float64Array.from(words, (_, at) => halves.getInt32(8 * at + 4, true));
    const low = Float64Array.from(words, (_, at) => halves.getUint32(8 * at, true));
    return this.primes.map((p) => high.map((value, at) => mod(value * (2 ** 32 % p) + low[at], p)));
  }

  // The encodings of words as a table. An encoding is (q m + 2^(k - 1) - r) / 2^k, r being the remainder of what stands
  // before it, and q is 0 modulo every prime. So it is what r - 2^(k - 1), a word, times the inverse of -2^k is.
  encodings(words) {
    const [k, half, q] = [this.k, 1n << BigInt(this.k - 1), BigInt.asUintN(64, this.q)];
    const rest = Array.from(words, (word) => BigInt.asUintN(k, q * BigInt.asUintN(k, word) + half) - half);
    return this.tableOfWords(rest).map((row, i) => {
      const p = this.primes[i];
      const scale = inverseMod(powerMod(2, k, p), p);
      return row.map((value) => mod(-value * scale, p));
    });
  }

  // The values of a polynomial by its table, or by its coefficients where these are small; of the first primes alone if
  // the table has no others.
  values(table) {
    return table.map((row, i) => this.rings[i].values(row));
  }
  valuesOf(small) {
    return this.rings.map((ring) => ring.values(small));
  }

  // The table of the product of two, of which the values are given; modulo the primes that both have.
  product(one, other) {
    return one.map((values, i) => this.rings[i].coefficients(this.rings[i].product(values, other[i])));
  }

  // PPMF-RLW-010: by the primes that are dropped. c q' / q is the sum of t_i q' / p_i for the digits t_i of c.
  round(table) {
    const [kept, count] = [this.kept.length, table[0].length];
    const quotient = (p, i) => (product(this.primes) / BigInt(p)) % BigInt(this.primes[i]);
    const digit = this.primes.map((p, i) => inverseMod(Number(quotient(p, i)), p));
    const out = this.kept.map(() => new Float64Array(count));
    const whole = new Float64Array(count);
    const rest = range(this.primes.length - kept, kept).map((i) => {
      const p = this.primes[i];
      const scale = mod(digit[i] * Number(this.less % BigInt(p)), p);
      return table[i].map((value) => mod(value * scale, p));
    });
    for (let at = 0; at < count; at += 1) {
      let sum = 0;
      rest.forEach((row, i) => (sum += row[at] / this.primes[kept + i]));
      whole[at] = Math.floor(sum + 0.5);
    }
    this.kept.forEach((p, j) => {
      const own = mod(digit[j] * Number((this.less / BigInt(p)) % BigInt(p)), p);
      const dropped = rest.map((_, i) => inverseMod(this.primes[kept + i], p));
      for (let at = 0; at < count; at += 1) {
        let sum = table[j][at] * own + whole[at];
        rest.forEach((row, i) => (sum -= row[at] * dropped[i]));
        out[j][at] = mod(sum, p);
      }
    });
    return out;
  }

  // PPMF-RLW-012: the integers nearest to 2^k y / q', mod 2^k.
  decode(table) {
    const basis = this.kept.map((p) => {
      const others = this.less / BigInt(p);
      return others * BigInt(inverseMod(Number(others % BigInt(p)), p));
    });
    return BigUint64Array.from(table[0], (_, at) => {
      const y = table.reduce((sum, row, i) => sum + BigInt(row[at]) * basis[i], 0n) % this.less;
      return BigInt.asUintN(this.k, ((y << BigInt(this.k + 1)) + this.less) / (2n * this.less));
    });
  }
}

// The layout of one orientation: `uses` are the rows of X with which each block is wanted.
export const layoutOf = (lattice, { rows, columns, outputs, uses }) => {
  const g = groupSize(columns, lattice.N);
  const asked = [...new Set(uses.flatMap(([first, end]) => range(end - first, first)))].sort((a, b) => a - b);
  const { gamma } = budget(lattice.N, lattice.k, rows, outputs);
  return { rows, columns, uses, g, groups: groupsOf(rows, g), asked, gamma };
};
export const groupBytes = (lattice, count, columns) => SEED + packedBytes(2 * count * columns, lattice.primes.length);
export const numbersOf = ({ asked, uses, columns }, N) =>
  asked.length * N + uses.reduce((sum, [first, end]) => sum + (end - first) * columns, 0);

export const subtract = (one, other, primes) =>
  primes.map((p, i) => one[i].map((value, at) => mod(value - other[i][at], p)));
export const add = (one, other, primes) =>
  primes.map((p, i) => one[i].map((value, at) => mod(value + other[i][at], p)));

export const keyBytes = (lattice, count) => SEED + count * packedBytes(lattice.N, lattice.primes.length);
export const secretsOf = (n, m, N) => secretsFor(Math.max(n, m), N);
