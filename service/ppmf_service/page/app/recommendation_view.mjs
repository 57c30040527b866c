// SPDX-License-Identifier: GPL-3.0-or-later
// Recommendations, similar items, and the user's ratings beside predictions, all computed on the device.

import { byId, el, plural } from "./dom.mjs";

const STEP = 10;
const SIMILAR = 10;

const shown = (value) => value.toFixed(1);

export class RecommendationView {
  // engine: an Engine. failed: called with an error.
  constructor(engine, failed) {
    this.engine = engine;
    this.failed = failed;
    this.count = STEP;
    this.beside = STEP;
    byId("recommendations-more").addEventListener("click", () => this.#more("count"));
    byId("predictions-more").addEventListener("click", () => this.#more("beside"));
  }

  none(text) {
    byId("no-recommendations").hidden = false;
    byId("no-recommendations").textContent = text;
    byId("with-recommendations").hidden = true;
  }

  // id: of the session whose V was read. catalogue: for titles. ratings: a Map. scale: its `low` and `high` as numbers.
  async show(id, catalogue, ratings) {
    Object.assign(this, { id, catalogue, ratings });
    const found = await this.engine.recommend({ id, ratings: new Map(ratings), count: this.count });
    const few = ratings.size ? "" : "You have rated nothing yet: these are what people like most.";
    const left = found.left
      ? `${plural(found.left, "rating")} of yours could not be used: these items were not trained.`
      : "";
    byId("no-recommendations").textContent = few || left;
    byId("no-recommendations").hidden = !few && !left;
    byId("with-recommendations").hidden = false;
    byId("recommendations").replaceChildren(...found.top.map((one) => this.#item(one)));
    byId("recommendations-more").hidden = found.top.length < this.count;
    const rows = found.own
      .map((one) => ({ ...one, title: catalogue.title(one.item) }))
      .sort((one, other) => one.title.localeCompare(other.title));
    byId("predictions-box").hidden = !rows.length;
    byId("predictions-more").hidden = rows.length <= this.beside;
    byId("predictions-rows").replaceChildren(
      ...rows
        .slice(0, this.beside)
        .map(({ item, title, yours, value }) =>
          el(
            "tr",
            { "data-item": item },
            el("th", { scope: "row" }, title),
            el("td", {}, yours),
            el("td", {}, shown(value)),
          ),
        ),
    );
  }

  async #more(which) {
    const list = byId(which === "count" ? "recommendations" : "predictions-rows");
    const before = list.children.length;
    this[which] += STEP;
    try {
      await this.show(this.id, this.catalogue, this.ratings);
      list.children[before]?.querySelector("button")?.focus();
    } catch (error) {
      this.failed(error);
    }
  }

  #item({ item, value }) {
    const title = this.catalogue.title(item);
    const node = el("li", { "data-item": item, "data-value": value });
    const button = el(
      "button",
      {
        type: "button",
        class: "plain",
        "data-testid": "similar",
        "aria-expanded": "false",
        "aria-label": `Similar to ${title}`,
        click: () => this.#similar(node, button, item),
      },
      "Similar",
    );
    node.append(
      el(
        "div",
        { class: "line" },
        el("span", { class: "title" }, title),
        el("span", { class: "value" }, el("span", { class: "unseen" }, "predicted "), shown(value)),
        button,
      ),
    );
    return node;
  }

  async #similar(node, button, item) {
    const list = node.querySelector("ol");
    if (list) {
      list.remove();
      button.setAttribute("aria-expanded", "false");
      return;
    }
    try {
      const found = await this.engine.similar({ id: this.id, item, count: SIMILAR });
      if (node.querySelector("ol")) return;
      node.append(
        el(
          "ol",
          {
            class: "similar",
            "data-testid": "similar-items",
            "aria-label": `Similar to ${this.catalogue.title(item)}`,
          },
          ...found.map((one) => el("li", { "data-item": one }, this.catalogue.title(one))),
        ),
      );
      button.setAttribute("aria-expanded", "true");
    } catch (error) {
      this.failed(error);
    }
  }
}
