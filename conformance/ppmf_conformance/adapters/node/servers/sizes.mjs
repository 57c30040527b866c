// SPDX-License-Identifier: Apache-2.0
// What follows from the session alone: numbers of chapter 4, the circuits of a run, and the longest messages that can be
// due. Numbers that are multiplied with shares are BigInts.

import { codeOf } from "../users/code.mjs";
import { rowLength, scaledWeight } from "../users/params.mjs";
import { columnsOf, matricesOf } from "../users/suites.mjs";
import { POINT } from "./base_transfers.mjs";
import { payloadBytes } from "./bit_products.mjs";
import { CHUNK } from "./bytes.mjs";
import { payloadBytes as conversionBytes } from "./conversion.mjs";
import { tablesBytes } from "./garbling.mjs";
import { reciprocal, update } from "./netlists.mjs";
import { columnsBytes } from "./transfers.mjs";

const bitLength = (value) => value.toString(2).length;
export const SIDES = ["users", "items"];
export const otherSide = (side) => (side === "users" ? "items" : "users");

export const sizesOf = (session) => {
  const { p } = session;
  const [n, m, d] = [session.users.length, session.items.length, Number(p.rank)];
  const D = rowLength(p);
  const width = Number(1n + p.box_bits + p.frac_bits);
  const sizes = { p, n, m, d, D, ...columnsOf(p), k: Number(session.ring), wordBits: width, code: codeOf(p) };
  sizes.T = Number(p.iterations);
  sizes.K = Number(p.inner_steps);
  sizes.rows = { users: n, items: m };
  sizes.count = p.step_rule === "count";
  sizes.matrices = matricesOf(p, n, m);
  sizes.circuits = circuitsOf(sizes, Number(session.width));
  return sizes;
};

// PPMF-STP-001, -002, PPMF-HST-004.
const circuitsOf = ({ p, n, m, d }, width) => {
  const [f, q, g, s, b] = ["frac_bits", "step_bits", "step_guard_bits", "curvature_shift", "box_bits"].map(
    (name) => p[name],
  );
  const step = (largest, drop, weights) =>
    reciprocal({
      width: bitLength(largest),
      drop: Number(drop),
      exponent: Number(q + g),
      minimum: p.damping << g,
      shift: Number(f + q + 1n),
      weights,
    });
  const binary = p.regulariser === "binary-elastic-net";
  const weights = {};
  if (p.l1.n > 0n || binary) weights.tau = scaledWeight(p.l1, p);
  if (binary) weights.theta = scaledWeight(p.ridge, p);
  const prox = weights.tau === undefined ? null : p.regulariser;
  const found = {};
  for (const [side, others] of [
    ["users", BigInt(m)],
    ["items", BigInt(n)],
  ]) {
    const factors =
      p.step_rule === "lipschitz"
        ? step(((others * BigInt(d)) << (2n * (b + f))) + (p.damping << (2n * f + s)), 2n * f - g + s, weights)
        : step((others << (g - s)) + (p.damping << g), 0n, weights);
    const bias = p.bias ? step((others << (g - (s < 0n ? s : 0n))) + (p.damping << g), 0n, {}) : null;
    const plan = { width, drop: Number(2n * f + q), f: Number(f), b: Number(b) };
    const { tau, theta } = factors.outputs;
    const moved = prox ? update({ ...plan, prox, tau: tau.length, theta: theta?.length }) : null;
    found[side] = { factors, bias, moved, plain: moved && !p.bias ? null : update({ ...plan, prox: null }) };
  }
  return found;
};

// PPMF-WIR-009: the bytes of the longest message of each type that this party can be sent, uploads left out.
export const longestMessages = (sizes, suite, encryption, me) => {
  const { n, m, d, D, k, T, K, wordBits, code, circuits } = sizes;
  const planes = 1 + code.weights.length;
  const chunk = (count) => Math.min(CHUNK, count);
  const [columns, payloads, tables] = [[], [], []];
  const atRecsys = me === "recsys";
  const conversion = chunk(n * m);
  columns.push(columnsBytes(conversion * (atRecsys ? 1 : planes)));
  payloads.push(conversionBytes(k, planes, conversion, atRecsys ? "csp" : "recsys"));
  for (const side of SIDES) {
    const I = sizes.rows[side];
    const { factors, bias, moved, plain } = circuits[side];
    for (const [net, count] of [
      [factors, I],
      [bias, I],
      [moved, d * I],
      [plain, (moved ? 1 : D) * I],
    ]) {
      if (!net) continue;
      columns.push(atRecsys ? 0 : columnsBytes(net.inputs.share0 * chunk(count)));
      tables.push(tablesBytes(net, chunk(count)));
      const shared = net.outputs.step?.length ?? 0;
      columns.push(atRecsys ? columnsBytes(shared * count) : 0);
      payloads.push(payloadBytes(k, shared, chunk(I) * (net === bias ? 1 : d)));
    }
    const again = T > 1 || K > 1 || side === "users"; // whether new words of the side are used again
    if (again && atRecsys) {
      columns.push(columnsBytes(wordBits * D * I));
      payloads.push(payloadBytes(k, wordBits, chunk(D * I)));
    }
    if (T > 1 || K > 1) payloads.push(payloadBytes(k, wordBits, chunk(D * I) * D));
    if (T > 1 || side === "users") payloads.push(payloadBytes(k, wordBits, chunk(I) * D));
  }
  const answers = encryption.answerBytes.slice(T > 1 ? 0 : 1); // none packs users while the items are the public start
  const longest = (list) => Math.max(...list);
  return {
    closing: message("closing", [bytes(Math.ceil(n / 8)), bytes(120 * n)]),
    admission: message("admission", [bytes(Math.ceil(n / 8))]),
    "server-key": message("server-key", [bytes(Buffer.byteLength(suite)), bytes(encryption.keyBytes)]),
    "base-request": message("base-request", [bytes(256 * POINT)]),
    "base-answer": message("base-answer", [bytes(POINT)]),
    "encrypted-rows": message("encrypted-rows", [bytes(5), uint(encryption.lastGroup), bytes(encryption.rowsBytes)]),
    "product-answer": message("product-answer", [bytes(longest(answers))]),
    "transfer-columns": message("transfer-columns", [bytes(longest(columns))]),
    "transfer-payload": message("transfer-payload", [bytes(longest(payloads))]),
    "garbled-tables": message("garbled-tables", [bytes(longest(tables))]),
    "output-share": message("output-share", [bytes(Math.ceil((wordBits * D * m) / 8))]),
  };
};

export const longestUpload = (session, code) => {
  const user = Math.max(...session.users.map((id) => Buffer.byteLength(id)));
  return message("upload", [bytes(user), 9, bytes(code.rowBytes(session.items.length)), bytes(112)]);
};

const uint = (value) => (value < 24 ? 1 : value < 256 ? 2 : value < 65536 ? 3 : 5);
const bytes = (length) => uint(length) + length;
// The array, the name, the session, the epoch, which is 0, and the number, which counts 9 bytes.
const message = (name, fields) => 1 + 1 + name.length + 34 + 1 + 9 + fields.reduce((sum, one) => sum + one, 0);
