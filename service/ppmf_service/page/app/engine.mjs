// SPDX-License-Identifier: GPL-3.0-or-later
// The page's end of the thread that computes (worker.mjs): a method for each of its calls.

import { busy } from "./dom.mjs";
import { Told } from "./told.mjs";

// The page's policy lets no other text become the address of a script.
const OWN = new URL("worker.mjs", import.meta.url).href;
const SERVICE_WORKER = new URL("../../service-worker.js", import.meta.url).href;
const rules = {
  createScriptURL: (url) => {
    if (url === OWN || url === SERVICE_WORKER) return url;
    throw new TypeError("no script of this page");
  },
};
export const trusted = globalThis.trustedTypes?.createPolicy("ppmf", rules) ?? rules;

export class Engine {
  constructor() {
    this.worker = new Worker(trusted.createScriptURL(OWN), { type: "module", name: "ppmf" });
    this.waiting = new Map();
    this.number = 0;
    this.worker.addEventListener("message", ({ data }) => this.#answered(data));
    this.worker.addEventListener("error", () => this.#failed());
    this.worker.addEventListener("messageerror", () => this.#failed());
  }

  #answered({ number, found, told, took }) {
    const { resolve, reject, name } = this.waiting.get(number);
    this.waiting.delete(number);
    if (told) {
      reject(new Told(told));
      return;
    }
    performance.measure(`ppmf-${name}`, { start: performance.now() - took, duration: took });
    resolve(found);
  }

  #failed() {
    for (const { reject } of this.waiting.values())
      reject(new Told("The part of the page that computes could not be loaded: reload the page."));
    this.waiting.clear();
  }

  #call(name, given) {
    return busy(
      () =>
        new Promise((resolve, reject) => {
          this.number += 1;
          this.waiting.set(this.number, { resolve, reject, name });
          this.worker.postMessage({ number: this.number, name, given });
        }),
    );
  }

  session(given) {
    return this.#call("session", given);
  }

  upload(given) {
    return this.#call("upload", given);
  }

  profiles(given) {
    return this.#call("profiles", given);
  }

  recommend(given) {
    return this.#call("recommend", given);
  }

  similar(given) {
    return this.#call("similar", given);
  }
}
