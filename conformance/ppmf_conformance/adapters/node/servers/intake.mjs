// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Who takes part": what RecSys takes in, whom CSP admits, and the digest of both.

import { timingSafeEqual } from "node:crypto";

import { checkKey, KEY } from "../users/curves.mjs";
import { Refusal, refuse } from "../users/refusal.mjs";
import { SEAL, consent, open } from "../users/seals.mjs";
import { checkLength, packBits, range, sha256, text, u64, unpackBits } from "./bytes.mjs";

const RECORD = 8 + SEAL;

// PPMF-ADM-004: rows of users as bits.
export const writeRows = (rows, count) => {
  const bits = new Uint8Array(count);
  for (const row of rows) bits[row] = 1;
  return packBits(bits);
};
const readRows = (bytes, count, where) => {
  checkLength(bytes, Math.ceil(count / 8), where);
  const bits = unpackBits(bytes, 8 * bytes.length);
  if (bits.subarray(count).some((bit) => bit)) refuse("range", `${where}: a bit of no user`);
  return range(count).filter((row) => bits[row]);
};

// The newest upload of each user at RecSys.
export class Intake {
  constructor(session, code) {
    Object.assign(this, { session, size: code.rowBytes(session.items.length) });
    this.newest = new Map();
    this.isOpen = true;
  }

  // PPMF-ADM-001, -002: takes the fields of an upload, or throws why they are refused.
  take({ user, serial, masked, sealed }) {
    const row = this.session.users.indexOf(user);
    if (row < 0) refuse("range", "upload: of nobody on the list");
    const where = `upload of row ${row} of the users`;
    if (serial < 1n) refuse("range", `${where}: serials count from 1`);
    checkLength(masked, this.size, `${where}: masked`);
    checkLength(sealed, SEAL, `${where}: sealed`);
    checkKey(sealed.subarray(0, KEY), `${where}: sealed`);
    const last = this.newest.get(row);
    const same = last && serial === last.serial;
    if (same && !Buffer.compare(masked, last.masked) && !Buffer.compare(sealed, last.sealed)) return;
    if (!this.isOpen) refuse("state", `${where}: the intake is closed`);
    if (last && serial < last.serial) refuse("state", `${where}: serial ${serial} after ${last.serial}`);
    if (same) refuse("state", `${where}: other bytes under one serial`);
    this.newest.set(row, { serial, masked, sealed });
  }

  get missing() {
    return this.session.users.length - this.newest.size;
  }

  // PPMF-ADM-003, -004.
  close() {
    this.isOpen = false;
    const { least, users } = this.session;
    if (this.newest.size < least)
      refuse("peer", `${this.newest.size} users are present, and ${least} have to take part`);
    const rows = [...this.newest.keys()].sort((a, b) => a - b);
    const records = rows.flatMap((row) => [u64(this.newest.get(row).serial), this.newest.get(row).sealed]);
    return { presence: writeRows(rows, users.length), seals: Buffer.concat(records) };
  }
}

// PPMF-ADM-005: the users of a closing, as CSP reads it.
export const listed = (session, presence, seals) => {
  const rows = readRows(presence, session.users.length, "closing: presence");
  if (rows.length < session.least)
    refuse("state", `closing: ${rows.length} users, where ${session.least} have to take part`);
  checkLength(seals, RECORD * rows.length, "closing: seals");
  return rows.map((row, k) => {
    const serial = seals.readBigUInt64LE(k * RECORD);
    if (serial === 0n) refuse("range", "closing: seals: serials count from 1");
    return { row, serial, sealed: seals.subarray(k * RECORD + 8, (k + 1) * RECORD) };
  });
};

// Of those, the users whom CSP admits, each with their seed.
export const admit = async (session, secret, consentKeys, present) => {
  const found = [];
  for (const { row, serial, sealed } of present) {
    try {
      const user = session.users[row];
      const payload = await open(session, user, secret, sealed);
      if (timingSafeEqual(payload.consent, await consent(session, user, consentKeys[row], serial)))
        found.push({ row, seed: payload.seed });
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
    }
  }
  return found;
};

// PPMF-ADM-005: the rows of the users of an admission, as RecSys reads it.
export const readAdmission = (session, presence, admitted) => {
  const count = session.users.length;
  const rows = readRows(admitted, count, "admission: admitted");
  const present = unpackBits(presence, count);
  if (!rows.every((row) => present[row])) refuse("range", "admission: of a user who is not present");
  return rows;
};

// PPMF-ADM-008.
export const checkEnough = (session, rows) => {
  if (rows.length < session.least)
    refuse("peer", `${rows.length} users are admitted, and ${session.least} have to take part`);
};

// PPMF-ADM-010.
export const decision = (session, presence, seals, admitted) =>
  sha256(
    text("ppmf/v2/decision/"),
    session.id,
    ...[presence, seals, admitted].flatMap((part) => [u64(part.length), part]),
  );
