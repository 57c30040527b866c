// SPDX-License-Identifier: Apache-2.0
// Chapter 8: the codes and tokens of users, and the two halves of an invitation.

import { sha256, utf8 } from "./bytes.mjs";
import { checkId } from "./ratings.mjs";
import { refuse } from "./refusal.mjs";

const LETTERS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const [CODE, LENGTH, TOKEN, KEY, MOST] = [16, 27, 43, 32, 4096];
const LOOPBACK = ["127.0.0.1", "[::1]", "localhost"];

// PPMF-ENR-003: the sum of c_i x^(27 - i), by Horner's rule.
const double = (value) => (value < 16 ? 2 * value : (2 * value) ^ 37);
const checkLetter = (values) => double(values.reduce((sum, value) => double(sum) ^ value, 0));

const bitsOf = (value, width) => value.toString(2).padStart(width, "0");

// PPMF-ENR-002.
export const letters = (code) => {
  const bits = `${Array.from(code, (byte) => bitsOf(byte, 8)).join("")}00`;
  const values = bits.match(/.{5}/g).map((five) => parseInt(five, 2));
  return [...values, checkLetter(values)].map((value) => LETTERS[value]).join("");
};

// PPMF-ENR-004: the code that somebody typed.
export const readCode = (text) => {
  if (!/^[\x20-\x7e]*$/.test(text)) refuse("encoding", "code: a letter that no code has");
  const plain = text.toUpperCase().replace(/[ -]/g, "").replace(/[IL]/g, "1").replace(/O/g, "0");
  if (plain.length !== LENGTH) refuse("encoding", "code: a wrong number of letters");
  const values = Array.from(plain, (letter) => LETTERS.indexOf(letter));
  if (values.includes(-1)) refuse("encoding", "code: a letter that no code has");
  const body = values.slice(0, -1);
  if (checkLetter(body) !== values.at(-1)) refuse("encoding", "code: a letter is wrong");
  const bits = body.map((value) => bitsOf(value, 5)).join("");
  if (!bits.endsWith("00")) refuse("encoding", "code: no code ends so");
  return Uint8Array.from({ length: CODE }, (_, at) => parseInt(bits.slice(8 * at, 8 * at + 8), 2));
};

// PPMF-ENR-005.
export const consentKey = async (code) => {
  const material = await crypto.subtle.importKey("raw", code, "HKDF", false, ["deriveBits"]);
  const from = { name: "HKDF", hash: "SHA-256", salt: new Uint8Array(0), info: utf8("ppmf/v2/consent-key/") };
  return new Uint8Array(await crypto.subtle.deriveBits(from, material, 8 * KEY));
};

// PPMF-ENR-006: the 32 bytes of a token.
export const readToken = (text) => {
  if (text.length !== TOKEN || !/^[A-Za-z0-9_-]*$/.test(text)) refuse("encoding", "token: not of its form");
  const bytes = Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
  // the last letter holds 4 bits and 2 spare ones
  if (!"AEIMQUYcgkosw048".includes(text.at(-1))) refuse("encoding", "token: a spare bit is not 0");
  return bytes;
};
export const tokenDigest = (text) => sha256(readToken(text));

// PPMF-ENR-012.
const URL_OF_SERVER =
  /^(https?):\/\/([A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?(\/[!-~]*)?$/;
const checkUrl = (text) => {
  const [, scheme, host, port, path] = URL_OF_SERVER.exec(text) ?? refuse("range", "no URL of a server");
  if (Number(port ?? 0) > 65535 || /[?#]|\/$/.test(path ?? "")) refuse("range", "no URL of a server");
  if (scheme === "http" && !LOOPBACK.includes(host)) refuse("range", "http for another machine");
};

// PPMF-ENR-009; encodeURIComponent leaves !'()* as they are.
const escaped = (text) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
const MEMBERS = { recsys: ["token", "recsys", "csp"], csp: ["code", "key"] };

// The line of a half: `from`, `user`, and `token`, `recsys`, `csp` or `code` (in letters), `key` (in hexadecimal).
export const writeHalf = (half) =>
  ["ppmf=2", ...["from", "user", ...MEMBERS[half.from]].map((name) => `${name}=${escaped(half[name])}`)].join("&");

// PPMF-ENR-010: the half in a line, or in a link.
export const readHalf = (given) => {
  const text = given.replace(/^[ \r\n]+|[ \r\n]+$/g, "");
  if ([...text].length > MOST) refuse("encoding", "a half that is too long");
  const line = text.slice(text.lastIndexOf("#") + 1);
  const bad = () => refuse("encoding", "not a half of an invitation");
  const half = {};
  for (const part of line.split("&")) {
    const at = part.indexOf("=");
    try {
      half[part.slice(0, at)] = decodeURIComponent(part.slice(at + 1));
    } catch {
      bad();
    }
  }
  delete half.ppmf;
  if (!Object.hasOwn(MEMBERS, half.from ?? "")) bad();
  if (["user", ...MEMBERS[half.from]].some((name) => !Object.hasOwn(half, name)) || writeHalf(half) !== line) bad();
  if (half.from === "recsys") {
    readToken(half.token);
    [half.recsys, half.csp].forEach(checkUrl);
  } else {
    if (!/^[0-9a-f]{64}$/.test(half.key) || letters(readCode(half.code)) !== half.code) bad();
  }
  checkId(half.user, "the pseudonym");
  return half;
};

// PPMF-ENR-011: the members of both halves.
export const join = (one, other) => {
  if (one.from === other.from) refuse("state", "two halves of one sender");
  if (one.user !== other.user) refuse("state", "the halves of two users");
  return { ...one, ...other, from: undefined };
};
