// SPDX-License-Identifier: Apache-2.0
// The suite of a session: its two kinds answer to the same calls. An owner has `publicKey`, `encryptRows` and `open`, a
// peer `takeGroups`, `addOwn` and `answer`; an orientation is named by its number, 0 packing users.

import { range } from "./bytes.mjs";
import { SUITES, moduli } from "../users/suites.mjs";
import { Lattice, groupBytes, keyBytes, layoutOf, numbersOf, secretsOf } from "./lattice.mjs";
import { LatticeOwner } from "./lattice_owner.mjs";
import { LatticePeer } from "./lattice_peer.mjs";
import { PaillierOwner, PaillierPeer, paillierLayout } from "./paillier.mjs";
import { packedBytes } from "./ring.mjs";

const MESSAGE = 1 << 20; // PPMF-PRD-003

const perMessage = (groups, first) => Math.min(groups, Math.max(1, Math.floor(MESSAGE / first)));
const asked = (uses) => uses.reduce((sum, [first, end]) => sum + end - first, 0);

export const suiteOf = (name, sizes) => {
  const { bits, degree } = SUITES.get(name);
  const found = bits ? paillier(bits, sizes) : lattice(degree, sizes);
  const all = found.layoutOfMessages.flat();
  return {
    ...found,
    rowsBytes: Math.max(...all.map((one) => one.bytes)),
    lastGroup: Math.max(...all.map((one) => one.first)),
  };
};

const paillier = (bits, { k, matrices }) => {
  const layouts = matrices.map((matrix) => paillierLayout(bits, k, matrix));
  return {
    keyBytes: bits / 8,
    answerBytes: layouts.map(({ uses, perBlock }) => (asked(uses) * perBlock * bits) / 4),
    layoutOfMessages: layouts.map(({ rows, perBlock }) => messagesOf(rows, () => (2 * perBlock * bits) / 4)),
    owner: (coins) => new PaillierOwner(bits, k, coins, layouts),
    peer: (coins, key) => new PaillierPeer(bits, k, coins, layouts, key),
  };
};

const lattice = (N, { k, n, m, matrices }) => {
  const { primes, kept } = moduli(N, k, matrices);
  const common = new Lattice(N, k, primes, kept);
  const secrets = secretsOf(n, m, N);
  const layouts = matrices.map((matrix) => layoutOf(common, matrix));
  const messages = ({ groups, columns }) =>
    messagesOf(groups.length, (c) => groupBytes(common, groups[c].length, columns));
  return {
    keyBytes: keyBytes(common, secrets),
    answerBytes: layouts.map((layout) => packedBytes(numbersOf(layout, N), kept)),
    layoutOfMessages: layouts.map(messages),
    owner: (coins) => new LatticeOwner(common, coins, layouts, secrets),
    peer: (coins, key) => new LatticePeer(common, coins, layouts, secrets, key),
  };
};

// PPMF-PRD-003: of each message its first group, their number and its bytes.
const messagesOf = (groups, group) => {
  const most = perMessage(groups, group(0));
  return range(Math.ceil(groups / most)).map((at) => {
    const members = range(Math.min(most, groups - at * most), at * most);
    return { first: at * most, count: members.length, bytes: members.reduce((sum, c) => sum + group(c), 0) };
  });
};
