// SPDX-License-Identifier: Apache-2.0
// RecSys: takes in uploads (chapter 4, "Who takes part"), trains with CSP, and opens V.

import { readRows, writeRows } from "../admission.mjs";
import { Refusal, refuse } from "../refusal.mjs";
import { SEAL } from "../seals.mjs";
import { KEY, checkKey } from "../x25519.mjs";
import { checkLength, colours, packBits, u64 } from "./bytes.mjs";
import { check } from "./link.mjs";
import { newServer } from "./server.mjs";
import { longestUpload } from "./sizes.mjs";
import { planesOf, train } from "./training.mjs";
import { openShare } from "../blocks.mjs";

export class Intake {
  constructor(session, place, sizes) {
    Object.assign(this, { session, place, code: sizes.code });
    this.longest = longestUpload(session, sizes.code);
    this.newest = new Map();
    this.open = true;
  }

  // PPMF-ADM-001, -002: takes an upload, or throws why it is refused.
  take(bytes) {
    const { user, serial, masked, sealed } = check(bytes, "upload", this.place, 0, this.longest);
    const { users, items } = this.session;
    const row = users.indexOf(user);
    if (row < 0) refuse("range", "upload: of nobody on the list");
    const where = `upload of user ${row + 1} of the list`;
    if (serial < 1n) refuse("range", `${where}: serials count from 1`);
    checkLength(masked, this.code.rowBytes(items.length), `${where}: masked`);
    checkLength(sealed, SEAL, `${where}: sealed`);
    checkKey(sealed.subarray(0, KEY), `${where}: sealed`);
    const last = this.newest.get(row);
    const same = last && serial === last.serial;
    if (same && masked.equals(last.masked) && sealed.equals(last.sealed)) return;
    if (!this.open) refuse("state", `${where}: the intake is closed`);
    if (last && serial < last.serial) refuse("state", `${where}: serial ${serial} after ${last.serial}`);
    if (same) refuse("state", `${where}: other bytes under one serial`);
    this.newest.set(row, { serial, masked, sealed });
  }

  get isFull() {
    return this.newest.size === this.session.users.length;
  }

  // PPMF-ADM-003, -004.
  close() {
    this.open = false;
    const { least, users } = this.session;
    if (BigInt(this.newest.size) < least) refuse("peer", `${this.newest.size} users are present, and ${least} have to take part`);
    const rows = [...this.newest.keys()].sort((a, b) => a - b);
    const records = rows.flatMap((row) => [u64(this.newest.get(row).serial), this.newest.get(row).sealed]);
    return { presence: writeRows(rows, users.length), seals: Buffer.concat(records) };
  }
}

export class Recsys {
  constructor(session, mailbox, label) {
    this.server = newServer("recsys", session, mailbox, label);
    this.intake = new Intake(session, this.server.place, this.server.sizes);
    mailbox.whenFrom("users", (bytes) => this.fromUsers(bytes));
  }

  // PPMF-ERR-008: what a user sends is refused to that user alone. Null: no user can send any more.
  fromUsers(bytes) {
    let refused = null;
    try {
      if (bytes !== null) this.intake.take(bytes);
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      refused = error.kind;
    }
    if (bytes === null || this.intake.isFull) this.intake.open = false;
    return refused;
  }

  async run() {
    const { server, intake } = this;
    const { link, mailbox, session, sizes } = server;
    await mailbox.until(() => !intake.open);
    const closing = intake.close();
    link.send("closing", closing);
    const { admitted } = await link.receive("admission");
    const rows = readRows(admitted, sizes.n, "admission: admitted");
    if (!rows.every((row) => intake.newest.has(row))) refuse("range", "admission: of a user who is not present");
    if (BigInt(rows.length) < session.least) refuse("peer", `${rows.length} users are admitted, and ${session.least} have to take part`);
    const masked = new Map(rows.map((row) => [row, intake.newest.get(row).masked]));
    const labels = await train(server, planesOf(sizes, masked));
    const { bits } = await link.receive("output-share");
    return { items: session.items, ...openShare(session, bits, packBits(colours(labels))) };
  }
}

