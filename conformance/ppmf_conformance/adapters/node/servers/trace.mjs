// SPDX-License-Identifier: Apache-2.0
// Chapter 7, PPMF-CON-040 and -041: the shares of a server after each stage, for whoever looks for the first wrong one. A
// server keeps none unless its adapter asked for them in a trial.

import { colours, range } from "./bytes.mjs";

// Notes a stage, whose shares are only made where they are asked for.
export const note = (server, stage, at, make) => {
  if (server.stages) server.stages.push({ stage, at: at.map(String), shares: make() });
};

// Shares that stand number by number, as a list of each row's.
export const byRow = (shares, rows) =>
  range(rows).map((row) => range(shares.length / rows).map((k) => shares[k * rows + row]));

// Boolean shares that stand bit by bit, as numbers.
const numbers = (bits, width) => {
  const count = bits.length / width;
  return range(count).map((e) => range(width).reduce((sum, t) => sum | (BigInt(bits[t * count + e]) << BigInt(t)), 0n));
};
export const ofLabels = (labels, width) => numbers(colours(labels), width);

// The bytes of each user's row, from the planes of all users.
export const ofPlanes = (bits, n, m) => {
  const planes = bits.length / (n * m);
  return range(n).map((i) => {
    const bytes = Buffer.alloc(Math.ceil((planes * m) / 8));
    for (const at of range(planes * m))
      bytes[at >> 3] |= bits[Math.floor(at / m) * n * m + i * m + (at % m)] << (at & 7);
    return bytes.toString("hex");
  });
};
