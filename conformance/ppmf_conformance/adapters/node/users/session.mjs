// SPDX-License-Identifier: Apache-2.0
// Chapter 4: sessions, their ids, and their files with two signatures.

import { checkLength, concat, sha256, utf8 } from "./bytes.mjs";
import { checkKey, readPoint } from "./curves.mjs";
import { bound, canonical, parameters } from "./params.mjs";
import { checkId, rowOrder } from "./ratings.mjs";
import { floorDivide, refuse } from "./refusal.mjs";
import { SUITES } from "./suites.mjs";
import { array, item, parse } from "./wire.mjs";

const [NONCE, SIGNATURE, MOST] = [16, 64, 1 << 26];
const [MOST_IDS, MOST_ADDRESSES] = [1 << 20, 16];
const FORMAT = "ppmf-session/2";

// PPMF-SES-009 and -016, of the proposal; lists are of texts, numbers are BigInts, keys and nonces bytes.
const checkProposal = (s) => {
  if (!SUITES.has(s.suite)) refuse("parameters", "suite: none that is known");
  if (s.addresses.length > MOST_ADDRESSES) refuse("encoding", "more addresses than there may be");
  for (const ids of [s.users, s.items]) {
    if (ids.length > MOST_IDS) refuse("encoding", "more ids than there may be");
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
  readPoint(s.recsysKey, "RecSys' key");
  checkLength(s.recsysNonce, NONCE, "RecSys' nonce");
};

const checkAcceptance = (s) => {
  readPoint(s.cspKey, "CSP's key");
  checkLength(s.cspNonce, NONCE, "CSP's nonce");
  checkKey(s.sealingKey, "key for seals");
};

// PPMF-SES-007 to -009, and of PPMF-SES-003 what does not depend on the suite. The session of these members has also
// `ring`, `width` of the numbers before the shift, and `id`.
export const checked = async (s) => {
  checkProposal(s);
  checkAcceptance(s);
  const { ring, width } = bound(s.p, BigInt(s.users.length), BigInt(s.items.length));
  return { ...s, ring, width, id: await sha256(utf8("ppmf/v2/session/"), array([proposalOf(s), acceptanceOf(s)])) };
};

const texts = (list) => array(list.map((text) => item("text", text)));
const proposalOf = (s) =>
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

// PPMF-SES-013.
export const write = (s, byRecsys, byCsp) => {
  const signatures = [byRecsys, byCsp].map((bytes) => item("bytes", bytes));
  return array([item("text", FORMAT), proposalOf(s), acceptanceOf(s), ...signatures]);
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

const base64url = (value) => {
  const bytes = Array.from({ length: 32 }, (_, k) => Number((value >> BigInt(8 * (31 - k))) & 255n));
  return btoa(String.fromCharCode(...bytes))
    .replace(/\+/g, "-")
    .replace(/\//g, "_")
    .replace(/=/g, "");
};

// What a server signs (PPMF-SES-012).
export const acceptanceText = (id) => concat(utf8("ppmf/v2/accept/"), id);

const checkSignature = async (point, signed, signature, where) => {
  checkLength(signature, SIGNATURE, where);
  const { x, y } = readPoint(point, where);
  const curve = { name: "ECDSA", namedCurve: "P-256" };
  const jwk = { kty: "EC", crv: "P-256", x: base64url(x), y: base64url(y) };
  const key = await crypto.subtle.importKey("jwk", jwk, curve, false, ["verify"]);
  const right = await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, key, signature, signed);
  if (!right) refuse("state", `${where}: of another session or key`);
};

const isBytes = (value) => value instanceof Uint8Array;
const isTexts = (list) => Array.isArray(list) && list.every((one) => typeof one === "string");
const FORM = ["string", isTexts, isTexts, "string", "bigint", "bigint", "bigint", isTexts, "bigint", isBytes, isBytes];
const fits = (values, form) =>
  Array.isArray(values) &&
  values.length === form.length &&
  form.every((kind, k) => (typeof kind === "string" ? typeof values[k] === kind : kind(values[k])));

// PPMF-SES-012 to -014 and -016: the session of a file, at a time.
export const read = async (data, now) => {
  if (data.length > MOST) refuse("encoding", "a file that is too long");
  const found = parse(data, 3, 2 * MOST_IDS + 64);
  const bad = () => refuse("encoding", "not the file of a session");
  if (!fits(found, ["string", Array.isArray, Array.isArray, isBytes, isBytes])) bad();
  const [name, proposal, acceptance, byRecsys, byCsp] = found;
  if (name !== FORMAT || !fits(proposal, FORM) || !fits(acceptance, Array(3).fill(isBytes))) bad();
  const [text, users, items, suite, least, closes, expires, addresses, trial, recsysKey, recsysNonce] = proposal;
  if (trial > 1n) bad();
  const [cspKey, cspNonce, sealingKey] = acceptance;
  const p = parametersOf(text);
  const part = { p, users, items, suite, least, closes, expires, addresses, trial };
  const s = await checked({ ...part, recsysKey, recsysNonce, cspKey, cspNonce, sealingKey });
  await checkSignature(s.recsysKey, acceptanceText(s.id), byRecsys, "RecSys' signature");
  await checkSignature(s.cspKey, acceptanceText(s.id), byCsp, "CSP's signature");
  if (expires !== 0n && now >= expires) refuse("state", "the session has expired");
  return s;
};

// PPMF-SRV-006, -018: the digests of a session's proposal and of its items.
export const proposalDigests = async (s) => ({
  digest: await sha256(utf8("ppmf/v2/proposal/"), proposalOf(s)),
  catalogue: await sha256(utf8("ppmf/v2/catalogue/"), texts(s.items)),
});

// PPMF-SRV-016: what RecSys signs when V is published.
export const receiptText = (id, digest) => concat(utf8("ppmf/v2/receipt/"), id, digest);

export const checkReceipt = (s, digest, signature) => {
  checkLength(digest, 32, "digest of V");
  return checkSignature(s.recsysKey, receiptText(s.id, digest), signature, "RecSys' receipt");
};
