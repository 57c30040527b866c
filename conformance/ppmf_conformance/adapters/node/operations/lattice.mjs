// SPDX-License-Identifier: Apache-2.0
// Operations of chapter 4: the lattice suites stage by stage, with all randomness given.

import { hex, range } from "../servers/bytes.mjs";
import * as scheme from "../servers/lattice.mjs";
import * as owner from "../servers/lattice_owner.mjs";
import { EncryptedRows, LatticePeer } from "../servers/lattice_peer.mjs";
import * as ring from "../servers/ring.mjs";
import { integer, integers, refuse } from "../users/refusal.mjs";
import { SUITES, budget, moduli } from "../users/suites.mjs";

const text = (bytes) => Buffer.from(bytes).toString("hex");
const degreeOf = (suite) => SUITES.get(suite)?.degree ?? refuse("parameters", "suite: none of the lattice suites");
const latticeOf = ({ lattice: { suite, ring: k, primes, kept } }) =>
  new scheme.Lattice(degreeOf(suite), Number(k), Number(primes), Number(kept));
const layoutOf = (lattice, { matrix, uses }) => {
  const [rows, columns, outputs] = [matrix.rows, matrix.columns, matrix.outputs].map(Number);
  return scheme.layoutOf(lattice, { rows, columns, outputs, uses: (uses ?? []).map((use) => use.map(Number)) });
};
const secretsOf = ({ matrix }) => Number(matrix.secrets);

const numbers = (list) => Float64Array.from(list, Number);
const table = (residues) => residues.map(numbers);
const shown = (found) => found.map((row) => Array.from(row, String));
const entriesOf = (rows) => BigUint64Array.from(rows.flatMap(integers));

const ofModuli = (given) => {
  const [N, k] = [degreeOf(given.suite), Number(given.ring)];
  const matrices = given.matrices.map(([rows, outputs]) => ({ rows: integer(rows), outputs: integer(outputs) }));
  const { primes, kept } = moduli(N, k, matrices);
  const budgets = matrices.map(({ rows, outputs }) => budget(N, k, rows, outputs));
  return {
    primes: `${primes}`,
    kept: `${kept}`,
    bounds: budgets.map(({ B }) => B),
    floods: budgets.map(({ gamma }) => gamma),
  };
};

const expand = (given) => {
  const { N, primes } = latticeOf(given);
  const { residues, refused } = ring.expand(hex(given.seed), N, primes);
  return { residues: residues.map((row) => given.places.map((at) => `${row[Number(at)]}`)), refused: shown(refused) };
};

const place = (given) => {
  const [N, columns] = [degreeOf(given.suite), Number(given.columns)];
  const g = scheme.groupSize(columns, N);
  const places = given.entries.map((entry) => {
    const [row, block, column] = entry.map(Number);
    const coefficient = scheme.coefficientOf(row, column, g, N);
    return [Math.floor(row / g), Math.floor(column / N), coefficient, scheme.secretOf(block, column, N)].map(String);
  });
  return { size: `${g}`, groups: `${Math.ceil(Number(given.rows) / g)}`, places };
};

const times = (given) => {
  const lattice = latticeOf(given);
  const product = lattice.product(lattice.values(table(given.polynomial)), lattice.valuesOf(numbers(given.ternary)));
  return { residues: shown(product) };
};

const secretsIn = (lattice, given) => given.secrets.map((s) => lattice.valuesOf(numbers(s)));

const key = (given) => {
  const lattice = latticeOf(given);
  const errors = given.errors.map(numbers);
  return { public: text(owner.publicKey(lattice, hex(given.seed), secretsIn(lattice, given), errors)) };
};

const encrypt = (given) => {
  const lattice = latticeOf(given);
  const [layout, secrets] = [layoutOf(lattice, given), secretsIn(lattice, given)];
  const made = layout.groups.map((rows, c) => {
    const entries = entriesOf(rows.map((j) => given.entries[j]));
    const errors = numbers(rows.flatMap((j) => given.errors[j]));
    return owner.encryptGroup(lattice, layout, rows, hex(given.seeds[c]), secrets, entries, errors);
  });
  const bare = lattice.primes.map((_, i) => made.flatMap((one) => Array.from(one.bare[i], String)));
  return { groups: made.map(({ bytes }) => text(bytes)), bare };
};

const fold = (given) => {
  const lattice = latticeOf(given);
  const rows = new EncryptedRows(lattice, layoutOf(lattice, given));
  for (const group of given.groups) rows.take(hex(group));
  rows.addOwn(entriesOf(given.own));
  return { residues: shown(rows.c0) };
};

const answer = (given) => {
  const lattice = latticeOf(given);
  const peer = new LatticePeer(lattice, null, [layoutOf(lattice, given)], secretsOf(given), hex(given.public));
  for (const group of given.groups) peer.rows[0].take(hex(group));
  peer.addOwn(0, entriesOf(given.own));
  const blocks = (all, change) => all.map((block) => change(block.flat()));
  const draws = {
    u: given.u.map(numbers),
    e2: given.e2.map(numbers),
    e1: blocks(given.e1, numbers),
    masks: blocks(given.masks, integers),
    floods: blocks(given.floods, integers),
  };
  const X = given.x.map((row) => BigUint64Array.from(integers(row)));
  const { all, sums, first, second } = peer.numbers(0, X, draws);
  const shares = given.masks.map((block) =>
    block.map((row) => integers(row).map((mask) => BigInt.asUintN(lattice.k, -mask))),
  );
  const sent = ring.pack(lattice.round(all), lattice.kept);
  return { answer: text(sent), shares, sums: shown(sums), first: shown(first), numbers: shown(second) };
};

const decrypt = (given) => {
  const lattice = latticeOf(given);
  const layout = layoutOf(lattice, given);
  const phases = owner.phasesOf(lattice, layout, secretsIn(lattice, given), hex(given.answer));
  const found = lattice.decode(phases);
  let next = 0;
  const row = () => [...found.subarray(next, (next += layout.columns))];
  return { shares: layout.uses.map(([first, end]) => range(end - first).map(row)), phases: shown(phases) };
};

export const LATTICE = {
  "rlwe.moduli": ofModuli,
  "rlwe.expand": expand,
  "rlwe.pack": (given) => ({ bytes: text(ring.pack(table(given.residues), latticeOf(given).primes)) }),
  "rlwe.unpack": (given) => ({
    residues: shown(ring.unpack(hex(given.bytes), Number(given.count), latticeOf(given).primes, "bytes")),
  }),
  "rlwe.encode": (given) => {
    const lattice = latticeOf(given);
    return { residues: shown(lattice.table(integers(given.messages).map((message) => lattice.encoding(message)))) };
  },
  "rlwe.place": place,
  "rlwe.times": times,
  "rlwe.key": key,
  "rlwe.encrypt": encrypt,
  "rlwe.fold": fold,
  "rlwe.answer": answer,
  "rlwe.round": (given) => ({ residues: shown(latticeOf(given).round(table(given.residues))) }),
  "rlwe.decode": (given) => ({ messages: [...latticeOf(given).decode(table(given.residues))] }),
  "rlwe.decrypt": decrypt,
};
