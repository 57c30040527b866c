// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "The product with the ratings". A column of the model has an entry for each row of the fixed side.

import { refuse } from "../users/refusal.mjs";
import { multiply } from "./bit_products.mjs";
import { checkLength, ofElements, range, BLOCK } from "./bytes.mjs";
import { SIDES, otherSide } from "./sizes.mjs";
import { note } from "./trace.mjs";

// PPMF-PRD-002: the server's own shares, row by row, both blocks of a row joined.
const entriesOf = ({ n, m }, { rated, rating }, packing) => {
  const [rows, columns] = packing === "users" ? [m, n] : [n, m];
  const at = packing === "users" ? (row, column) => column * m + row : (row, column) => row * m + column;
  const out = new BigUint64Array(2 * n * m);
  for (let row = 0; row < rows; row += 1)
    for (let column = 0; column < columns; column += 1) {
      out[2 * row * columns + column] = rated[at(row, column)];
      out[(2 * row + 1) * columns + column] = rating[at(row, column)];
    }
  return out;
};

// Encrypts the own shares for the peer, and takes the peer's.
export const exchange = async (server) => {
  const { link, owner, theirs, suite, ratings, sizes } = server;
  const entries = SIDES.map((packing) => entriesOf(sizes, ratings, packing));
  SIDES.forEach((packing, at) => {
    const groups = owner.encryptRows(at, entries[at]);
    for (const { first, count } of suite.layoutOfMessages[at])
      link.send("encrypted-rows", { packing, first, rows: Buffer.concat(groups.slice(first, first + count)) });
  });
  for (const [at, packing] of SIDES.entries())
    for (const due of suite.layoutOfMessages[at]) {
      const found = await link.receive("encrypted-rows");
      if (found.packing !== packing)
        refuse("state", `encrypted-rows: packing ${found.packing}, where ${packing} is due`);
      if (found.first !== BigInt(due.first))
        refuse("state", `encrypted-rows: first ${found.first}, where ${due.first} is due`);
      checkLength(found.rows, due.bytes, "encrypted-rows: rows");
      theirs.takeGroups(at, found.rows);
    }
  SIDES.forEach((_, at) => theirs.addOwn(at, entries[at]));
};

// PPMF-PRD-004: the columns of Phi, from the numbers of the fixed side and the products of them.
const columnsOf = (side, { D }, product) => [
  ...range(D).map((k) => side.subarray(k * (side.length / D), (k + 1) * (side.length / D))),
  ...product,
];

// PPMF-PRD-005.
const productsOfShares = async (server, fixed, half) => {
  const { d, D } = server.sizes;
  const J = fixed.rows;
  const { width, count, bits, sent, chosen } = fixed.words;
  const found = [];
  for (const j of range(d)) {
    const own = (array, size) => ofElements(array, width, count, j * J, (j + 1) * J, size);
    const words = { width, count: J, bits: own(bits), sent: own(sent, BLOCK), chosen: own(chosen, BLOCK) };
    const length = D - j;
    const vectors = new BigUint64Array(J * length);
    for (let row = 0; row < J; row += 1)
      for (let l = j; l < D; l += 1) vectors[row * length + l - j] = fixed.shares[l * J + row];
    const products = await multiply(server, "products", [half, j], words, vectors, true);
    for (const l of range(length))
      found.push(BigUint64Array.from({ length: J }, (_, row) => products[row * length + l]));
  }
  return found;
};

// Shares of the columns times W and times R: for each column in the block's use, an entry for each row of the side.
export const product = async (server, side, half) => {
  const { sizes, ratings } = server;
  const { m, pairs, uses } = sizes;
  const fixed = server.model[otherSide(side)];
  const [I, J] = [sizes.rows[side], fixed.rows];
  if (!fixed.start) {
    const columns = columnsOf(fixed.shares, sizes, await productsOfShares(server, fixed, half));
    note(server, "Phi", [Math.floor(half / 2) + 1, side], () =>
      range(J).map((row) => columns.map((column) => column[row])),
    );
    const at = SIDES.indexOf(side);
    const { answer, shares } = server.theirs.answer(at, columns);
    server.link.send("product-answer", { answer });
    const opened = server.owner.open(at, (await server.link.receive("product-answer")).answer);
    return shares.map((block, b) =>
      split(
        block.map((share, e) => share + opened[b][e]),
        uses[b][0],
        I,
      ),
    );
  }
  // PPMF-PRD-007
  const number = (k) => fixed.start.subarray(k * J, (k + 1) * J);
  const known = pairs.map(([j, l]) => number(j).map((y, row) => y * number(l)[row]));
  const columns = columnsOf(fixed.start, sizes, known);
  const at = side === "users" ? (i, j) => i * m + j : (i, j) => j * m + i;
  return [ratings.rated, ratings.rating].map((own, b) => {
    const [first, end] = uses[b];
    const found = [];
    for (let c = first; c < end; c += 1)
      found[c] = BigUint64Array.from({ length: I }, (_, i) => {
        let sum = 0n;
        for (let j = 0; j < J; j += 1) sum += columns[c][j] * own[at(i, j)];
        return BigInt.asUintN(64, sum);
      });
    return found;
  });
};

const split = (block, first, I) => {
  const found = [];
  for (let c = 0; c < block.length / I; c += 1) found[first + c] = block.subarray(c * I, (c + 1) * I);
  return found;
};
