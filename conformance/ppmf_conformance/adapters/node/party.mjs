// SPDX-License-Identifier: Apache-2.0
// Chapter 7, "Parties": parties by handle, each going on as far as it can with what has arrived.

import { Recsys } from "./servers/recsys.mjs";
import { refuse } from "./refusal.mjs";
import { session } from "./session.mjs";

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
    this.outbox.push({ to, message: bytes.toString("hex") });
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
  constructor(given) {
    this.mailbox = new Mailbox();
    const made = { recsys: () => new Recsys(session(given.session), this.mailbox, given.coins) };
    this.role = made[given.role]();
    Object.assign(this, { begun: false, output: null, done: false, failed: null });
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
    return { outbox, refused, done: this.done, output: this.output };
  }
}

const parties = new Map();
let last = 0;

const partyOf = ({ handle }) => parties.get(handle) ?? refuse("state", "no party of this handle");

export const create = (given) => {
  const party = new Party(given);
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
