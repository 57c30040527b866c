// SPDX-License-Identifier: Apache-2.0
// Chapter 2, "The user's side": a user's own profile, predictions and similar items, in exact fractions.

import { Fraction, refuse, whole } from "./refusal.mjs";
import { scaledRating } from "./ratings.mjs";

// A x = t over the fractions, or null if there is more than one x.
const solve = (A, t) => {
  const rows = A.map((row, k) => [...row, t[k]]);
  for (let k = 0; k < rows.length; k += 1) {
    const pivot = rows.findIndex((row, at) => at >= k && !row[k].isZero);
    if (pivot < 0) return null;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    rows[k] = rows[k].map((entry) => entry.over(rows[k][k]));
    for (const row of rows)
      if (row !== rows[k] && !row[k].isZero) {
        const factor = row[k];
        row.forEach((entry, at) => (row[at] = entry.minus(factor.times(rows[k][at]))));
      }
  }
  return rows.map((row) => row[rows.length]);
};

const add = (a, b) => a.plus(b);
const dot = (a, b) => a.map((x, k) => x.times(b[k])).reduce(add, whole(0));

// What an item's words stand for; profiles are as in profiles.mjs.
const factorsOf = (p, row) => p.factors[row].map((word) => new Fraction(word, 1n << p.frac_bits));
const biasOf = (p, row) => new Fraction(p.bias ? p.bias[row] : 0n, 1n << p.frac_bits);

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

// PPMF-RDG-001 to -003: the user's factors and bias.
export const profile = (p, rated) => {
  const rank = Number(p.rank);
  const y = [...rated.keys()].map((row) => [...factorsOf(p, row), ...(p.bias ? [whole(1)] : [])]);
  const t = [...rated].map(([row, value]) => value.minus(p.rating_offset).minus(biasOf(p, row)));
  const indices = Array.from({ length: rank + (p.bias ? 1 : 0) }, (_, k) => k);
  const column = (k) => y.map((row) => row[k]);
  const A = indices.map((k) => indices.map((l) => dot(column(k), column(l)).plus(k === l ? p.ridge : whole(0))));
  const found =
    solve(
      A,
      indices.map((k) => dot(column(k), t)),
    ) ?? refuse("parameters", "ridge: 0, and several profiles are best");
  return { factors: found.slice(0, rank), bias: p.bias ? found[rank] : whole(0) };
};

// PPMF-RDG-005, -006.
export const prediction = (p, { factors, bias }, row) =>
  p.rating_offset
    .plus(dot(factors, factorsOf(p, row)))
    .plus(bias)
    .plus(biasOf(p, row));
export const clip = (p, value) =>
  value.compare(p.rating_min) < 0 ? p.rating_min : value.compare(p.rating_max) > 0 ? p.rating_max : value;

const checkCount = (count) => (count < 1 ? refuse("range", "a list of no items") : count);

// PPMF-RDG-007: the ids of the best items among those that are not rated.
export const top = (p, own, rated, count) => {
  checkCount(count);
  const rows = p.items.map((_, row) => row).filter((row) => !rated.has(row));
  const all = new Map(rows.map((row) => [row, prediction(p, own, row)]));
  rows.sort((one, other) => all.get(other).compare(all.get(one)) || one - other);
  return rows.slice(0, count).map((row) => p.items[row]);
};

// PPMF-RDG-008: the ids of the items nearest to one.
export const similar = (p, id, count) => {
  const row = rowOf(p, id);
  checkCount(count);
  const square = (other) => p.factors[other].reduce((sum, x, k) => sum + (x - p.factors[row][k]) ** 2n, 0n);
  const near = p.items.map((_, other) => ({ other, square: square(other) })).filter((one) => one.other !== row);
  near.sort((one, two) => (one.square < two.square ? -1 : one.square > two.square ? 1 : one.other - two.other));
  return near.slice(0, count).map((one) => p.items[one.other]);
};
