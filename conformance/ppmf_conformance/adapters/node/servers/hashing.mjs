// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "The hash": of many blocks under one key at once.

import { createCipheriv } from "node:crypto";

import { BLOCK, range, sha256, text, u64 } from "./bytes.mjs";

// PPMF-HSH-002; a place is { session, epoch }.
export const batchKey = (place, purpose, indices) =>
  sha256(
    text("ppmf/v2/batch-key/"),
    u64(32),
    place.session,
    u64(place.epoch),
    u64(purpose.length),
    text(purpose),
    u64(indices.length),
    ...indices.map(u64),
  ).subarray(0, BLOCK);

// The permutation of blocks under a public key.
export const permute = (key, blocks) => createCipheriv("aes-128-ecb", key, null).setAutoPadding(false).update(blocks);

const words = (bytes) => new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));

// PPMF-HSH-001, for each block under its tweak, a number below 2^32 or a BigInt.
export const hash = (key, blocks, tweaks) => {
  const cipher = createCipheriv("aes-128-ecb", key, null).setAutoPadding(false);
  const inner = words(cipher.update(blocks));
  const tweaked = Uint32Array.from(inner);
  tweaks.forEach((tweak, at) => {
    const isSmall = typeof tweak === "number";
    tweaked[4 * at] ^= isSmall ? tweak : Number(BigInt.asUintN(32, tweak));
    if (!isSmall) tweaked[4 * at + 1] ^= Number(tweak >> 32n);
  });
  const out = words(cipher.update(new Uint8Array(tweaked.buffer)));
  for (let at = 0; at < out.length; at += 1) out[at] ^= inner[at];
  return Buffer.from(out.buffer);
};

// PPMF-HSH-005: the pads of the blocks one after the other, `length` ring elements each.
export const pads = (key, blocks, length) => {
  const [count, beta] = [blocks.length / BLOCK, Math.ceil(length / 2)];
  const repeated = Buffer.alloc(blocks.length * beta);
  for (const r of range(count))
    for (const j of range(beta)) blocks.copy(repeated, BLOCK * (r * beta + j), BLOCK * r, BLOCK * (r + 1));
  const hashed = hash(key, repeated, range(count * beta));
  return BigUint64Array.from({ length: count * length }, (_, at) => {
    const [r, l] = [Math.floor(at / length), at % length];
    return hashed.readBigUInt64LE(BLOCK * r * beta + 8 * l);
  });
};
