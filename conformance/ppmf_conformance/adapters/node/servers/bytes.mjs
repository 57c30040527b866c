// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Conventions": bytes, bits and blocks. Bits are arrays of 0 and 1; blocks follow each other in one array.

import { createHash } from "node:crypto";

import { refuse } from "../users/refusal.mjs";

export const BLOCK = 16;
export const CHUNK = 4096; // PPMF-GCB-006

export const text = (ascii) => Buffer.from(ascii, "latin1");
export const hex = (digits) => Buffer.from(digits, "hex");
export const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();
export const u64 = (value) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return out;
};
export const range = (count, first = 0) => Array.from({ length: count }, (_, k) => first + k);

// PPMF-ERR-003.
export const checkLength = (bytes, due, where) => {
  if (bytes.length !== due) refuse("encoding", `${where}: ${bytes.length} bytes where ${due} are due`);
};

export const packBits = (bits) => {
  const out = Buffer.alloc(Math.ceil(bits.length / 8));
  bits.forEach((bit, at) => (out[at >> 3] |= bit << (at & 7)));
  return out;
};
export const bitOf = (bytes, at) => (bytes[at >> 3] >> (at & 7)) & 1;
export const unpackBits = (bytes, count, first = 0) =>
  Uint8Array.from({ length: count }, (_, k) => bitOf(bytes, first + k));

export const xor = (one, other) => {
  const out = Buffer.alloc(one.length);
  for (let at = 0; at < one.length; at += 1) out[at] = one[at] ^ other[at];
  return out;
};

// The blocks, each xor the same block.
export const xorEach = (blocks, block) => {
  const out = Buffer.alloc(blocks.length);
  for (let at = 0; at < blocks.length; at += 1) out[at] = blocks[at] ^ block[at & 15];
  return out;
};

// The blocks, xor the same block where a bit is 1.
export const xorWhere = (blocks, bits, block) => {
  const out = Buffer.from(blocks);
  for (let at = 0; at < out.length; at += 1) if (bits[at >> 4]) out[at] ^= block[at & 15];
  return out;
};

export const blockAt = (blocks, at) => blocks.subarray(BLOCK * at, BLOCK * (at + 1));
export const colours = (blocks) => Uint8Array.from({ length: blocks.length / BLOCK }, (_, k) => blocks[BLOCK * k] & 1);

// Of bits and blocks that stand position by position, t * total + e: those of the elements first to end.
export const ofElements = (array, width, total, first, end, size = 1) => {
  const rows = range(width).map((t) => array.subarray(size * (t * total + first), size * (t * total + end)));
  return size === 1 ? Uint8Array.from(rows.flatMap((row) => [...row])) : Buffer.concat(rows);
};

// The contrary: parts that follow each other in the elements, position by position.
export const joinElements = (parts, width) =>
  Buffer.concat(
    range(width).flatMap((t) =>
      parts.map((part) => {
        const row = part.length / width;
        return part.subarray(t * row, (t + 1) * row);
      }),
    ),
    parts.reduce((sum, part) => sum + part.length, 0),
  );

// The first and the end of every chunk of so many elements.
export const chunks = (count) =>
  range(Math.ceil(count / CHUNK)).map((c) => [c * CHUNK, Math.min(count, (c + 1) * CHUNK)]);
