// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Garbled circuits": one chunk of elements. The labels of a word stand position by position; `keyOf` gives
// the batch key of an AND gate and a batch.

import { BLOCK, blockAt, checkLength, range, xor, xorEach, xorWhere, colours } from "./bytes.mjs";
import { hash } from "./hashing.mjs";

const BATCH = 2048; // PPMF-GCB-011

export const tablesBytes = (net, count) => 2 * BLOCK * net.ands().length * count;

// Walks through the gates; `labels` are those of the input words, `negate` what a negation does to a label, and
// `and(gate, a, b)` gives the labels of the outputs of an AND gate.
const walk = (net, labels, count, negate, and) => {
  const found = Array(net.nodes.length);
  const size = BLOCK * count;
  found[0] = Buffer.alloc(size);
  let node = 1;
  for (const [name, width] of Object.entries(net.inputs))
    for (const t of range(width)) found[node++] = labels[name].subarray(t * size, (t + 1) * size);
  const of = (literal) => (literal & 1 ? negate(found[literal >> 1]) : found[literal >> 1]);
  let gate = 0;
  for (const at of net.used()) {
    const [kind, a, b] = net.nodes[at];
    found[at] = kind === "xor" ? xor(of(a), of(b)) : and(gate++, of(a), of(b));
  }
  return Object.fromEntries(Object.entries(net.outputs).map(([name, word]) => [name, Buffer.concat(word.map(of))]));
};

// The batches of the elements, with the tweaks of so many labels of the left and of the right operand.
const batchesOf = (count, labels) =>
  range(Math.ceil(count / BATCH)).map((batch) => {
    const [first, end] = [batch * BATCH, Math.min(count, (batch + 1) * BATCH)];
    const tweaks = [0, 1].flatMap((odd) =>
      range(labels).flatMap(() => range(end - first, first).map((e) => 2 * e + odd)),
    );
    return { batch, first, end, tweaks };
  });

// The hashes of the operands' labels, of each batch under its key.
const hashed = (keyOf, gate, batches, operands) => {
  const parts = operands.map(() => []);
  for (const { batch, first, end, tweaks } of batches) {
    const blocks = operands.map((labels) => labels.subarray(BLOCK * first, BLOCK * end));
    const all = hash(keyOf(gate, batch), Buffer.concat(blocks), tweaks);
    const size = BLOCK * (end - first);
    operands.forEach((_, k) => parts[k].push(all.subarray(k * size, (k + 1) * size)));
  }
  return parts.map((one) => Buffer.concat(one));
};

// PPMF-GCB-001, -010, -003: tables and the labels of value 0 of the outputs, from those of the inputs.
export const garble = (net, labels, offset, count, keyOf) => {
  const tables = Buffer.alloc(tablesBytes(net, count));
  const batches = batchesOf(count, 2);
  const and = (gate, a, b) => {
    const operands = [a, xorEach(a, offset), b, xorEach(b, offset)];
    const [a0, a1, b0, b1] = hashed(keyOf, gate, batches, operands);
    const [pa, pb] = [colours(a), colours(b)];
    const G = xorWhere(xor(a0, a1), pb, offset);
    const E = xor(xor(b0, b1), a);
    for (let e = 0; e < count; e += 1) {
      blockAt(G, e).copy(tables, 2 * BLOCK * (gate * count + e));
      blockAt(E, e).copy(tables, 2 * BLOCK * (gate * count + e) + BLOCK);
    }
    return halves(a0, pa, G, b0, pb, E, a);
  };
  return { tables, outputs: walk(net, labels, count, (label) => xorEach(label, offset), and) };
};

// H(a) xor p_a T_G xor H(b) xor p_b (T_E xor a)
const halves = (ha, pa, G, hb, pb, E, a) => {
  const out = xor(ha, hb);
  for (let at = 0; at < out.length; at += 1) {
    const e = at >> 4;
    if (pa[e]) out[at] ^= G[at];
    if (pb[e]) out[at] ^= E[at] ^ a[at];
  }
  return out;
};

// The active labels of the outputs, from those of the inputs.
export const evaluate = (net, labels, tables, count, keyOf) => {
  checkLength(tables, tablesBytes(net, count), "garbled-tables: tables");
  const batches = batchesOf(count, 1);
  const and = (gate, a, b) => {
    const [ha, hb] = hashed(keyOf, gate, batches, [a, b]);
    const row = tables.subarray(2 * BLOCK * gate * count, 2 * BLOCK * (gate + 1) * count);
    const half = (which) => Buffer.concat(range(count).map((e) => blockAt(row, 2 * e + which)));
    return halves(ha, colours(a), half(0), hb, colours(b), half(1), a);
  };
  return walk(net, labels, count, (label) => label, and);
};
