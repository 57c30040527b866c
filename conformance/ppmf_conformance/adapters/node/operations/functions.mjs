// SPDX-License-Identifier: Apache-2.0
// Operations of chapters 2 and 3: parameters, ratings, F_fix, and the user's side.

import * as fixed from "../fixed.mjs";
import { readToml } from "../toml.mjs";
import { hexOf } from "../users/bytes.mjs";
import { bound, canonical, checkRows, digest, idle, parameters, size, step } from "../users/params.mjs";
import * as files from "../users/profiles.mjs";
import { ratings } from "../users/ratings.mjs";
import { decimal, decimalText, integer, integers, refuse, roundHalfUp } from "../users/refusal.mjs";
import * as ridge from "../users/ridge.mjs";

const set = (given) => parameters(given.parameters);
const validated = async (p) => ({ canonical: canonical(p), digest: hexOf(await digest(p)) });

// Profiles from the strings of a call, and back.
const profiles = (given) => ({
  ...Object.fromEntries(files.INTEGERS.map((name) => [name, integer(given[name])])),
  ...Object.fromEntries(files.DECIMALS.map((name) => [name, decimal(given[name])])),
  items: given.items,
  factors: given.factors.map(integers),
  bias: given.bias === null ? null : integers(given.bias),
});
const profilesShown = (found) => ({
  ...found,
  ...Object.fromEntries(files.DECIMALS.map((name) => [name, decimalText(found[name])])),
});

const number = (text, where) => decimal(text) ?? refuse("encoding", `${where}: no decimal number`);

const predict = (given) => {
  const p = profiles(given.profiles);
  const rated = ridge.ratedRows(
    p,
    given.ratings.map(([id, text], k) => [id, number(text, `rating ${k + 1}`)]),
  );
  const own = ridge.solution(p, rated);
  const predictions = given.items.map((id) => ridge.prediction(p, own, ridge.rowOf(p, id)));
  const clipped = predictions.map((value) => ridge.clip(p, value));
  return { ...ridge.profile(p, own), predictions, clipped, top: ridge.top(p, own, rated, Number(integer(given.count))) };
};

// PPMF-CON-046
const init = (given) => {
  checkRows(size(given.users), size(given.items));
  return fixed.start(set(given), Number(given.users), Number(given.items));
};

const descend = (given) => {
  const [p, G, H] = [set(given), integers(given.gradient), integers(given.steps)];
  const previous = integers(given.previous);
  return { z: integers(given.x).map((x, k) => fixed.descend(x, previous[k], G[k], H[k], p)) };
};

const prox = (given) => {
  const p = set(given);
  const [tau, theta] = [integer(given.tau), integer(given.theta)];
  const moved = (z) => (given.coordinate === "factor" ? fixed.prox(z, tau, theta, p) : z);
  return { words: integers(given.z).map((z) => fixed.saturate(moved(z), p)) };
};

const halfStep = (given) => {
  const rated = given.rated.map((one) => ({ rows: one.rows.map(Number), values: integers(one.values) }));
  const [rows, previous, other] = [given.rows, given.previous, given.other].map((side) => side.map(integers));
  return fixed.halfStep(rows, previous, other, rated, set(given));
};

const parse = (given) => {
  const { users, items, cells } = ratings(given, set(given));
  return { users, items, values: cells.map(({ row, column, x }) => [`${row}`, `${column}`, x]) };
};

export const FUNCTIONS = {
  "params.validate": (given) => validated(set(given)),
  "params.toml": (given) => validated(parameters(readToml(given.toml))),
  "params.warn": (given) => ({ idle: idle(set(given), size(given.users), size(given.items)) }),
  "params.bound": (given) => bound(set(given), size(given.users), size(given.items)),
  "ratings.parse": parse,
  init,
  "words.round": (given) => ({ value: roundHalfUp(integer(given.a), integer(given.b)) }),
  "words.descend": descend,
  prox,
  step: (given) => step(integer(given.count), integer(given.squares), set(given)),
  half_step: halfStep,
  "train.fixed": (given) => fixed.train(ratings(given, set(given)), set(given)),
  "profiles.write": (given) => ({ text: files.write(profiles(given.profiles)) }),
  "profiles.read": (given) => ({ profiles: profilesShown(files.read(given.text)) }),
  "predict.ridge": predict,
  "predict.similar": (given) => ({
    items: ridge.similar(profiles(given.profiles), given.item, Number(integer(given.count))),
  }),
};
