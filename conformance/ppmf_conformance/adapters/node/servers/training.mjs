// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "The run": what both servers do once they have the bits of the ratings.

import { start } from "../fixed.mjs";
import { refuse } from "../users/refusal.mjs";
import { answerTo, bothSeeds, chosenSeeds, request } from "./base_transfers.mjs";
import { BLOCK, range } from "./bytes.mjs";
import { convert } from "./conversion.mjs";
import { halfStep, stepsFromCounts } from "./half_step.mjs";
import { exchange } from "./ratings_product.mjs";
import { note, ofPlanes } from "./trace.mjs";
import { Chooser, Sender } from "./transfers.mjs";

// PPMF-PRD-001 and the base transfers of both directions.
const setUp = async (server) => {
  const { link, place, coins, suite, me, peer } = server;
  server.owner = suite.owner(coins);
  server.offset = coins.bytes(BLOCK);
  if (me === "csp") server.offset[0] |= 1; // PPMF-OTE-001
  const asked = request(coins, server.offset);
  const answered = answerTo(coins);
  link.send("server-key", { suite: server.suiteName, product_key: server.owner.publicKey });
  link.send("base-request", { points: Buffer.concat(asked.points) });
  link.send("base-answer", { point: answered.getPublicKey(null, "compressed") });
  const key = await link.receive("server-key");
  if (key.suite !== server.suiteName) refuse("state", "server-key: a suite that is not the session's");
  server.theirs = suite.peer(coins, key.product_key);
  const { points } = await link.receive("base-request");
  server.chooser = new Chooser({ ...place, sender: peer }, bothSeeds({ ...place, sender: peer }, points, answered));
  const { point } = await link.receive("base-answer");
  const seeds = chosenSeeds({ ...place, sender: me }, asked, point);
  server.sender = new Sender({ ...place, sender: me }, seeds, server.offset);
};

// PPMF-RUN-009.
const publicStart = ({ sizes: { p, n, m, D }, me }) => {
  const begun = start(p, n, m);
  const side = (rows) => {
    const values = new BigUint64Array(D * rows.length);
    rows.forEach((row, i) => row.forEach((value, k) => (values[k * rows.length + i] = value)));
    const shares = me === "csp" ? values : new BigUint64Array(values.length);
    return { rows: rows.length, start: values, shares, previous: shares, words: null };
  };
  return { users: side(begun.users), items: side(begun.items) };
};

// From the server's bits, plane by plane, to the labels of the words of V.
export const train = async (server, bits) => {
  const { n, m, T } = server.sizes;
  note(server, "bits", [], () => ofPlanes(bits, n, m));
  await setUp(server);
  server.ratings = await convert(server, bits);
  const byUser = (values) => range(n).map((i) => [...values.subarray(i * m, (i + 1) * m)]);
  note(server, "w", [], () => byUser(server.ratings.rated));
  note(server, "x", [], () => byUser(server.ratings.rating));
  await exchange(server);
  const fromCounts = await stepsFromCounts(server);
  server.model = publicStart(server);
  let labels = null;
  for (let half = 0; half < 2 * T; half += 1)
    labels = await halfStep(server, half % 2 ? "items" : "users", half, fromCounts);
  return labels;
};

// The planes of all users, entry by entry, from the bytes of each row; a user without any has rated nothing.
export const planesOf = ({ n, m, code }, rows) => {
  const planes = 1 + code.weights.length;
  const bits = new Uint8Array(planes * n * m);
  rows.forEach((bytes, i) => {
    for (let at = 0; at < planes * m; at += 1)
      bits[Math.floor(at / m) * n * m + i * m + (at % m)] = (bytes[at >> 3] >> (at & 7)) & 1;
  });
  return bits;
};
