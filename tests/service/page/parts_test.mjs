// SPDX-License-Identifier: Apache-2.0
// Parts of the page that need no browser: invitations, files of ratings, titles, requests.

import assert from "node:assert/strict";
import test from "node:test";

import * as files from "./page/app/files.mjs";
import { object, problem, request } from "./page/app/http.mjs";
import { checkAddress, halvesIn, replaces, whole, withHalves } from "./page/app/invitation.mjs";
import { Catalogue, fetchTitles } from "./page/app/titles.mjs";
import { Told, sentence } from "./page/app/told.mjs";
import { refuse } from "./page/users/refusal.mjs";
import { answer, given, problem as refusal } from "./support.mjs";

const told = (call, text) =>
  assert.throws(call, (error) => error instanceof Told && text.test(error.message) && !/\n/.test(error.message));
const rejected = (call, text) => assert.rejects(call, (error) => error instanceof Told && text.test(error.message));

const { recsys, csp, link, other } = given;

test("both halves are read from one link, two links, lines and files", () => {
  for (const text of [
    link,
    `${recsys}\n${csp}\n`,
    `Your links: http://a/#${recsys}\r\n http://b/#${csp} bye`,
    `${csp};${recsys}`,
  ]) {
    const halves = halvesIn(text);
    assert.deepEqual(halves.map((half) => half.from).sort(), ["csp", "recsys"]);
    const person = withHalves({ user: "x", recsys: null, csp: null }, halves);
    assert.deepEqual([person.recsys, person.csp], [recsys, csp]);
    assert.equal(whole(person).token, /token=([^&]*)/.exec(recsys)[1]);
  }
  assert.equal(halvesIn(recsys).length, 1);
  assert.equal(whole(withHalves({ recsys: null, csp: null }, halvesIn(recsys))), null);
});

test("a half that takes the place of another one is noticed", () => {
  const kept = withHalves({ user: "x", recsys: null, csp: null }, halvesIn(recsys));
  assert.equal(replaces(undefined, halvesIn(link)), false);
  assert.equal(replaces(kept, halvesIn(link)), false); // the same half, and the one that is missing
  assert.equal(replaces(kept, halvesIn(other)), true);
  assert.equal(replaces(kept, halvesIn(recsys.replace(/token=./, (found) => found.replace(/.$/, "_")))), true);
});

test("a text that is no invitation is told in one sentence", () => {
  told(() => halvesIn("hello"), /no invitation/);
  told(() => halvesIn("x".repeat(1 << 15)), /no invitation/);
  told(() => halvesIn(recsys.slice(0, -3).replace("token", "tokem")), /cut or changed/);
  told(() => halvesIn(`${csp.slice(0, -1)}`), /cut or changed/);
});

test("an invitation for another RecSys is not used", () => {
  const invitation = whole(withHalves({}, halvesIn(link)));
  checkAddress(invitation, `${invitation.recsys}/`);
  told(() => checkAddress(invitation, "http://elsewhere/"), /open your links at/);
  const bare = { ...invitation, csp: "https://[2001:db8::1]:8444" };
  told(() => checkAddress(bare, `${invitation.recsys}/`), /take part with the program ppmf/);
  assert.notEqual(other, link);
});

const file = (text) => new Blob([text]);
const pairs = async (text) => [...(await files.read(file(text)))];

test("what is exported is imported again", async () => {
  const ratings = new Map([
    ["10", "4.5"],
    ['a, "b"', "3"],
    ["__proto__", "1"],
    ["é", "0.5"],
  ]);
  const again = await files.read(file(files.write(ratings)));
  assert.deepEqual([...again].sort(), [...ratings].sort());
});

test("tables that `ppmf submit` reads are imported", async () => {
  const due = [
    ["1", "4.5"],
    ["20", "3"],
  ];
  for (const text of [
    "userId,movieId,rating\nme,1,4.5\nme,20,3\n",
    "userId,movieId,rating,timestamp\r\nme,1,4.50,9\r\nme,20,3.0,9\r\n\r\n",
    "\uFEFFrating;item\n4.5;1\n3;20",
    "user_id:token\titem_id:token\trating:float\nme\t1\t4.5\nme\t20\t3\n",
    "me\t1\t4.5\t99\nme\t20\t3\t99\n",
    "me::1::4.5::99\nme::20::3::99\n",
    'item,rating\n"1",4.5\n20,"3"\n',
    "1,4.5\n20,3\n",
  ])
    assert.deepEqual(await pairs(text), due, text);
  assert.deepEqual(await pairs('item,rating\n"a, ""b""",4\n'), [['a, "b"', "4"]]);
});

test("a file that is none is told with its line", async () => {
  for (const [text, why] of [
    ["", /no columns/],
    ["hello", /no columns/],
    ["a,b\n1,2", /no column of ratings/],
    ["user,rating\nme,3", /no column of items/],
    ["item,rating\n1,x\n", /^Line 2 of this file has a rating that is no number\.$/],
    ["item,rating\n1,2\n1,3\n", /^Line 3 of this file rates an item/],
    ["item,rating\n1\n", /^Line 2 of this file has too few/],
    ["item,rating\n,3\n", /^Line 2 of this file has an item without an id/],
    ['item,rating\n"1,3\n', /^Line 2 of this file has a quote/],
    ["userId,movieId,rating\na,1,3\nb,2,3\n", /several people/],
    ["{", /exported here/],
    ['{"format": "ppmf-ratings/1", "ratings": {"1": 4.5}}', /exported here/],
    ['{"format": "ppmf-ratings/1", "ratings": {"1": "x"}}', /no number/],
    ['{"format": "ppmf-ratings/2", "ratings": {}}', /exported here/],
  ])
    await rejected(files.read(file(text)), why);
  await rejected(files.read({ size: 1 << 25 }), /too long/);
});

const TITLES = new Map([
  ["1", "Amélie (2001)"],
  ["2", "The Straße"],
  ["3", "A man (2001)"],
  ["4", "Woman"],
]);
const found = (catalogue, ...search) => catalogue.search(...search).map((row) => catalogue.items[row]);

test("titles are searched without case and accents, the nearest first", () => {
  const catalogue = new Catalogue(["1", "2", "3", "4", "5"], TITLES);
  assert.deepEqual(found(catalogue, "AMELIE"), ["1"]);
  assert.deepEqual(found(catalogue, "strasse"), ["2"]);
  assert.deepEqual(found(catalogue, "man"), ["3", "4"]);
  assert.deepEqual(found(catalogue, "2001 a"), ["1", "3"]);
  assert.deepEqual(found(catalogue, ""), ["1", "2", "3", "4", "5"]);
  assert.deepEqual(
    found(catalogue, " ", (item) => item > "3"),
    ["4", "5"],
  );
  assert.deepEqual(found(catalogue, "5"), ["5"]);
  assert.deepEqual(found(catalogue, "nothing"), []);
  assert.equal(catalogue.title("5"), "5");
});

test("titles are asked for once, for all items, and are not needed", async () => {
  const asked = [];
  const ask = (reply) => async (who, url) => {
    asked.push([who, url]);
    return reply();
  };
  const titles = await fetchTitles(
    "http://h/p/",
    ask(() => answer(200, { titles: { 1: "One", 2: 3, 3: " " } })),
  );
  assert.deepEqual([...titles], [["1", "One"]]);
  assert.deepEqual(asked, [["RecSys", "http://h/p/titles.json"]]);
  for (const reply of [() => refusal(404, "range"), () => answer(200, [1]), () => answer(200, { titles: null })])
    assert.equal((await fetchTitles("http://h/", ask(reply))).size, 0);
  const fails = () => {
    throw new Told("no");
  };
  assert.equal((await fetchTitles("http://h/", ask(fails))).size, 0);
});

// What `fetch` is asked, and what it answers in turn; waiting takes no time.
const network = async (replies, call) => {
  const [before, asked, pauses] = [[globalThis.fetch, globalThis.setTimeout], [], []];
  globalThis.fetch = async (url, options) => {
    asked.push([url, options]);
    const reply = replies.length > 1 ? replies.shift() : replies[0];
    if (reply instanceof Error) throw reply;
    return reply();
  };
  globalThis.setTimeout = (then, pause) => {
    pauses.push(pause);
    return before[1](then, 0);
  };
  try {
    return { result: await call(), asked, pauses };
  } finally {
    [globalThis.fetch, globalThis.setTimeout] = before;
  }
};
const reply =
  (status, text = "", headers = {}) =>
  () =>
    new Response(text, { status, headers });

test("a request sends no cookies and no referrer, and follows no redirect", async () => {
  const { asked, result } = await network([reply(200, "{}")], () => request("RecSys", "http://h/"));
  const [[, options]] = asked;
  assert.equal(options.credentials, "omit");
  assert.equal(options.redirect, "error");
  assert.equal(options.referrerPolicy, "no-referrer");
  assert.equal(new TextDecoder().decode(result.body), "{}");
});

test("an answer is bounded before it is read, whatever it says of its length", async () => {
  const long = "x".repeat(100);
  for (const headers of [{}, { "content-length": "100" }, { "content-length": "1", "content-encoding": "gzip" }])
    await rejected(
      network([reply(200, long, headers)], () => request("RecSys", "http://h/", { most: 99, what: "It" })),
      /^It is longer than it can be/,
    );
});

test("what may help is tried again, politely", async () => {
  const { result, pauses, asked } = await network(
    [new TypeError("no"), reply(503, "", { "retry-after": "7" }), reply(200, "ok")],
    () => request("RecSys", "http://h/"),
  );
  assert.equal(result.status, 200);
  assert.equal(asked.length, 3);
  assert.ok(pauses[0] >= 500 && pauses[0] <= 1000);
  assert.ok(pauses[1] >= 7000 && pauses[1] <= 14000);
  await rejected(
    network([reply(429, "", { "retry-after": "9" })], () => request("CSP", "http://h/")),
    /CSP is busy.* in 9 seconds/,
  );
  await rejected(
    network([new TypeError("no")], () => request("CSP", "http://h/")),
    /CSP cannot be reached/,
  );
  assert.equal((await network([reply(409)], () => request("RecSys", "http://h/"))).asked.length, 1);
});

test("problem documents and JSON are read strictly", () => {
  assert.equal(problem(refusal(409, "state")), "state");
  assert.equal(problem(answer(409, { class: "state" })), undefined);
  assert.equal(
    object(answer(200, { a: 12345678901234567890n.toString() }).body, "It").get("a"),
    "12345678901234567890",
  );
  for (const text of ["[1]", "{", '{"a":1,"a":2}', '{"a":1,}', '{"a":[1,]}'])
    told(() => object(new TextEncoder().encode(text), "It"), /^It is not of the form/);
});

test("an error is one sentence, without words of the program", () => {
  const shown = [];
  const { error } = console;
  console.error = (text) => shown.push(text);
  try {
    assert.match(sentence(new TypeError("x is not a function")), /^Something failed in this page/);
    assert.doesNotMatch(sentence(new TypeError("x is not a function")), /function/);
  } finally {
    console.error = error;
  }
  assert.equal(shown.length, 2);
  for (const kind of ["encoding", "range", "state", "parameters", "peer"])
    try {
      refuse(kind, "secret 4.5");
    } catch (found) {
      assert.match(sentence(found, "The file"), /^The file [a-z ]+, so it is not used\.$/);
    }
});
