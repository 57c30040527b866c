// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Interruption": what two servers agree on before a later epoch.

import { refuse } from "../users/refusal.mjs";
import { checkLength, sha256, text, u64 } from "./bytes.mjs";

export const NAME = 40;
export const MOST = 2; // PPMF-RES-010

const iterations = (name) => name.readBigUInt64LE(0);

// PPMF-RES-003, -010, -014: the peer's names, in strictly ascending order of iterations.
const names = (field) => {
  if (field.length % NAME || field.length > MOST * NAME) refuse("encoding", "resume: no names of checkpoints");
  const found = [];
  for (let at = 0; at < field.length; at += NAME) found.push(field.subarray(at, at + NAME));
  if (found.length === 2 && iterations(found[0]) >= iterations(found[1])) refuse("encoding", "resume: not ascending");
  return found;
};

// PPMF-RES-007.
export const nameOf = (count, lineage) => Buffer.concat([u64(count), lineage]);
export const lineageOf = (session, cspKey, recsysKey) =>
  sha256(text("ppmf/v2/lineage/"), session, ...[cspKey, recsysKey].flatMap((key) => [u64(key.length), key]));

// What `resume` says of the checkpoints that are held, by name, in ascending order of iterations.
export const joinedNames = (held) => Buffer.concat([...held].sort((a, b) => (iterations(a) < iterations(b) ? -1 : 1)));

// PPMF-RES-003, -016: the number of the epoch that begins, and the newest name that both hold, if any.
export const agree = (last, held, theirLast, theirNames) => {
  if (theirLast >= 1n << 63n) refuse("range", "resume: last: no epoch is left");
  const theirs = names(theirNames);
  const common = theirs.filter((name) => held.some((own) => own.equals(name)));
  return { epoch: (last > theirLast ? last : theirLast) + 1n, chosen: common.at(-1) ?? null };
};

// The beginning of a later epoch: both servers say what they kept, and the server's place and checkpoint are set.
export const resume = async (server) => {
  const { kept, link } = server;
  const last = BigInt(kept.last);
  kept.last += 1; // PPMF-RES-016: kept before anything is sent
  const held = kept.checkpoints.map(({ name }) => name);
  link.send("resume", { last, checkpoints: joinedNames(held), decision: kept.decision });
  const found = await link.receive("resume");
  const { epoch, chosen } = agree(last, held, found.last, found.checkpoints);
  checkLength(found.decision, 32, "resume: decision");
  if (!kept.decision.equals(found.decision)) refuse("state", "resume: decision: of another closing or admission");
  kept.last = Number(epoch);
  server.place.epoch = Number(epoch);
  return chosen && kept.checkpoints.find(({ name }) => name.equals(chosen));
};

// PPMF-RES-014, -015: the last two checkpoints, one an iteration.
export const keep = ({ kept, lineage, model }, count) => {
  const side = ({ shares, previous, words }) => ({ shares, previous, bits: words.bits });
  const made = { count, name: nameOf(count, lineage), users: side(model.users), items: side(model.items) };
  const others = kept.checkpoints.filter((one) => one.count !== count);
  kept.checkpoints = [...others, made].sort((a, b) => a.count - b.count).slice(-MOST);
};

// PPMF-RES-005: the sides of a checkpoint, each server choosing with its bits.
export const restore = async (server, checkpoint) => {
  const { link, sizes } = server;
  const sides = ["users", "items"];
  const mine = sides.map((side) => server.chooser.choose(checkpoint[side].bits));
  for (const { columns } of mine) link.send("transfer-columns", { columns });
  const model = {};
  for (const [at, side] of sides.entries()) {
    const { columns } = await link.receive("transfer-columns");
    const { bits, shares, previous } = checkpoint[side];
    const sent = server.sender.take(columns, bits.length);
    const words = { width: sizes.wordBits, count: shares.length, bits, sent, chosen: mine[at].keys };
    model[side] = { rows: sizes.rows[side], start: null, shares, previous, words };
  }
  return model;
};
