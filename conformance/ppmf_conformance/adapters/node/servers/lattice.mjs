// SPDX-License-Identifier: Apache-2.0
// Chapter 4: the lattice suites. A table has the residues of its numbers modulo each prime, p_0 first; the entries of a
// matrix stand row by row, both blocks of a row joined.

import { PRIMES, budget, product } from "../users/suites.mjs";
import { checkLength, range } from "./bytes.mjs";
import { Ring, SEED, expand, inverseMod, mod, pack, packedBytes, unpack } from "./ring.mjs";

// PPMF-RLW-015: where the numbers of a matrix stand.
export const groupSize = (columns, N) => {
  let g = 1;
  while (g < 128 && 2 * g * columns <= N) g *= 2;
  return g;
};
export const secretOf = (block, column, N) => 2 * Math.floor(column / N) + block;
export const coefficientOf = (row, column, g, N) => (row % g) * (N / g) + (column % N);
export const groupsOf = (rows, g) => range(Math.ceil(rows / g)).map((c) => range(Math.min(g, rows - c * g), c * g));

// What both sides know of a suite in a session.
export class Lattice {
  constructor(N, k, primes, kept) {
    Object.assign(this, { N, k, primes: PRIMES.slice(0, primes), kept: PRIMES.slice(0, kept) });
    [this.q, this.less] = [product(this.primes), product(this.kept)];
  }

  get rings() {
    this.made ??= this.primes.map((p) => new Ring(this.N, p));
    return this.made;
  }

  encoding(message) {
    return (this.q * message + (1n << BigInt(this.k - 1))) >> BigInt(this.k);
  }

  // Integers as a table.
  table(integers, primes = this.primes) {
    return primes.map((p) => {
      const one = BigInt(p);
      return Float64Array.from(integers, (value) => mod(Number(value % one), p));
    });
  }

  // The residues of the products of a table of values with the values of small integers; both as polynomials.
  times(table, integers, rings = this.rings) {
    return rings.map((ring, i) => ring.coefficients(ring.product(ring.values(table[i]), ring.values(integers))));
  }

  // PPMF-RLW-010: by the primes that are dropped. c q' / q is the sum of t_i q' / p_i for the digits t_i of c.
  round(table) {
    const [kept, count] = [this.kept.length, table[0].length];
    const quotient = (p, i) => (product(this.primes) / BigInt(p)) % BigInt(this.primes[i]);
    const digit = this.primes.map((p, i) => inverseMod(Number(quotient(p, i)), p));
    const out = this.kept.map(() => new Float64Array(count));
    const whole = new Float64Array(count);
    const rest = range(this.primes.length - kept, kept).map((i) => {
      const p = this.primes[i];
      const scale = mod(digit[i] * Number(this.less % BigInt(p)), p);
      return table[i].map((value) => mod(value * scale, p));
    });
    for (let at = 0; at < count; at += 1) {
      let sum = 0;
      rest.forEach((row, i) => (sum += row[at] / this.primes[kept + i]));
      whole[at] = Math.floor(sum + 0.5);
    }
    this.kept.forEach((p, j) => {
      const own = mod(digit[j] * Number((this.less / BigInt(p)) % BigInt(p)), p);
      const dropped = rest.map((_, i) => inverseMod(this.primes[kept + i], p));
      for (let at = 0; at < count; at += 1) {
        let sum = table[j][at] * own + whole[at];
        rest.forEach((row, i) => (sum -= row[at] * dropped[i]));
        out[j][at] = mod(sum, p);
      }
    });
    return out;
  }

  // PPMF-RLW-012: the integers nearest to 2^k y / q', mod 2^k.
  decode(table) {
    const basis = this.kept.map((p) => {
      const others = this.less / BigInt(p);
      return others * BigInt(inverseMod(Number(others % BigInt(p)), p));
    });
    return BigUint64Array.from(table[0], (_, at) => {
      const y = table.reduce((sum, row, i) => sum + BigInt(row[at]) * basis[i], 0n) % this.less;
      return BigInt.asUintN(this.k, ((y << BigInt(this.k + 1)) + this.less) / (2n * this.less));
    });
  }
}

// The layout of one orientation: `uses` are the rows of X with which each block is wanted.
export const layoutOf = (lattice, { rows, columns, outputs, uses }) => {
  const g = groupSize(columns, lattice.N);
  const asked = [...new Set(uses.flatMap(([first, end]) => range(end - first, first)))].sort((a, b) => a - b);
  const { gamma } = budget(lattice.N, lattice.k, rows, outputs);
  return { rows, columns, uses, g, groups: groupsOf(rows, g), asked, gamma };
};
export const groupBytes = (lattice, count, columns) => SEED + packedBytes(2 * count * columns, lattice.primes.length);
export const numbersOf = ({ asked, uses, columns }, N) => asked.length * N + uses.reduce((sum, [first, end]) => sum + (end - first) * columns, 0);

const subtract = (one, other, primes) => primes.map((p, i) => one[i].map((value, at) => mod(value - other[i][at], p)));
const add = (one, other, primes) => primes.map((p, i) => one[i].map((value, at) => mod(value + other[i][at], p)));

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
      const [row, block, column] = [rows[Math.floor(at / width)], Math.floor((at % width) / layout.columns), at % layout.columns];
      return mod(errors[at] - masked[secretOf(block, column, N)][i][coefficientOf(row, column, layout.g, N)], p);
    }),
  );
  const sent = add(bare, lattice.table(Array.from(entries, (entry) => lattice.encoding(BigInt.asUintN(lattice.k, entry)))), primes);
  return { bare, bytes: Buffer.concat([seed, pack(sent, primes)]) };
};

export class LatticeOwner {
  constructor(lattice, coins, layouts, count) {
    Object.assign(this, { lattice, coins, layouts });
    this.secrets = range(count).map(() => coins.ternary(lattice.N));
    this.publicKey = publicKey(lattice, coins.bytes(SEED), this.secrets, this.secrets.map(() => coins.errors(lattice.N))); // prettier-ignore
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

// The encrypted rows of one orientation at the peer.
export class EncryptedRows {
  constructor(lattice, layout) {
    Object.assign(this, { lattice, layout, c1: [] });
    this.c0 = lattice.primes.map(() => []);
  }

  // The next group.
  take(bytes) {
    const { N, primes, rings } = this.lattice;
    const { groups, columns } = this.layout;
    const count = 2 * groups[this.c1.length].length * columns;
    const numbers = unpack(bytes.subarray(SEED), count, primes, "encrypted-rows: rows");
    numbers.forEach((row, i) => this.c0[i].push(...row));
    const c1 = expand(bytes.subarray(0, SEED), N, primes).residues;
    this.c1.push(rings.map((ring, i) => ring.values(c1[i])));
  }

  // PPMF-RLW-014.
  addOwn(entries) {
    const { lattice } = this;
    const own = lattice.table(Array.from(entries, (entry) => lattice.encoding(BigInt.asUintN(lattice.k, entry))));
    this.c0 = this.c0.map((row, i) => Float64Array.from(row, (value, at) => mod(value + own[i][at], lattice.primes[i])));
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
    [this.a, ...this.b] = [a, ...b].map((table) => lattice.rings.map((ring, i) => ring.values(table[i])));
  }

  takeGroups(at, bytes) {
    const { groups, columns } = this.rows[at].layout;
    for (let next = 0; next < bytes.length; ) {
      const size = groupBytes(this.lattice, groups[this.rows[at].c1.length].length, columns);
      this.rows[at].take(bytes.subarray(next, next + size));
      next += size;
    }
  }

  addOwn(at, entries) {
    this.rows[at].addOwn(entries);
  }

  answer(at, X) {
    const { k, N } = this.lattice;
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
    const answer = pack(this.lattice.round(all), this.lattice.kept);
    return { answer, shares: draws.masks.map((block) => BigUint64Array.from(block, (mask) => BigInt.asUintN(k, -mask))) };
  }

  // PPMF-RLW-008: all numbers of an answer before the rounding, `sums` and `first` being the stages of c_1.
  numbers(at, X, { u, e2, e1, masks, floods }) {
    const { lattice, a, b } = this;
    const { N, k, primes, rings } = lattice;
    const { c0, c1, layout } = this.rows[at];
    const { rows, columns, uses, g, groups, asked } = layout;
    const lifted = X.map((row) => Array.from(row, (x) => BigInt.asIntN(k, x)));
    const residues = lifted.map((row) => lattice.table(row));
    const stages = asked.map((row, r) => {
      const small = rings.map((ring) => ring.values(u[r]));
      const sums = rings.map((ring, i) => {
        const total = new Float64Array(N);
        groups.forEach((group, c) => {
          // y^(-b) is -y^(g - b), and y^(-0) is 1
          const weights = new Float64Array(N);
          group.forEach((j, band) => (weights[((g - band) * (N / g)) % N] = mod(band ? -residues[row][i][j] : residues[row][i][j], primes[i])));
          const values = ring.values(weights);
          const one = c1[c][i];
          for (let p = 0; p < ring.bands; p += 1)
            for (let w = 0; w < ring.width; w += 1) {
              const place = p * ring.width + w;
              total[place] = mod(total[place] + values[p * ring.width] * one[place], primes[i]);
            }
        });
        return ring.coefficients(total);
      });
      const hidden = [a, ...b].map((table) => rings.map((ring, i) => ring.coefficients(ring.product(table[i], small[i]))));
      const first = add(add(sums, hidden[0], primes), lattice.table(Array.from(e2[r], BigInt)), primes);
      return { sums, first, hidden: hidden.slice(1) };
    });
    const second = primes.map(() => []);
    const added = uses.map((_, block) => lattice.table(masks[block].map((mask, n) => BigInt(e1[block][n]) + lattice.encoding(mask) + floods[block][n])));
    uses.forEach(([start, end], block) => {
      for (let row = start; row < end; row += 1)
        for (let h = 0; h < columns; h += 1) {
          const n = (row - start) * columns + h;
          primes.forEach((p, i) => {
            let sum = stages[asked.indexOf(row)].hidden[secretOf(block, h, N)][i][h % N] + added[block][i][n];
            for (let j = 0; j < rows; j += 1) sum += mod(residues[row][i][j] * c0[i][(2 * j + block) * columns + h], p);
            second[i].push(mod(sum, p));
          });
        }
    });
    const joined = (name) => primes.map((_, i) => Float64Array.from(stages.flatMap((one) => [...one[name][i]])));
    const [sums, first] = [joined("sums"), joined("first")];
    const all = primes.map((_, i) => Float64Array.from([...first[i], ...second[i]]));
    return { all, sums, first, second };
  }
}

export const keyBytes = (lattice, count) => SEED + count * packedBytes(lattice.N, lattice.primes.length);
export const secretsOf = (n, m, N) => 2 * Math.ceil(Math.max(n, m) / N);
