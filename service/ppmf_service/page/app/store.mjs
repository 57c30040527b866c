// SPDX-License-Identifier: GPL-3.0-or-later
// What the page keeps on the device, in IndexedDB: it holds bytes as they are and sessions of any size, changes in
// transactions that two tabs cannot mix up, and is written through to the disk before a serial is used (PPMF-API-018).
// localStorage has none of this.

import { Told } from "./told.mjs";

const NAME = "ppmf";
const VERSION = 1;
const STORES = {
  settings: "name", // name, value
  people: "user", // user, recsys, csp: the lines of the halves, or null
  ratings: ["user", "item"], // user, item, value: the number as a decimal text
  uploads: ["user", "session"], // user, session, serial, made, data (null: a withdrawal), acknowledged
  sessions: "session", // session: its id in hexadecimal digits, bytes: its file
  profiles: "session", // session, bytes: the file of V, at: when it came
};

const done = (request) =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });

const NOT_KEPT =
  "This browser does not let the page keep anything, as in some private windows: open it in another one.";

export class Store {
  // `closed` is called when another tab erases everything.
  static async open(closed = () => {}) {
    try {
      const request = indexedDB.open(NAME, VERSION);
      request.onupgradeneeded = () => {
        for (const [name, keyPath] of Object.entries(STORES)) request.result.createObjectStore(name, { keyPath });
      };
      const database = await done(request);
      database.onversionchange = () => {
        database.close();
        closed();
      };
      return new Store(database);
    } catch {
      throw new Told(NOT_KEPT);
    }
  }

  constructor(database) {
    this.database = database;
  }

  async #run(names, mode, call) {
    let transaction;
    try {
      transaction = this.database.transaction(names, mode, { durability: mode === "readwrite" ? "strict" : "default" });
      const ended = new Promise((resolve, reject) => {
        transaction.oncomplete = resolve;
        transaction.onabort = () => reject(transaction.error);
      });
      const found = await call(...[names].flat().map((name) => transaction.objectStore(name)));
      await ended;
      return found;
    } catch (error) {
      if (error?.name === "QuotaExceededError")
        throw new Told("There is no room left on this device for what the page has to keep.");
      throw new Told("This browser could not keep or read what belongs to the page: reload it, and try again.");
    }
  }

  get(name, key) {
    return this.#run(name, "readonly", (store) => done(store.get(key)));
  }

  put(name, value) {
    return this.#run(name, "readwrite", (store) => done(store.put(value)));
  }

  remove(name, key) {
    return this.#run(name, "readwrite", (store) => done(store.delete(key)));
  }

  all(name) {
    return this.#run(name, "readonly", (store) => done(store.getAll()));
  }

  // The ratings of a user: a Map from item to the text of the number.
  async ratings(user) {
    const range = IDBKeyRange.bound([user], [user, []]);
    const found = await this.#run("ratings", "readonly", (store) => done(store.getAll(range)));
    return new Map(found.map(({ item, value }) => [item, value]));
  }

  // Set, or with null remove, ratings of a user in one step; `changes` are [item, value].
  change(user, changes) {
    return this.#run("ratings", "readwrite", async (store) => {
      for (const [item, value] of changes)
        await done(value === null ? store.delete([user, item]) : store.put({ user, item, value }));
    });
  }

  // Everything goes, also the copy of the page for when there is no network (PPMF-PAGE-008).
  async erase() {
    this.database.close();
    await done(indexedDB.deleteDatabase(NAME));
    for (const name of (await globalThis.caches?.keys()) ?? []) await caches.delete(name);
    for (const one of (await navigator.serviceWorker?.getRegistrations()) ?? []) await one.unregister();
  }
}
