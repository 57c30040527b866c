// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Products in a lattice suite": the peer of the owner of a key, who multiplies the encrypted rows.

import { checkLength, range } from "./bytes.mjs";
import { add, groupBytes, keyBytes, secretOf, secretsFor } from "./lattice.mjs";
import { SEED, expand, mod, pack, packedBytes, unpack } from "./ring.mjs";

// The encrypted rows of one orientation: the numbers of c_0, and of each group the values of c_1.
export class EncryptedRows {
  constructor(lattice, layout) {
    Object.assign(this, { lattice, layout, parts: [], c1: [] });
  }

  // The next group.
  take(bytes) {
    const { N, primes } = this.lattice;
    const { groups, columns } = this.layout;
    const count = 2 * groups[this.parts.length].length * columns;
    this.parts.push(unpack(bytes.subarray(SEED), count, primes, "encrypted-rows: rows"));
    this.c1.push(this.lattice.values(expand(bytes.subarray(0, SEED), N, primes).residues));
  }

  // PPMF-RLW-014, once all groups are there.
  addOwn(entries) {
    const { lattice, parts } = this;
    const own = lattice.encodings(entries);
    this.c0 = lattice.primes.map((p, i) => {
      let at = 0;
      for (const part of parts)
        for (const value of part[i]) {
          own[i][at] = mod(own[i][at] + value, p);
          at += 1;
        }
      return own[i];
    });
  }

  // The sum over the groups of p_c times c_1, modulo prime number i; `x` are the residues of a row of X.
  sumOfGroups(x, i) {
    const { N, primes, rings } = this.lattice;
    const { g, groups } = this.layout;
    const [ring, p] = [rings[i], primes[i]];
    const total = new Float64Array(N);
    groups.forEach((group, c) => {
      // y^(-b) is -y^(g - b), and y^(-0) is 1
      const weights = new Float64Array(N);
      group.forEach((j, b) => (weights[((g - b) * (N / g)) % N] = mod(b ? -x[j] : x[j], p)));
      const values = ring.values(weights); // numbers: p_c is a polynomial in y
      this.c1[c][i].forEach((value, at) => {
        total[at] = mod(total[at] + values[at - (at % ring.width)] * value, p);
      });
    });
    return ring.coefficients(total);
  }

  // The sum over the rows of x times the number of one column of a block.
  sumOfRows(x, block, column, i) {
    const { rows, columns } = this.layout;
    const p = this.lattice.primes[i];
    let sum = 0;
    for (let j = 0; j < rows; j += 1) sum += mod(x[j] * this.c0[i][(2 * j + block) * columns + column], p);
    return sum;
  }
}

export class LatticePeer {
  constructor(lattice, coins, layouts, count, key) {
    Object.assign(this, { lattice, coins });
    this.rows = layouts.map((layout) => new EncryptedRows(lattice, layout));
    const { N, primes } = lattice;
    checkLength(key, keyBytes(lattice, count), "server-key: product_key");
    const size = packedBytes(N, primes.length);
    const parts = range(count).map((i) => key.subarray(SEED + i * size, SEED + (i + 1) * size));
    const b = parts.map((bytes) => unpack(bytes, N, primes, "server-key: product_key"));
    const a = expand(key.subarray(0, SEED), N, primes).residues;
    this.key = [a, ...b].map((table) => lattice.values(table));
  }

  takeGroups(at, bytes) {
    const rows = this.rows[at];
    const { groups, columns } = rows.layout;
    for (let next = 0; next < bytes.length;) {
      const size = groupBytes(this.lattice, groups[rows.parts.length].length, columns);
      rows.take(bytes.subarray(next, next + size));
      next += size;
    }
  }

  addOwn(at, entries) {
    this.rows[at].addOwn(entries);
  }

  // The answer for the rows of X, and the peer's shares of both blocks.
  answer(at, X) {
    const { k, N, kept } = this.lattice;
    const { asked, uses, columns, gamma } = this.rows[at].layout;
    const { coins } = this;
    const ofBlocks = (draw) => uses.map(([first, end]) => draw((end - first) * columns));
    const flood = () => coins.integer(Number(gamma) + 1) - (1n << gamma);
    const draws = {
      u: asked.map(() => coins.ternary(N)),
      e2: asked.map(() => coins.errors(N)),
      e1: ofBlocks((count) => coins.errors(count)),
      masks: ofBlocks((count) => range(count).map(() => coins.integer(k))),
      floods: ofBlocks((count) => range(count).map(flood)),
    };
    const { all } = this.numbers(at, X, draws);
    const shares = draws.masks.map((block) => BigUint64Array.from(block, (mask) => BigInt.asUintN(k, -mask)));
    return { answer: pack(this.lattice.round(all), kept), shares };
  }

  // PPMF-RLW-008: all numbers of an answer before the rounding, in its order; `sums` and `first` are stages of its c_1, and
  // `second` the numbers behind them. The draws of a block stand row by row.
  numbers(at, X, { u, e2, e1, masks, floods }) {
    const { lattice } = this;
    const { N, k, primes } = lattice;
    const { columns, uses, asked } = this.rows[at].layout;
    const x = X.map((row) => lattice.tableOfWords(Array.from(row, (entry) => BigInt.asIntN(k, entry))));
    const sums = asked.map((row) => primes.map((_, i) => this.rows[at].sumOfGroups(x[row][i], i)));
    const hidden = asked.map((_, r) => this.timesKey(u[r], secretsFor(columns, N)));
    const first = asked.map((_, r) => {
      return add(add(sums[r], hidden[r][0], primes), lattice.tableOf(e2[r]), primes);
    });
    const numbers = (added, block, i) => {
      const [start, end] = uses[block];
      return range((end - start) * columns).map((n) => {
        const [row, h] = [start + Math.floor(n / columns), n % columns];
        const zero = hidden[asked.indexOf(row)][1 + secretOf(block, h, N)][i][h % N];
        return mod(this.rows[at].sumOfRows(x[row][i], block, h, i) + zero + added[i][n], primes[i]);
      });
    };
    const blocks = uses.map((_, block) => {
      const terms = masks[block].map((mask, n) => BigInt(e1[block][n]) + lattice.encoding(mask) + floods[block][n]);
      const added = lattice.table(terms);
      return primes.map((_, i) => numbers(added, block, i));
    });
    const joined = (tables) => primes.map((_, i) => Float64Array.from(tables.flatMap((table) => [...table[i]])));
    return { all: joined([...first, ...blocks]), sums: joined(sums), first: joined(first), second: joined(blocks) };
  }

  // a u, and b u of so many secrets.
  timesKey(u, count) {
    const values = this.lattice.valuesOf(u);
    return this.key.slice(0, 1 + count).map((one) => this.lattice.product(one, values));
  }
}
