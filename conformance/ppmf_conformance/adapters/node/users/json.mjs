// SPDX-License-Identifier: Apache-2.0
// JSON with integers as BigInt, without floats and without repeated names: JSON.parse would round
// the ones and accept the others.

import { refuse } from "./refusal.mjs";

const TOKEN =
  /[ \t\n\r]*(?:([{}[\],:])|("(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")|(-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)|(true|false|null))/y;

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
  const list = () => {
    const found = [];
    for (let token = next(); token[1] !== "]";) {
      found.push(value(token));
      token = next();
      if (token[1] === ",") token = next();
      else if (token[1] !== "]") bad("not JSON");
      else break;
    }
    return found;
  };
  const object = () => {
    const found = new Map();
    for (let token = next(); token[1] !== "}";) {
      if (token[2] === undefined || next()[1] !== ":") bad("not JSON");
      const name = JSON.parse(token[2]);
      if (found.has(name)) bad("a name twice");
      found.set(name, value(next()));
      token = next();
      if (token[1] === ",") token = next();
      else if (token[1] !== "}") bad("not JSON");
      else break;
    }
    return found;
  };
  const found = value(next());
  return /^[ \t\n\r]*$/.test(text.slice(at)) ? found : bad("something after the value");
};
