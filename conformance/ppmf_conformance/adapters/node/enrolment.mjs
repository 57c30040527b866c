// SPDX-License-Identifier: Apache-2.0
// Chapter 8: codes, tokens, invitations in two halves, digests of a proposal, receipts.

import { createHash, hkdfSync } from "node:crypto";

import { checkId } from "./ratings.mjs";
import { refuse } from "./refusal.mjs";
import { checkSignature, proposalOf, session } from "./session.mjs";
import { array, item } from "./wire.mjs";

const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const [CODE, LENGTH, TOKEN, MOST] = [16, 27, 43, 4096];
const LOOPBACK = ["127.0.0.1", "[::1]", "localhost"];

const hex = (text) => Buffer.from(text, "hex");
const sha256 = (...parts) => createHash("sha256").update(Buffer.concat(parts.map((one) => Buffer.from(one)))).digest("hex");

// PPMF-ENR-003: the sum of c_i x^(27 - i), by Horner's rule.
const checkLetter = (values) => {
  let sum = 0;
  for (const value of values) sum = double(sum) ^ value;
  return double(sum);
};
const double = (value) => (value < 16 ? 2 * value : (2 * value) ^ 37);

// PPMF-ENR-002.
const letters = (code) => {
  const bits = [...code].map((byte) => byte.toString(2).padStart(8, "0")).join("") + "00";
  const values = bits.match(/.{5}/g).map((five) => parseInt(five, 2));
  return [...values, checkLetter(values)].map((value) => LETTERS[value]).join("");
};

// PPMF-ENR-004.
const codeOf = (text) => {
  if (!/^[\x20-\x7e]*$/.test(text)) refuse("encoding", "code: a letter that no code has");
  const plain = text.toUpperCase().replace(/[ -]/g, "").replace(/[IL]/g, "1").replace(/O/g, "0");
  if (plain.length !== LENGTH) refuse("encoding", "code: a wrong number of letters");
  const values = [...plain].map((letter) => LETTERS.indexOf(letter));
  if (values.includes(-1)) refuse("encoding", "code: a letter that no code has");
  if (checkLetter(values.slice(0, -1)) !== values.at(-1)) refuse("encoding", "code: a letter is wrong");
  const bits = values.slice(0, -1).map((value) => value.toString(2).padStart(5, "0")).join("");
  if (!bits.endsWith("00")) refuse("encoding", "code: no code ends so");
  return Buffer.from(bits.slice(0, 8 * CODE).match(/.{8}/g).map((byte) => parseInt(byte, 2)));
};

const tokenBytes = (text) => {
  const found = Buffer.from(text, "base64url");
  if (text.length !== TOKEN || found.toString("base64url") !== text) refuse("encoding", "token: none");
  return found;
};

export const enrolLetters = (given) => ({ letters: letters(hex(given.code)) });
export const enrolCode = (given) => ({ code: codeOf(given.text).toString("hex") });
export const enrolConsentKey = (given) => {
  const key = hkdfSync("sha256", hex(given.code), Buffer.alloc(0), "ppmf/v2/consent-key/", 32); // PPMF-ENR-005
  return { key: Buffer.from(key).toString("hex") };
};
export const enrolToken = (given) => ({ digest: sha256(tokenBytes(given.token)) }); // PPMF-ENR-006

// PPMF-ENR-012.
const checkUrl = (text) => {
  const found = /^(https?):\/\/([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(\/[!-~]*)?$/.exec(text);
  const [, scheme, host, port, path] = found ?? refuse("range", "no URL of a server");
  if (Number(port ?? 0) > 65535 || /[?#]|\/$/.test(path ?? "")) refuse("range", "no URL of a server");
  if (scheme === "http" && !LOOPBACK.includes(host)) refuse("range", "http for another machine");
};

// PPMF-ENR-009; encodeURIComponent leaves !'()* as they are.
const escaped = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
const line = (half) => {
  const members = { ppmf: "2", from: half.from, user: half.user };
  if (half.from === "recsys") Object.assign(members, { token: half.token, recsys: half.recsys, csp: half.csp });
  else Object.assign(members, { code: letters(hex(half.code)), key: half.key });
  return Object.entries(members).map(([name, value]) => `${name}=${escaped(value)}`).join("&"); // prettier-ignore
};

// PPMF-ENR-010.
const half = (given) => {
  const text = given.replace(/^[ \r\n]+|[ \r\n]+$/g, "");
  if ([...text].length > MOST) refuse("encoding", "a half that is too long");
  const own = text.slice(text.lastIndexOf("#") + 1);
  const bad = () => refuse("encoding", "not a half of an invitation");
  const members = {};
  try {
    for (const part of own.split("&")) {
      const at = part.indexOf("=");
      members[part.slice(0, at)] = decodeURIComponent(part.slice(at + 1));
    }
  } catch {
    bad();
  }
  const { from, user, token, recsys, csp, code, key } = members;
  let found;
  if (from === "recsys" && token !== undefined) {
    tokenBytes(token);
    found = { from, user, token, recsys, csp };
  } else if (from === "csp" && code !== undefined) {
    if (!/^[0-9a-f]{64}$/.test(key ?? "")) bad();
    found = { from, user, code: codeOf(code).toString("hex"), key };
  } else bad();
  if (Object.values(found).includes(undefined) || line(found) !== own) bad();
  if (from === "recsys") [recsys, csp].forEach(checkUrl);
  checkId(user, "the pseudonym");
  return found;
};

export const write = (given) => ({ line: line(given) });
export const read = (given) => half(given.text);

// PPMF-ENR-011.
export const join = (given) => {
  const [one, other] = given.halves.map(half);
  if (one.from === other.from || one.user !== other.user) refuse("state", "two halves that do not belong together");
  return { user: one.user };
};

// PPMF-SRV-006, -018.
export const proposal = (given) => {
  const s = session(given.session);
  const items = array(s.items.map((text) => item("text", text)));
  return { digest: sha256("ppmf/v2/proposal/", proposalOf(s)), catalogue: sha256("ppmf/v2/catalogue/", items) };
};

// PPMF-SRV-016.
export const receipt = (given) => {
  const [s, digest] = [session(given.session), hex(given.digest)];
  if (digest.length !== 32) refuse("encoding", "a digest of another length");
  checkSignature(s.recsysKey, Buffer.concat([s.id, digest]), hex(given.signature), "receipt", "ppmf/v2/receipt/");
  return { id: s.id.toString("hex") };
};
