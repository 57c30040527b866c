// SPDX-License-Identifier: Apache-2.0
// RecSys: takes in uploads (chapter 4, "Who takes part"), trains with CSP, and opens V.

import { Refusal } from "../users/refusal.mjs";
import { colours, packBits } from "./bytes.mjs";
import { Intake, checkEnough, decision, readAdmission } from "./intake.mjs";
import { check } from "./link.mjs";
import { openShare } from "./output.mjs";
import { newServer, timeOf } from "./server.mjs";
import { longestUpload } from "./sizes.mjs";
import { planesOf, train } from "./training.mjs";

export class Recsys {
  constructor(session, mailbox, label, kept) {
    this.server = newServer("recsys", session, mailbox, label, kept);
    this.intake = new Intake(session, this.server.sizes.code);
    this.intake.isOpen = !kept; // the intake is that of epoch 0
    this.longest = longestUpload(session, this.server.sizes.code);
    mailbox.whenFrom("users", (bytes) => this.fromUsers(bytes));
  }

  // PPMF-ERR-008: what a user sends is refused to that user alone; the class of the refusal is returned. Null says that no
  // user can send any more.
  fromUsers(bytes) {
    const { intake, server } = this;
    try {
      if (bytes !== null) intake.take(check(bytes, "upload", server.place, 0, this.longest));
      if (bytes === null || !intake.missing) intake.isOpen = false; // PPMF-ADM-003, without a grace
    } catch (error) {
      if (error instanceof Refusal) return error.kind;
      throw error;
    }
    return null;
  }

  async run() {
    if (this.server.place.epoch) return this.goOn();
    const { server, intake } = this;
    const { link, mailbox, session, sizes } = server;
    await mailbox.until(() => !intake.isOpen || timeOf() >= (session.closes || Infinity));
    const { presence, seals } = intake.close();
    link.send("closing", { presence, seals });
    const { admitted } = await link.receive("admission");
    const rows = readAdmission(session, presence, admitted);
    checkEnough(session, rows);
    const masked = new Map(rows.map((row) => [row, intake.newest.get(row).masked]));
    const digest = decision(session, presence, seals, admitted);
    Object.assign(server.kept, { bits: planesOf(sizes, masked), decision: digest });
    return this.goOn();
  }

  // From the bits of the ratings on, in any epoch.
  async goOn() {
    const { server } = this;
    const { link, session } = server;
    const labels = await train(server);
    const { bits } = await link.receive("output-share");
    return { items: session.items, ...openShare(session, bits, packBits(colours(labels))) };
  }
}
