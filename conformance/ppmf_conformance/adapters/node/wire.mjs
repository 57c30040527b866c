// SPDX-License-Identifier: Apache-2.0
// Chapter 5: messages in deterministic CBOR, and their numbering.

import { integer, refuse } from "./refusal.mjs";

const B = "bytes";
const FIELDS = {
  "user-key": { key: B },
  upload: { user: "text", masked: B, sealed: B },
  "sealed-seeds": { sealed: B },
  resume: { last: "uint", checkpoints: B },
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
const MAJOR = { uint: 0, bytes: 2, text: 3, array: 4, map: 5 };

// The shortest head of a CBOR item.
const head = (kind, value) => {
  const major = MAJOR[kind] << 5;
  const n = BigInt(value);
  if (n < 24n) return Buffer.from([major | Number(n)]);
  const width = n < 1n << 8n ? 1 : n < 1n << 16n ? 2 : n < 1n << 32n ? 4 : 8;
  const out = Buffer.alloc(1 + width);
  out[0] = major | (24 + Math.log2(width));
  out.write(n.toString(16).padStart(2 * width, "0"), 1, "hex");
  return out;
};

export const item = (kind, value) => {
  if (kind === "uint") return head(kind, value);
  const bytes = kind === "text" ? Buffer.from(value, "utf8") : value;
  return Buffer.concat([head(kind, bytes.length), bytes]);
};

export const array = (items) => Buffer.concat([head("array", items.length), ...items]);
export const map = (pairs) => Buffer.concat([head("map", pairs.length), ...pairs.flat()]);

export const encode = ({ name, session, epoch, number, fields }) =>
  array([
    item("text", name),
    item(B, Buffer.from(session, "hex")),
    item("uint", integer(epoch)),
    item("uint", integer(number)),
    ...Object.entries(FIELDS[name]).map(([field, kind]) =>
      item(kind === "side" ? "text" : kind, kind === B ? Buffer.from(fields[field], "hex") : kind === "uint" ? integer(fields[field]) : fields[field]),
    ),
  ]);

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

// PPMF-WIR-003: anything that is not the one encoding of a message is refused.
export const decode = (hex) => {
  if (!/^([0-9a-f]{2})*$/.test(hex)) refuse("encoding", "not bytes in hexadecimal");
  const data = Buffer.from(hex, "hex");
  let at = 0;
  const bad = (why) => refuse("encoding", `a message of ${data.length} bytes: ${why} at ${at}`);
  const take = (kind) => {
    if (at >= data.length || data[at] >> 5 !== MAJOR[kind]) bad(`no ${kind}`);
    const low = data[at] & 31;
    at += 1;
    if (low < 24) return BigInt(low);
    if (low > 27) bad("an indefinite or reserved length");
    const width = 1 << (low - 24);
    if (at + width > data.length) bad("cut short");
    const value = BigInt(`0x${data.toString("hex", at, at + width)}`);
    at += width;
    if (value < (width === 1 ? 24n : 1n << BigInt(4 * width))) bad("not the shortest form");
    return value;
  };
  const bytes = (kind) => {
    const length = take(kind);
    if (length > BigInt(data.length - at)) bad("cut short");
    const found = data.subarray(at, at + Number(length));
    at += Number(length);
    return found;
  };
  const text = () => {
    try {
      return utf8.decode(bytes("text"));
    } catch (error) {
      if (error instanceof TypeError) return bad("not UTF-8");
      throw error;
    }
  };
  const count = take("array");
  const name = text();
  const kinds = Object.hasOwn(FIELDS, name) ? FIELDS[name] : bad("an unknown name");
  if (count !== BigInt(4 + Object.keys(kinds).length)) bad("a wrong number of fields");
  const session = bytes(B);
  if (session.length !== 32) bad("a session that is not 32 bytes");
  const [epoch, number] = [take("uint"), take("uint")];
  const fields = {};
  for (const [field, kind] of Object.entries(kinds)) {
    fields[field] = kind === B ? bytes(B).toString("hex") : kind === "uint" ? take("uint") : text();
    if (kind === "side" && !["users", "items"].includes(fields[field])) bad("no side");
  }
  if (at !== data.length) bad("something after it");
  return { name, session: session.toString("hex"), epoch, number, fields };
};

// PPMF-WIR-004: one direction's messages in turn.
export const receive = (given) => {
  given.messages.forEach((hex, turn) => {
    const message = decode(hex);
    const out = (why) => refuse("state", `message ${turn} from ${given.sender} to ${given.receiver}: ${why}`);
    if (message.session !== given.session) out("another session");
    // PPMF-RES-016: a `resume` says by itself of which epoch it is
    const epoch = message.name === "resume" ? integer(`${message.fields.last}`) + 1n : integer(given.epoch);
    if (message.epoch !== epoch) out("another epoch");
    if (message.number !== BigInt(turn)) out("another number");
    if (message.name !== given.due[turn]) out(`${message.name} where ${given.due[turn]} was due`);
  });
  return { accepted: BigInt(given.messages.length) };
};
