// SPDX-License-Identifier: GPL-3.0-or-later
// Titles of items, and the search in them, which is done on the device: nobody is told what is looked for.

import { request } from "./http.mjs";

const MOST = 1 << 26;
const LONGEST = 200;

// Without case and accents; capitals first, since some small letters have two of them. Most titles need none of it.
const plain = (text) =>
  /^[ -~]*$/.test(text)
    ? text.toLowerCase()
    : text.normalize("NFKD").replace(/\p{M}/gu, "").toUpperCase().toLowerCase();

// The titles that RecSys' page has, by item, for all items at once (PPMF-PAGE-006); none is no error: ids are shown.
export const fetchTitles = async (base, ask = request) => {
  try {
    const url = new URL("titles.json", base).href;
    const { status, body } = await ask("RecSys", url, { most: MOST, tries: 1, cache: "no-cache" });
    const titles = status === 200 ? JSON.parse(new TextDecoder().decode(body)).titles : {};
    return new Map(Object.entries(titles).filter(([, title]) => typeof title === "string" && title.trim()));
  } catch {
    return new Map();
  }
};

export class Catalogue {
  // items: the ids, in the order of the session. titles: a Map.
  constructor(items, titles) {
    this.items = items;
    this.titles = titles;
    this.rowOf = new Map(items.map((item, row) => [item, row]));
    this.plain = items.map((item) => plain(this.title(item)));
  }

  title(item) {
    return this.titles.get(item)?.slice(0, LONGEST) ?? item;
  }

  // The rows whose titles hold every word that was typed: first those that begin with the text, then those with a word
  // that does, then all others; only those that `wanted` allows.
  search(text, wanted = () => true) {
    const typed = plain(text).trim();
    const words = typed.split(/\s+/).filter(Boolean);
    const found = [[], [], []];
    for (let row = 0; row < this.plain.length; row += 1) {
      const title = this.plain[row];
      if (!words.every((word) => title.includes(word)) || !wanted(this.items[row])) continue;
      const at = title.indexOf(typed);
      found[at === 0 ? 0 : at > 0 && title.includes(` ${typed}`) ? 1 : 2].push(row);
    }
    return found.flat();
  }
}
