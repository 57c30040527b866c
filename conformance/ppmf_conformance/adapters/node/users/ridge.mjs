// SPDX-License-Identifier: Apache-2.0
// Chapter 2, "The user's side": a user's own profile, predictions and similar items, exactly, and in integers, so that
// a browser is quick with many items.
//
// With words Y = 2^f y and a row's last word 2^f for the bias, the equations of the minimum are
// (sum Y Y' + 2^(2f) lambda) w = sum Y 2^(2f) t for w = 2^f (u, a): integers, as is every t, times 2^(2f).

import { Fraction, refuse, roundHalfUp, whole } from "./refusal.mjs";
import { scaledRating } from "./ratings.mjs";

// The numerators of x and their common denominator, which is positive, for A x = t: Gauss and Jordan, with divisions that
// leave no remainder (Bareiss). A has no negative eigenvalue; if a pivot is 0 there is more than one x, or none: null.
const solve = (A, t) => {
  const rows = A.map((row, k) => [...row, t[k]]);
  let before = 1n;
  for (let k = 0; k < rows.length; k += 1) {
    const pivot = rows[k][k];
    if (pivot === 0n) return null;
    for (const [at, row] of rows.entries())
      if (at !== k) {
        const factor = row[k];
        for (let l = 0; l < row.length; l += 1) row[l] = (pivot * row[l] - factor * rows[k][l]) / before;
      }
    before = pivot;
  }
  return { numerators: rows.map((row) => row[rows.length]), denominator: before };
};

const dot = (a, b) => {
  let sum = 0n;
  for (let k = 0; k < a.length; k += 1) sum += a[k] * b[k];
  return sum;
};

const one = (p) => 1n << p.frac_bits;
const biasOf = (p, row) => (p.bias ? p.bias[row] : 0n);

export const rowOf = (p, id) => {
  const row = p.items.indexOf(id);
  return row < 0 ? refuse("range", "no such item") : row;
};

// PPMF-RDG-004: the row and the number of each rating, which is [id, Fraction].
export const ratedRows = (p, ratings) => {
  const rated = new Map();
  ratings.forEach(([id, value], k) => {
    const row = rowOf(p, id);
    if (rated.has(row)) refuse("range", `rating ${k + 1}: the item is rated before`);
    scaledRating(value, p, `rating ${k + 1}`);
    rated.set(row, value);
  });
  return rated;
};

// PPMF-RDG-001 to -003: w, as integers over one denominator; profiles are as in profiles.mjs.
export const solution = (p, rated) => {
  const Y = [...rated.keys()].map((row) => [...p.factors[row], ...(p.bias ? [one(p)] : [])]);
  const t = [...rated].map(
    ([row, value]) =>
      (scaledRating(value, p, "a rating") << (2n * p.frac_bits - p.rating_frac_bits)) - biasOf(p, row) * one(p),
  );
  const indices = Array.from({ length: Number(p.rank) + (p.bias ? 1 : 0) }, (_, k) => k);
  const columns = indices.map((k) => Y.map((row) => row[k]));
  const ridge = (p.ridge.n << (2n * p.frac_bits)) / p.ridge.d;
  const A = columns.map((column, k) => columns.map((other, l) => dot(column, other) + (k === l ? ridge : 0n)));
  const T = columns.map((column) => dot(column, t));
  return solve(A, T) ?? refuse("parameters", "ridge: 0, and several profiles are best");
};

// The user's factors and bias.
export const profile = (p, { numerators, denominator }) => {
  const found = numerators.map((numerator) => new Fraction(numerator, denominator * one(p)));
  return { factors: found.slice(0, Number(p.rank)), bias: p.bias ? found.at(-1) : whole(0) };
};

// Of an item <u, v> + a + b as an integer over a denominator that all items have in common.
const score = (p, { numerators, denominator }, row) => {
  const sum = dot(p.factors[row], numerators); // the bias' numerator comes after the factors
  return p.bias ? sum + one(p) * (numerators.at(-1) + denominator * p.bias[row]) : sum;
};
const underScores = (p, { denominator }) => denominator * one(p) * one(p);

// PPMF-RDG-005, -006.
export const prediction = (p, own, row) => p.rating_offset.plus(new Fraction(score(p, own, row), underScores(p, own)));
export const clip = (p, value) =>
  value.compare(p.rating_min) < 0 ? p.rating_min : value.compare(p.rating_max) > 0 ? p.rating_max : value;

// The same as people read it: clipped, and rounded to hundredths, half up.
export const shownPrediction = (p, own, row) => {
  const { n, d } = clip(p, prediction(p, own, row));
  return Number(roundHalfUp(100n * n, d)) / 100;
};

const checkCount = (count) => (count < 1 ? refuse("range", "a list of no items") : count);

// PPMF-RDG-007: the ids of the best items among those that are not rated.
export const top = (p, own, rated, count) => {
  checkCount(count);
  const scores = p.items.map((_, row) => (rated.has(row) ? 0n : score(p, own, row)));
  const rows = [...scores.keys()].filter((row) => !rated.has(row));
  rows.sort((one, other) => (scores[one] === scores[other] ? one - other : scores[one] > scores[other] ? -1 : 1));
  return rows.slice(0, count).map((row) => p.items[row]);
};

// PPMF-RDG-008: the ids of the items nearest to one.
export const similar = (p, id, count) => {
  const row = rowOf(p, id);
  checkCount(count);
  const factors = p.factors[row];
  const squares = p.factors.map((other) => {
    let sum = 0n;
    for (let k = 0; k < factors.length; k += 1) sum += (other[k] - factors[k]) * (other[k] - factors[k]);
    return sum;
  });
  const near = [...squares.keys()].filter((other) => other !== row);
  near.sort((one, two) => (squares[one] === squares[two] ? one - two : squares[one] < squares[two] ? -1 : 1));
  return near.slice(0, count).map((other) => p.items[other]);
};
