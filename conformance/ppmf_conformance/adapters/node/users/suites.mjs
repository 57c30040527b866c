// SPDX-License-Identifier: Apache-2.0
// Chapter 4: the cipher suites by name, and whether a session fits its own (PPMF-SES-003).

import { rowLength } from "./params.mjs";
import { refuse } from "./refusal.mjs";

const PAILLIER = [3072, 2048, 1024, 768, 512].map((bits) => [
  `paillier-${bits}${bits < 2048 ? "-insecure" : ""}`,
  { bits },
]);
// PPMF-AHE-001, PPMF-RLW-001: the length of the moduli, or the degree.
export const SUITES = new Map([...PAILLIER, ["rlwe-8192", { degree: 8192 }], ["rlwe-64-insecure", { degree: 64 }]]);
export const PRIMES = [2641921, 2641153, 2639873, 2638849, 2636033, 2634241, 2633473, 2626817, 2626049, 2624513];

const range = (count, first = 0) => Array.from({ length: count }, (_, k) => first + k);
const log2 = (value) => BigInt(value <= 1n ? 0 : (value - 1n).toString(2).length);
export const product = (list) => list.reduce((total, p) => total * BigInt(p), 1n);

// PPMF-PRD-004: the pairs of the products of columns, and the rows of Phi with which each block is wanted.
export const columnsOf = (p) => {
  const [d, D] = [Number(p.rank), rowLength(p)];
  const pairs = range(d).flatMap((j) => range(D - j, j).map((l) => [j, l]));
  const total = D + pairs.length;
  const uses = [
    [p.bias ? 0 : D, total],
    [0, d],
  ];
  return { pairs, uses };
};

// PPMF-PRD-002: both orientations, named by the side that is packed; users first.
export const matricesOf = (p, n, m) => {
  const { uses } = columnsOf(p);
  const outputs = Number(p.iterations) * uses.reduce((sum, [first, end]) => sum + end - first, 0) * (n + m);
  return [
    { packing: "users", rows: m, columns: n, outputs, uses },
    { packing: "items", rows: n, columns: m, outputs, uses },
  ];
};

// PPMF-AHE-007.
export const slots = (bits, rows, outputs, ring) => {
  const width = 2 * ring + 43 + Number(log2(BigInt(rows)) + log2(BigInt(outputs)));
  return { width, count: Math.floor((bits - 1) / width) };
};

// PPMF-RLW-007, -017.
export const budget = (N, k, rows, outputs) => {
  const B = 22n * BigInt(rows) * 2n ** BigInt(k - 1) + 21n * BigInt(2 * N + 1) + 1n;
  return { B, gamma: 40n + log2(B * BigInt(outputs)) };
};
const satisfies = (N, k, { rows, outputs }, primes, kept) => {
  const { B, gamma } = budget(N, k, rows, outputs);
  const [q, less] = [product(PRIMES.slice(0, primes)), product(PRIMES.slice(0, kept))];
  // both sides times 2 q q' 2^(k + 1) 2^40
  const left = (2n * less * (B + 2n ** gamma) + BigInt(N + 2) * q) * 2n ** BigInt(k + 41);
  return left < 2n * q * less * (2n ** 40n - 1n);
};
export const moduli = (N, k, matrices) => {
  for (const primes of range(9, 2))
    for (const kept of range(primes - 1, 1))
      if (matrices.every((one) => satisfies(N, k, one, primes, kept))) return { primes, kept };
  return refuse("parameters", "suite: no primes satisfy the budget of the matrices");
};

export const checkFits = ({ p, users, items, suite, ring }) => {
  const { bits, degree } = SUITES.get(suite);
  const matrices = matricesOf(p, users.length, items.length);
  if (degree) moduli(degree, Number(ring), matrices);
  else if (matrices.some(({ rows, outputs }) => slots(bits, rows, outputs, Number(ring)).count < 1))
    refuse("parameters", `ring_bits = ${ring}: no slot fits a plaintext of ${bits} bits`);
};
