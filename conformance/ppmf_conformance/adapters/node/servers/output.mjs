// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Output": the words of V from both shares.

import { rowLength } from "../users/params.mjs";
import { bitOf, checkLength, range, xor } from "./bytes.mjs";

// PPMF-OUT-001, -003: both shares packed.
export const openShare = ({ p, items }, csp, recsys) => {
  const [m, D, rank] = [items.length, rowLength(p), Number(p.rank)];
  const width = Number(1n + p.box_bits + p.frac_bits);
  checkLength(csp, Math.ceil((width * D * m) / 8), "output-share: bits");
  const bits = xor(csp, recsys);
  const word = (element) => {
    let value = 0n;
    for (let t = 0; t < width; t += 1) value |= BigInt(bitOf(bits, t * D * m + element)) << BigInt(t);
    return BigInt.asIntN(width, value);
  };
  const number = (k) => range(m).map((j) => word(k * m + j));
  const numbers = range(D).map(number);
  return { factors: range(m).map((j) => range(rank).map((k) => numbers[k][j])), bias: p.bias ? numbers[rank] : null };
};
