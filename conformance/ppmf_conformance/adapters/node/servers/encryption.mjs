// SPDX-License-Identifier: Apache-2.0
// The suite of a session: its two kinds answer to the same calls. An owner has `publicKey`, `encryptRows` and `open`, a
// peer `takeGroups`, `addOwn` and `answer`; an orientation is named by its number, 0 packing users.

import { range } from "./bytes.mjs";
import { SUITES, moduli } from "../users/suites.mjs";
import { Lattice, LatticeOwner, LatticePeer, groupSize, keyBytes, secretsOf } from "./lattice.mjs";
import { PaillierOwner, PaillierPeer, paillierLayout } from "./paillier.mjs";
import { SEED, packedBytes } from "./ring.mjs";

const MESSAGE = 1 << 20; // PPMF-PRD-003

const perMessage = (groups, first) => Math.min(groups, Math.max(1, Math.floor(MESSAGE / first)));
const asked = (uses) => uses.reduce((sum, [first, end]) => sum + end - first, 0);

export const suiteOf = (name, { k, n, m, matrices }) => {
  const { bits, degree: N } = SUITES.get(name);
  if (bits) {
    const layouts = matrices.map((matrix) => paillierLayout(bits, k, matrix));
    const group = layouts.map(({ perBlock }) => (2 * perBlock * bits) / 4);
    return {
      keyBytes: bits / 8,
      rowsBytes: Math.max(...layouts.map(({ rows }, at) => perMessage(rows, group[at]) * group[at])),
      answerBytes: Math.max(...layouts.map(({ uses, perBlock }) => (asked(uses) * perBlock * bits) / 4)),
      owner: (coins) => new PaillierOwner(bits, k, coins, layouts),
      peer: (coins, key) => new PaillierPeer(bits, k, coins, layouts, key),
      layoutOfMessages: layouts.map(({ rows }, at) => messagesOf(rows, () => group[at])),
    };
  }
  const { primes, kept } = moduli(N, k, matrices);
  const lattice = new Lattice(N, k, primes, kept);
  const secrets = secretsOf(n, m, N);
  const sizes = matrices.map(({ rows, columns }) => {
    const g = groupSize(columns, N);
    const groups = Math.ceil(rows / g);
    return { groups, group: (c) => SEED + packedBytes(2 * columns * Math.min(g, rows - c * g), primes) };
  });
  const layoutOfMessages = sizes.map(({ groups, group }) => messagesOf(groups, group));
  const numbers = ({ uses, columns }) => new Set(uses.flatMap(([first, end]) => range(end - first, first))).size * N + asked(uses) * columns;
  return {
    keyBytes: keyBytes(lattice, secrets),
    rowsBytes: Math.max(...layoutOfMessages.flat().map(({ bytes }) => bytes)),
    answerBytes: Math.max(...matrices.map((matrix) => packedBytes(numbers(matrix), kept))),
    owner: (coins) => new LatticeOwner(lattice, coins, matrices, secrets),
    peer: (coins, key) => new LatticePeer(lattice, coins, matrices, secrets, key),
    layoutOfMessages,
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
