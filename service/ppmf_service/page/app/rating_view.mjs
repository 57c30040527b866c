// SPDX-License-Identifier: GPL-3.0-or-later
// Searching items and rating them.

import { byId, el, number, plural, setText } from "./dom.mjs";

const STEP = 20;
const MOST_BUTTONS = 12;

export class RatingView {
  // rate: called with an item and the text of a number, or null to clear.
  constructor(rate) {
    this.rate = rate;
    this.limit = STEP;
    this.rows = [];
    byId("search").addEventListener("input", () => this.#again());
    byId("only-rated").addEventListener("change", () => this.#again());
    byId("more").addEventListener("click", () => this.#more());
  }

  // catalogue: a Catalogue. ratings: a Map that others change. scale: of the session.
  show(catalogue, ratings, scale) {
    Object.assign(this, { catalogue, ratings, scale });
    this.search();
  }

  #again() {
    this.limit = STEP;
    this.search();
  }

  search() {
    const onlyRated = byId("only-rated").checked;
    const text = byId("search").value;
    this.rows = this.catalogue.search(text, onlyRated ? (item) => this.ratings.has(item) : undefined);
    this.#render(0);
  }

  #more() {
    const before = this.limit;
    this.limit += STEP;
    this.#render(before);
    byId("items").children[before]?.querySelector("input:checked, input")?.focus();
  }

  #render(from) {
    const shown = this.rows.slice(from, this.limit).map((row) => this.#item(this.catalogue.items[row]));
    if (from) byId("items").append(...shown);
    else byId("items").replaceChildren(...shown);
    byId("more").hidden = this.rows.length <= this.limit;
    const [count, all] = [Math.min(this.limit, this.rows.length), this.rows.length];
    setText(byId("found"), all ? `${number(count)} of ${plural(all, "title")}` : "No title fits.");
  }

  #item(item) {
    const title = this.catalogue.title(item);
    const node = el("li", { "data-item": item });
    const { values } = this.scale;
    const control = values && values.length <= MOST_BUTTONS ? this.#buttons(item) : this.#typed(item);
    node.append(el("fieldset", {}, el("legend", {}, title), control));
    this.#mark(node, item);
    return node;
  }

  #buttons(item) {
    const name = `rate-${this.catalogue.rowOf.get(item)}`;
    const current = this.ratings.get(item);
    return el(
      "div",
      { class: "scale" },
      ...this.scale.values.map((value) =>
        el(
          "label",
          {},
          el("input", { type: "radio", name, value, checked: value === current, change: () => this.#set(item, value) }),
          el("span", {}, value),
        ),
      ),
    );
  }

  #typed(item) {
    const { low, high, step } = this.scale;
    const input = el("input", {
      type: "number",
      inputmode: "decimal",
      min: low,
      max: high,
      step,
      value: this.ratings.get(item) ?? "",
      "aria-label": `From ${low} to ${high}`,
      change: () => {
        if (input.value === "") this.#set(item, null);
        else if (input.reportValidity()) this.#set(item, `${input.value}`);
      },
    });
    return el("div", { class: "typed" }, input);
  }

  async #set(item, value) {
    await this.rate(item, value);
    const node = this.#node(item);
    if (node) this.#mark(node, item);
  }

  #node(item) {
    return [...byId("items").children].find((node) => node.dataset.item === item);
  }

  // Whether an item is rated decides whether its rating can be cleared.
  #mark(node, item) {
    const rated = this.ratings.has(item);
    node.classList.toggle("rated", rated);
    const button = node.querySelector("button");
    if (rated && !button)
      node.append(
        el(
          "button",
          {
            type: "button",
            class: "plain clear",
            "data-testid": "clear",
            "aria-label": `Clear the rating of ${this.catalogue.title(item)}`,
            click: () => this.#clear(item),
          },
          "Clear",
        ),
      );
    if (!rated) button?.remove();
  }

  async #clear(item) {
    await this.#set(item, null);
    const node = this.#node(item);
    const input = node?.querySelector("input:checked");
    if (input) input.checked = false;
    const typed = node?.querySelector("input[type=number]");
    if (typed) typed.value = "";
    node?.querySelector("input")?.focus();
  }
}
