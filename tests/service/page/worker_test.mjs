// SPDX-License-Identifier: Apache-2.0
// The thread that computes: what it checks of a session, uploads, and recommendations against those of the oracle.

import assert from "node:assert/strict";
import test from "node:test";

import { fromHex } from "./page/users/bytes.mjs";
import { codeOf, ratingsOf } from "./page/users/code.mjs";
import { mask, open } from "./page/users/seals.mjs";
import { read as readSession } from "./page/users/session.mjs";
import { read as readMessage } from "./page/users/wire.mjs";
import { given } from "./support.mjs";

// The thread's own ends, by which the page calls it.
let hear;
const waiting = new Map();
globalThis.self = {
  addEventListener: (_, listener) => (hear = listener),
  postMessage: (data) => waiting.get(data.number)(data),
};
await import("./page/app/worker.mjs");

let number = 0;
const call = (name, what) => {
  number += 1;
  const answered = new Promise((resolve) => waiting.set(number, resolve));
  hear({ data: { number, name, given: what } });
  return answered;
};
const found = async (name, what) => {
  const answer = await call(name, what);
  assert.equal(answer.told, undefined);
  return answer.found;
};
const told = async (name, what, text) => assert.match((await call(name, what)).told, text);

const { id, invitation, profiles, otherProfiles, oracle, secret, code } = given;
const bytes = fromHex(given.session);
const session = { id, bytes, invitation, now: 1n };
const ratings = new Map(given.ratings);
const fileOf = (text) => new TextEncoder().encode(text);

test("a session that is not what the invitation says is refused", async () => {
  const other = (members) => ({ ...session, invitation: { ...invitation, ...members } });
  await told("session", { ...session, id: "00".repeat(32) }, /another session/);
  await told("session", other({ key: "00".repeat(32) }), /another CSP/);
  await told("session", other({ csp: "https://elsewhere" }), /other addresses/);
  await told("session", other({ recsys: "https://elsewhere" }), /other addresses/);
  await told("session", { ...session, now: BigInt(given.expires) }, /expired/);
  const broken = bytes.slice();
  broken[broken.length - 1] ^= 1;
  await told("session", { ...session, bytes: broken }, /^The session .*not used/);
  await told("session", { ...session, bytes: bytes.slice(1) }, /^The session is not of the form/);
  assert.deepEqual(await found("session", other({ user: "NOBODY" })), { id, row: null });
});

test("a session that is right is shown", async () => {
  const shown = await found("session", session);
  assert.equal(shown.row, given.row);
  assert.equal(shown.trial, true);
  assert.equal(shown.expires, given.expires);
  assert.deepEqual(shown.items, given.items);
  assert.deepEqual(shown.scale.values, ["0.5", "1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5"]);
});

test("an upload is of the ratings, and as long as was said", async () => {
  const shown = await found("session", session);
  const extra = new Map([...ratings, ["no such item", "3"]]);
  const data = await found("upload", { id, user: invitation.user, ratings: extra, serial: 3n, code });
  assert.equal(data.length, shown.bytes);
  const { fields, ...message } = readMessage(data);
  assert.deepEqual([message.name, message.epoch, message.number, fields.serial], ["upload", 0n, 0n, 3n]);
  const opened = await readSession(bytes, 0n);
  const { seed } = await open(opened, fields.user, fromHex(secret), fields.sealed);
  const hidden = await mask(opened, fields.user, seed, fields.masked.length);
  const rows = ratingsOf(
    codeOf(opened.p),
    opened.items.length,
    fields.masked.map((byte, at) => byte ^ hidden[at]),
  );
  const texts = rows.map(([column, x]) => [opened.items[column], `${3 + Number(x) / 2}`]);
  assert.deepEqual(texts.sort(), [...ratings].sort());
});

test("profiles of another session are refused, and those of this one give the oracle's recommendations", async () => {
  await found("session", session);
  await told("profiles", { id, bytes: fileOf(otherProfiles) }, /not that of this session/);
  await told("profiles", { id, bytes: fileOf("{}") }, /^The file of item profiles is not of the form/);
  await told("profiles", { id, bytes: fileOf(profiles.replace('"bias": [', '"bias": [9999999, ')) }, /not used/);
  await found("profiles", { id, bytes: fileOf(profiles) });
  const { top, own, left, items } = await found("recommend", {
    id,
    ratings: new Map([...ratings, ["x", "3"]]),
    count: 4,
  });
  assert.deepEqual(
    top.map(({ item }) => item),
    oracle.top.map(([item]) => item),
  );
  for (const [k, { value }] of top.entries()) assert.ok(Math.abs(value - oracle.top[k][1]) <= 0.005);
  assert.deepEqual(own.map(({ item }) => item).sort(), [...ratings.keys()].sort());
  assert.equal(left, 1);
  assert.equal(items, given.items.length);
  assert.deepEqual(await found("similar", { id, item: given.items[0], count: 3 }), oracle.similar);
});
