// SPDX-License-Identifier: Apache-2.0
// JSON with integers as BigInt, without floats and without repeated names: JSON.parse would round
// the ones and accept the others.

import { refuse } from "./refusal.mjs";

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(true|false|null))/y;
const BLANK = [32, 9, 10, 13];

export const parse = (text) => {
  let at = 0;
  const bad = (why) => refuse("encoding", `${why} at ${at}`);
  const next = () => {
    TOKEN.lastIndex = at;
    const match = TOKEN.exec(text) ?? bad("not JSON");
    at = TOKEN.lastIndex;
    return match;
  };
  const value = ([, mark, string, number, word]) => {
    if (string !== undefined) return JSON.parse(string);
    if (number !== undefined) return /^-?[0-9]{1,300}$/.test(number) ? BigInt(number) : bad("a float, or too long");
    if (word !== undefined) return { true: true, false: false, null: null }[word];
    return mark === "[" ? list() : mark === "{" ? object() : bad("not JSON");
  };
  const blanks = () => {
    while (BLANK.includes(text.charCodeAt(at))) at += 1;
  };
  const mark = () => {
    blanks();
    at += 1;
    return text[at - 1];
  };
  // A short integer, which the long lists consist of, without the regular expression; undefined is any other token.
  const short = () => {
    blanks();
    const first = text[at] === "-" ? at + 1 : at;
    let end = first;
    while (text.charCodeAt(end) >= 48 && text.charCodeAt(end) <= 57) end += 1;
    const digits = end - first;
    if (!digits || digits > 15 || (digits > 1 && text[first] === "0") || /[.eE]/.test(text[end] ?? ""))
      return undefined;
    const found = BigInt(Number(text.slice(at, end)));
    at = end;
    return found;
  };
  const list = () => {
    blanks();
    if (text[at] === "]") {
      at += 1;
      return [];
    }
    const found = [];
    for (;;) {
      found.push(short() ?? value(next()));
      const after = mark();
      if (after === "]") return found;
      if (after !== ",") bad("not JSON");
    }
  };
  const object = () => {
    const found = new Map();
    let token = next();
    if (token[1] === "}") return found;
    for (;;) {
      if (token[2] === undefined || next()[1] !== ":") bad("not JSON");
      const name = JSON.parse(token[2]);
      if (found.has(name)) bad("a name twice");
      found.set(name, value(next()));
      const after = mark();
      if (after === "}") return found;
      if (after !== ",") bad("not JSON");
      token = next();
    }
  };
  const found = value(next());
  return /^[ \t\n\r]*$/.test(text.slice(at)) ? found : bad("something after the value");
};
