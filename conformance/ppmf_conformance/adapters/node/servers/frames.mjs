// SPDX-License-Identifier: Apache-2.0
// Frames and control messages of the servers' link (PPMF-LNK-003, -004, -013).

import { concat, numberOf, u64, utf8 } from "../users/bytes.mjs";
import { refuse } from "../users/refusal.mjs";
import { array, item, parse } from "../users/wire.mjs";

const HEAD_BYTES = 17;
const LEAST_AND_MOST = { hello: [1, 1024], data: [1, 1 << 20], ack: [8, 8], reset: [1, 512], ping: [0, 0] };
const KINDS = Object.keys(LEAST_AND_MOST);
const CLASSES = ["parameters", "encoding", "range", "state", "peer"];
const VERSION = "ppmf-link/1";
const INCARNATION_BYTES = 16;
const MOST_STREAMS = 16;

const lowestFirst = (bytes) => numberOf(Uint8Array.from(bytes).reverse());
const u32 = (value) => u64(value).subarray(0, 4);

const isText = (value) => typeof value === "string";
const isNumber = (value) => typeof value === "bigint";
const isBytes = (value, ...lengths) =>
  value instanceof Uint8Array && (!lengths.length || lengths.includes(value.length));

export const frame = (kind, stream, offset, body) =>
  concat(Uint8Array.of(KINDS.indexOf(kind)), u32(stream), u64(offset), u32(body.length), body);

export const hello = (said) => {
  const streams = said.streams.map((entry) => array(entry.map((number) => item("uint", number))));
  const members = [
    item("text", VERSION),
    item("text", said.role),
    item("uint", said.direction),
    ...[said.incarnation, said.peer, said.pairing].map((bytes) => item("bytes", bytes)),
    array(streams),
  ];
  return frame("hello", 0n, 0n, array(members));
};

export const data = (stream, offset, bytes) => frame("data", stream, offset, bytes);
export const ack = (stream, received, limit) => frame("ack", stream, received, u64(limit));
export const reset = (stream, kind, line) => frame("reset", stream, 0n, array([item("text", kind), item("text", line)]));
export const ping = () => frame("ping", 0n, 0n, new Uint8Array());

const readHello = (body) => {
  const bad = (why) => refuse("encoding", `hello: ${why}`);
  const found = parse(body, 3, 8 + 4 * MOST_STREAMS);
  if (!Array.isArray(found) || found.length !== 7) bad("not an array of seven members");
  const [version, role, direction, incarnation, peer, pairing, streams] = found;
  if (version !== VERSION) bad("another version");
  if (role !== "recsys" && role !== "csp") bad("no server's role");
  if (direction !== 0n && direction !== 1n) bad("no direction");
  if (!isBytes(incarnation, INCARNATION_BYTES) || !isBytes(pairing, INCARNATION_BYTES)) bad("not 16 bytes");
  if (!isBytes(peer, 0, INCARNATION_BYTES)) bad("an incarnation of the peer of another length");
  if (!Array.isArray(streams) || streams.length > MOST_STREAMS) bad("no list of at most 16 streams");
  if (!streams.every((one) => Array.isArray(one) && one.length === 3 && one.every(isNumber))) bad("no stream");
  return { role, direction, incarnation, peer, pairing, streams };
};

const readReset = (body) => {
  const found = parse(body, 1, 3);
  const right = Array.isArray(found) && found.length === 2 && CLASSES.includes(found[0]) && isText(found[1]);
  if (!right) refuse("encoding", "reset: not a class and a line");
  return { class: found[0], line: found[1] };
};

const readHead = (bytes) => {
  const kind = KINDS[bytes[0]] ?? refuse("encoding", `frame: kind ${bytes[0]}`);
  const [stream, offset, size] = [[1, 5], [5, 13], [13, 17]].map((part) => lowestFirst(bytes.subarray(...part)));
  const [least, most] = LEAST_AND_MOST[kind];
  if (size < least || size > most) refuse("encoding", `frame ${kind}: a body of ${size} bytes`);
  const ofNoStream = kind === "hello" || kind === "ping";
  if ((ofNoStream && stream) || ((ofNoStream || kind === "reset") && offset))
    refuse("encoding", `frame ${kind}: a number that has to be 0`);
  return { kind, stream, offset, size: Number(size) };
};

const withBody = ({ kind, stream, offset }, body) => {
  if (kind === "hello") return { kind, ...readHello(body) };
  if (kind === "data") return { kind, stream, offset, bytes: body };
  if (kind === "ack") return { kind, stream, received: offset, limit: lowestFirst(body) };
  return kind === "reset" ? { kind, stream, ...readReset(body) } : { kind };
};

// The whole frames at the beginning of bytes, and how many bytes are left after them.
export const readFrames = (bytes) => {
  const frames = [];
  let at = 0;
  while (at + HEAD_BYTES <= bytes.length) {
    const head = readHead(bytes.subarray(at, at + HEAD_BYTES));
    const end = at + HEAD_BYTES + head.size;
    if (end > bytes.length) break;
    frames.push(withBody(head, bytes.subarray(at + HEAD_BYTES, end)));
    at = end;
  }
  return { frames, left: bytes.length - at };
};

// The members of each control message after its name and key (PPMF-LNK-013).
const CONTROL = {
  propose: { proposal: "bytes" },
  accept: { acceptance: "bytes", signature: "bytes" },
  sign: { signature: "bytes" },
  opened: {},
  closing: { message: "bytes" },
  admission: { message: "bytes" },
  epoch: { stream: "uint" },
  ready: { stream: "uint" },
  receipt: { digest: "bytes", signature: "bytes" },
  received: {},
  refused: { question: "text", class: "text", line: "text" },
  ended: { state: "text", class: "text", line: "text" },
};
const IS = { bytes: (value) => isBytes(value), uint: isNumber, text: isText };

export const controlMembers = (name) => CONTROL[name];

export const writeControl = (message) => {
  const members = Object.entries(CONTROL[message.name]).map(([member, kind]) => item(kind, message[member]));
  return array([item("text", message.name), item("bytes", message.key), ...members]);
};

export const readControl = (bytes) => {
  const bad = (why) => refuse("encoding", `control message: ${why}`);
  const found = parse(bytes, 1, 8);
  if (!Array.isArray(found)) bad("no array");
  const [name, key, ...values] = found;
  if (!isText(name) || !Object.hasOwn(CONTROL, name)) bad("an unknown name");
  if (!isBytes(key, 32)) bad("a key that is not 32 bytes");
  const members = Object.entries(CONTROL[name]);
  if (values.length !== members.length || !members.every(([, kind], at) => IS[kind](values[at]))) bad("other members");
  const message = { name, key, ...Object.fromEntries(members.map(([member], at) => [member, values[at]])) };
  if ("class" in message && !CLASSES.includes(message.class)) bad("an unknown class");
  if (name === "ended" && message.state !== "failed" && message.state !== "abandoned") bad("no state of an end");
  return message;
};
