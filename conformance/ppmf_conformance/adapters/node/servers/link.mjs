// SPDX-License-Identifier: Apache-2.0
// A server's messages to and from its peer in one epoch: numbering, and what is refused (PPMF-ERR-014).

import { refuse } from "../users/refusal.mjs";
import { read, write } from "../users/wire.mjs";

// A message of a session and epoch by itself: its length, form, session, epoch, number and type.
export const check = (bytes, name, { session, epoch }, number, longest) => {
  const where = `message ${number}, where ${name} is due`;
  if (bytes.length > longest) refuse("encoding", `${where}: ${bytes.length} bytes, and none has more than ${longest}`);
  const message = read(bytes);
  if (Buffer.compare(session, message.session)) refuse("state", `${where}: of another session`);
  const due = message.name === "resume" ? message.fields.last + 1n : BigInt(epoch); // PPMF-RES-016
  if (message.epoch !== due) refuse("state", `${where}: of epoch ${message.epoch}`);
  if (message.number !== BigInt(number)) refuse("state", `${where}: has number ${message.number}`);
  if (message.name !== name) refuse("state", `${where}: ${message.name}`);
  return message.fields;
};

// `mailbox` has `next(from)`, the bytes that came next or null if the sender is gone, and `send(to, bytes)`.
export class Link {
  constructor(mailbox, peer, place, longest) {
    Object.assign(this, { mailbox, peer, place, longest, sent: 0, taken: 0 });
  }

  send(name, fields) {
    const { session, epoch } = this.place;
    this.mailbox.send(this.peer, write({ name, session, epoch, number: this.sent, fields }));
    this.sent += 1;
  }

  async receive(name) {
    const bytes = await this.mailbox.next(this.peer);
    if (bytes === null) refuse("peer", `${this.peer} is gone, where ${name} is due`);
    const fields = check(bytes, name, this.place, this.taken, this.longest[name]);
    this.taken += 1;
    return fields;
  }
}
