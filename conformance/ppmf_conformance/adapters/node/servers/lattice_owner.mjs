// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Products in a lattice suite": the owner of a key, who encrypts rows and decrypts answers.

import { range } from "./bytes.mjs";
import { add, coefficientOf, numbersOf, secretOf, secretsFor, subtract } from "./lattice.mjs";
import { SEED, expand, mod, pack, unpack } from "./ring.mjs";

// PPMF-RLW-004; of the secrets their values.
export const publicKey = (lattice, seed, secrets, errors) => {
  const a = lattice.values(expand(seed, lattice.N, lattice.primes).residues);
  const parts = secrets.map((s, i) => {
    const b = subtract(lattice.tableOf(errors[i]), lattice.product(a, s), lattice.primes);
    return pack(b, lattice.primes);
  });
  return Buffer.concat([seed, ...parts]);
};

// PPMF-RLW-006, one group: the numbers before and after the encodings are added, row by row. `entries` and `errors` are
// those of its rows.
export const encryptGroup = (lattice, { columns, g }, rows, seed, secrets, entries, errors) => {
  const { N, primes } = lattice;
  const c1 = lattice.values(expand(seed, N, primes).residues);
  const masked = secrets.slice(0, secretsFor(columns, N)).map((s) => lattice.product(c1, s));
  const bare = primes.map((p, i) => {
    const out = new Float64Array(errors.length);
    let at = 0;
    for (const row of rows)
      for (const block of [0, 1])
        for (let column = 0; column < columns; column += 1) {
          const mask = masked[secretOf(block, column, N)][i][coefficientOf(row, column, g, N)];
          out[at] = mod(errors[at] - mask, p);
          at += 1;
        }
    return out;
  });
  const sent = add(bare, lattice.encodings(entries), primes);
  return { bare, bytes: Buffer.concat([seed, pack(sent, primes)]) };
};

export class LatticeOwner {
  constructor(lattice, coins, layouts, count) {
    Object.assign(this, { lattice, coins, layouts });
    this.secrets = range(count).map(() => lattice.valuesOf(coins.ternary(lattice.N)));
    const errors = this.secrets.map(() => coins.errors(lattice.N));
    this.publicKey = publicKey(lattice, coins.bytes(SEED), this.secrets, errors);
  }

  // The groups of orientation `at`, from entries row by row.
  encryptRows(at, entries) {
    const layout = this.layouts[at];
    const width = 2 * layout.columns;
    return layout.groups.map((rows) => {
      const own = entries.subarray(rows[0] * width, (rows.at(-1) + 1) * width);
      const errors = this.coins.errors(own.length);
      return encryptGroup(this.lattice, layout, rows, this.coins.bytes(SEED), this.secrets, own, errors).bytes;
    });
  }

  // The shares of both blocks, row after row of their uses.
  open(at, bytes) {
    const { uses, columns } = this.layouts[at];
    const all = this.lattice.decode(phasesOf(this.lattice, this.layouts[at], this.secrets, bytes));
    let next = 0;
    return uses.map(([first, end]) => all.subarray(next, (next += (end - first) * columns)));
  }
}

// The y of PPMF-RLW-012, block by block, row by row; of the secrets their values.
export const phasesOf = (lattice, layout, secrets, bytes) => {
  const { N, kept } = lattice;
  const { asked, uses, columns } = layout;
  const sent = unpack(bytes, numbersOf(layout, N), kept, "product-answer: answer");
  const needed = secrets.slice(0, secretsFor(columns, N));
  const masked = asked.map((_, r) => {
    const c1 = lattice.values(sent.map((row) => row.subarray(r * N, (r + 1) * N)));
    return needed.map((s) => lattice.product(c1, s));
  });
  return kept.map((p, i) => {
    const numbers = sent[i].subarray(asked.length * N);
    let next = 0;
    uses.forEach(([first, end], block) => {
      for (let row = first; row < end; row += 1)
        for (let h = 0; h < columns; h += 1) {
          const mask = masked[asked.indexOf(row)][secretOf(block, h, N)][i][h % N];
          numbers[next] = mod(numbers[next] + mask, p);
          next += 1;
        }
    });
    return numbers;
  });
};
