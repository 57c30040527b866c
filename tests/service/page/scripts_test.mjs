// SPDX-License-Identifier: Apache-2.0
// The scripts that are no modules, check.js and service-worker.js, with everything around them imagined.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import test from "node:test";
import { createContext, runInContext } from "node:vm";

const source = (name) => readFileSync(new URL(name, import.meta.url), "utf8");

// The page as check.js finds it in a browser, `lacks` being what that one has not.
const checked = async (lacks = []) => {
  const log = [];
  const old = { hidden: true };
  const context = {
    location: { hash: "#ppmf=2&token=secret", pathname: "/p/", search: "" },
    history: { replaceState: (_, __, address) => log.push(["address", address]) },
    document: {
      documentElement: { setAttribute: (name, value) => log.push([name, value]) },
      createElement: () => (lacks.includes("modules") ? {} : { noModule: false }),
      getElementById: () => old,
      readyState: "complete",
      addEventListener: () => {},
    },
    isSecureContext: !lacks.includes("https"),
    crypto: {
      subtle: {
        generateKey: async () => {
          log.push(["key"]);
          if (lacks.includes("X25519")) throw new Error("NotSupportedError");
        },
      },
    },
    AbortSignal,
    indexedDB: lacks.includes("indexedDB") ? undefined : {},
    navigator: { locks: lacks.includes("locks") ? undefined : {} },
    Worker: class {},
    HTMLDialogElement: class {},
  };
  context.window = context;
  runInContext(source("page/check.js"), createContext(context));
  const fits = (await context.ppmf.browser) ?? false;
  return { log, fits, told: !old.hidden, fragment: context.ppmf.fragment };
};

test("the fragment leaves the address before anything else is done", async () => {
  const { log, fragment } = await checked();
  assert.deepEqual(log[0], ["address", "/p/"]);
  assert.equal(fragment, "ppmf=2&token=secret");
});

test("a browser that lacks something is told so, and no other", async () => {
  assert.deepEqual([(await checked()).fits, (await checked()).told], [true, false]);
  for (const one of ["modules", "https", "X25519", "indexedDB", "locks"]) {
    const { fits, told, log } = await checked([one]);
    assert.deepEqual([fits, told], [false, true], one);
    assert.deepEqual(log.at(-1), ["data-browser", "old"]);
  }
});

// The service worker of a page at http://h/p/, with a network that is a function from URL to Response or Error.
const worker = (network) => {
  const [listeners, kept, asked] = [{}, new Map(), []];
  let full = false;
  const self = {
    location: { href: "http://h/p/service-worker.js" },
    addEventListener: (name, listener) => (listeners[name] = listener),
    skipWaiting: () => {},
    clients: { claim: async () => {} },
  };
  const cache = {
    put: async (url, response) => {
      if (full) throw new DOMException("no room", "QuotaExceededError");
      kept.set(url, await response.text());
    },
    match: async (url) => (kept.has(url) ? new Response(kept.get(url)) : undefined),
  };
  const fetch = async (what) => {
    const url = what.url ?? String(what);
    asked.push(url);
    const found = await network(url);
    if (found instanceof Error) throw found;
    return found;
  };
  const context = { self, caches: { open: async () => cache }, fetch, URL, Promise, AbortSignal, String };
  runInContext(source("service-worker.js"), createContext(context));
  const ask = async (url, method = "GET") => {
    let answered = null;
    listeners.fetch({ request: { url, method }, respondWith: (promise) => (answered = promise) });
    return answered && (await answered);
  };
  const keep = async () => {
    let waiting = null;
    listeners.message({ data: "keep", waitUntil: (promise) => (waiting = promise) });
    await waiting;
  };
  return { ask, keep, kept, asked, fill: () => (full = true) };
};

test("only files of the page are kept, and never an answer of the interface", async () => {
  const list = ["", "page/style.css", "titles.json", "v1/sessions", "http://elsewhere/page/x.js", "page/x?secret"];
  const network = (url) => new Response(url.endsWith("files.json") ? JSON.stringify(list) : `of ${url}`);
  const { ask, keep, kept, asked } = worker(network);
  await keep();
  assert.deepEqual([...kept.keys()].sort(), ["http://h/p/", "http://h/p/page/style.css", "http://h/p/titles.json"]);
  asked.length = 0;
  for (const url of [
    "http://h/p/v1/sessions",
    "http://h/v1/sessions",
    "http://csp/v1/sessions/x",
    "http://h/p/page/x?y=1",
  ])
    assert.equal(await ask(url), null);
  assert.equal(await ask("http://h/p/page/style.css", "PUT"), null);
  assert.deepEqual(asked, []);
});

test("what RecSys has goes before what is kept, and the kept is for when there is no answer", async () => {
  const answers = [new Response("new"), new Error("offline"), new Response("", { status: 502 })];
  const { ask, kept } = worker(() => answers.shift());
  kept.set("http://h/p/page/style.css", "old");
  assert.equal(await (await ask("http://h/p/page/style.css#x")).text(), "new");
  assert.equal(kept.get("http://h/p/page/style.css"), "new");
  assert.equal(await (await ask("http://h/p/page/style.css")).text(), "new");
  assert.equal(await (await ask("http://h/p/page/style.css")).text(), "new");
  const alone = worker(() => new Error("offline"));
  await assert.rejects(alone.ask("http://h/p/"));
  const gone = worker(() => new Response("gone", { status: 404 }));
  gone.kept.set("http://h/p/page/style.css", "old");
  assert.equal((await gone.ask("http://h/p/page/style.css")).status, 404);
});

test("a browser that has no room to keep anything shows what RecSys has", async () => {
  const { ask, kept, fill } = worker(() => new Response("new"));
  kept.set("http://h/p/page/style.css", "old");
  fill();
  assert.equal(await (await ask("http://h/p/page/style.css")).text(), "new");
  assert.equal(await (await ask("http://h/p/page/check.js")).text(), "new");
});
