// SPDX-License-Identifier: GPL-3.0-or-later
// Asking again and again, politely: once a minute, while the page is looked at, and less often when there is no answer.

const FIRST = 60;
const LONGEST = 15 * 60;

export class Polling {
  // ask: returns whether to ask again; a rejection doubles the pause.
  constructor(ask) {
    this.ask = ask;
    this.pause = FIRST;
    this.timer = 0;
    this.active = false;
    this.due = 0;
    document.addEventListener("visibilitychange", () => {
      if (this.active && !document.hidden) this.#plan(this.due - Date.now());
    });
  }

  begin() {
    if (this.active) return;
    this.active = true;
    this.pause = FIRST;
    this.#later();
  }

  end() {
    this.active = false;
    clearTimeout(this.timer);
  }

  #later() {
    const wait = 1000 * this.pause * (1 + Math.random() / 5);
    this.due = Date.now() + wait;
    this.#plan(wait);
  }

  #plan(wait) {
    clearTimeout(this.timer);
    if (!document.hidden) this.timer = setTimeout(() => this.#step(), Math.max(0, wait));
  }

  async #step() {
    if (document.hidden || !this.active) return;
    let again = true;
    try {
      again = await this.ask();
      this.pause = FIRST;
    } catch {
      this.pause = Math.min(2 * this.pause, LONGEST);
    }
    if (again && this.active) this.#later();
    else this.end();
  }
}
