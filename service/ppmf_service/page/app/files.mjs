// SPDX-License-Identifier: GPL-3.0-or-later
// Files of ratings: those that the page writes, and the tables that `ppmf submit` reads.

import { checkId } from "../users/ratings.mjs";
import { decimal, decimalText } from "../users/refusal.mjs";
import { parse } from "../users/json.mjs";
import { Told } from "./told.mjs";

const FORMAT = "ppmf-ratings/1";
const MOST = 1 << 24;
const ITEMS = ["movieid", "itemid", "item", "movie", "id", "itemidtoken"];
const USERS = ["userid", "user", "useridtoken"];
const RATINGS = ["rating", "value", "stars", "score", "ratingfloat"];

// `ratings` is a Map from item to the text of the number.
export const write = (ratings) =>
  `${JSON.stringify({ format: FORMAT, ratings: Object.fromEntries(ratings) }, null, 1)}\n`;

// The ratings of a file, as such a Map. Told, with the line where there is one, for a file that is none.
export const read = async (file) => {
  if (file.size > MOST) throw new Told("This file is too long for a file of ratings.");
  const text = (await file.text()).replace(/^\uFEFF/, "");
  return /^\s*\{/.test(text) ? readJson(text) : readTable(text);
};

const readJson = (text) => {
  let found;
  try {
    found = parse(text);
  } catch {
    throw new Told("This file is not of the form of ratings that were exported here.");
  }
  const ratings = found instanceof Map && found.get("format") === FORMAT ? found.get("ratings") : null;
  if (!(ratings instanceof Map)) throw new Told("This file is not of the form of ratings that were exported here.");
  return new Map([...ratings].map(([item, value]) => entry(item, value, "This file")));
};

const entry = (item, value, where) => {
  try {
    checkId(item, where);
  } catch {
    throw new Told(`${where} has an item without an id.`);
  }
  const exact = decimal(value);
  if (!exact) throw new Told(`${where} has a rating that is no number.`);
  return [item, decimalText(exact)];
};

// The fields of a line; quotes as in CSV.
const fields = (line, separator, where) => {
  if (!line.includes('"')) return line.split(separator);
  const found = [];
  const pattern = new RegExp(`(?:"((?:[^"]|"")*)"|([^"]*?))(${separator}|$)`, "y");
  for (;;) {
    const match = pattern.exec(line);
    if (!match) throw new Told(`${where} has a quote that does not end.`);
    found.push(match[1] === undefined ? match[2] : match[1].replace(/""/g, '"'));
    if (!match[3]) return found;
  }
};

const plain = (name) =>
  name
    .trim()
    .toLowerCase()
    .replace(/[^a-z]/g, "");
const find = (names, wanted) => wanted.map((one) => names.indexOf(one)).find((at) => at >= 0) ?? -1;

const readTable = (text) => {
  const lines = text.replace(/[\r\n]+$/, "").split(/\r?\n/);
  const separator = ["\t", "::", ";", ","].find((one) => lines[0].includes(one));
  if (!separator) throw new Told("This file has no columns: a table of items and ratings, or an export, is due.");
  const first = fields(lines[0], separator, "Line 1");
  // without names: user, item, rating, as in u.data; or item, rating
  const places = first.length > 2 ? [0, 1, 2] : [-1, 0, 1];
  const named = !decimal(first[places[2]].trim());
  const names = first.map(plain);
  const [user, item, rating] = named ? [USERS, ITEMS, RATINGS].map((wanted) => find(names, wanted)) : places;
  if (rating < 0) throw new Told("The first line of this file names no column of ratings.");
  if (item < 0) throw new Told("The first line of this file names no column of items.");
  const [found, whose] = [new Map(), new Set()];
  for (const [at, line] of lines.entries()) {
    if ((named && at === 0) || !line) continue;
    const where = `Line ${at + 1} of this file`;
    const parts = fields(line, separator, where);
    if (parts.length <= Math.max(user, item, rating)) throw new Told(`${where} has too few columns.`);
    const [id, value] = entry(parts[item].trim(), parts[rating].trim(), where);
    if (found.has(id)) throw new Told(`${where} rates an item that was rated before.`);
    found.set(id, value);
    if (user >= 0) whose.add(parts[user].trim());
  }
  if (whose.size > 1) throw new Told("This file has the ratings of several people: bring one with your own alone.");
  return found;
};
