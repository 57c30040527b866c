// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "From bits to shares". Bits and keys of a chunk stand plane by plane.

import { BLOCK, checkLength, chunks, ofElements, xorEach } from "./bytes.mjs";
import { batchKey, hash } from "./hashing.mjs";

const AHEAD = 32; // PPMF-CNV-004

export const payloadBytes = (ring, planes, count, from) =>
  (from === "csp" ? planes + 1 : 1) * count * Math.ceil(ring / 8);

// Both ring elements of the pad of each element of a plane, which are one batch (PPMF-CNV-010).
const padsOf = (place, towards, chunk, plane, keys) => {
  const key = batchKey(place, `conversion/to-${towards}`, [chunk, plane, 0]);
  const all = hash(
    key,
    keys,
    Array.from({ length: keys.length / BLOCK }, (_, e) => e),
  );
  return [0, 8].map((at) =>
    BigUint64Array.from({ length: all.length / BLOCK }, (_, e) => all.readBigUInt64LE(BLOCK * e + at)),
  );
};

const writer = (ring, count, rows) => {
  const size = Math.ceil(ring / 8);
  const out = Buffer.alloc(rows * count * size);
  const one = Buffer.alloc(8);
  return {
    out,
    put: (row, e, value) => {
      one.writeBigUInt64LE(BigInt.asUintN(64, value));
      one.copy(out, (row * count + e) * size, 0, size);
    },
  };
};
const reader = (ring, count, payload) => {
  const size = Math.ceil(ring / 8);
  const one = Buffer.alloc(8);
  return (row, e) => {
    payload.copy(one, 0, (row * count + e) * size, (row * count + e + 1) * size);
    return one.readBigUInt64LE();
  };
};

// CSP's part of a chunk (PPMF-CNV-005): `sent` keys by plane, `chosen` keys of plane 0. First the payload, and what
// `finish` makes of RecSys'.
export const ofCsp = (place, ring, chunk, { least, weights }, offset, { bits, sent, chosen }) => {
  const planes = 1 + weights.length;
  const count = bits.length / planes;
  const { out, put } = writer(ring, count, planes + 1);
  const rated = new BigUint64Array(count);
  const y = new BigUint64Array(count).fill(BigInt.asUintN(64, least));
  const pads = Array.from({ length: planes }, (_, p) => {
    const keys = sent.subarray(BLOCK * p * count, BLOCK * (p + 1) * count);
    return [keys, xorEach(keys, offset)].map((one) => padsOf(place, "recsys", chunk, p, one));
  });
  pads.forEach(([[zero], [one]], p) => {
    for (let e = 0; e < count; e += 1) {
      const bit = BigInt(bits[p * count + e]);
      put(p, e, zero[e] + 1n - 2n * bit - one[e]);
      if (p === 0) rated[e] = bit - zero[e];
      else y[e] += weights[p - 1] * (bit - zero[e]);
    }
  });
  const rating = new BigUint64Array(count);
  const [[, zero], [, one]] = pads[0];
  for (let e = 0; e < count; e += 1) {
    put(planes, e, zero[e] + (bits[e] ? -y[e] : y[e]) - one[e]);
    rating[e] = (bits[e] ? y[e] : 0n) - zero[e];
  }
  const finish = (payload) => {
    checkLength(payload, payloadBytes(ring, planes, count, "recsys"), "transfer-payload: payload");
    const correction = reader(ring, count, payload);
    const [mine] = padsOf(place, "csp", chunk, 0, chosen);
    for (let e = 0; e < count; e += 1) rating[e] += mine[e] + (bits[e] ? correction(0, e) : 0n);
    return { rated, rating };
  };
  return { payload: out, finish };
};

// RecSys' part of a chunk (PPMF-CNV-006), from CSP's payload: `chosen` keys by plane, `sent` keys of plane 0.
export const ofRecsys = (place, ring, chunk, { weights }, offset, { bits, sent, chosen }, payload) => {
  const planes = 1 + weights.length;
  const count = bits.length / planes;
  checkLength(payload, payloadBytes(ring, planes, count, "csp"), "transfer-payload: payload");
  const correction = reader(ring, count, payload);
  const [rated, y, rating] = [0, 1, 2].map(() => new BigUint64Array(count));
  for (let p = 0; p < planes; p += 1) {
    const [first, second] = padsOf(
      place,
      "recsys",
      chunk,
      p,
      chosen.subarray(BLOCK * p * count, BLOCK * (p + 1) * count),
    );
    for (let e = 0; e < count; e += 1) {
      const bit = first[e] + (bits[p * count + e] ? correction(p, e) : 0n);
      if (p === 0) {
        rated[e] = bit;
        rating[e] = second[e] + (bits[e] ? correction(planes, e) : 0n);
      } else y[e] += weights[p - 1] * bit;
    }
  }
  const [[zero], [one]] = [sent, xorEach(sent, offset)].map((keys) => padsOf(place, "csp", chunk, 0, keys));
  const { out, put } = writer(ring, count, 1);
  for (let e = 0; e < count; e += 1) {
    put(0, e, zero[e] + (bits[e] ? -y[e] : y[e]) - one[e]);
    rating[e] += (bits[e] ? y[e] : 0n) - zero[e];
  }
  return { payload: out, rated, rating };
};

// Shares of w and x of all entries, from the server's bits, plane by plane.
export const convert = async (server, bits) => {
  const { code, k, n, m } = server.sizes;
  const planes = 1 + code.weights.length;
  const parts = chunks(n * m).map(([first, end], chunk) => {
    const own = ofElements(bits, planes, n * m, first, end);
    return { chunk, first, size: end - first, own, plane: own.subarray(0, end - first) };
  });
  const [rated, rating] = [0, 1].map(() => new BigUint64Array(n * m));
  const keep = (one, found) => {
    rated.set(found.rated, one.first);
    rating.set(found.rating, one.first);
  };
  const { link, place, offset } = server;
  if (server.me === "recsys") {
    const ask = (one) => {
      if (!one) return;
      const { columns, keys } = server.chooser.choose(one.own);
      one.chosen = keys;
      link.send("transfer-columns", { columns });
    };
    parts.slice(0, AHEAD).forEach(ask);
    for (const one of parts) {
      const { columns } = await link.receive("transfer-columns");
      const sent = server.sender.take(columns, one.size);
      const { payload } = await link.receive("transfer-payload");
      const found = ofRecsys(place, k, one.chunk, code, offset, { bits: one.own, sent, chosen: one.chosen }, payload);
      link.send("transfer-payload", { payload: found.payload });
      keep(one, found);
      ask(parts[one.chunk + AHEAD]);
    }
  } else {
    const answer = async (one) => {
      if (!one) return;
      const { columns } = await link.receive("transfer-columns");
      const sent = server.sender.take(columns, planes * one.size);
      const mine = server.chooser.choose(one.plane);
      link.send("transfer-columns", { columns: mine.columns });
      const made = ofCsp(place, k, one.chunk, code, offset, { bits: one.own, sent, chosen: mine.keys });
      link.send("transfer-payload", { payload: made.payload });
      one.finish = made.finish;
    };
    for (const one of parts.slice(0, AHEAD)) await answer(one);
    for (const one of parts) {
      keep(one, one.finish((await link.receive("transfer-payload")).payload));
      await answer(parts[one.chunk + AHEAD]);
    }
  }
  return { rated, rating };
};
