// SPDX-License-Identifier: Apache-2.0
// Byte strings, which are Uint8Arrays everywhere below `users/`.

import { refuse } from "./refusal.mjs";

export const utf8 = (text) => new TextEncoder().encode(text);

// Of any number of parts, of which a call could not take more than some ten thousand.
export const joined = (parts) => {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};
export const concat = (...parts) => joined(parts);

export const hexOf = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

export const fromHex = (text) => {
  if (!/^([0-9a-f]{2})*$/.test(text)) refuse("encoding", "not bytes in hexadecimal");
  return Uint8Array.from({ length: text.length / 2 }, (_, at) => parseInt(text.slice(2 * at, 2 * at + 2), 16));
};

// Numbers as integers, the lowest byte first and the highest byte first.
export const u64 = (value) => {
  const out = new Uint8Array(8);
  new DataView(out.buffer).setBigUint64(0, BigInt(value), true);
  return out;
};
export const numberOf = (bytes) => BigInt(`0x0${hexOf(bytes)}`);

// The order of byte strings, -1, 0 or 1.
export const compare = (one, other) => {
  for (let at = 0; at < Math.min(one.length, other.length); at += 1)
    if (one[at] !== other[at]) return one[at] < other[at] ? -1 : 1;
  return Math.sign(one.length - other.length);
};

// PPMF-ERR-003.
export const checkLength = (bytes, due, where) => {
  if (bytes.length !== due) refuse("encoding", `${where}: ${bytes.length} bytes where ${due} are due`);
};

export const sha256 = async (...parts) => new Uint8Array(await crypto.subtle.digest("SHA-256", concat(...parts)));
