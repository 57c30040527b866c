// SPDX-License-Identifier: Apache-2.0
// A user's program in the page: serials, the same bytes again, both servers, and what requests depend on.

import assert from "node:assert/strict";
import { createHash, randomBytes } from "node:crypto";
import test from "node:test";

import { Client } from "./page/app/client.mjs";
import { Told } from "./page/app/told.mjs";
import { MemoryStore, answer, problem, queue } from "./support.mjs";

const RECSYS = "http://127.0.0.1:1";
const CSP = "http://127.0.0.1:2";
const ID = "ab".repeat(32);
const invitation = { user: "U1", token: "T", code: "C", key: "00".repeat(32), recsys: RECSYS, csp: CSP };
const session = { id: ID, row: 4 };
const digest = (bytes) => createHash("sha256").update(bytes).digest("hex");

const engine = {
  session: async ({ id }) => ({ ...session, id }),
  upload: async ({ serial }) => new Uint8Array([...randomBytes(8), Number(serial)]),
  profiles: async () => {},
};

// RecSys as chapter 8 has it: `seen` are the bytes of each serial, and `faulty` says what becomes of a request.
class RecSys {
  constructor() {
    this.last = null;
    this.seen = new Map();
    this.requests = [];
    this.faulty = () => "";
    this.files = { RecSys: new Uint8Array([1]), CSP: new Uint8Array([1]) };
    this.phase = "open";
  }

  ask = async (who, url, { method = "GET", body = null, headers = {} } = {}) => {
    this.requests.push([who, method, url, JSON.stringify(headers), body]);
    const fault = this.faulty(method);
    if (fault === "lost") throw new Told("lost", { unreachable: true });
    await new Promise(setImmediate); // others do something meanwhile
    const found = this.#answer(who, method, new URL(url), body);
    await new Promise(setImmediate);
    if (fault === "unanswered") throw new Told("unanswered", { unreachable: true });
    return found;
  };

  #answer(who, method, { pathname, searchParams }, body) {
    if (pathname === "/v1/sessions")
      return answer(200, { format: "ppmf-sessions/1", sessions: [{ id: ID, phase: this.phase }] });
    if (pathname === `/v1/sessions/${ID}`)
      return this.files[who] ? answer(200, this.files[who], "application/cbor") : problem(404, "range");
    if (pathname === `/v1/sessions/${ID}/status`) return answer(200, { phase: this.phase, tenths: 0 });
    if (pathname === `/v1/sessions/${ID}/profiles`) return answer(200, new Uint8Array([7]));
    assert.equal(pathname, `/v1/sessions/${ID}/uploads/4`);
    if (method === "GET") return this.last ? this.#receipt(200) : problem(404, "range");
    const serial = method === "PUT" ? BigInt(body.at(-1)) : BigInt(searchParams.get("serial"));
    const content = method === "PUT" ? digest(body) : "withdrawn";
    assert.ok([undefined, content].includes(this.seen.get(serial)), "a serial was used for two things");
    this.seen.set(serial, content);
    const again = this.last && serial === this.last.serial && content === this.last.content;
    if (!again && this.last && serial <= this.last.serial) return problem(409, "state");
    this.last = { serial, content };
    return this.#receipt(method === "PUT" ? 201 : 200);
  }

  #receipt(status) {
    const withdrawn = this.last.content === "withdrawn";
    const shown = { serial: 0, digest: withdrawn ? null : this.last.content, withdrawn, admitted: null };
    return answer(status, new TextEncoder().encode(JSON.stringify(shown).replace(":0", `:${this.last.serial}`)));
  }
}

const made = (recsys, store = new MemoryStore(), exclusively = queue()) =>
  new Client({ invitation, store, engine, ask: recsys.ask, exclusively });
const refused = (call, text) => assert.rejects(call, (error) => error instanceof Told && text.test(error.message));
const puts = (recsys) => recsys.requests.filter(([, method]) => method === "PUT").map(([, , , , body]) => body);

test("an upload that was not answered is sent again with the same bytes", async () => {
  const recsys = new RecSys();
  const client = made(recsys);
  const ratings = new Map([["1", "4.5"]]);
  for (const fault of ["lost", "unanswered"]) {
    recsys.faulty = (method) => (method === "PUT" ? fault : "");
    await assert.rejects(client.submit(session, ratings));
    assert.equal((await client.last(session)).acknowledged, false);
  }
  recsys.faulty = () => "";
  const { receipt } = await client.submit(session, ratings);
  assert.equal(receipt.serial, 1n);
  assert.equal((await client.last(session)).acknowledged, true);
  const sent = puts(recsys);
  assert.equal(sent.length, 2); // what came through without an answer is not sent once more
  for (const one of sent) assert.deepEqual(one, sent[0]);
});

test("the same ratings in another order are the same upload, others are one of a larger serial", async () => {
  const recsys = new RecSys();
  const client = made(recsys);
  await client.submit(
    session,
    new Map([
      ["1", "4.5"],
      ["2", "3"],
    ]),
  );
  assert.equal(
    (
      await client.submit(
        session,
        new Map([
          ["2", "3"],
          ["1", "4.5"],
        ]),
      )
    ).before,
    true,
  );
  assert.equal(
    (
      await client.submit(
        session,
        new Map([
          ["1", "4"],
          ["2", "3"],
        ]),
      )
    ).receipt.serial,
    2n,
  );
  assert.equal(puts(recsys).length, 2);
});

test("a serial is larger than that of the receipt, also when this browser has forgotten what it sent", async () => {
  const recsys = new RecSys();
  recsys.last = { serial: 41n, content: digest(new Uint8Array([9])) };
  assert.equal((await made(recsys).submit(session, new Map())).receipt.serial, 42n);
  recsys.last = { serial: 2n ** 64n - 1n, content: "withdrawn" };
  await refused(made(recsys).submit(session, new Map()), /last number/);
});

test("a withdrawal has a serial of its own, is repeated, and is followed by a new upload", async () => {
  const recsys = new RecSys();
  const client = made(recsys);
  await refused(client.withdraw(session), /Nothing was sent/);
  await client.submit(session, new Map([["1", "4"]]));
  recsys.faulty = (method) => (method === "DELETE" ? "unanswered" : "");
  await assert.rejects(client.withdraw(session));
  recsys.faulty = () => "";
  assert.equal((await client.withdraw(session)).withdrawn, true);
  assert.equal(recsys.last.serial, 2n);
  assert.equal((await client.submit(session, new Map([["1", "4"]]))).receipt.serial, 3n);
});

test("whatever is lost, and whichever tab does what, no serial stands for two things", async () => {
  for (let run = 0; run < 40; run += 1) {
    const recsys = new RecSys();
    const [store, lock] = [new MemoryStore(), queue()];
    const tabs = [made(recsys, store, lock), made(recsys, store, lock)];
    recsys.faulty = () => ["", "", "lost", "unanswered"][randomBytes(1)[0] % 4];
    const calls = Array.from({ length: 12 }, () => {
      const [tab, what] = randomBytes(2);
      const client = tabs[tab % 2];
      return what % 4 ? client.submit(session, new Map([["1", `${what % 3}`]])) : client.withdraw(session);
    });
    await Promise.allSettled(calls);
    recsys.faulty = () => "";
    const { receipt } = await tabs[0].submit(session, new Map([["1", "5"]]));
    assert.equal(receipt.digest, recsys.last.content);
  }
});

test("two tabs that send at once use two serials", async () => {
  const recsys = new RecSys();
  const [store, lock] = [new MemoryStore(), queue()];
  const both = ["1", "2"].map((value) => made(recsys, store, lock).submit(session, new Map([["1", value]])));
  const found = await Promise.all(both);
  assert.deepEqual(found.map(({ receipt }) => receipt.serial).sort(), [1n, 2n]);
});

test("an acknowledgement of something else is refused, and what was sent is kept", async () => {
  const recsys = new RecSys();
  const client = made(recsys);
  const { ask } = recsys;
  client.ask = async (...all) => {
    const found = await ask(...all);
    return all[2]?.method === "PUT"
      ? answer(201, { serial: 1, digest: "00".repeat(32), withdrawn: false, admitted: null })
      : found;
  };
  await refused(client.submit(session, new Map()), /something else/);
  assert.equal((await client.last(session)).acknowledged, false);
  client.ask = async () => answer(200, { serial: "1" });
  await refused(client.receipt(session), /not of the form/);
  client.ask = async () => problem(401, "range");
  await refused(client.receipt(session), /does not know this invitation/);
  client.ask = async (_, __, { method }) => (method === "GET" ? problem(404, "range") : problem(409, "state"));
  await refused(client.submit(session, new Map([["1", "1"]])), /takes this no more.*kept on this device/);
});

test("a session is fetched from both servers, and refused if they differ", async () => {
  const recsys = new RecSys();
  assert.equal((await made(recsys).newest()).current.session.id, ID);
  const asked = recsys.requests
    .filter(([, , url]) => url.endsWith(ID))
    .map(([who, , url]) => [who, new URL(url).origin]);
  assert.deepEqual(asked.sort(), [
    ["CSP", CSP],
    ["RecSys", RECSYS],
  ]);
  recsys.files.CSP = new Uint8Array([2]);
  const store = new MemoryStore();
  const { current, refused: why } = await made(recsys, store).newest();
  assert.equal(current, null);
  assert.match(why, /two different sessions/);
  assert.equal(store.kept.size, 0);
  recsys.files.CSP = null;
  assert.match((await made(recsys).newest()).refused, /does not know/);
});

test("no request but an upload depends on the ratings", async () => {
  const journey = async (ratings) => {
    const recsys = new RecSys();
    const client = made(recsys);
    const { current } = await client.newest();
    await client.submit(current.session, ratings);
    await client.submit(current.session, ratings);
    await client.status(current.session);
    await client.receipt(current.session);
    await client.withdraw(current.session);
    await client.submit(current.session, ratings);
    recsys.phase = "finished";
    await client.newest();
    await client.profiles(current.session);
    return recsys.requests;
  };
  const [few, many] = [
    await journey(new Map()),
    await journey(
      new Map([
        ["1", "5"],
        ["2", "0.5"],
        ["77", "3"],
      ]),
    ),
  ];
  const public_ = (requests) =>
    requests.map(([who, method, url, headers, body]) => [who, method, url, headers, body?.length]);
  assert.deepEqual(public_(few), public_(many));
  for (const [who, method, url, , body] of many) {
    assert.equal(new URL(url).origin, { RecSys: RECSYS, CSP }[who]);
    assert.ok(who === "RecSys" || method === "GET");
    assert.equal(body === null, method !== "PUT");
    assert.doesNotMatch(url, /T$|C$/);
  }
});

test("nothing is sent to a trial before the user has said that they know", async () => {
  const recsys = new RecSys();
  const client = made(recsys);
  const trial = { ...session, trial: true };
  assert.throws(() => client.submit(trial, new Map()), /you know that this trial protects nobody/);
  assert.deepEqual(recsys.requests, []);
  assert.equal((await client.submit(trial, new Map(), true)).receipt.serial, 1n);
});
