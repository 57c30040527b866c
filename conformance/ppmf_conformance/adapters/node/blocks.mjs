// SPDX-License-Identifier: Apache-2.0
// Chapter 4: shares, the hash, transfers. A block is 16 bytes, its first the lowest.

import { createCipheriv, createHash } from "node:crypto";

import { codeOf } from "./code.mjs";
import { saturate, prox } from "./fixed.mjs";
import { parameters, rowLength } from "./params.mjs";
import { integer, integers, refuse, roundHalfUp } from "./refusal.mjs";
import { session } from "./session.mjs";

const u64 = (value) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return out;
};
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
const aes = (key, block) => {
  const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  return Buffer.concat([cipher.update(block), cipher.final()]);
};
const xor = (a, b) => Buffer.from(a.map((byte, k) => byte ^ b[k]));
const hex = (text) => Buffer.from(text, "hex");

// PPMF-OUT-001, -003.
export const openShare = (session, csp, recsys) => {
  const { p } = session;
  const [items, D] = [session.items.length, rowLength(p)];
  const width = Number(1n + p.box_bits + p.frac_bits);
  const size = Math.ceil((width * D * items) / 8);
  if (csp.length !== size) refuse("encoding", `output share: ${csp.length} bytes where ${size} are due`);
  const bits = xor(csp, recsys);
  const bit = (at) => BigInt((bits[at >> 3] >> (at & 7)) & 1);
  const word = (element) => {
    let value = 0n;
    for (let t = 0; t < width; t += 1) value |= bit(t * D * items + element) << BigInt(t);
    return BigInt.asIntN(width, value);
  };
  const row = (j) => Array.from({ length: D }, (_, k) => word(k * items + j));
  const rows = Array.from({ length: items }, (_, j) => row(j));
  const rank = Number(p.rank);
  return { factors: rows.map((one) => one.slice(0, rank)), bias: p.bias ? rows.map((one) => one[rank]) : null };
};
export const open = (given) => openShare(session(given.session), hex(given.csp), hex(given.recsys));

// PPMF-HSH-002.
const batchKey = (given, indices) => {
  const purpose = Buffer.from(given.purpose, "ascii");
  const parts = [u64(32), hex(given.session), u64(integer(given.epoch)), u64(purpose.length), purpose, u64(indices.length)];
  return sha256(Buffer.from("ppmf/v2/batch-key/"), ...parts, ...indices.map(u64)).subarray(0, 16);
};

export const hashKey = (given) => ({ key: batchKey(given, integers(given.indices)).toString("hex") });

// PPMF-HSH-001.
const hash = (key, block, tweak) => {
  const inner = aes(key, block);
  return xor(aes(key, xor(inner, Buffer.concat([u64(tweak), u64(0)]))), inner);
};

export const hashBlock = (given) => ({ hash: hash(hex(given.key), hex(given.block), integer(given.tweak)).toString("hex") });

// PPMF-HSH-005.
const pads = (key, blocks, length) => {
  const beta = Math.ceil(length / 2);
  return blocks.map((block, r) => {
    const all = Buffer.concat(Array.from({ length: beta }, (_, j) => hash(key, block, BigInt(r * beta + j))));
    return Array.from({ length }, (_, k) => all.readBigUInt64LE(8 * k));
  });
};

export const hashPads = (given) => ({ pads: pads(hex(given.key), given.blocks.map(hex), Number(given.length)) });

// PPMF-OTE-008: a keystream that is read from its beginning on.
const keystream = (seed, given, i) => {
  const place = [hex(given.session), u64(integer(given.epoch)), Buffer.from(given.sender), u64(i)];
  const counter = sha256(Buffer.from("ppmf/v2/ot-counter/"), ...place).subarray(0, 16);
  const cipher = createCipheriv("aes-128-ctr", hex(seed), counter);
  return (count) => cipher.update(Buffer.alloc(count));
};

const bitOf = (bytes, j) => (bytes[j >> 3] >> (j & 7)) & 1;
const columnBytes = (count) => 16 * Math.ceil(count / 128);

// Key j of 128 columns: its bit i is bit j of column i.
const keyOf = (columns, j) => {
  const key = Buffer.alloc(16);
  columns.forEach((column, i) => (key[i >> 3] |= bitOf(column, j) << (i & 7)));
  return key.toString("hex");
};

// PPMF-OTE-004 to -006.
export const choose = (given) => {
  const streams = given.seeds.map((pair, i) => pair.map((seed) => keystream(seed, given, i)));
  return {
    messages: given.messages.map((choices) => {
      const size = columnBytes(choices.length);
      const chosen = Buffer.alloc(size);
      [...choices].forEach((bit, j) => (chosen[j >> 3] |= Number(bit) << (j & 7)));
      const zero = streams.map(([one]) => one(size));
      const columns = streams.map(([, one], i) => xor(xor(zero[i], one(size)), chosen));
      return {
        columns: Buffer.concat(columns).toString("hex"),
        keys: Array.from(choices, (_, j) => keyOf(zero, j)),
      };
    }),
  };
};

export const send = (given) => {
  const offset = hex(given.offset);
  const streams = given.seeds.map((seed, i) => keystream(seed, given, i));
  return {
    keys: given.messages.map(([text, count]) => {
      const [data, size] = [hex(text), columnBytes(Number(count))];
      if (data.length !== 128 * size) refuse("encoding", `columns: ${data.length} bytes where ${128 * size} are due`);
      const columns = streams.map((stream, i) => {
        const own = stream(size);
        return bitOf(offset, i) ? xor(own, data.subarray(i * size, (i + 1) * size)) : own;
      });
      return Array.from({ length: Number(count) }, (_, j) => keyOf(columns, j));
    }),
  };
};

// PPMF-BIT-004 to -006, one chunk.
export const multiply = (given) => {
  const words = given.bits.map((text) => [...text].map(BigInt));
  const [width, length, count] = [words[0].length, given.vectors[0].length, words.length];
  const vectors = given.vectors.map(integers);
  const received = hex(given.received);
  const ring = Number(given.ring);
  const bytes = (t) => Math.ceil((ring - t) / 8);
  const due = words[0].reduce((sum, _, t) => sum + bytes(t), 0) * length * count;
  if (received.length !== due) refuse("encoding", `payload: ${received.length} bytes where ${due} are due`);
  const weight = (t) => (given.signed && t === width - 1 ? -(1n << BigInt(t)) : 1n << BigInt(t));
  const share = words.map((bits, e) => {
    const mine = bits.reduce((sum, bit, t) => sum + weight(t) * bit, 0n);
    return vectors[e].map((y) => mine * y);
  });
  const payload = [];
  const offset = hex(given.offset);
  const step = Math.floor((1 << 12) / (2 * Math.ceil(length / 2)));
  const peer = given.me === "csp" ? "recsys" : "csp";
  let at = 0;
  for (let t = 0; t < width; t += 1) {
    for (let first = 0; first < count; first += step) {
      const batch = words.slice(first, first + step).map((_, k) => first + k);
      const keyTo = (chooser) =>
        batchKey({ ...given, purpose: `${given.purpose}/to-${chooser}` },
          [...integers(given.indices), BigInt(t), BigInt(first / step)]); // prettier-ignore
      const sent = batch.map((e) => hex(given.sent[e][t]));
      const zero = pads(keyTo(peer), sent, length);
      const one = pads(keyTo(peer), sent.map((key) => xor(key, offset)), length);
      const chosen = pads(keyTo(given.me), batch.map((e) => hex(given.chosen[e][t])), length);
      batch.forEach((e, k) =>
        vectors[e].forEach((y, l) => {
          const correction = zero[k][l] + (1n - 2n * words[e][t]) * y - one[k][l];
          payload.push(u64(correction).subarray(0, bytes(t)));
          const theirs = Buffer.concat([received.subarray(at, at + bytes(t)), Buffer.alloc(8)]).readBigUInt64LE();
          at += bytes(t);
          share[e][l] += weight(t) * (chosen[k][l] + words[e][t] * theirs - zero[k][l]);
        }),
      );
    }
  }
  return {
    payload: Buffer.concat(payload).toString("hex"),
    share: share.map((row) => row.map((value) => BigInt.asUintN(ring, value))),
  };
};

// PPMF-CNV-005 to -008: one chunk at one server, entry by entry.
export const convert = (given) => {
  const { least, weights } = codeOf(parameters(given.parameters));
  const [offset, received] = [hex(given.offset), hex(given.received)];
  const [count, planes, size] = [given.bits.length, 1 + weights.length, Math.ceil(Number(given.ring) / 8)];
  const due = count * size * (given.me === "csp" ? 1 : planes + 1);
  if (received.length !== due) refuse("encoding", `payload: ${received.length} bytes where ${due} are due`);
  const arrived = (row, e) => {
    const at = (row * count + e) * size;
    return Buffer.concat([received.subarray(at, at + size), Buffer.alloc(8)]).readBigUInt64LE();
  };
  const peer = given.me === "csp" ? "recsys" : "csp";
  const pad = (chooser, plane, e, key) => {
    const indices = [integer(given.chunk), BigInt(plane), BigInt(e >> 11)];
    const block = hash(batchKey({ ...given, purpose: `conversion/to-${chooser}` }, indices), key, BigInt(e % 2048));
    return [block.readBigUInt64LE(0), block.readBigUInt64LE(8)];
  };
  const weighed = (shares) => weights.reduce((sum, weight, a) => sum + weight * shares[1 + a], 0n);
  const [rows, rated, rating] = [[], [], []];
  given.bits.forEach((text, e) => {
    const c = [...text].map(BigInt);
    const both = (p) => {
      const key = hex(given.sent[e][p]);
      return [pad(peer, p, e, key), pad(peer, p, e, xor(key, offset))];
    };
    const mine = (p) => pad(given.me, p, e, hex(given.chosen[e][p]));
    const product = (y, zero, one) => zero + (1n - 2n * c[0]) * y - one;
    if (given.me === "csp") {
      const sent = c.map((_, p) => both(p));
      const shares = c.map((bit, p) => bit - sent[p][0][0]);
      const y = least + weighed(shares);
      const [zero, one] = sent[0].map((both) => both[1]);
      rows.push([...c.map((bit, p) => sent[p][0][0] + 1n - 2n * bit - sent[p][1][0]), product(y, zero, one)]);
      rated.push(shares[0]);
      rating.push(c[0] * y - zero + mine(0)[0] + c[0] * arrived(0, e));
    } else {
      const taken = c.map((_, p) => mine(p));
      const shares = c.map((bit, p) => taken[p][0] + bit * arrived(p, e));
      const y = weighed(shares);
      const [zero, one] = both(0).map(([first]) => first);
      rows.push([product(y, zero, one)]);
      rated.push(shares[0]);
      rating.push(c[0] * y - zero + taken[0][1] + c[0] * arrived(planes, e));
    }
  });
  const payload = rows[0].flatMap((_, row) => rows.map((entry) => u64(entry[row]).subarray(0, size)));
  const ring = (values) => values.map((value) => BigInt.asUintN(Number(given.ring), value));
  return { payload: Buffer.concat(payload).toString("hex"), rated: ring(rated), rating: ring(rating) };
};

// PPMF-CIR-003, -004: what the circuits compute.
export const circuit = (given) => {
  const { plan, inputs } = given;
  const [width, drop] = [Number(plan.width), BigInt(plan.drop)];
  const share1 = integers(inputs.share1);
  const sums = integers(inputs.share0).map((one, k) => BigInt.asUintN(width, one + share1[k]));
  if (given.circuit === "reciprocal") {
    const step = sums.map((total) => (1n << BigInt(plan.exponent)) / (total >> drop));
    const scaled = Object.entries(plan.weights).map(([name, weight]) => [
      name,
      step.map((one) => roundHalfUp(one * BigInt(weight), 1n << BigInt(plan.shift))),
    ]);
    return { outputs: { step, ...Object.fromEntries(scaled) } };
  }
  const p = { frac_bits: BigInt(plan.frac_bits), box_bits: BigInt(plan.box_bits), regulariser: plan.prox };
  const [tau, theta] = [inputs.tau ?? [], inputs.theta ?? []];
  const word = sums.map((total, k) => {
    const z = BigInt.asIntN(width, total) >> drop;
    return saturate(plan.prox === null ? z : prox(z, BigInt(tau[k]), BigInt(theta[k] ?? 0), p), p);
  });
  return { outputs: { word } };
};
