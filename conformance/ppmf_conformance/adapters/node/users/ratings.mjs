// SPDX-License-Identifier: Apache-2.0
// Chapter 2, "Rows and ratings".

import { compare, utf8 } from "./bytes.mjs";
import { decimal, refuse, whole } from "./refusal.mjs";

// PPMF-FIX-005: what no id contains, as first and last code points in hexadecimal.
const HIDDEN = (
  "0-1f 7f-a0 ad 600-605 61c 6dd 70f 890-891 8e2 1680 180e 2000-200f 2028-202f 205f-2064 2066-206f 3000 e000-f8ff " +
  "feff fff9-fffb 110bd 110cd 13430-1343f 1bca0-1bca3 1d173-1d17a e0001 e0020-e007f f0000-ffffd 100000-10fffd"
)
  .split(" ")
  .map((range) => range.split("-").map((end) => parseInt(end, 16)));

const hidden = (mark) => HIDDEN.some(([first, last = first]) => first <= mark && mark <= last);

export const checkId = (id, where) => {
  if (
    typeof id !== "string" ||
    id === "" ||
    !id.isWellFormed() ||
    id.startsWith(" ") ||
    id.endsWith(" ") ||
    [...id].some((mark) => hidden(mark.codePointAt(0)))
  )
    refuse("encoding", `${where}: no id`);
};

// PPMF-FIX-003: as integers if all are, else by the bytes of UTF-8.
export const rowOrder = (ids) => {
  const numbers = ids.every((id) => /^(0|-?[1-9][0-9]*)$/.test(id));
  const order = numbers ? (a, b) => (BigInt(a) < BigInt(b) ? -1 : 1) : (a, b) => compare(utf8(a), utf8(b));
  return [...ids].sort(order);
};

export const catalogue = (ids, what) => {
  ids.forEach((id, k) => checkId(id, `${what} number ${k + 1}`));
  if (new Set(ids).size < ids.length) refuse("range", `${what} list: an id is there twice`);
  if (!ids.length) refuse("range", `${what} list: empty`);
  return rowOrder(ids);
};

// PPMF-FIX-006, -007: the integer of a rating; the message does not repeat it.
export const scaledRating = (value, p, where) => {
  if (value.compare(p.rating_min) < 0 || value.compare(p.rating_max) > 0) refuse("range", `${where}: off the scale`);
  const scaled = value.minus(p.rating_offset).times(whole(1n << p.rating_frac_bits));
  return scaled.d === 1n ? scaled.n : refuse("range", `${where}: off the grid`);
};

export const ratings = (given, p) => {
  const numbers = given.ratings.map(
    ([, , text], k) => decimal(text) ?? refuse("encoding", `rating ${k + 1}: no decimal number`),
  );
  const users = catalogue(given.users, "user");
  const items = catalogue(given.items, "item");
  const rowOf = new Map(users.map((id, row) => [id, row]));
  const columnOf = new Map(items.map((id, column) => [id, column]));
  const seen = new Set();
  const cells = given.ratings.map(([user, item], k) => {
    const where = `rating ${k + 1}`;
    const [row, column] = [rowOf.get(user), columnOf.get(item)];
    if (row === undefined || column === undefined) refuse("range", `${where}: an id that is not listed`);
    if (seen.has(`${row} ${column}`)) refuse("range", `${where}: the pair is rated before`);
    seen.add(`${row} ${column}`);
    return { row, column, x: scaledRating(numbers[k], p, where) };
  });
  cells.sort((a, b) => a.row - b.row || a.column - b.column);
  return { users, items, cells };
};

// For each of `count` rows its counterparts and the integers of the ratings.
export const grouped = (cells, count, own, other) => {
  const found = Array.from({ length: count }, () => ({ rows: [], values: [] }));
  for (const cell of cells) {
    found[cell[own]].rows.push(cell[other]);
    found[cell[own]].values.push(cell.x);
  }
  return found;
};
