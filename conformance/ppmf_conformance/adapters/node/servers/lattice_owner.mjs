// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Products in a lattice suite": the owner of a key, who encrypts rows and decrypts answers.

import { range } from "./bytes.mjs";
import { add, coefficientOf, numbersOf, secretOf, subtract } from "./lattice.mjs";
import { SEED, expand, mod, pack, unpack } from "./ring.mjs";

// PPMF-RLW-004.
export const publicKey = (lattice, seed, secrets, errors) => {
  const a = expand(seed, lattice.N, lattice.primes).residues;
  const parts = secrets.map((s, i) => {
    const b = subtract(lattice.table(Array.from(errors[i], BigInt)), lattice.times(a, s), lattice.primes);
    return pack(b, lattice.primes);
  });
  return Buffer.concat([seed, ...parts]);
};

// PPMF-RLW-006, one group: the numbers before and after the encodings are added, row by row. `entries` and `errors` are
// those of its rows.
export const encryptGroup = (lattice, layout, rows, seed, secrets, entries, errors) => {
  const { N, primes } = lattice;
  const c1 = expand(seed, N, primes).residues;
  const masked = secrets.map((s) => lattice.times(c1, s));
  const width = 2 * layout.columns;
  const bare = primes.map((p, i) =>
    Float64Array.from({ length: rows.length * width }, (_, at) => {
      const [row, block, column] = [
        rows[Math.floor(at / width)],
        Math.floor((at % width) / layout.columns),
        at % layout.columns,
      ];
      return mod(errors[at] - masked[secretOf(block, column, N)][i][coefficientOf(row, column, layout.g, N)], p);
    }),
  );
  const sent = add(
    bare,
    lattice.table(Array.from(entries, (entry) => lattice.encoding(BigInt.asUintN(lattice.k, entry)))),
    primes,
  );
  return { bare, bytes: Buffer.concat([seed, pack(sent, primes)]) };
};

export class LatticeOwner {
  constructor(lattice, coins, layouts, count) {
    Object.assign(this, { lattice, coins, layouts });
    this.secrets = range(count).map(() => coins.ternary(lattice.N));
    this.publicKey = publicKey(
      lattice,
      coins.bytes(SEED),
      this.secrets,
      this.secrets.map(() => coins.errors(lattice.N)),
    );
  }

  encryptRows(at, entries) {
    const layout = this.layouts[at];
    const width = 2 * layout.columns;
    return layout.groups.map((rows) => {
      const own = entries.subarray(rows[0] * width, (rows.at(-1) + 1) * width);
      const errors = this.coins.errors(own.length);
      return encryptGroup(this.lattice, layout, rows, this.coins.bytes(SEED), this.secrets, own, errors).bytes;
    });
  }

  open(at, bytes) {
    const phases = phasesOf(this.lattice, this.layouts[at], this.secrets, bytes);
    const all = this.lattice.decode(phases);
    const { uses, columns } = this.layouts[at];
    let next = 0;
    return uses.map(([first, end]) => all.subarray(next, (next += (end - first) * columns)));
  }
}

// The y of PPMF-RLW-012, block by block, row by row.
export const phasesOf = (lattice, layout, secrets, bytes) => {
  const { N, kept } = lattice;
  const { asked, uses, columns } = layout;
  const sent = unpack(bytes, numbersOf(layout, N), kept, "product-answer: answer");
  const rings = lattice.rings.slice(0, kept.length);
  const masked = asked.map((_, r) => {
    const c1 = sent.map((row) => row.subarray(r * N, (r + 1) * N));
    return secrets.map((s) => lattice.times(c1, s, rings));
  });
  return kept.map((p, i) => {
    const out = [];
    let next = asked.length * N;
    uses.forEach(([first, end], block) => {
      for (let row = first; row < end; row += 1)
        for (let h = 0; h < columns; h += 1)
          out.push(mod(sent[i][next++] + masked[asked.indexOf(row)][secretOf(block, h, N)][i][h % N], p));
    });
    return Float64Array.from(out);
  });
};
