// SPDX-License-Identifier: Apache-2.0
// Chapter 3, "Text": parameters from TOML 1.0. A document of parameters has keys and scalars alone: whatever else TOML
// has is no value of a parameter, and is refused as such.

import { utf8 } from "./users/bytes.mjs";
import { kindOf } from "./users/params.mjs";
import { refuse } from "./users/refusal.mjs";

const LONGEST = 65536;
const BLANKS = /[ \t]*/y;
const END = /[ \t]*(?:#[^\u0000-\u0008\u000a-\u001f\u007f]*)?(?:\r?\n|$)/y; // a comment, and the end of the line
const BARE = /[A-Za-z0-9_-]+/y;
const PLAIN = /[^\s#]+/y; // a number or a word, which is looked at as a whole
const INTEGER =
  /^(?:[+-]?(?:0|[1-9](?:_?[0-9])*)|0x[0-9A-Fa-f](?:_?[0-9A-Fa-f])*|0o[0-7](?:_?[0-7])*|0b[01](?:_?[01])*)$/;
const FLOAT = /^[+-]?(?:0|[1-9](?:_?[0-9])*)(?:\.[0-9](?:_?[0-9])*)?(?:[eE][+-]?[0-9](?:_?[0-9])*)?$/;
const ESCAPES = { b: "\b", t: "\t", n: "\n", f: "\f", r: "\r", '"': '"', "\\": "\\" };

const bad = (why) => refuse("parameters", `TOML: ${why}`);

class Reader {
  constructor(text) {
    Object.assign(this, { text, at: 0 });
  }

  // What the pattern finds here, or null.
  take(pattern) {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text);
    if (found) this.at = pattern.lastIndex;
    return found && found[0];
  }

  starts(text) {
    return this.text.startsWith(text, this.at);
  }

  fail(why) {
    bad(`${why} in line ${this.text.slice(0, this.at).split("\n").length}`);
  }

  // A string of any of the four kinds, or null.
  string() {
    const quote = this.text[this.at];
    if (quote !== '"' && quote !== "'") return null;
    const several = this.starts(quote.repeat(3));
    this.at += several ? 3 : 1;
    if (several) this.take(/(?:\r?\n)?/y);
    let found = "";
    for (;;) {
      const end = several ? this.take(quote === '"' ? /"{3,5}/y : /'{3,5}/y) : this.take(quote === '"' ? /"/y : /'/y);
      if (end) return found + end.slice(several ? 3 : 1);
      const newline = several && this.take(/\r?\n/y);
      if (newline) found += "\n";
      else if (quote === '"' && this.starts("\\")) found += this.escape(several);
      else
        found +=
          this.take(/[^\u0000-\u0008\u000a-\u001f\u007f]/uy) ??
          this.fail("a string that does not end, or with a control character");
    }
  }

  escape(several) {
    if (several && this.take(/\\[ \t]*\r?\n[ \t\r\n]*/y)) return "";
    const coded = this.take(/\\(?:u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8})/y);
    if (coded) {
      const point = parseInt(coded.slice(2), 16);
      if (point > 0x10ffff || (point >= 0xd800 && point < 0xe000)) this.fail("an escape of no character");
      return String.fromCodePoint(point);
    }
    const short = this.take(/\\[btnfr"\\]/y) ?? this.fail("an unknown escape");
    return ESCAPES[short[1]];
  }
}

// A value as what kind of TOML it is, and its text.
const valueOf = (reader) => {
  const string = reader.string();
  if (string !== null) return { kind: "string", text: string };
  const text = reader.take(PLAIN) ?? reader.fail("no value");
  if (text === "true" || text === "false") return { kind: "boolean", text };
  if (INTEGER.test(text)) return { kind: "integer", text };
  return { kind: FLOAT.test(text) ? "float" : "other", text };
};

const integerText = (text) => {
  const digits = text.replaceAll("_", "");
  return digits.startsWith("-") ? `${-BigInt(digits.slice(1))}` : `${BigInt(digits.replace("+", ""))}`;
};

// PPMF-PAR-002, -023: the value of a parameter, in the form of a call.
const given = (name, { kind, text }) => {
  const due = kindOf(name);
  const wrong = () => refuse("parameters", `${name} = ${JSON.stringify(text.slice(0, 40))}: must be ${due}`);
  if (due === "an integer" || (due === "a dyadic number" && kind === "integer"))
    return kind === "integer" ? integerText(text) : wrong();
  if (due === "a dyadic number") return kind === "float" || kind === "string" ? text : wrong();
  if (due === "a boolean") return kind === "boolean" ? text === "true" : wrong();
  return kind === "string" ? text : wrong();
};

// PPMF-PAR-022: what a document says of the parameters it names.
export const readToml = (document) => {
  if (!document.isWellFormed() || utf8(document).length > LONGEST) bad(`not UTF-8 of at most ${LONGEST} bytes`);
  const reader = new Reader(document.replace(/^\uFEFF/, ""));
  const found = new Map();
  while (reader.at < reader.text.length) {
    if (reader.take(END) !== null) continue;
    reader.take(BLANKS);
    const table = reader.take(/\[+[ \t]*/y);
    const name =
      reader.take(BARE) ??
      (reader.starts('"""') || reader.starts("'''") ? null : reader.string()) ??
      reader.fail("no key");
    if (table || reader.take(/[ \t]*\./y)) bad(`${name.slice(0, 40)}: a table is no parameter`);
    reader.take(BLANKS);
    if (!reader.take(/=/y)) reader.fail("no = after a key");
    reader.take(BLANKS);
    const value = valueOf(reader);
    if (found.has(name)) bad(`${name.slice(0, 40)}: given twice`);
    if (kindOf(name)) found.set(name, given(name, value));
    else bad(`${JSON.stringify(name.slice(0, 40))}: no parameter`);
    if (reader.take(END) === null) reader.fail("something after a value");
  }
  return Object.fromEntries(found);
};
