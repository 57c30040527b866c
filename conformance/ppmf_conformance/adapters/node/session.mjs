// SPDX-License-Identifier: Apache-2.0
// Chapter 4: sessions, their ids, and their files with two signatures.

import { ECDH, createHash, createPublicKey, verify } from "node:crypto";

import { bound, canonical, parameters } from "./params.mjs";
import { checkId, rowOrder } from "./ratings.mjs";
import { floorDivide, integer, refuse } from "./refusal.mjs";
import { checkKey } from "./x25519.mjs";
import { array, item, parse } from "./wire.mjs";

const SUITES = [
  ...[3072, 2048, 1024, 768, 512].map((bits) => `paillier-${bits}${bits < 2048 ? "-insecure" : ""}`),
  "rlwe-8192",
  "rlwe-64-insecure",
];
const [POINT, NONCE, SIGNATURE, MOST] = [33, 16, 64, 1 << 26];

const hex = (text) => Buffer.from(text, "hex");
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts)).digest();

const checkLength = (bytes, due, where) => {
  if (bytes.length !== due) refuse("encoding", `${where}: ${bytes.length} bytes where ${due} are due`);
};

const checkPoint = (bytes, where) => {
  checkLength(bytes, POINT, where);
  try {
    if (bytes[0] !== 2 && bytes[0] !== 3) throw new RangeError();
    ECDH.convertKey(bytes, "prime256v1");
  } catch {
    refuse("range", `${where}: not a point of P-256`);
  }
};

// PPMF-SES-009, of the proposal; lists are of texts, numbers are BigInts, keys and nonces Buffers.
const checkProposal = (s) => {
  if (!SUITES.includes(s.suite)) refuse("parameters", `no suite ${s.suite}`);
  for (const ids of [s.users, s.items]) {
    const order = rowOrder(ids);
    if (!ids.length || new Set(ids).size < ids.length || order.some((id, k) => id !== ids[k]))
      refuse("range", "a list that is empty, repeats an id or is out of order");
    ids.forEach((id, k) => checkId(id, `id number ${k + 1}`));
  }
  const n = BigInt(s.users.length);
  if (s.least > n || s.least < (n === 1n ? 1n : 2n)) refuse("parameters", `least = ${s.least}`);
  for (const name of ["closes", "expires"])
    if (s[name] < 0n || s[name] >= 1n << 64n) refuse("parameters", `${name} is no time`);
  if (s.expires !== 0n && s.expires <= s.closes) refuse("parameters", "it expires before it closes");
  const { p } = s;
  const scaled = (end) => end.minus(p.rating_offset);
  const [low, high] = [scaled(p.rating_min), scaled(p.rating_max)];
  const lo = -floorDivide(-(low.n << p.rating_frac_bits), low.d);
  if (lo > floorDivide(high.n << p.rating_frac_bits, high.d)) refuse("parameters", "no rating is allowed");
  if (s.suite.endsWith("-insecure") && s.trial === 0n) refuse("parameters", "a suite for trials alone");
  checkPoint(s.recsysKey, "RecSys' key");
  checkLength(s.recsysNonce, NONCE, "RecSys' nonce");
};

const checkAcceptance = (s) => {
  checkPoint(s.cspKey, "CSP's key");
  checkLength(s.cspNonce, NONCE, "CSP's nonce");
  checkKey(s.sealingKey, "key for seals");
};

// PPMF-SES-003, -007 to -009.
const checked = (s) => {
  checkProposal(s);
  checkAcceptance(s);
  const { ring, width } = bound(s.p, BigInt(s.users.length), BigInt(s.items.length));
  return { ...s, ring, width, id: sha256(Buffer.from("ppmf/v2/session/"), array([proposalOf(s), acceptanceOf(s)])) };
};

const texts = (list) => array(list.map((text) => item("text", text)));
export const proposalOf = (s) =>
  array([
    item("text", canonical(s.p)),
    texts(s.users),
    texts(s.items),
    item("text", s.suite),
    item("uint", s.least),
    item("uint", s.closes),
    item("uint", s.expires),
    texts(s.addresses),
    item("uint", s.trial),
    item("bytes", s.recsysKey),
    item("bytes", s.recsysNonce),
  ]);
const acceptanceOf = (s) => array([s.cspKey, s.cspNonce, s.sealingKey].map((bytes) => item("bytes", bytes)));

export const session = (given) =>
  checked({
    p: parameters(given.parameters),
    users: given.users,
    items: given.items,
    suite: given.suite,
    least: integer(given.least),
    closes: integer(given.closes),
    expires: integer(given.expires),
    addresses: given.addresses,
    trial: given.trial ? 1n : 0n,
    recsysKey: hex(given.recsys_key),
    recsysNonce: hex(given.recsys_nonce),
    cspKey: hex(given.csp_key),
    cspNonce: hex(given.csp_nonce),
    sealingKey: hex(given.sealing_key),
  });

export const write = (given) => {
  const s = session(given.session);
  const signatures = [given.by_recsys, given.by_csp].map((text) => item("bytes", hex(text)));
  return { file: array([item("text", "ppmf-session/2"), proposalOf(s), acceptanceOf(s), ...signatures]).toString("hex") };
};

// The parameters of their canonical text, in which every line is a name, " = " and a value.
const parametersOf = (text) => {
  const given = {};
  for (const line of text.split("\n").slice(0, -1)) {
    const [, name, value] = /^(\w+) = (.*)$/.exec(line) ?? refuse("parameters", "a line that is no parameter");
    if (/^-?[0-9]+$/.test(value)) given[name] = value;
    else {
      try {
        given[name] = JSON.parse(value);
      } catch {
        refuse("parameters", `${name}: neither a number, a boolean nor a string`);
      }
    }
  }
  const p = parameters(given);
  if (canonical(p) !== text) refuse("parameters", "not in the canonical text");
  return p;
};

export const checkSignature = (point, id, signature, where, label = "ppmf/v2/accept/") => {
  checkLength(signature, SIGNATURE, where);
  const [x, y] = [0, 1].map((k) =>
    ECDH.convertKey(point, "prime256v1", undefined, undefined, "uncompressed").subarray(1 + 32 * k, 33 + 32 * k).toString("base64url"),
  ); // prettier-ignore
  const key = createPublicKey({ key: { kty: "EC", crv: "P-256", x, y }, format: "jwk" });
  const signed = Buffer.concat([Buffer.from(label), id]);
  if (!verify("sha256", signed, { key, dsaEncoding: "ieee-p1363" }, signature))
    refuse("state", `${where}: of another session or key`);
};

const isTexts = (list) => Array.isArray(list) && list.every((one) => typeof one === "string");
const FORM = ["string", isTexts, isTexts, "string", "bigint", "bigint", "bigint", isTexts, "bigint", Buffer.isBuffer, Buffer.isBuffer];
const fits = (values, form) =>
  Array.isArray(values) && values.length === form.length &&
  form.every((kind, k) => (typeof kind === "string" ? typeof values[k] === kind : kind(values[k]))); // prettier-ignore

// PPMF-SES-012 to -014.
export const read = (given) => {
  const data = hex(given.file);
  if (data.length > MOST) refuse("encoding", "a file that is too long");
  const found = parse(data, 3);
  const bad = () => refuse("encoding", "not the file of a session");
  if (!fits(found, ["string", Array.isArray, Array.isArray, Buffer.isBuffer, Buffer.isBuffer])) bad();
  const [name, proposal, acceptance, byRecsys, byCsp] = found;
  if (name !== "ppmf-session/2" || !fits(proposal, FORM) || !fits(acceptance, Array(3).fill(Buffer.isBuffer))) bad();
  const [text, users, items, suite, least, closes, expires, addresses, trial, recsysKey, recsysNonce] = proposal;
  if (trial > 1n) bad();
  const [cspKey, cspNonce, sealingKey] = acceptance;
  const p = parametersOf(text);
  const part = { p, users, items, suite, least, closes, expires, addresses, trial };
  const s = checked({ ...part, recsysKey, recsysNonce, cspKey, cspNonce, sealingKey });
  checkSignature(s.recsysKey, s.id, byRecsys, "RecSys' signature");
  checkSignature(s.cspKey, s.id, byCsp, "CSP's signature");
  if (expires !== 0n && integer(given.now) >= expires) refuse("state", "the session has expired");
  return { id: s.id.toString("hex") };
};
