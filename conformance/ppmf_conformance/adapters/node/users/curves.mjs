// SPDX-License-Identifier: Apache-2.0
// What has to be known of a point before a key is made of it: that it is one of P-256, or is of no small order on
// Curve25519.

import { checkLength, numberOf } from "./bytes.mjs";
import { refuse } from "./refusal.mjs";

const mod = (value, p) => ((value % p) + p) % p;

const power = (base, exponent, p) => {
  let [found, square] = [1n, base % p];
  for (let rest = exponent; rest; rest >>= 1n) {
    if (rest & 1n) found = (found * square) % p;
    square = (square * square) % p;
  }
  return found;
};

// P-256: y^2 = x^3 - 3 x + B modulo FIELD, which is 3 mod 4.
const FIELD = 2n ** 256n - 2n ** 224n + 2n ** 192n + 2n ** 96n - 1n;
const B = 0x5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604bn;
export const POINT = 33;

// PPMF-OTE-009: both coordinates of a point that is written in 33 bytes.
export const readPoint = (bytes, where) => {
  checkLength(bytes, POINT, where);
  const x = numberOf(bytes.subarray(1));
  const square = mod(x ** 3n - 3n * x + B, FIELD);
  const root = power(square, (FIELD + 1n) / 4n, FIELD);
  const isPoint = (bytes[0] === 2 || bytes[0] === 3) && x < FIELD && (root * root) % FIELD === square;
  if (!isPoint) refuse("range", `${where}: not a point of P-256`);
  return { x, y: Number(root & 1n) === (bytes[0] & 1) ? root : FIELD - root };
};

// Curve25519 by its x alone; 8 times a point of small order is the neutral element, of which Z is 0.
const PRIME = 2n ** 255n - 19n;
const A = 486662n;
export const KEY = 32;

export const checkKey = (bytes, where) => {
  checkLength(bytes, KEY, where);
  let [X, Z] = [mod(BigInt.asUintN(255, numberOf(Uint8Array.from(bytes).reverse())), PRIME), 1n];
  for (let k = 0; k < 3; k += 1) {
    const [x2, z2, xz] = [X * X, Z * Z, X * Z];
    [X, Z] = [mod((x2 - z2) ** 2n, PRIME), mod(4n * xz * (x2 + A * xz + z2), PRIME)];
  }
  if (Z === 0n) refuse("range", `${where}: a point of small order`);
};
