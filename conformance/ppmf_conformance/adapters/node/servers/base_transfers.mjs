// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "Base transfers": 128 of them over P-256, which begin one direction's transfers.

import { ECDH, createECDH } from "node:crypto";

import { refuse } from "../users/refusal.mjs";
import { BLOCK, bitOf, checkLength, range, sha256, text, u64 } from "./bytes.mjs";

const CURVE = "prime256v1";
export const POINT = 33;
export const ORDER = 2n ** 256n - 2n ** 224n + 2n ** 192n - 89188191075325690597107910205041859247n;
const COUNT = 128;

// A secret is an integer of [1, ORDER); the pair knows its point.
export const pairOf = (secret) => {
  const pair = createECDH(CURVE);
  pair.setPrivateKey(secret.toString(16).padStart(64, "0"), "hex");
  return pair;
};
export const pointOf = (pair) => pair.getPublicKey(null, "compressed");
const drawn = (coins) => pairOf(1n + coins.below(ORDER - 1n));

// PPMF-OTE-009.
const isPoint = (bytes) => {
  if (bytes[0] !== 2 && bytes[0] !== 3) return false;
  try {
    ECDH.convertKey(bytes, CURVE);
    return true;
  } catch {
    return false;
  }
};
export const readPoints = (bytes, count, where) => {
  checkLength(bytes, count * POINT, where);
  const found = range(count).map((at) => bytes.subarray(at * POINT, (at + 1) * POINT));
  if (!found.every(isPoint)) refuse("range", `${where}: not a point`);
  return found;
};

// PPMF-OTE-010: the points of one choice, with as many candidates as `draw` has to give.
export const pointsOf = (choice, pair, draw) => {
  let other;
  do {
    other = Buffer.from(draw());
    other[0] = 2 + (other[0] & 1);
  } while (!isPoint(other));
  return Buffer.concat(choice ? [other, pointOf(pair)] : [pointOf(pair), other]);
};

// PPMF-OTE-012; a place is { session, epoch, sender }.
export const seedOf = (place, transfer, choice, points, answer, pair, point) =>
  sha256(
    text("ppmf/v2/base-seed/"),
    place.session,
    u64(place.epoch),
    text(place.sender),
    u64(transfer),
    u64(choice),
    points,
    answer,
    pair.computeSecret(point),
  ).subarray(0, BLOCK);

// What a server sends for the bits of its offset, and keeps.
export const request = (coins, offset) => {
  const pairs = range(COUNT).map(() => drawn(coins));
  const points = pairs.map((pair, i) => pointsOf(bitOf(offset, i), pair, () => coins.bytes(POINT)));
  return { offset, pairs, points };
};

// PPMF-OTE-011.
export const answerTo = (coins) => drawn(coins);

// Both seeds of every pair, from the peer's request and the pair of one's own answer.
export const bothSeeds = (place, bytes, pair) => {
  const found = readPoints(bytes, 2 * COUNT, "base-request: points");
  return range(COUNT).map((i) => {
    const points = bytes.subarray(2 * i * POINT, 2 * (i + 1) * POINT);
    return [0, 1].map((c) => seedOf(place, i, c, points, pointOf(pair), pair, found[2 * i + c]));
  });
};

// The seeds that the own request chose, from the peer's answer.
export const chosenSeeds = (place, { offset, pairs, points }, bytes) => {
  const [answer] = readPoints(bytes, 1, "base-answer: point");
  return pairs.map((pair, i) => seedOf(place, i, bitOf(offset, i), points[i], answer, pair, answer));
};
