// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Bit times vector". Words that are shared with transfers are { width, count, bits, sent, chosen }: bits, own
// keys of choice 0 and chosen keys, all position by position. Vectors follow each other in one array of ring elements.

import { BLOCK, checkLength, chunks, ofElements, xorEach } from "./bytes.mjs";
import { batchKey, pads } from "./hashing.mjs";

export const bytesOf = (ring, t) => Math.ceil((ring - t) / 8);
export const payloadBytes = (ring, width, entries) => {
  let sum = 0;
  for (let t = 0; t < width; t += 1) sum += bytesOf(ring, t);
  return entries * sum;
};

export const part = ({ width, count, bits, sent, chosen }, first, end) => ({
  width,
  count: end - first,
  bits: ofElements(bits, width, count, first, end),
  sent: sent && ofElements(sent, width, count, first, end, BLOCK),
  chosen: chosen && ofElements(chosen, width, count, first, end, BLOCK),
});

const weightOf = (t, width, signed) => (signed && t === width - 1 ? -(1n << BigInt(t)) : 1n << BigInt(t));

// PPMF-BIT-008: what `each` is told of every batch: its bit, elements and key.
const batches = ({ width, count }, length, site, towards, each) => {
  const step = Math.floor(8192 / (2 * Math.ceil(length / 2)));
  for (let t = 0; t < width; t += 1)
    for (let first = 0; first < count; first += step) {
      const key = batchKey(site.place, `${site.purpose}/to-${towards}`, [...site.indices, t, first / step]);
      each(t, first, Math.min(count, first + step), key);
    }
};
const keysOf = (keys, count, t, first, end) => keys.subarray(BLOCK * (t * count + first), BLOCK * (t * count + end));

// One chunk at one server; a site is { place, purpose, indices } up to the chunk. What is due for its own share of the
// word times its own share of the vector.
export const local = ({ width, count, bits }, vectors, signed) => {
  const length = vectors.length / count;
  const share = new BigUint64Array(vectors.length);
  for (let e = 0; e < count; e += 1) {
    let word = 0n;
    for (let t = 0; t < width; t += 1) if (bits[t * count + e]) word += weightOf(t, width, signed);
    for (let l = 0; l < length; l += 1) share[e * length + l] = word * vectors[e * length + l];
  }
  return share;
};

// PPMF-BIT-004, -005: the payload of a sender, whose part is added to the share.
export const correct = (words, vectors, signed, site, ring, offset, peer, share) => {
  const { width, count, bits, sent } = words;
  const length = vectors.length / count;
  const payload = Buffer.alloc(payloadBytes(ring, width, vectors.length));
  let at = 0;
  batches(words, length, site, peer, (t, first, end, key) => {
    const keys = keysOf(sent, count, t, first, end);
    const [zero, one] = [pads(key, keys, length), pads(key, xorEach(keys, offset), length)];
    const [weight, size] = [weightOf(t, width, signed), bytesOf(ring, t)];
    const correction = Buffer.alloc(8);
    for (let e = first; e < end; e += 1)
      for (let l = 0; l < length; l += 1) {
        const [place, y] = [(e - first) * length + l, vectors[e * length + l]];
        const value = zero[place] + (bits[t * count + e] ? -y : y) - one[place];
        correction.writeBigUInt64LE(BigInt.asUintN(64, value));
        at += correction.copy(payload, at, 0, size);
        share[e * length + l] -= weight * zero[place];
      }
  });
  return payload;
};

// The part of a chooser, from the peer's payload.
export const take = (words, length, signed, site, ring, me, payload, share) => {
  const { width, count, bits, chosen } = words;
  checkLength(payload, payloadBytes(ring, width, count * length), "transfer-payload: payload");
  let at = 0;
  batches(words, length, site, me, (t, first, end, key) => {
    const mine = pads(key, keysOf(chosen, count, t, first, end), length);
    const [weight, size] = [weightOf(t, width, signed), bytesOf(ring, t)];
    const correction = Buffer.alloc(8);
    for (let e = first; e < end; e += 1)
      for (let l = 0; l < length; l += 1) {
        payload.copy(correction, 0, at, at + size);
        at += size;
        const taken = mine[(e - first) * length + l] + (bits[t * count + e] ? correction.readBigUInt64LE() : 0n);
        share[e * length + l] += weight * taken;
      }
  });
};

// The whole product between the servers: shares of word times vector.
export const multiply = async (server, purpose, indices, words, vectors, signed) => {
  const length = vectors.length / words.count;
  const out = new BigUint64Array(vectors.length);
  for (const [c, [first, end]] of chunks(words.count).entries()) {
    const site = { place: server.place, purpose, indices: [...indices, c] };
    const [mine, y] = [part(words, first, end), vectors.subarray(first * length, end * length)];
    const share = local(mine, y, signed);
    server.link.send("transfer-payload", {
      payload: correct(mine, y, signed, site, server.sizes.k, server.offset, server.peer, share),
    });
    const { payload } = await server.link.receive("transfer-payload");
    take(mine, length, signed, site, server.sizes.k, server.me, payload, share);
    out.set(share, first * length);
  }
  return out;
};

// PPMF-BIT-002: arithmetic shares of signed words, for which CSP alone sends.
export const toArithmetic = async (server, indices, words) => {
  const csp = server.me === "csp";
  const out = new BigUint64Array(words.count);
  for (const [c, [first, end]] of chunks(words.count).entries()) {
    const site = { place: server.place, purpose: "to-arithmetic", indices: [...indices, c] };
    const mine = part(words, first, end);
    const ones = new BigUint64Array(end - first).fill(csp ? 1n : 0n);
    const share = local(mine, ones, true);
    if (csp) {
      const payload = correct(mine, ones, true, site, server.sizes.k, server.offset, server.peer, share);
      server.link.send("transfer-payload", { payload });
    } else
      take(
        mine,
        1,
        true,
        site,
        server.sizes.k,
        server.me,
        (await server.link.receive("transfer-payload")).payload,
        share,
      );
    out.set(share, first);
  }
  return out;
};
