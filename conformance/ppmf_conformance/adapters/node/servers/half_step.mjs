// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Steps" and "A half-step". Shares are ring elements, a side's number by number.

import { multiply, toArithmetic } from "./bit_products.mjs";
import { BLOCK, joinElements, range } from "./bytes.mjs";
import { run, share } from "./circuits.mjs";
import { scaledWeight } from "../users/params.mjs";
import { product } from "./ratings_product.mjs";
import { byRow, note, ofLabels } from "./trace.mjs";

const SIDES = ["users", "items"];
const isCsp = (server) => server.me === "csp";

// The server's shares of how many entries each row of a side has, and of the sum of their ratings.
const sumsOf = ({ sizes: { n, m }, ratings }, side, name) => {
  const out = new BigUint64Array(side === "users" ? n : m);
  ratings[name].forEach((value, e) => (out[side === "users" ? Math.floor(e / m) : e % m] += value));
  return out;
};

// One circuit `reciprocal`: the words of the steps, shared, and the labels of the thresholds (PPMF-STP-003, -004). `at` are
// the steps' name and place in a trace.
const steps = async (server, purpose, indices, net, denominators, at) => {
  const { step, ...thresholds } = await run(server, purpose, indices, net, denominators);
  for (const [name, labels] of [[at.name, step], ...Object.entries(thresholds)])
    note(server, name, at.place, () => ofLabels(labels, labels.length / (BLOCK * denominators.length)));
  const [words] = await share(server, [{ width: net.outputs.step.length, labels: step }]);
  return { words, thresholds };
};

// PPMF-STP-001: shares of the numbers, plus a public constant.
const denominators = (server, shares, shift, constant) =>
  shares.map((value) => (value << shift) + (isCsp(server) ? constant : 0n));

// PPMF-STP-003: the steps that depend on counts alone, by side.
export const stepsFromCounts = async (server) => {
  const { p, circuits, count } = server.sizes;
  const [g, s] = [p.step_guard_bits, p.curvature_shift];
  const constant = p.damping << g;
  const found = {};
  for (const side of SIDES) {
    const counts = sumsOf(server, side, "rated");
    found[side] = {};
    if (count) {
      const shares = denominators(server, counts, g - s, constant);
      found[side].factors = await steps(server, `count-steps/${side}`, [], circuits[side].factors, shares, {
        name: "factor_steps",
        place: [side],
      });
    }
    if (p.bias) {
      const shares = denominators(server, counts, g - (s < 0n ? s : 0n), constant);
      found[side].bias = await steps(server, `bias-steps/${side}`, [], circuits[side].bias, shares, {
        name: "bias_steps",
        place: [side],
      });
    }
  }
  return found;
};

// PPMF-HST-001: S row by row of the matrix, o and q2, all number by number.
const subProblem = (server, side, [rated, rating]) => {
  const { p, d, D, pairs } = server.sizes;
  const [f, I] = [p.frac_bits, server.sizes.rows[side]];
  const S = range(D).map(() => Array(D));
  pairs.forEach(([j, l], k) => {
    const values = rated[D + k];
    S[j][l] = l < d ? values : rated[j].map((value) => value << f);
    if (l < d) S[l][j] = values;
    else S[d][j] = S[j][d];
  });
  const scale = 2n * f - p.rating_frac_bits;
  const o = range(d).map((j) => rating[j].map((value) => -(value << scale)));
  if (p.bias) {
    S[d][d] = sumsOf(server, side, "rated").map((value) => value << (2n * f));
    pairs.forEach(([j, l], k) => {
      if (l === d) o[j] = o[j].map((value, i) => value + (rated[D + k][i] << f));
    });
    const sums = sumsOf(server, side, "rating");
    o.push(rated[d].map((value, i) => (value << (2n * f)) - (sums[i] << (3n * f - p.rating_frac_bits))));
  }
  const q2 = new BigUint64Array(I);
  for (let j = 0; j < d; j += 1) S[j][j].forEach((value, i) => (q2[i] += value));
  return { S, o, q2 };
};

// PPMF-HST-002.
const gradient = async (server, side, { S, o }, half, inner) => {
  const { p, D } = server.sizes;
  const state = server.model[side];
  const I = state.rows;
  const ridge = scaledWeight(p.ridge, p);
  const G = state.shares.map((x) => ridge * x);
  o.forEach((values, j) => values.forEach((value, i) => (G[j * I + i] += value)));
  if (state.start) {
    for (let j = 0; j < D; j += 1)
      for (let l = 0; l < D; l += 1) for (let i = 0; i < I; i += 1) G[j * I + i] += S[j][l][i] * state.start[l * I + i];
    return G;
  }
  const vectors = new BigUint64Array(D * I * D);
  for (let l = 0; l < D; l += 1)
    for (let i = 0; i < I; i += 1) for (let j = 0; j < D; j += 1) vectors[(l * I + i) * D + j] = S[j][l][i];
  const products = await multiply(server, "gradient", [half, inner], state.words, vectors, true);
  for (let l = 0; l < D; l += 1)
    for (let i = 0; i < I; i += 1) for (let j = 0; j < D; j += 1) G[j * I + i] += products[(l * I + i) * D + j];
  return G;
};

// PPMF-HST-003: H G, number by number.
const moves = async (server, G, factors, bias, half, inner) => {
  const { d, D } = server.sizes;
  const I = G.length / D;
  const vectors = new BigUint64Array(I * d);
  for (let i = 0; i < I; i += 1) for (let k = 0; k < d; k += 1) vectors[i * d + k] = G[k * I + i];
  const moved = await multiply(server, "factor-moves", [half, inner], factors, vectors, false);
  const out = new BigUint64Array(D * I);
  for (let i = 0; i < I; i += 1) for (let k = 0; k < d; k += 1) out[k * I + i] = moved[i * d + k];
  if (bias) out.set(await multiply(server, "bias-moves", [half, inner], bias, G.subarray(d * I), false), d * I);
  return out;
};

// The labels of a threshold of each row, for all d factors.
const forFactors = (labels, I, d) => {
  const width = labels.length / (BLOCK * I);
  return joinElements(Array(d).fill(labels), width);
};

// PPMF-HST-004: the labels of the new words.
const update = async (server, side, moved, thresholds, half, inner) => {
  const { p, d, circuits, wordBits } = server.sizes;
  const { shares, previous, rows: I } = server.model[side];
  const scale = 2n * p.frac_bits + p.step_bits;
  const A = (p.inertia.n << scale) / p.inertia.d;
  const half_ = isCsp(server) ? 1n << (scale - 1n) : 0n;
  const before = shares.map((x, e) => (x << scale) + A * (x - previous[e]) - moved[e] + half_);
  note(server, "Z", [Math.floor(half / 2) + 1, side, inner], () => byRow(before, I));
  const { moved: withProx, plain } = circuits[side];
  if (!withProx) return (await run(server, "update", [half, inner], plain, before)).word;
  const labels = Object.fromEntries(Object.entries(thresholds).map(([name, one]) => [name, forFactors(one, I, d)]));
  const factors = await run(server, "update", [half, inner], withProx, before.subarray(0, d * I), labels);
  if (!p.bias) return factors.word;
  const bias = await run(server, "update-bias", [half, inner], plain, before.subarray(d * I));
  return joinElements([factors.word, bias.word], wordBits);
};

// Moves the side; after the last inner step of the run the labels of its words are what is left of them.
export const halfStep = async (server, side, half, fromCounts) => {
  const { p, K, T, circuits, wordBits, count } = server.sizes;
  const state = server.model[side];
  const place = [Math.floor(half / 2) + 1, side];
  const problem = subProblem(server, side, await product(server, side, half));
  const { S, o, q2 } = problem;
  const numbers = range(server.sizes.D);
  note(server, "S", place, () => range(state.rows).map((i) => numbers.map((j) => numbers.map((l) => S[j][l][i]))));
  note(server, "o", place, () => range(state.rows).map((i) => o.map((values) => values[i])));
  if (!count) note(server, "q2", place, () => [...q2]);
  const { bias } = fromCounts[side];
  let { factors } = fromCounts[side];
  if (!count) {
    const constant = p.damping << (2n * p.frac_bits + p.curvature_shift);
    const shares = denominators(server, problem.q2, 0n, constant);
    factors = await steps(server, "steps", [half], circuits[side].factors, shares, { name: "factor_steps", place });
  }
  for (let inner = 0; inner < K; inner += 1) {
    const G = await gradient(server, side, problem, half, inner);
    note(server, "G", [...place, inner], () => byRow(G, state.rows));
    const moved = await moves(server, G, factors.words, bias?.words, half, inner);
    note(server, "HG", [...place, inner], () => byRow(moved, state.rows));
    const labels = await update(server, side, moved, factors.thresholds, half, inner);
    note(server, "words", [...place, inner], () => byRow(ofLabels(labels, wordBits), state.rows));
    if (half === 2 * T - 1 && inner === K - 1) return labels;
    const [words] = await share(server, [{ width: wordBits, labels }]);
    const next = await toArithmetic(server, [half, inner], words);
    note(server, "shares", [...place, inner], () => byRow(next, state.rows));
    Object.assign(state, { previous: state.shares, shares: next, words, start: null });
  }
  return null;
};
