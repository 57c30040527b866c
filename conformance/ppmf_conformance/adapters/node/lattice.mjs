// SPDX-License-Identifier: Apache-2.0
// Chapter 4: the lattice suites, stage by stage. A number is held by its residues modulo the
// primes: BigInts of [0, p), prime after prime.

import { createCipheriv } from "node:crypto";

import { integer, refuse } from "./refusal.mjs";

const SEED = 32;
const DEGREES = { "rlwe-8192": 8192, "rlwe-64-insecure": 64 };

// PPMF-RLW-001
const isPrime = (n) => {
  for (let d = 2; d * d <= n; d += 1) if (n % d === 0) return false;
  return true;
};
const PRIMES = [];
for (let n = 2642177; PRIMES.length < 10; n -= 256) if (n ** 3 < 2 ** 64 && isPrime(n)) PRIMES.push(BigInt(n));

const hex = (text) => Buffer.from(text, "hex");
const numbers = (list) => list.map((one) => (Array.isArray(one) ? numbers(one) : integer(one)));
const mod = (value, p) => ((value % p) + p) % p;
const byPrime = (list, primes) => primes.map((p) => list.map((value) => mod(value, p)));
const product = (list) => list.reduce((total, p) => total * p, 1n);
const range = (count) => Array.from({ length: count }, (_, k) => k);

const degreeOf = (suite) =>
  Object.hasOwn(DEGREES, suite) ? DEGREES[suite] : refuse("parameters", "suite: none of the lattice suites");

const latticeOf = ({ lattice }) => {
  const primes = PRIMES.slice(0, Number(lattice.primes));
  const kept = primes.slice(0, Number(lattice.kept));
  return { N: degreeOf(lattice.suite), k: integer(lattice.ring), primes, kept, q: product(primes), qKept: product(kept) };
};

const matrixOf = ({ matrix }) => ({ J: Number(matrix.rows), v: Number(matrix.columns), S: Number(matrix.secrets) });

// The number modulo the product of the primes that has these residues.
const joined = (table, primes) => {
  const q = product(primes);
  const basis = primes.map((p) => (q / p) * inverse((q / p) % p, p));
  return table[0].map((_, at) => mod(table.reduce((sum, row, i) => sum + row[at] * basis[i], 0n), q));
};
const inverse = (value, p) => {
  let [result, base] = [1n, value % p];
  for (let rest = p - 2n; rest; rest >>= 1n) {
    if (rest & 1n) result = (result * base) % p;
    base = (base * base) % p;
  }
  return result;
};

// PPMF-RLW-007, -017

const log2 = (value) => BigInt((value - 1n).toString(2).length - (value === 1n ? 1 : 0));
const budget = (N, k, rows, outputs) => {
  const B = 22n * rows * 2n ** (k - 1n) + 21n * BigInt(2 * N + 1) + 1n;
  return { B, gamma: 40n + log2(B * outputs) };
};
const satisfies = (N, k, [rows, outputs], l, kept) => {
  const { B, gamma } = budget(N, k, rows, outputs);
  const [q, less] = [product(PRIMES.slice(0, l)), product(PRIMES.slice(0, kept))];
  // both sides times 2 q q' 2^(k + 1) 2^40
  const left = (2n * less * (B + 2n ** gamma) + BigInt(N + 2) * q) * 2n ** (k + 41n);
  return left < 2n * q * less * (2n ** 40n - 1n);
};
export const moduli = (given) => {
  const [N, k, matrices] = [degreeOf(given.suite), integer(given.ring), numbers(given.matrices)];
  for (let l = 2; l <= 10; l += 1)
    for (let kept = 1; kept < l; kept += 1)
      if (matrices.every((matrix) => satisfies(N, k, matrix, l, kept))) {
        const found = matrices.map(([rows, outputs]) => budget(N, k, rows, outputs));
        return { primes: `${l}`, kept: `${kept}`, bounds: found.map(({ B }) => B), floods: found.map(({ gamma }) => gamma) };
      }
  return refuse("parameters", "matrices: no primes of the suite satisfy their budgets");
};

// PPMF-RLW-002: residues by prime, and the places of the refused words.
const expansion = (seed, N, primes) => {
  const stream = createCipheriv("aes-256-ctr", seed, Buffer.alloc(16));
  const words = (count) => {
    const data = stream.update(Buffer.alloc(4 * count));
    return range(count).map((at) => BigInt(data.readUInt32LE(4 * at)));
  };
  const found = words(N * primes.length);
  const limits = primes.map((p) => (2n ** 32n / p) * p);
  const isRefused = (at) => found[at] >= limits[Math.floor(at / N)];
  const refused = [];
  for (let late = range(found.length).filter(isRefused); late.length; late = late.filter(isRefused)) {
    refused.push(...late.map((at) => [`${Math.floor(at / N)}`, `${at % N}`]));
    words(late.length).forEach((word, number) => (found[late[number]] = word));
  }
  const residues = primes.map((p, i) => found.slice(i * N, (i + 1) * N).map((word) => mod(word - (p - 1n) / 2n, p)));
  return { residues, refused };
};
export const expand = (given) => {
  const { N, primes } = latticeOf(given);
  const { residues, refused } = expansion(hex(given.seed), N, primes);
  return { residues: residues.map((row) => given.places.map((at) => row[Number(at)])), refused };
};

// PPMF-RLW-003, -013

const packed = (table, primes) =>
  Buffer.concat(
    primes.map((p, i) => {
      const height = Math.ceil(table[i].length / 3);
      const at = (place) => table[i][place] ?? 0n;
      const out = Buffer.alloc(8 * height);
      for (const w of range(height)) out.writeBigUInt64LE(at(w) + p * at(height + w) + p * p * at(2 * height + w), 8 * w);
      return out;
    }),
  );
const unpacked = (data, count, primes, what) => {
  const height = Math.ceil(count / 3);
  const due = 8 * height * primes.length;
  if (data.length !== due) refuse("encoding", `${what}: ${data.length} bytes where ${due} are due`);
  return primes.map((p, i) => {
    const words = range(height).map((w) => data.readBigUInt64LE(8 * (i * height + w)));
    const row = [1n, p, p * p].flatMap((scale) => words.map((word) => (word / scale) % p));
    if (words.some((word) => word >= p ** 3n) || row.slice(count).some((rest) => rest !== 0n))
      refuse("range", `${what}: a word that is none of three residues modulo ${p}`);
    return row.slice(0, count);
  });
};
export const pack = (given) => ({ bytes: packed(numbers(given.residues), latticeOf(given).primes).toString("hex") });
export const unpack = (given) => ({
  residues: unpacked(hex(given.bytes), Number(given.count), latticeOf(given).primes, "bytes"),
});

const encoding = (message, { q, k }) => (q * message + 2n ** (k - 1n)) >> k;
export const encode = (given) => {
  const lattice = latticeOf(given);
  return { residues: byPrime(numbers(given.messages).map((m) => encoding(m, lattice)), lattice.primes) };
};

// PPMF-RLW-015

const groupSize = (v, N) => {
  let g = 1;
  while (g < 128 && 2 * g * v <= N) g *= 2;
  return g;
};
const secretOf = (block, column, N) => 2 * Math.floor(column / N) + block;
const coefficientOf = (row, column, v, N) => {
  const g = groupSize(v, N);
  return (row % g) * (N / g) + (column % N);
};
const rowsOfGroups = ({ J, v }, N) => {
  const g = groupSize(v, N);
  return range(Math.ceil(J / g)).map((c) => range(Math.min(g, J - c * g)).map((b) => c * g + b));
};
export const place = ({ suite, rows, columns, entries }) => {
  const [N, v] = [degreeOf(suite), Number(columns)];
  const g = groupSize(v, N);
  const places = entries.map((entry) => {
    const [row, block, column] = entry.map(Number);
    const [group, piece] = [Math.floor(row / g), Math.floor(column / N)];
    return [group, piece, coefficientOf(row, column, v, N), secretOf(block, column, N)].map(String);
  });
  return { size: `${g}`, groups: `${Math.ceil(Number(rows) / g)}`, places };
};

// Products modulo X^N + 1, for each prime; `one` has residues, `other` is a polynomial of integers.

const coefficient = (one, other, at, primes) =>
  primes.map((p, i) => {
    let sum = 0n;
    for (let j = 0; j < other.length; j += 1)
      if (other[j] !== 0n) sum += at >= j ? one[i][at - j] * other[j] : -one[i][at - j + other.length] * other[j];
    return mod(sum, p);
  });
const transposed = (columns, primes) => primes.map((_, i) => columns.map((column) => column[i]));
const polynomialProduct = (one, other, primes) =>
  transposed(range(other.length).map((at) => coefficient(one, other, at, primes)), primes);
const plus = (one, other, primes) => primes.map((p, i) => one[i].map((value, at) => mod(value + other[i][at], p)));
const minus = (one, other, primes) => primes.map((p, i) => one[i].map((value, at) => mod(value - other[i][at], p)));

export const times = (given) => {
  const { primes } = latticeOf(given);
  return { residues: polynomialProduct(numbers(given.polynomial), numbers(given.ternary), primes) };
};

// PPMF-RLW-004, -006

export const key = (given) => {
  const { N, primes } = latticeOf(given);
  const a = expansion(hex(given.seed), N, primes).residues;
  const errors = numbers(given.errors);
  const parts = numbers(given.secrets).map((s, i) =>
    packed(minus(byPrime(errors[i], primes), polynomialProduct(a, s, primes), primes), primes),
  );
  return { public: given.seed + Buffer.concat(parts).toString("hex") };
};
export const encrypt = (given) => {
  const lattice = latticeOf(given);
  const [{ N, primes }, matrix] = [lattice, matrixOf(given)];
  const [secrets, entries, errors] = [given.secrets, given.entries, given.errors].map(numbers);
  const bare = [];
  const groups = rowsOfGroups(matrix, N).map((rows, c) => {
    const c1 = expansion(hex(given.seeds[c]), N, primes).residues;
    const sent = rows.flatMap((row) =>
      range(2 * matrix.v).map((at) => {
        const [block, column] = [Math.floor(at / matrix.v), at % matrix.v];
        const masked = coefficient(c1, secrets[secretOf(block, column, N)], coefficientOf(row, column, matrix.v, N), primes);
        const number = primes.map((p, i) => mod(errors[row][at] - masked[i], p));
        bare.push(number);
        const message = encoding(entries[row][at], lattice);
        return primes.map((p, i) => mod(number[i] + message, p));
      }),
    );
    return given.seeds[c] + packed(transposed(sent, primes), primes).toString("hex");
  });
  return { groups, bare: transposed(bare, primes) };
};

// PPMF-RLW-014: the numbers of c0, row by row, M_P added.
const folded = (given, lattice, matrix) => {
  const { N, primes } = lattice;
  const width = 2 * matrix.v;
  const own = numbers(given.own);
  const found = primes.map(() => []);
  rowsOfGroups(matrix, N).forEach((rows, c) => {
    const [data, what] = [hex(given.groups[c]), `group ${c}`];
    if (data.length < SEED) refuse("encoding", `${what}: ${data.length} bytes`);
    const sent = unpacked(data.subarray(SEED), rows.length * width, primes, what);
    const mine = rows.flatMap((row) => own[row].map((entry) => encoding(entry, lattice)));
    plus(sent, byPrime(mine, primes), primes).forEach((row, i) => found[i].push(...row));
  });
  return found;
};
export const fold = (given) => ({ residues: folded(given, latticeOf(given), matrixOf(given)) });

// PPMF-RLW-010 and -012

const nearest = (value, top, bottom) => (2n * value * top + bottom) / (2n * bottom);
const rounded = (table, { primes, kept, q, qKept }) =>
  byPrime(joined(table, primes).map((c) => nearest(c, qKept, q)), kept);
const decoded = (table, { kept, qKept, k }) =>
  joined(table, kept).map((y) => nearest(y, 2n ** k, qKept) % 2n ** k);
export const round = (given) => ({ residues: rounded(numbers(given.residues), latticeOf(given)) });
export const decode = (given) => ({ messages: decoded(numbers(given.residues), latticeOf(given)) });

// PPMF-RLW-008, -009, -011

const rowsAsked = (uses) => [...new Set(uses.flatMap(([first, end]) => range(end - first).map((k) => first + k)))].sort((a, b) => a - b);
const usesOf = (given) => given.uses.map((use) => use.map(Number));
const lifted = (x, k) => mod(x + 2n ** (k - 1n), 2n ** k) - 2n ** (k - 1n);

export const answer = (given) => {
  const lattice = latticeOf(given);
  const [{ N, k, primes, kept }, matrix] = [lattice, matrixOf(given)];
  const keyBytes = hex(given.public);
  const size = 8 * primes.length * Math.ceil(N / 3);
  if (keyBytes.length !== SEED + matrix.S * size) refuse("encoding", `public key: ${keyBytes.length} bytes`);
  const b = range(matrix.S).map((i) =>
    unpacked(keyBytes.subarray(SEED + i * size, SEED + (i + 1) * size), N, primes, "public key"),
  );
  const a = expansion(keyBytes.subarray(0, SEED), N, primes).residues;
  const c0 = folded(given, lattice, matrix);
  const c1 = given.groups.map((group) => expansion(hex(group).subarray(0, SEED), N, primes).residues);
  const x = numbers(given.x).map((row) => row.map((entry) => lifted(entry, k)));
  const [u, e2, masks, e1, floods] = ["u", "e2", "masks", "e1", "floods"].map((name) => numbers(given[name]));
  const [uses, g] = [usesOf(given), groupSize(matrix.v, N)];
  const asked = rowsAsked(uses);
  const [sums, first] = [primes.map(() => []), primes.map(() => [])];
  const hidden = asked.map((row, number) => {
    let total = primes.map(() => Array(N).fill(0n));
    rowsOfGroups(matrix, N).forEach((rows, c) => {
      const weights = Array(N).fill(0n);
      // y^(-b) is -y^(g - b), and y^(-0) is 1
      rows.forEach((j, band) => (weights[((g - band) * (N / g)) % N] = band === 0 ? x[row][j] : -x[row][j]));
      total = plus(total, polynomialProduct(c1[c], weights, primes), primes);
    });
    total.forEach((row_, i) => sums[i].push(...row_));
    const masked = plus(plus(total, polynomialProduct(a, u[number], primes), primes), byPrime(e2[number], primes), primes);
    masked.forEach((row_, i) => first[i].push(...row_));
    return b.map((one) => polynomialProduct(one, u[number], primes));
  });
  const parts = [];
  uses.forEach(([start, end], block) => {
    for (let row = start; row < end; row += 1)
      for (const h of range(matrix.v)) {
        const at = (table) => table[block][row - start][h];
        const added = at(e1) + encoding(at(masks), lattice) + at(floods);
        const zero = hidden[asked.indexOf(row)][secretOf(block, h, N)];
        parts.push(
          primes.map((p, i) => {
            let sum = zero[i][h % N] + added;
            for (const j of range(matrix.J)) sum += x[row][j] * c0[i][j * 2 * matrix.v + block * matrix.v + h];
            return mod(sum, p);
          }),
        );
      }
  });
  const second = transposed(parts, primes);
  const whole = primes.map((_, i) => [...first[i], ...second[i]]);
  const shares = masks.map((block) => block.map((row) => row.map((rho) => mod(-rho, 2n ** k))));
  return { answer: packed(rounded(whole, lattice), kept).toString("hex"), shares, sums, first, numbers: second };
};

export const decrypt = (given) => {
  const lattice = latticeOf(given);
  const [{ N, kept }, matrix, secrets, uses] = [lattice, matrixOf(given), numbers(given.secrets), usesOf(given)];
  const asked = rowsAsked(uses);
  const wanted = uses.flatMap(([first, end], block) =>
    range(end - first).flatMap((k) => range(matrix.v).map((h) => ({ block, row: first + k, h }))),
  );
  const sent = unpacked(hex(given.answer), asked.length * N + wanted.length, kept, "answer");
  const c1 = asked.map((_, at) => sent.map((row) => row.slice(at * N, (at + 1) * N)));
  const phases = wanted.map(({ block, row, h }, number) => {
    const term = coefficient(c1[asked.indexOf(row)], secrets[secretOf(block, h, N)], h % N, kept);
    return kept.map((p, i) => mod(sent[i][asked.length * N + number] + term[i], p));
  });
  const table = transposed(phases, kept);
  const messages = decoded(table, lattice);
  const shares = uses.map(([first, end], block) =>
    range(end - first).map((k) =>
      range(matrix.v).map((h) => messages[wanted.findIndex((one) => one.block === block && one.row === first + k && one.h === h)]),
    ),
  );
  return { shares, phases: table };
};
