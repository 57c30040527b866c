// SPDX-License-Identifier: Apache-2.0
// Chapter 2: the file of item profiles, and the user's side in exact fractions.

import { Fraction, Refusal, decimal, decimalText, integer, integers, refuse, whole } from "./refusal.mjs";
import { parse } from "./json.mjs";
import { parameters } from "./params.mjs";
import { catalogue, checkId, scaledRating } from "./ratings.mjs";

const INTEGERS = ["rank", "frac_bits", "box_bits", "rating_frac_bits"];
const DECIMALS = ["rating_offset", "rating_min", "rating_max", "ridge"];
const FORMAT = "ppmf-item-profiles/1";
const FIELDS = ["format", ...INTEGERS, ...DECIMALS, "items", "factors", "bias"];

// Profiles from the strings of a call.
export const profiles = (given) => ({
  ...Object.fromEntries(INTEGERS.map((name) => [name, integer(given[name])])),
  ...Object.fromEntries(DECIMALS.map((name) => [name, decimal(given[name])])),
  items: given.items,
  factors: given.factors.map(integers),
  bias: given.bias === null ? null : integers(given.bias),
});

export const profilesShown = (found) => ({
  ...Object.fromEntries(INTEGERS.map((name) => [name, found[name]])),
  ...Object.fromEntries(DECIMALS.map((name) => [name, decimalText(found[name])])),
  items: found.items,
  factors: found.factors,
  bias: found.bias,
});

const quoted = (text) => `"${text.replace(/["\\]/g, "\\$&")}"`;
const list = (entries) => `[${entries.join(", ")}]`;

// PPMF-FIX-051.
export const write = (found) => {
  const fields = [
    ["format", quoted(FORMAT)],
    ...INTEGERS.map((name) => [name, `${found[name]}`]),
    ...DECIMALS.map((name) => [name, quoted(decimalText(found[name]))]),
    ["items", list(found.items.map(quoted))],
    ["factors", `[\n${found.factors.map((row) => `  ${list(row)}`).join(",\n")}\n ]`],
    ["bias", found.bias === null ? "null" : list(found.bias)],
  ];
  return `{\n${fields.map(([name, text]) => ` "${name}": ${text}`).join(",\n")}\n}\n`;
};

// The numbers must be those of some parameter set.
const fits = (found) => {
  const names = [...INTEGERS, ...DECIMALS];
  const text = (value) => (typeof value === "bigint" ? `${value}` : decimalText(value));
  try {
    parameters(Object.fromEntries(names.map((name) => [name, text(found[name])])));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    refuse("range", error.message);
  }
};

// PPMF-FIX-050, -052.
export const read = (text) => {
  const bad = (where) => refuse("encoding", `${where}: not as it should be`);
  const fields = parse(text.replace(/^\uFEFF/, ""));
  if (!(fields instanceof Map) || fields.get("format") !== FORMAT) bad("format");
  for (const name of FIELDS) if (!fields.has(name)) bad(name);
  for (const name of fields.keys()) if (!FIELDS.includes(name)) bad(name);
  const found = {};
  for (const name of INTEGERS) {
    found[name] = fields.get(name);
    if (typeof found[name] !== "bigint") bad(name);
  }
  for (const name of DECIMALS) {
    found[name] = decimal(fields.get(name)) ?? bad(name);
    if (decimalText(found[name]) !== fields.get(name)) bad(name);
  }
  const listOf = (value, kind, where) =>
    Array.isArray(value) && value.every((one) => typeof one === kind) ? value : bad(where);
  found.items = listOf(fields.get("items"), "string", "items");
  found.factors = listOf(fields.get("factors"), "object", "factors").map((row) => listOf(row, "bigint", "factors"));
  found.bias = fields.get("bias") === null ? null : listOf(fields.get("bias"), "bigint", "bias");
  if (found.factors.length !== found.items.length) bad("factors");
  if (found.factors.some((row) => BigInt(row.length) !== found.rank)) bad("factors");
  if (found.bias && found.bias.length !== found.items.length) bad("bias");
  found.items.forEach((id, k) => checkId(id, `item number ${k + 1}`));
  fits(found);
  const edge = 1n << (found.box_bits + found.frac_bits);
  if ([...found.factors.flat(), ...(found.bias ?? [])].some((word) => word < -edge || word >= edge))
    refuse("range", "a word outside the box");
  if (catalogue(found.items, "item").some((id, row) => id !== found.items[row])) refuse("range", "items: out of order");
  return found;
};

// A x = t over the fractions, or null if there is more than one x.
const solve = (A, t) => {
  const rows = A.map((row, k) => [...row, t[k]]);
  for (let k = 0; k < rows.length; k += 1) {
    const pivot = rows.findIndex((row, at) => at >= k && !row[k].isZero);
    if (pivot < 0) return null;
    [rows[k], rows[pivot]] = [rows[pivot], rows[k]];
    rows[k] = rows[k].map((entry) => entry.over(rows[k][k]));
    for (const row of rows)
      if (row !== rows[k] && !row[k].isZero) {
        const factor = row[k];
        row.forEach((entry, at) => (row[at] = entry.minus(factor.times(rows[k][at]))));
      }
  }
  return rows.map((row) => row[rows.length]);
};

const add = (a, b) => a.plus(b);
const dot = (a, b) => a.map((x, k) => x.times(b[k])).reduce(add, whole(0));

// PPMF-RDG-001 to -007.
export const predict = (given) => {
  const p = profiles(given.profiles);
  const unit = 1n << p.frac_bits;
  const v = p.factors.map((row) => row.map((word) => new Fraction(word, unit)));
  const b = p.items.map((_, row) => new Fraction(p.bias ? p.bias[row] : 0n, unit));
  const rowOf = new Map(p.items.map((id, row) => [id, row]));
  const known = (id) => rowOf.get(id) ?? refuse("range", "no such item");
  const rated = new Map();
  given.ratings.forEach(([id, text], k) => {
    const where = `rating ${k + 1}`;
    const row = known(id);
    if (rated.has(row)) refuse("range", `${where}: the item is rated before`);
    const value = decimal(text) ?? refuse("encoding", `${where}: no decimal number`);
    scaledRating(value, p, where);
    rated.set(row, value);
  });
  const size = Number(p.rank) + (p.bias ? 1 : 0);
  const y = [...rated.keys()].map((row) => [...v[row], ...(p.bias ? [whole(1)] : [])]);
  const t = [...rated].map(([row, value]) => value.minus(p.rating_offset).minus(b[row]));
  const column = (k) => y.map((row) => row[k]);
  const indices = Array.from({ length: size }, (_, k) => k);
  const A = indices.map((k) => indices.map((l) => dot(column(k), column(l)).plus(k === l ? p.ridge : whole(0))));
  const solution = solve(A, indices.map((k) => dot(column(k), t))) ?? refuse("parameters", "ridge: 0, and several profiles are best");
  const u = solution.slice(0, Number(p.rank));
  const a = p.bias ? solution[size - 1] : whole(0);
  const prediction = (row) => p.rating_offset.plus(dot(u, v[row])).plus(a).plus(b[row]);
  const count = integer(given.count);
  if (count < 1n) refuse("range", "a list of no items");
  const unrated = p.items.map((_, row) => row).filter((row) => !rated.has(row));
  const all = p.items.map((_, row) => prediction(row));
  unrated.sort((one, other) => all[other].compare(all[one]) || one - other);
  const clip = (value) =>
    value.compare(p.rating_min) < 0 ? p.rating_min : value.compare(p.rating_max) > 0 ? p.rating_max : value;
  const predictions = given.items.map((id) => all[known(id)]);
  return {
    factors: u,
    bias: a,
    predictions,
    clipped: predictions.map(clip),
    top: unrated.slice(0, Number(count)).map((row) => p.items[row]),
  };
};

// PPMF-RDG-008.
export const similar = (given) => {
  const p = profiles(given.profiles);
  const row = p.items.indexOf(given.item);
  const count = integer(given.count);
  if (row < 0 || count < 1n) refuse("range", "no such item, or a list of none");
  const square = (other) => p.factors[other].reduce((sum, x, k) => sum + (x - p.factors[row][k]) ** 2n, 0n);
  const near = p.items.map((_, other) => ({ other, square: square(other) })).filter((one) => one.other !== row);
  near.sort((one, two) => (one.square < two.square ? -1 : one.square > two.square ? 1 : one.other - two.other));
  return { items: near.slice(0, Number(count)).map((one) => p.items[one.other]) };
};
