// SPDX-License-Identifier: Apache-2.0
// Chapter 2: F_fix in BigInt, line by line.

import { createHash } from "node:crypto";

import { bound, rowLength, scaledWeight, step } from "./users/params.mjs";
import { grouped } from "./users/ratings.mjs";

// PPMF-FIX-010, -011.
export const start = (p, users, items) => {
  const rank = Number(p.rank);
  const bytes = createHash("shake256", { outputLength: Math.max(1, (users + items) * rank) })
    .update(`ppmf/v1/init/${p.seed}`, "utf8")
    .digest();
  const row = (number) => [
    ...Array.from(
      bytes.subarray(number * rank, (number + 1) * rank),
      (byte) => BigInt(byte - 128) << (p.frac_bits - 8n),
    ),
    ...(p.bias ? [0n] : []),
  ];
  return {
    users: Array.from({ length: users }, (_, i) => row(i)),
    items: Array.from({ length: items }, (_, j) => row(users + j)),
  };
};

// PPMF-FIX-030; the inertia is a multiple of 2^-16, and scale is at least 16.
export const descend = (x, previous, G, H, p) => {
  const scale = 2n * p.frac_bits + p.step_bits;
  const A = (p.inertia.n << scale) / p.inertia.d;
  return ((x << scale) + A * (x - previous) - H * G + (1n << (scale - 1n))) >> scale; // >> of a BigInt floors
};

const soft = (z, t) => (z > t ? z - t : z < -t ? z + t : 0n);

// PPMF-FIX-032, -033.
export const prox = (z, tau, theta, p) => {
  if (p.regulariser === "elastic-net") return soft(z, tau);
  const one = 1n << p.frac_bits;
  return z <= one / 2n - theta ? soft(z, tau) : one + soft(z + 2n * theta - one, tau);
};

// PPMF-FIX-034.
export const saturate = (z, p) => {
  const edge = 1n << (p.box_bits + p.frac_bits);
  return z < -edge ? -edge : z >= edge ? edge - 1n : z;
};

const sum = (numbers) => numbers.reduce((total, one) => total + one, 0n);

const halfStepOfRow = (row, previous, counterparts, values, p) => {
  const [f, d] = [p.frac_bits, Number(p.rank)];
  const squares = sum(counterparts.flatMap((y) => y.slice(0, d).map((factor) => factor * factor)));
  const fixed = step(BigInt(counterparts.length), squares, p);
  const ridge = scaledWeight(p.ridge, p);
  const Z = [];
  for (let k = 0n; k < p.inner_steps; k += 1n) {
    const residuals = counterparts.map((y, number) => {
      const inner = sum(row.slice(0, d).map((x, at) => x * y[at]));
      const biases = p.bias ? (row[d] + y[d]) << f : 0n;
      return inner + biases - (values[number] << (2n * f - p.rating_frac_bits));
    });
    const z = row.map((x, at) => {
      const others = counterparts.map((y, number) => residuals[number] * (at < d ? y[at] : 1n << f));
      return descend(x, previous[at], sum(others) + ridge * x, at < d ? fixed.factors : fixed.bias, p);
    });
    Z.push(z);
    previous = row; // PPMF-FIX-036
    row = z.map((one, at) => saturate(at < d ? prox(one, fixed.tau, fixed.theta, p) : one, p));
  }
  return { row, previous, Z, squares, count: BigInt(counterparts.length), fixed };
};

export const halfStep = (rows, previous, other, rated, p) => {
  const done = rows.map((row, number) => {
    const counterparts = rated[number].rows.map((at) => other[Number(at)]);
    return halfStepOfRow(row, previous[number], counterparts, rated[number].values, p);
  });
  return {
    rows: done.map((one) => one.row),
    previous: done.map((one) => one.previous),
    counts: done.map((one) => one.count),
    squares: done.map((one) => one.squares),
    factor_steps: done.map((one) => one.fixed.factors),
    bias_steps: done.map((one) => one.fixed.bias),
    taus: done.map((one) => one.fixed.tau),
    thetas: done.map((one) => one.fixed.theta),
    z: Array.from({ length: Number(p.inner_steps) }, (_, k) => done.map((one) => one.Z[k])),
  };
};

// PPMF-FIX-040, -041, with every half-step on the way.
export const train = ({ users, items, cells }, p) => {
  bound(p, BigInt(users.length), BigInt(items.length));
  const { users: firstUsers, items: firstItems } = start(p, users.length, items.length);
  let U = { rows: firstUsers, previous: firstUsers };
  let V = { rows: firstItems, previous: firstItems };
  const byUser = grouped(cells, users.length, "row", "column");
  const byItem = grouped(cells, items.length, "column", "row");
  const half_steps = [];
  for (let t = 1n; t <= p.iterations; t += 1n) {
    U = halfStep(U.rows, U.previous, V.rows, byUser, p);
    half_steps.push({ iteration: t, side: "users", rows: U.rows });
    V = halfStep(V.rows, V.previous, U.rows, byItem, p);
    half_steps.push({ iteration: t, side: "items", rows: V.rows });
  }
  const d = Number(p.rank);
  return {
    items,
    factors: V.rows.map((row) => row.slice(0, d)),
    bias: rowLength(p) > d ? V.rows.map((row) => row[d]) : null,
    half_steps,
  };
};
