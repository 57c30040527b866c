// SPDX-License-Identifier: Apache-2.0
// Chapter 2: the file of item profiles. Words are BigInts, dyadic numbers Fractions.

import { Refusal, decimal, decimalText, refuse } from "./refusal.mjs";
import { parse } from "./json.mjs";
import { parameters } from "./params.mjs";
import { catalogue, checkId } from "./ratings.mjs";

export const INTEGERS = ["rank", "frac_bits", "box_bits", "rating_frac_bits"];
export const DECIMALS = ["rating_offset", "rating_min", "rating_max", "ridge"];
const FORMAT = "ppmf-item-profiles/1";
const FIELDS = ["format", ...INTEGERS, ...DECIMALS, "items", "factors", "bias"];

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
