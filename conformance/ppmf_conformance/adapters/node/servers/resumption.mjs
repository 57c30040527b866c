// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Interruption": what two servers agree on before a later epoch.

import { integer, refuse } from "../users/refusal.mjs";

const NAME = 40;

const iterations = (name) => name.readBigUInt64LE(0);

// PPMF-RES-003, -010, -014: the peer's names, in strictly ascending order of iterations.
const names = (field) => {
  if (field.length % NAME || field.length > 2 * NAME) refuse("encoding", "resume: no names of checkpoints");
  const found = [];
  for (let at = 0; at < field.length; at += NAME) found.push(field.subarray(at, at + NAME));
  if (found.length === 2 && iterations(found[0]) >= iterations(found[1])) refuse("encoding", "resume: not ascending");
  return found;
};

// PPMF-RES-016: one more than the larger of the highest numbers that both kept.
const next = (mine, theirs) => {
  if (theirs >= 1n << 63n) refuse("range", "resume: no epoch is left");
  return (mine > theirs ? mine : theirs) + 1n;
};

export const agree = (given) => {
  const epoch = next(integer(given.last), integer(given.received_last));
  const held = given.held.map(([count, lineage]) => {
    const head = Buffer.alloc(8);
    head.writeBigUInt64LE(BigInt(count));
    return Buffer.concat([head, Buffer.from(lineage, "hex")]);
  });
  held.sort((a, b) => (iterations(a) < iterations(b) ? -1 : 1));
  const theirs = names(Buffer.from(given.received, "hex"));
  const common = held.filter((name) => theirs.some((other) => other.equals(name)));
  return {
    epoch,
    sent: Buffer.concat(held).toString("hex"),
    chosen: common.length ? common.at(-1).toString("hex") : null,
  };
};
