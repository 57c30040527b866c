// SPDX-License-Identifier: Apache-2.0
// Chapter 7, "Parties": parties by handle, each going on as far as it can with what has arrived.

import { session } from "./operations/sessions.mjs";
import { Coins } from "./servers/coins.mjs";
import { Csp } from "./servers/csp.mjs";
import { Recsys } from "./servers/recsys.mjs";
import { timeOf } from "./servers/server.mjs";
import { fromHex } from "./users/bytes.mjs";
import { refuse } from "./users/refusal.mjs";
import { checkFits } from "./users/suites.mjs";
import { uploads } from "./users/users.mjs";

// What has come for a party and what it sends. `idle` is called when the party cannot go on without more.
class Mailbox {
  #came = new Map();
  #taken = new Map();
  #wake = null;

  constructor() {
    this.outbox = [];
    this.refused = [];
  }

  whenFrom(sender, take) {
    this.#taken.set(sender, take);
  }

  deliver(from, bytes) {
    const take = this.#taken.get(from);
    if (take) {
      const kind = take(bytes);
      if (kind) this.refused.push({ to: from, class: kind });
    } else this.#of(from).push(bytes);
    this.#wake?.();
  }

  #of(from) {
    if (!this.#came.has(from)) this.#came.set(from, []);
    return this.#came.get(from);
  }

  send(to, bytes) {
    this.outbox.push({ to, message: Buffer.from(bytes).toString("hex") });
  }

  async until(holds) {
    while (!holds()) {
      this.idle();
      await new Promise((resolve) => (this.#wake = resolve));
      this.#wake = null;
    }
  }

  async next(from) {
    const came = this.#of(from);
    await this.until(() => came.length);
    return came[0] === null ? null : came.shift();
  }
}

class Party {
  constructor(make) {
    this.mailbox = new Mailbox();
    this.role = make(this.mailbox);
    Object.assign(this, { output: null, done: false, failed: null });
  }

  async step(inbox) {
    const { mailbox } = this;
    if (this.failed) refuse("state", "the party has ended");
    if (this.done) return { outbox: [], refused: [], done: true, output: this.output };
    const idle = new Promise((resolve) => (mailbox.idle = resolve));
    for (const { from, message } of inbox) mailbox.deliver(from, message === null ? null : Buffer.from(message, "hex"));
    this.ended ??= this.role.run().then(
      (output) => Object.assign(this, { done: true, output: output ?? null }),
      (error) => (this.failed = error),
    );
    await Promise.race([idle, this.ended]);
    if (this.failed) throw this.failed;
    const { outbox, refused } = mailbox;
    Object.assign(mailbox, { outbox: [], refused: [] });
    const trace = this.role.server?.stages?.splice(0) ?? [];
    return { outbox, refused, done: this.done, output: this.output, ...(trace.length ? { trace } : {}) };
  }
}

const parties = new Map();
let last = 0;

const partyOf = ({ handle }) => parties.get(handle) ?? refuse("state", "no party of this handle");

// What a party of each role is made of, besides its mailbox.
const ROLES = {
  recsys: (found, given) => (mailbox) => new Recsys(found, mailbox, given.coins),
  csp: (found, given) => (mailbox) =>
    new Csp(found, mailbox, given.coins, fromHex(given.sealing_secret), given.consent_keys.map(fromHex)),
  users: (found, given) => (mailbox) => ({ run: () => send(found, mailbox, given) }),
};
const send = async (found, mailbox, { ratings, consent_keys: keys, coins }) => {
  const drawn = new Coins(`users/${coins}`);
  const made = await uploads(found, ratings, keys.map(fromHex), (count) => drawn.bytes(count));
  for (const bytes of made) mailbox.send("recsys", Buffer.from(bytes));
};

export const create = async (given) => {
  const found = await session(given.session);
  checkFits(found);
  if (found.expires && timeOf() >= found.expires) refuse("state", "the session has expired"); // PPMF-SES-014
  if (given.trace && !found.trial) refuse("state", "a trace of a session that is no trial");
  const party = new Party(ROLES[given.role](found, given));
  if (given.trace) party.role.server.stages = []; // PPMF-CON-040
  last += 1;
  parties.set(`${last}`, party);
  return { handle: `${last}` };
};

export const step = (given) => partyOf(given).step(given.inbox);

export const free = (given) => {
  partyOf(given);
  parties.delete(given.handle);
  return {};
};
