// SPDX-License-Identifier: Apache-2.0
// An adapter in JavaScript, written from spec/ alone, as an example to copy: node adapter.mjs
//
// The adapter reads and writes one JSON object a line. Chapter 7 of the specification defines the
// lines; this file is all of the plug-in protocol that an adapter needs.

import { createInterface } from "node:readline";

import { BLOCKS } from "./operations/blocks.mjs";
import { ENROLMENT } from "./operations/enrolment.mjs";
import { FUNCTIONS } from "./operations/functions.mjs";
import { LATTICE } from "./operations/lattice.mjs";
import { LINK } from "./operations/link.mjs";
import { MESSAGES } from "./operations/messages.mjs";
import { PAILLIER } from "./operations/paillier.mjs";
import { SESSIONS } from "./operations/sessions.mjs";
import * as party from "./party.mjs";
import { Refusal, shown } from "./users/refusal.mjs";

const OPERATIONS = { ...FUNCTIONS, ...MESSAGES, ...SESSIONS, ...ENROLMENT, ...LINK, ...BLOCKS, ...PAILLIER, ...LATTICE };

// Calls of the parties of `party.run` (PPMF-CON-030).
const CALLS = {
  ...OPERATIONS,
  "party.new": party.create,
  "party.step": party.step,
  "party.resume": party.resume,
  "party.free": party.free,
};

const HELLO = {
  protocol: 1,
  implementation: { name: "ppmf in JavaScript", version: "1", language: "JavaScript", issues: "" },
  features: [...Object.keys(OPERATIONS), "party.run", "party.resume", "party.trace"],
  roles: ["users", "recsys", "csp"],
};

const answer = async ({ seq, op, in: given }) => {
  if (!Object.hasOwn(CALLS, op)) return { seq, status: "unsupported" };
  try {
    return { seq, status: "ok", out: shown(await CALLS[op](given)) };
  } catch (error) {
    if (error instanceof Refusal) return { seq, status: "reject", class: error.kind, message: error.message };
    return { seq, status: "error", message: String(error).replace(/\s+/g, " ") };
  }
};

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const call = JSON.parse(line);
  process.stdout.write(`${JSON.stringify(call.call === "hello" ? HELLO : await answer(call))}\n`);
}
