// SPDX-License-Identifier: Apache-2.0
// Operations of chapter 4: the Paillier suites.

import { hex, range } from "../servers/bytes.mjs";
import { decryptor, openAnswer, readCiphertexts, readModulus } from "../servers/paillier.mjs";
import { integer, integers, refuse } from "../users/refusal.mjs";
import { slots } from "../users/suites.mjs";

const slotsOf = ({ bits, rows, outputs, ring }) => {
  const found = slots(Number(bits), integer(rows), integer(outputs), Number(ring));
  if (found.count < 1) refuse("parameters", `no slot of ${found.width} bits in a plaintext`);
  return found;
};

const ciphertexts = (given) => {
  const bits = Number(given.bits);
  const N = readModulus(hex(given.modulus), bits, "modulus");
  return { ciphertexts: readCiphertexts(hex(given.data), bits, N, Number(given.count), "data") };
};

const decrypt = (given) => {
  const [p, q] = integers([given.p, given.q]);
  const bits = (p * q).toString(2).length;
  const [c] = readCiphertexts(hex(given.ciphertext), bits, p * q, 1, "ciphertext");
  return { plaintext: decryptor(p, q)(c) };
};

const open = (given) => {
  const [p, q] = integers([given.p, given.q]);
  const key = { N: p * q, bits: (p * q).toString(2).length, decrypt: decryptor(p, q) };
  const slot = slotsOf({ ...given, bits: key.bits });
  const [blocks, uses] = [given.blocks.map(Number), given.uses.map((use) => use.map(Number))];
  const found = openAnswer(key, slot, Number(given.ring), blocks, uses, hex(given.answer));
  const rows = (share, columns) =>
    range(share.length / columns).map((r) => [...share.subarray(r * columns, (r + 1) * columns)]);
  return { shares: found.map((share, b) => rows(share, blocks[b])) };
};

export const PAILLIER = {
  "ahe.modulus": (given) => ({ modulus: readModulus(hex(given.modulus), Number(given.bits), "modulus") }),
  "ahe.ciphertexts": ciphertexts,
  "ahe.decrypt": decrypt,
  "ahe.slots": (given) => {
    const { width, count } = slotsOf(given);
    return { width: BigInt(width), count: BigInt(count) };
  },
  "ahe.open": open,
};
