// SPDX-License-Identifier: Apache-2.0
// Loaded before an adapter in JavaScript: every answer adds a line to the file that TRACE names, with
// the case and the stretches of each module's text that ran for it and for no earlier answer to the
// same case, as V8 counts blocks. The first line names every function of every module.

import { appendFileSync } from "node:fs";
import { Session } from "node:inspector";

const session = new Session();
session.connect();
const post = (method, given) => {
  let found;
  session.post(method, given, (error, result) => (found = result));
  return found;
};
post("Profiler.enable");
post("Profiler.startPreciseCoverage", { callCount: true, detailed: true });

let id;
let known = new Set();
const parse = JSON.parse;
JSON.parse = (...given) => {
  const found = parse(...given);
  if (found && found.call === "run" && found.id !== id) [id, known] = [found.id, new Set()];
  return found;
};

// The stretches that ran: of two ranges the inner one says whether a place ran.
const stretches = (functions) => {
  const every = functions.flatMap((one) => one.ranges);
  every.sort((one, other) => one.startOffset - other.startOffset || other.endOffset - one.endOffset);
  const found = [];
  const open = [];
  let at = 0;
  const reach = (end) => {
    if (open.length && open.at(-1).count && at < end) {
      if (found.length && found.at(-1)[1] === at) found.at(-1)[1] = end;
      else found.push([at, end]);
    }
    at = end;
  };
  const leave = () => {
    reach(open.at(-1).endOffset);
    open.pop();
  };
  for (const range of every) {
    while (open.length && open.at(-1).endOffset <= range.startOffset) leave();
    reach(range.startOffset);
    open.push(range);
  }
  while (open.length) leave();
  return found;
};

const note = (line) => appendFileSync(process.env.TRACE, `${JSON.stringify(line)}\n`);
const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (...given) => {
  const { result } = post("Profiler.takePreciseCoverage");
  if (id === undefined) {
    const functions = result.flatMap(({ url, functions }) =>
      functions.map(({ ranges: [whole] }) => [url, whole.startOffset, whole.endOffset]),
    );
    note({ functions });
    return write(...given);
  }
  const ran = [];
  for (const { url, functions } of result) {
    for (const [start, end] of stretches(functions)) {
      const name = `${url} ${start} ${end}`;
      if (!known.has(name)) ran.push([url, start, end]);
      known.add(name);
    }
  }
  if (ran.length) note({ id, called: ran });
  return write(...given);
};
