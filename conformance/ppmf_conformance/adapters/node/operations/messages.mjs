// SPDX-License-Identifier: Apache-2.0
// Operations of chapter 5: messages and their numbering.

import { fromHex, hexOf } from "../users/bytes.mjs";
import { integer, refuse } from "../users/refusal.mjs";
import { FIELDS, read, write } from "../users/wire.mjs";

const ofKind = (name, fields, change) =>
  Object.fromEntries(Object.entries(FIELDS[name]).map(([field, kind]) => [field, change(kind, fields[field])]));

// PPMF-CON-046
const uint = (text) => {
  const found = integer(text);
  if (found < 0n || found >= 1n << 64n) refuse("encoding", `${found}: not from 0 to 2^64 - 1`);
  return found;
};

const encode = ({ name, session, epoch, number, fields }) => {
  const value = (kind, text) => (kind === "bytes" ? fromHex(text) : kind === "uint" ? uint(text) : text);
  if (session.length !== 64) refuse("encoding", `session: ${session.length / 2} bytes, not 32`);
  const header = { name, session: fromHex(session), epoch: uint(epoch), number: uint(number) };
  return { bytes: hexOf(write({ ...header, fields: ofKind(name, fields, value) })) };
};

const decode = (text) => {
  const { name, session, epoch, number, fields } = read(fromHex(text));
  const shown = ofKind(name, fields, (kind, value) => (kind === "bytes" ? hexOf(value) : value));
  return { name, session: hexOf(session), epoch, number, fields: shown };
};

// PPMF-WIR-004: one direction's messages in turn.
const receive = (given) => {
  given.messages.forEach((text, turn) => {
    const message = decode(text);
    const out = (why) => refuse("state", `message ${turn} from ${given.sender} to ${given.receiver}: ${why}`);
    if (message.session !== given.session) out("another session");
    // PPMF-RES-016: a `resume` says by itself of which epoch it is
    const epoch = message.name === "resume" ? message.fields.last + 1n : integer(given.epoch);
    if (message.epoch !== epoch) out("another epoch");
    if (message.number !== BigInt(turn)) out("another number");
    if (message.name !== given.due[turn]) out(`${message.name} where ${given.due[turn]} was due`);
  });
  return { accepted: BigInt(given.messages.length) };
};

export const MESSAGES = {
  "wire.encode": encode,
  "wire.decode": (given) => decode(given.bytes),
  "wire.receive": receive,
};
