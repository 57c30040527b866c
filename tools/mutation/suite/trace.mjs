// SPDX-License-Identifier: Apache-2.0
// Loaded before an adapter in JavaScript: every answer adds a line to the file that TRACE names,
// with the case and the places of the functions that were called for it, as V8 counts them.

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
post("Profiler.startPreciseCoverage", { callCount: true, detailed: false });

let id = "";
const parse = JSON.parse;
JSON.parse = (...given) => {
  const found = parse(...given);
  if (found && found.call === "run") id = found.id;
  return found;
};

const write = process.stdout.write.bind(process.stdout);
process.stdout.write = (...given) => {
  const called = post("Profiler.takePreciseCoverage").result.flatMap(({ url, functions }) =>
    functions
      .flatMap((one) => one.ranges)
      .filter((range) => range.count)
      .map((range) => [url, range.startOffset, range.endOffset]),
  );
  if (id) appendFileSync(process.env.TRACE, `${JSON.stringify({ id, called })}\n`);
  return write(...given);
};
