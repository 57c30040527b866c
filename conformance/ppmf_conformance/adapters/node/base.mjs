// SPDX-License-Identifier: Apache-2.0
// Chapter 4: one base transfer over P-256. A point is 33 bytes, compressed; a secret is a number.

import { ECDH, createECDH, createHash } from "node:crypto";

import { integer, refuse } from "./refusal.mjs";

const [CURVE, POINT, SEED] = ["prime256v1", 33, 16];

const hex = (text) => Buffer.from(text, "hex");
const u64 = (value) => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};

const pairOf = (secret) => {
  const pair = createECDH(CURVE);
  pair.setPrivateKey(integer(secret).toString(16).padStart(64, "0"), "hex");
  return pair;
};
const pointOf = (pair) => pair.getPublicKey(null, "compressed");

const isPoint = (bytes) => {
  if (bytes[0] !== 2 && bytes[0] !== 3) return false;
  try {
    ECDH.convertKey(bytes, CURVE);
    return true;
  } catch {
    return false;
  }
};

// PPMF-OTE-009: a field of so many points.
const read = (text, count, where) => {
  const bytes = hex(text);
  const due = count * POINT;
  if (bytes.length !== due) refuse("encoding", `${where}: ${bytes.length} bytes where ${due} are due`);
  const found = Array.from({ length: count }, (_, k) => bytes.subarray(k * POINT, (k + 1) * POINT));
  if (!found.every(isPoint)) refuse("range", `${where}: not a point`);
  return found;
};

// PPMF-OTE-012, by the secret of one side and the point of the other.
const seedOf = (given, slot, answered, point) => {
  const text = [
    Buffer.from("ppmf/v2/base-seed/"),
    hex(given.session),
    u64(integer(given.epoch)),
    Buffer.from(given.sender),
    u64(integer(given.transfer)),
    u64(slot),
    hex(given.points),
    answered,
    pairOf(given.secret).computeSecret(point),
  ];
  return createHash("sha256").update(Buffer.concat(text)).digest().subarray(0, SEED).toString("hex");
};

// PPMF-OTE-010, of one transfer.
export const points = (given) => {
  const drawn = given.candidates.map((text) => {
    const bytes = hex(text);
    bytes[0] = 2 + (bytes[0] & 1);
    return bytes;
  });
  const both = [pointOf(pairOf(given.secret)), drawn.find(isPoint)];
  if (integer(given.choice) === 1n) both.reverse();
  return { points: Buffer.concat(both).toString("hex") };
};

// PPMF-OTE-011, and both seeds of one transfer.
export const answer = (given) => {
  const answered = pointOf(pairOf(given.secret));
  const seeds = read(given.points, 2, "points").map((point, slot) => seedOf(given, slot, answered, point));
  return { answer: answered.toString("hex"), seeds };
};

export const seed = (given) => {
  const [answered] = read(given.answer, 1, "answer");
  return { seed: seedOf(given, integer(given.choice), answered, answered) };
};
