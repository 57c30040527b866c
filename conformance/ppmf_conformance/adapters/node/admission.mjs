// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Who takes part": what RecSys takes in, whom CSP admits, and the digest of both.

import { createHash, timingSafeEqual } from "node:crypto";

import { codeOf } from "./code.mjs";
import { Refusal, integer, refuse } from "./refusal.mjs";
import { SEAL, consent, open } from "./seals.mjs";
import { session } from "./session.mjs";
import { KEY, checkKey } from "./x25519.mjs";

const RECORD = 8 + SEAL;

const hex = (text) => Buffer.from(text, "hex");
const u64 = (value) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};
const due = (bytes, length, where) => {
  if (bytes.length !== length) refuse("encoding", `${where}: ${bytes.length} bytes where ${length} are due`);
};

// PPMF-ADM-001, -002: the newest upload of each user, by row.
const taken = (given) => {
  const { p } = session(given.session);
  const { users, items } = given.session;
  const size = codeOf(p).rowBytes(items.length);
  const newest = new Map();
  for (const [user, text, masked, sealed] of given.uploads) {
    const [row, serial, where] = [users.indexOf(user), integer(text), `upload of user ${user}`];
    if (row < 0) refuse("range", "an upload of nobody on the list");
    if (serial < 1n) refuse("range", `${where}: serials count from 1`);
    due(hex(masked), size, where);
    due(hex(sealed), SEAL, where);
    checkKey(hex(sealed).subarray(0, KEY), where);
    const last = newest.get(row);
    if (last && serial < last.serial) refuse("state", `${where}: serial ${serial} after ${last.serial}`);
    if (last && serial === last.serial && (masked !== last.masked || sealed !== last.sealed))
      refuse("state", `${where}: other bytes under one serial`);
    newest.set(row, { serial, masked, sealed });
  }
  return newest;
};

export const take = (given) => ({ missing: BigInt(given.session.users.length - taken(given).size) });

export const writeRows = (rows, count) => {
  const out = Buffer.alloc(Math.ceil(count / 8));
  for (const row of rows) out[row >> 3] |= 1 << (row & 7);
  return out;
};

export const readRows = (bytes, count, where) => {
  due(bytes, Math.ceil(count / 8), where);
  const found = [];
  for (let at = 0; at < 8 * bytes.length; at += 1)
    if ((bytes[at >> 3] >> (at & 7)) & 1) {
      if (at >= count) refuse("range", `${where}: a bit of no user`);
      found.push(at);
    }
  return found;
};

// PPMF-ADM-003, -004.
export const close = (given) => {
  const newest = taken(given);
  const { least } = session(given.session);
  if (BigInt(newest.size) < least) refuse("peer", `${newest.size} users are present, and ${least} have to take part`);
  const rows = [...newest.keys()].sort((a, b) => a - b);
  const records = rows.map((row) => Buffer.concat([u64(newest.get(row).serial), hex(newest.get(row).sealed)]));
  const presence = writeRows(rows, given.session.users.length).toString("hex");
  return { presence, seals: Buffer.concat(records).toString("hex") };
};

// PPMF-ADM-005: the users of a closing.
const listed = (given) => {
  const { least } = session(given.session);
  const rows = readRows(hex(given.presence), given.session.users.length, "presence");
  if (BigInt(rows.length) < least) refuse("state", `${rows.length} users, where ${least} have to take part`);
  const seals = hex(given.seals);
  due(seals, RECORD * rows.length, "seals");
  return rows.map((row, k) => {
    const record = seals.subarray(k * RECORD, (k + 1) * RECORD);
    const serial = record.readBigUInt64LE(0);
    if (serial === 0n) refuse("range", "serials count from 1");
    return { row, serial, sealed: record.subarray(8).toString("hex") };
  });
};

const admits = (given, { row, serial, sealed }) => {
  const user = given.session.users[row];
  const about = { session: given.session, user };
  try {
    const found = open({ ...about, secret: given.secret, sealed });
    const right = consent({ ...about, key: given.consent_keys[row], serial: `${serial}` });
    return timingSafeEqual(hex(found.consent), hex(right.consent));
  } catch (error) {
    if (error instanceof Refusal) return false;
    throw error;
  }
};

export const make = (given) => {
  const rows = listed(given).filter((one) => admits(given, one)).map(({ row }) => row); // prettier-ignore
  return { admitted: writeRows(rows, given.session.users.length).toString("hex") };
};

// PPMF-ADM-005, -010.
export const taking = (given) => {
  const count = given.session.users.length;
  const rows = readRows(hex(given.admitted), count, "admission");
  const present = readRows(hex(given.presence), count, "presence");
  if (!rows.every((row) => present.includes(row))) refuse("range", "admission: of a user who is not present");
  const digest = createHash("sha256").update("ppmf/v2/decision/").update(session(given.session).id);
  for (const text of [given.presence, given.seals, given.admitted]) digest.update(u64(hex(text).length)).update(hex(text));
  return { rows: rows.map(BigInt), digest: digest.digest("hex") };
};
