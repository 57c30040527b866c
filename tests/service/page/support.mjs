// SPDX-License-Identifier: Apache-2.0
// A store in memory, and servers that are a function.

import { readFileSync } from "node:fs";

globalThis.document ??= { documentElement: { dataset: {} } };

export const given = JSON.parse(readFileSync(new URL("given.json", import.meta.url), "utf8"));

// What the page keeps, as `Store` has it.
export class MemoryStore {
  constructor() {
    this.kept = new Map();
  }

  #key(name, key) {
    return JSON.stringify([name, key]);
  }

  async get(name, key) {
    await null;
    return structuredClone(this.kept.get(this.#key(name, key)));
  }

  async put(name, value) {
    const key = { uploads: [value.user, value.session], sessions: value.session, profiles: value.session }[name];
    await null;
    this.kept.set(this.#key(name, key), structuredClone(value));
  }
}

// A queue, as a lock of all tabs is one.
export const queue = () => {
  let last = Promise.resolve();
  return (_, call) => {
    const mine = last.then(call);
    last = mine.catch(() => {});
    return mine;
  };
};

export const answer = (status, content, type = "application/json") => ({
  status,
  headers: new Headers({ "content-type": type }),
  body: content instanceof Uint8Array ? content : new TextEncoder().encode(JSON.stringify(content)),
});

export const problem = (status, kind) => answer(status, { class: kind, detail: "" }, "application/problem+json");
