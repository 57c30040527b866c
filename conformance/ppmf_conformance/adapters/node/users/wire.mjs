// SPDX-License-Identifier: Apache-2.0
// Chapter 5: messages in deterministic CBOR, and their numbering.

import { concat, joined, numberOf, utf8 } from "./bytes.mjs";
import { refuse } from "./refusal.mjs";

const B = "bytes";
export const FIELDS = {
  upload: { user: "text", serial: "uint", masked: B, sealed: B },
  closing: { presence: B, seals: B },
  admission: { admitted: B },
  resume: { last: "uint", checkpoints: B, decision: B },
  "server-key": { suite: "text", product_key: B },
  "base-request": { points: B },
  "base-answer": { point: B },
  "encrypted-rows": { packing: "side", first: "uint", rows: B },
  "product-answer": { answer: B },
  "transfer-columns": { columns: B },
  "transfer-payload": { payload: B },
  "garbled-tables": { tables: B },
  "output-share": { bits: B },
};
const MAJOR = { uint: 0, bytes: 2, text: 3, array: 4 };

// The shortest head of a CBOR item.
const head = (kind, value) => {
  const major = MAJOR[kind] << 5;
  const n = BigInt(value);
  if (n < 24n) return Uint8Array.of(major | Number(n));
  const width = n < 1n << 8n ? 1 : n < 1n << 16n ? 2 : n < 1n << 32n ? 4 : 8;
  const digits = Array.from({ length: width }, (_, k) => Number((n >> BigInt(8 * (width - 1 - k))) & 255n));
  return Uint8Array.of(major | (24 + Math.log2(width)), ...digits);
};

export const item = (kind, value) => {
  if (kind === "uint") return head(kind, value);
  const bytes = kind === "text" ? utf8(value) : value;
  return concat(head(kind, bytes.length), bytes);
};

export const array = (items) => joined([head("array", items.length), ...items]);

// A message whose fields are byte strings, integers and texts.
export const write = ({ name, session, epoch, number, fields }) =>
  array([
    item("text", name),
    item(B, session),
    item("uint", epoch),
    item("uint", number),
    ...Object.entries(FIELDS[name]).map(([field, kind]) => item(kind === "side" ? "text" : kind, fields[field])),
  ]);

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// PPMF-WIR-002, -010: one item, in which so many arrays may stand in one another, and which holds `most` items in all;
// unsigned integers become BigInts, byte strings parts of `data`.
export const parse = (data, depth, most) => {
  let at = 0;
  let left = most;
  const bad = (why) => refuse("encoding", `${data.length} bytes: ${why} at ${at}`);
  const argument = () => {
    const low = data[at] & 31;
    at += 1;
    if (low < 24) return BigInt(low);
    if (low > 27) bad("an indefinite or reserved length");
    const width = 1 << (low - 24);
    if (at + width > data.length) bad("cut short");
    const value = numberOf(data.subarray(at, at + width));
    at += width;
    if (value < (width === 1 ? 24n : 1n << BigInt(4 * width))) bad("not the shortest form");
    return value;
  };
  const bytes = (length) => {
    if (length > BigInt(data.length - at)) bad("cut short");
    const found = data.subarray(at, at + Number(length));
    at += Number(length);
    return found;
  };
  const one = (arrays) => {
    if (at >= data.length) bad("cut short");
    if (!left) bad("more items than there can be");
    left -= 1;
    const major = data[at] >> 5;
    if (!Object.values(MAJOR).includes(major)) bad("none of the four kinds");
    if (major === MAJOR.array && !arrays) bad("an array");
    const value = argument();
    if (major === MAJOR.uint) return value;
    if (major === MAJOR.bytes) return bytes(value);
    if (major === MAJOR.array) {
      if (value > BigInt(left)) bad("more items than there can be");
      return Array.from({ length: Number(value) }, () => one(arrays - 1));
    }
    try {
      return decoder.decode(bytes(value));
    } catch (error) {
      if (error instanceof TypeError) return bad("not UTF-8");
      throw error;
    }
  };
  const found = one(depth);
  if (at !== data.length) bad("something after it");
  return found;
};

const IS = {
  uint: (value) => typeof value === "bigint",
  bytes: (value) => value instanceof Uint8Array,
  text: (value) => typeof value === "string",
  side: (value) => value === "users" || value === "items",
};

// PPMF-WIR-003: anything that is not the one encoding of a message is refused.
export const read = (bytes) => {
  const found = parse(bytes, 1, 32);
  const bad = (why) => refuse("encoding", `a message: ${why}`);
  if (!Array.isArray(found)) bad("no array");
  const [name, session, epoch, number, ...values] = found;
  const kinds = IS.text(name) && Object.hasOwn(FIELDS, name) ? Object.entries(FIELDS[name]) : bad("an unknown name");
  if (!IS.bytes(session) || session.length !== 32) bad("a session that is not 32 bytes");
  if (!IS.uint(epoch) || !IS.uint(number)) bad("no number");
  if (values.length !== kinds.length || !kinds.every(([, kind], k) => IS[kind](values[k]))) bad("other fields");
  return { name, session, epoch, number, fields: Object.fromEntries(kinds.map(([field], k) => [field, values[k]])) };
};
