// SPDX-License-Identifier: Apache-2.0
// Chapter 4: polynomials modulo X^N + 1 and the primes of the lattice suites, packed residues and the expansion of seeds.
// Residues are Numbers in Float64Arrays: products of two are below 2^43, so that 2^10 of them can be added up exactly.

import { createCipheriv } from "node:crypto";

import { refuse } from "../users/refusal.mjs";
import { checkLength, range } from "./bytes.mjs";

export const SEED = 32;
const MOST_BANDS = 128;

export const mod = (value, p) => {
  const rest = value - p * Math.floor(value / p);
  return rest < 0 ? rest + p : rest >= p ? rest - p : rest;
};

export const powerMod = (base, exponent, p) => {
  let [found, square] = [1, mod(base, p)];
  for (let rest = exponent; rest; rest = Math.floor(rest / 2)) {
    if (rest % 2) found = (found * square) % p;
    square = (square * square) % p;
  }
  return found;
};
export const inverseMod = (value, p) => powerMod(value, p - 2, p);

// An element of order `order`, a power of two, modulo p.
const rootOf = (order, p) => {
  for (let base = 2; ; base += 1) {
    const found = powerMod(base, (p - 1) / order, p);
    if (powerMod(found, order / 2, p) === p - 1) return found;
  }
};

// Multiplication modulo one prime: the values of a polynomial at y = psi^(2i + 1), y being X^(N / bands), are polynomials
// of N / bands coefficients.
export class Ring {
  constructor(N, p) {
    this.N = N;
    this.p = p;
    this.bands = Math.min(N, MOST_BANDS);
    this.width = N / this.bands;
    const psi = rootOf(2 * this.bands, p);
    const power = (e) => powerMod(psi, e, p);
    const scale = inverseMod(this.bands, p);
    this.twist = Float64Array.from({ length: this.bands }, (_, b) => power(b));
    this.untwist = this.twist.map((_, b) => mod(scale * power(2 * this.bands - b), p));
    this.forward = this.twist.map((_, e) => power(2 * e));
    this.backward = this.twist.map((_, e) => power(2 * (this.bands - e)));
    this.points = this.twist.map((_, i) => power(2 * i + 1));
    const bits = Math.log2(this.bands);
    this.reversed = range(this.bands).map((b) =>
      range(bits).reduce((sum, t) => sum | (((b >> t) & 1) << (bits - 1 - t)), 0),
    );
  }

  // The sums over b of band b times w^(b i), for all i, w being roots[1]; the bands stand in reversed order.
  transform(values, roots) {
    const { bands, width, p } = this;
    for (let half = 1; half < bands; half *= 2)
      for (let j = 0; j < half; j += 1) {
        const root = roots[(j * bands) / (2 * half)];
        for (let start = j; start < bands; start += 2 * half)
          for (let c = 0; c < width; c += 1) {
            const [low, high] = [start * width + c, (start + half) * width + c];
            const term = mod(values[high] * root, p);
            const sum = values[low] + term;
            const difference = values[low] - term;
            values[low] = sum >= p ? sum - p : sum;
            values[high] = difference < 0 ? difference + p : difference;
          }
      }
    return values;
  }

  // The values of the coefficients (any integers below 2^31 in absolute value), value by value.
  values(polynomial) {
    const { bands, width, p, reversed, twist, forward } = this;
    const out = new Float64Array(this.N);
    for (let b = 0; b < bands; b += 1)
      for (let c = 0; c < width; c += 1) out[reversed[b] * width + c] = mod(polynomial[b * width + c] * twist[b], p);
    return this.transform(out, forward);
  }

  coefficients(values) {
    const { bands, width, p, reversed, backward, untwist } = this;
    const out = new Float64Array(this.N);
    for (let i = 0; i < bands; i += 1)
      for (let c = 0; c < width; c += 1) out[reversed[i] * width + c] = values[i * width + c];
    this.transform(out, backward);
    for (let b = 0; b < bands; b += 1)
      for (let c = 0; c < width; c += 1) out[b * width + c] = mod(out[b * width + c] * untwist[b], p);
    return out;
  }

  // The values of the product of two.
  product(one, other) {
    const { bands, width, p, points } = this;
    if (width === 1) return one.map((value, i) => mod(value * other[i], p));
    const out = new Float64Array(this.N);
    for (let i = 0; i < bands; i += 1) {
      const [low, high] = [new Float64Array(width), new Float64Array(width)];
      for (let a = 0; a < width; a += 1)
        for (let b = 0; b < width; b += 1) {
          const term = one[i * width + a] * other[i * width + b];
          if (a + b < width) low[a + b] += term;
          else high[a + b - width] += term;
        }
      for (let c = 0; c < width; c += 1) out[i * width + c] = mod(low[c] + points[i] * mod(high[c], p), p);
    }
    return out;
  }
}

// PPMF-RLW-002: residues by prime, and the places of the refused words.
export const expand = (seed, N, primes) => {
  const stream = createCipheriv("aes-256-ctr", seed, Buffer.alloc(16));
  const words = (count) => {
    const data = stream.update(Buffer.alloc(4 * count));
    return Float64Array.from({ length: count }, (_, at) => data.readUInt32LE(4 * at));
  };
  const found = words(N * primes.length);
  const limits = primes.map((p) => Math.floor(2 ** 32 / p) * p);
  const isRefused = (at) => found[at] >= limits[Math.floor(at / N)];
  const refused = [];
  for (let late = range(found.length).filter(isRefused); late.length; late = late.filter(isRefused)) {
    refused.push(...late.map((at) => [Math.floor(at / N), at % N]));
    words(late.length).forEach((word, number) => (found[late[number]] = word));
  }
  const residues = primes.map((p, i) => found.slice(i * N, (i + 1) * N).map((word) => mod(word - (p - 1) / 2, p)));
  return { residues, refused };
};

// PPMF-RLW-003, -013

export const packedBytes = (count, primes) => 8 * primes * Math.ceil(count / 3);

export const pack = (table, primes) =>
  Buffer.concat(
    primes.map((p, i) => {
      const height = Math.ceil(table[i].length / 3);
      const at = (place) => BigInt(table[i][place] ?? 0);
      const [one, two] = [BigInt(p), BigInt(p) ** 2n];
      const out = Buffer.alloc(8 * height);
      for (let w = 0; w < height; w += 1)
        out.writeBigUInt64LE(at(w) + one * at(height + w) + two * at(2 * height + w), 8 * w);
      return out;
    }),
  );

export const unpack = (data, count, primes, where) => {
  checkLength(data, packedBytes(count, primes.length), where);
  const height = Math.ceil(count / 3);
  return primes.map((p, i) => {
    const row = new Float64Array(3 * height);
    const one = BigInt(p);
    for (let w = 0; w < height; w += 1) {
      const word = data.readBigUInt64LE(8 * (i * height + w));
      const rest = word / one;
      row[w] = Number(word % one);
      row[height + w] = Number(rest % one);
      row[2 * height + w] = Number(rest / one);
    }
    if (row.some((value, at) => value >= p || (at >= count && value)))
      refuse("range", `${where}: a word that is none of three residues modulo ${p}`);
    return row.slice(0, count);
  });
};
