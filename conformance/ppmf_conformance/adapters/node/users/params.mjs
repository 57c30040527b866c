// SPDX-License-Identifier: Apache-2.0
// Chapter 3: the domain of a parameter set, its canonical text, and whether a size fits the ring.

import { sha256, utf8 } from "./bytes.mjs";
import { Fraction, decimal, decimalText, floorDivide, integer, refuse, roundHalfUp, whole } from "./refusal.mjs";

const TABLE = [
  ["rank", 10n, 1n, 1024n],
  ["iterations", 6n, 1n, 1000000n],
  ["inner_steps", 2n, 1n, 1000n],
  ["frac_bits", 8n, 8n, 24n],
  ["step_bits", 13n, 0n, 32n],
  ["step_guard_bits", 4n, 0n, 16n],
  ["box_bits", 1n, 0n, 16n],
  ["bias", true],
  ["rating_offset", "3", -65536n, 65536n],
  ["rating_frac_bits", 1n, 0n, 24n],
  ["rating_min", "0.5", -65536n, 65536n],
  ["rating_max", "5", -65536n, 65536n],
  ["ridge", "12", 0n, 1n << 32n],
  ["l1", "0", 0n, 1n << 32n],
  ["regulariser", ["elastic-net", "binary-elastic-net"]],
  ["step_rule", ["lipschitz", "count"]],
  ["curvature_shift", 1n, -16n, 32n],
  ["damping", 16n, 1n, 1n << 32n],
  ["inertia", "0.5", 0n, 1n], // 1 itself is refused below
  ["ring_bits", 0n, 0n, 64n], // 1 to 31 are refused below
  ["seed", "ppmf"],
];
const NAMES = new Set(TABLE.map(([name]) => name));

// Of what type a parameter is (PPMF-PAR-002), and undefined if there is none of this name.
export const kindOf = (name) => {
  const [, standard, low] = TABLE.find(([known]) => known === name) ?? [];
  if (standard === undefined) return undefined;
  if (typeof standard === "bigint") return "an integer";
  return low !== undefined ? "a dyadic number" : standard === true ? "a boolean" : "a string";
};

const bad = (name, value, rule) => refuse("parameters", `${name} = ${JSON.stringify(value)}: ${rule}`);

const readInteger = (name, given, low, high) => {
  if (typeof given !== "string" || !/^-?(0|[1-9][0-9]*)$/.test(given)) bad(name, given, "must be an integer");
  const value = BigInt(given);
  if (value < low || value > high) bad(name, given, `must be between ${low} and ${high}`);
  return value;
};

const readDyadic = (name, given, low, high) => {
  const value = decimal(given);
  if (!value) bad(name, given, "must be a number in plain decimal notation");
  if (value.compare(whole(low)) < 0 || value.compare(whole(high)) > 0)
    bad(name, given, `must be between ${low} and ${high}`);
  if ((1n << 64n) % value.d !== 0n) bad(name, given, "must be dyadic, with at most 64 fractional bits");
  return value;
};

// The set that a call's `parameters` name; a Refusal names parameter, rule and value.
export const parameters = (given) => {
  for (const name of Object.keys(given)) if (!NAMES.has(name)) refuse("parameters", `unknown parameter ${name}`);
  const p = {};
  for (const [name, standard, low, high] of TABLE) {
    const value = given[name];
    if (typeof standard === "bigint") p[name] = value === undefined ? standard : readInteger(name, value, low, high);
    else if (low !== undefined) p[name] = readDyadic(name, value === undefined ? standard : value, low, high);
    else if (Array.isArray(standard)) {
      p[name] = value === undefined ? standard[0] : value;
      if (!standard.includes(p[name])) bad(name, value, `must be one of ${standard.join(", ")}`);
    } else {
      p[name] = value === undefined ? standard : value;
      if (typeof p[name] !== typeof standard) bad(name, value, `must be a ${typeof standard}`);
    }
  }
  if (!p.seed.isWellFormed() || utf8(p.seed).length > 256) bad("seed", p.seed, "at most 256 bytes of UTF-8");
  checkRelations(p);
  return p;
};

const checkRelations = (p) => {
  const [f, q, g, s] = [p.frac_bits, p.step_bits, p.step_guard_bits, p.curvature_shift];
  if (q + g > 32n) bad("step_bits + step_guard_bits", `${q + g}`, "must be at most 32");
  if (p.rating_frac_bits > 2n * f) bad("rating_frac_bits", `${p.rating_frac_bits}`, "must be at most 2 frac_bits");
  if (p.rating_min.compare(p.rating_max) >= 0) bad("rating_min", `${p.rating_min}`, "must be below rating_max");
  for (const name of ["ridge", "l1"])
    if ((1n << (2n * f)) % p[name].d !== 0n) bad(name, `${p[name]}`, "times 2^(2 frac_bits) must be an integer");
  if (p.inertia.compare(whole(1)) >= 0) bad("inertia", `${p.inertia}`, "must be below 1");
  if (p.ring_bits > 0n && p.ring_bits < 32n) bad("ring_bits", `${p.ring_bits}`, "must be 0 or at least 32");
  if ((1n << 16n) % p.inertia.d !== 0n) bad("inertia", `${p.inertia}`, "times 2^16 must be an integer");
  if (p.step_rule === "count" && s > g) bad("curvature_shift", `${s}`, "must be at most step_guard_bits");
  if (p.step_rule === "lipschitz" && 2n * f - g + s < 0n) bad("curvature_shift", `${s}`, "is too small");
  if (p.regulariser === "binary-elastic-net") {
    if (p.box_bits < 1n) bad("box_bits", `${p.box_bits}`, "must be at least 1");
    if (longest(p).theta >= 1n << (f - 1n)) bad("ridge", `${p.ridge}`, "makes theta at curvature 0 too large");
  }
};

export const scaledWeight = (weight, p) => (weight.n << (2n * p.frac_bits)) / weight.d;

export const rowLength = (p) => Number(p.rank) + (p.bias ? 1 : 0);

// PPMF-FIX-023 to -025: everything a half-step fixes for a row.
export const step = (count, squares, p) => {
  const [f, q, g, s] = [p.frac_bits, p.step_bits, p.step_guard_bits, p.curvature_shift];
  const reciprocal = (curvature) => (1n << (q + g)) / (curvature + (p.damping << g));
  const curvature = p.step_rule === "lipschitz" ? squares >> (2n * f - g + s) : count << (g - s);
  const factors = reciprocal(curvature);
  const threshold = (weight) => roundHalfUp(factors * scaledWeight(weight, p), 1n << (f + q + 1n));
  return {
    curvature,
    factors,
    bias: p.bias ? reciprocal(count << (g - (s < 0n ? s : 0n))) : null,
    tau: threshold(p.l1),
    theta: threshold(p.ridge),
  };
};

const longest = (p) => step(0n, 0n, p);

// PPMF-PAR-020.
export const canonical = (p) =>
  TABLE.map(([name]) => {
    const value = p[name];
    const text =
      value instanceof Fraction ? quoted(decimalText(value)) : typeof value === "string" ? quoted(value) : `${value}`;
    return `${name} = ${text}\n`;
  }).join("");

const quoted = (text) =>
  `"${text
    .replace(/["\\]/g, "\\$&")
    .replace(/[\u0000-\u001f\u007f]/g, (c) => `\\u${c.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`)}"`;

export const digest = (p) => sha256(utf8(canonical(p)));

const rootUp = (square) => {
  if (square < 2n) return square;
  let x = 1n << BigInt((square.toString(2).length + 1) >> 1);
  for (;;) {
    const next = (x + square / x) >> 1n;
    if (next >= x) return x * x === square ? x : x + 1n;
    x = next;
  }
};

const minimum = (a, b) => (a < b ? a : b);
const maximum = (a, b) => (a > b ? a : b);
const larger = (a, b) => (a.compare(b) < 0 ? b : a);

// The largest of H (|G| + lambda B), over all c and q2 (chapter 3, "Bound").
const largestMove = (p, rows) => {
  const [f, q, g, s, b] = [p.frac_bits, p.step_bits, p.step_guard_bits, p.curvature_shift, p.box_bits];
  const box = 1n << b;
  const distance = (end) => {
    const d = end.minus(p.rating_offset);
    return d.n < 0n ? new Fraction(-d.n, d.d) : d;
  };
  const xmax = larger(distance(p.rating_min), distance(p.rating_max));
  const E = whole(p.rank * box * box + 2n * box).plus(xmax);
  const pull = p.ridge.times(whole(box));
  const lipschitz = p.step_rule === "lipschitz";
  const shift = 2n * f - g + s;
  const curvature = lipschitz ? (x) => x >> shift : (x) => x << (g - s);
  const last = (steepest) => (lipschitz ? ((steepest + 1n) << shift) - 1n : steepest >> (g - s));
  const end = lipschitz ? (rows * p.rank) << (2n * (b + f)) : rows;
  const steepestSlope = rows << (b + f);
  let best = whole(0);
  for (let x = 0n; x <= end;) {
    const H = (1n << (q + g)) / (curvature(x) + (p.damping << g));
    if (H === 0n) break;
    // of all x with this H the largest is the worst
    const worst = minimum(last((1n << (q + g)) / H - (p.damping << g)), end);
    const root = lipschitz ? minimum(rootUp(rows * worst), steepestSlope) : worst << (b + f);
    best = larger(
      best,
      E.times(new Fraction(root, 1n << f))
        .plus(pull)
        .times(whole(H)),
    );
    if (lipschitz && root === steepestSlope) break;
    x = worst + 1n;
  }
  return best;
};

// PPMF-PAR-015: how many rows there may be.
export const checkRows = (users, items) => {
  for (const [name, count] of Object.entries({ users, items }))
    if (count < 1n || count > (1n << 31n) - 1n) refuse("parameters", `${name} = ${count}: out of range`);
};

// PPMF-PAR-015 to -018: the bound before the shift and the width it needs.
export const bound = (p, users, items) => {
  checkRows(users, items);
  const rows = maximum(users, items);
  const [f, q, g, s, b] = [p.frac_bits, p.step_bits, p.step_guard_bits, p.curvature_shift, p.box_bits];
  const word = whole(1n)
    .plus(p.inertia.times(whole(2n)))
    .times(whole(1n << (3n * f + q + b)));
  const half = whole(1n << (2n * f + q - 1n));
  const found = word.plus(half).plus(largestMove(p, rows).times(whole(1n << (3n * f))));
  const drop = 2n * f + q;
  const { tau, theta } = longest(p);
  const away = p.regulariser === "elastic-net" ? tau : maximum(tau, 2n * theta + (1n << f));
  const after = -floorDivide(-found.n, found.d << drop) + away;
  const denominators = [
    p.step_rule === "lipschitz"
      ? ((rows * p.rank) << (2n * (b + f))) + (p.damping << (2n * f + s))
      : (rows << (g - s)) + (p.damping << g),
  ];
  if (p.bias) denominators.push((rows << (g - minimum(s, 0n))) + (p.damping << g));
  const holds = (k) =>
    found.compare(whole(1n << (k - 1n))) < 0 &&
    k - 1n - drop >= 0n &&
    after < 1n << (k - 1n - drop) &&
    denominators.every((one) => one < 1n << k);
  let ring = p.ring_bits || 32n;
  while (!p.ring_bits && ring < 64n && !holds(ring)) ring += 1n;
  if (!holds(ring)) refuse("parameters", `ring_bits = ${ring}: ${rows} rows of rank ${p.rank} leave the ring`);
  return { bound: found, width: BigInt((found.n / found.d).toString(2).length) + 1n, ring };
};

// PPMF-PAR-019: whether a step is 0 for some count. The longest row has the shortest steps.
export const idle = (p, users, items) => {
  bound(p, users, items);
  const rows = maximum(users, items);
  const { factors, bias } = step(rows, (rows * p.rank) << (2n * p.frac_bits - 2n), p);
  return factors === 0n || bias === 0n;
};

export const size = (text) => integer(text, "number of rows");
