// SPDX-License-Identifier: Apache-2.0
// An adapter in JavaScript, written from spec/ alone, as an example to copy: node adapter.mjs
//
// The adapter reads and writes one JSON object a line. Chapter 7 of the specification defines the
// lines; this file is all of the plug-in protocol that an adapter needs.

import { createInterface } from "node:readline";

import * as admission from "./admission.mjs";
import * as base from "./base.mjs";
import * as blocks from "./blocks.mjs";
import * as code from "./code.mjs";
import * as enrolment from "./enrolment.mjs";
import * as fixed from "./fixed.mjs";
import * as lattice from "./lattice.mjs";
import * as party from "./party.mjs";
import { bound, canonical, digest, parameters, size, step } from "./params.mjs";
import { ratings } from "./ratings.mjs";
import { Refusal, integer, integers, roundHalfUp, shown } from "./refusal.mjs";
import { agree } from "./resume.mjs";
import * as seals from "./seals.mjs";
import * as sessions from "./session.mjs";
import * as user from "./user.mjs";
import * as wire from "./wire.mjs";

const set = (given) => parameters(given.parameters);

const OPERATIONS = {
  "params.validate": (given) => ({ canonical: canonical(set(given)), digest: digest(set(given)) }),
  "params.bound": (given) => bound(set(given), size(given.users), size(given.items)),
  "ratings.parse": (given) => {
    const { users, items, cells } = ratings(given, set(given));
    return { users, items, values: cells.map(({ row, column, x }) => [`${row}`, `${column}`, x]) };
  },
  init: (given) => fixed.start(set(given), Number(given.users), Number(given.items)),
  "words.round": (given) => ({ value: roundHalfUp(integer(given.a), integer(given.b)) }),
  "words.descend": (given) => {
    const [p, G, H] = [set(given), integers(given.gradient), integers(given.steps)];
    const previous = integers(given.previous);
    return { z: integers(given.x).map((x, k) => fixed.descend(x, previous[k], G[k], H[k], p)) };
  },
  prox: (given) => {
    const p = set(given);
    const [tau, theta] = [integer(given.tau), integer(given.theta)];
    const moved = (z) => (given.coordinate === "factor" ? fixed.prox(z, tau, theta, p) : z);
    return { words: integers(given.z).map((z) => fixed.saturate(moved(z), p)) };
  },
  step: (given) => step(integer(given.count), integer(given.squares), set(given)),
  half_step: (given) => {
    const rated = given.rated.map((one) => ({ rows: one.rows.map(Number), values: integers(one.values) }));
    const [rows, previous, other] = [given.rows, given.previous, given.other].map((side) => side.map(integers));
    return fixed.halfStep(rows, previous, other, rated, set(given));
  },
  "train.fixed": (given) => fixed.train(ratings(given, set(given)), set(given)),
  "profiles.write": (given) => ({ text: user.write(user.profiles(given.profiles)) }),
  "profiles.read": (given) => ({ profiles: user.profilesShown(user.read(given.text)) }),
  "predict.ridge": user.predict,
  "predict.similar": user.similar,
  "wire.encode": (given) => ({ bytes: wire.encode(given).toString("hex") }),
  "wire.decode": (given) => wire.decode(given.bytes),
  "wire.receive": wire.receive,
  "session.id": (given) => ({ id: sessions.session(given).id.toString("hex") }),
  "session.write": sessions.write,
  "session.read": sessions.read,
  "share.open": blocks.open,
  "code.weights": code.weights,
  "code.encode": code.encode,
  "code.decode": code.decode,
  "upload.plain": code.plain,
  "upload.row": code.row,
  "upload.keystream": seals.keystream,
  "upload.consent": seals.consent,
  "upload.seal": seals.seal,
  "upload.open": seals.open,
  "upload.take": admission.take,
  "closing.make": admission.close,
  "admission.make": admission.make,
  "admission.take": admission.taking,
  "enrol.letters": enrolment.enrolLetters,
  "enrol.code": enrolment.enrolCode,
  "enrol.consent_key": enrolment.enrolConsentKey,
  "enrol.token": enrolment.enrolToken,
  "invitation.write": enrolment.write,
  "invitation.read": enrolment.read,
  "invitation.join": enrolment.join,
  "session.proposal": enrolment.proposal,
  "receipt.check": enrolment.receipt,
  "rlwe.moduli": lattice.moduli,
  "rlwe.expand": lattice.expand,
  "rlwe.pack": lattice.pack,
  "rlwe.unpack": lattice.unpack,
  "rlwe.encode": lattice.encode,
  "rlwe.place": lattice.place,
  "rlwe.times": lattice.times,
  "rlwe.key": lattice.key,
  "rlwe.encrypt": lattice.encrypt,
  "rlwe.fold": lattice.fold,
  "rlwe.answer": lattice.answer,
  "rlwe.round": lattice.round,
  "rlwe.decode": lattice.decode,
  "rlwe.decrypt": lattice.decrypt,
  "hash.key": blocks.hashKey,
  "hash.block": blocks.hashBlock,
  "hash.pads": blocks.hashPads,
  "base.points": base.points,
  "base.answer": base.answer,
  "base.seed": base.seed,
  "ot.choose": blocks.choose,
  "ot.send": blocks.send,
  "bitmul.multiply": blocks.multiply,
  "conversion.chunk": blocks.convert,
  "circuit.evaluate": blocks.circuit,
  "resume.agree": agree,
};

// Calls of the parties of `party.run` (PPMF-CON-030).
const CALLS = { ...OPERATIONS, "party.new": party.create, "party.step": party.step, "party.free": party.free };

const HELLO = {
  protocol: 1,
  implementation: { name: "ppmf in JavaScript", version: "1", language: "JavaScript", issues: "" },
  features: [...Object.keys(OPERATIONS), "party.run"],
  roles: ["recsys"],
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
