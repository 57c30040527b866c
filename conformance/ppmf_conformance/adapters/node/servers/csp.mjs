// SPDX-License-Identifier: Apache-2.0
// CSP: admits users (chapter 4, "Who takes part"), trains with RecSys, and sends its share of V.

import { mask } from "../users/seals.mjs";
import { colours, packBits } from "./bytes.mjs";
import { admit, checkEnough, decision, listed, writeRows } from "./intake.mjs";
import { newServer, timeOf } from "./server.mjs";
import { planesOf, train } from "./training.mjs";

export class Csp {
  constructor(session, mailbox, label, secret, consentKeys, kept) {
    this.server = newServer("csp", session, mailbox, label, kept);
    Object.assign(this, { secret, consentKeys });
  }

  async run() {
    if (!this.server.place.epoch) await this.admit();
    const labels = await train(this.server);
    this.server.link.send("output-share", { bits: packBits(colours(labels)) });
  }

  // In epoch 0, up to the bits of the ratings.
  async admit() {
    const { link, mailbox, session, sizes } = this.server;
    const { presence, seals } = await link.receive("closing");
    const present = listed(session, presence, seals);
    const found = await admit(session, this.secret, this.consentKeys, present);
    // PPMF-ADM-006
    await mailbox.until(() => found.length === present.length || timeOf() >= session.closes);
    const rows = found.map(({ row }) => row);
    const size = sizes.code.rowBytes(sizes.m);
    const masks = new Map();
    for (const { row, seed } of found) masks.set(row, await mask(session, session.users[row], seed, size));
    const admitted = writeRows(rows, sizes.n);
    const digest = decision(session, presence, seals, admitted);
    Object.assign(this.server.kept, { bits: planesOf(sizes, masks), decision: digest });
    link.send("admission", { admitted });
    checkEnough(session, rows);
  }
}
