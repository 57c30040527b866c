// SPDX-License-Identifier: Apache-2.0
// Chapter 4: ratings as bits, so that every string of bits is a row of valid ratings.

import { checkLength } from "./bytes.mjs";
import { floorDivide, refuse, whole } from "./refusal.mjs";

// PPMF-COD-001, -002: the least rating, and the weight of each bit.
export const codeOf = (p) => {
  const scaled = (name) => p[name].minus(p.rating_offset).times(whole(1n << p.rating_frac_bits));
  const [low, high] = [scaled("rating_min"), scaled("rating_max")];
  const least = -floorDivide(-low.n, low.d);
  const span = floorDivide(high.n, high.d) - least;
  if (span < 0n) refuse("parameters", "rating_min, rating_max: no rating lies between the two");
  const size = span ? span.toString(2).length : 0;
  const weights = Array.from({ length: size }, (_, i) =>
    i < size - 1 ? 1n << BigInt(i) : span + 1n - (1n << BigInt(i)),
  );
  return { least, span, weights, rowBytes: (items) => Math.ceil(((1 + size) * items) / 8) };
};

// PPMF-COD-003: the bits of one rating.
export const encodeOne = ({ least, span, weights }, x) => {
  const above = x - least;
  if (above < 0n || above > span) refuse("range", "a rating that is not on the scale");
  const top = weights.length - 1;
  if (top < 0) return [];
  const high = above >> BigInt(top) ? 1n : 0n;
  const rest = above - high * weights[top];
  return weights.map((_, i) => (i < top ? (rest >> BigInt(i)) & 1n : high));
};

// PPMF-COD-004: what any bits say.
export const decodeOne = ({ least, weights }, bits) =>
  weights.reduce((sum, weight, i) => sum + weight * bits[i], least);

// PPMF-COD-005: plane after plane, the lowest bit of a byte first; `ratings` are the item's row and the integer of each.
export const plainOf = (code, items, ratings) => {
  const out = new Uint8Array(code.rowBytes(items));
  for (const [item, x] of ratings)
    [1n, ...encodeOne(code, x)].forEach((bit, plane) => {
      const at = plane * items + item;
      out[at >> 3] |= Number(bit) << (at & 7);
    });
  return out;
};

// PPMF-COD-006: the ratings that any bits are.
export const ratingsOf = (code, items, plain) => {
  checkLength(plain, code.rowBytes(items), "bits of ratings");
  const bit = (plane, item) => BigInt((plain[(plane * items + item) >> 3] >> ((plane * items + item) & 7)) & 1);
  const rated = Array.from({ length: items }, (_, item) => item).filter((item) => bit(0, item));
  return rated.map((item) => [
    item,
    decodeOne(
      code,
      code.weights.map((_, i) => bit(1 + i, item)),
    ),
  ]);
};
