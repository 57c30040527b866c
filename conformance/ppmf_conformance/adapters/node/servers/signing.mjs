// SPDX-License-Identifier: Apache-2.0
// PPMF-SES-012: ECDSA on P-256 with SHA-256, the secret number drawn by RFC 6979.

import { createHmac } from "node:crypto";

import { ORDER, pairOf } from "./base_transfers.mjs";
import { sha256 } from "./bytes.mjs";
import { inverse } from "./paillier.mjs";

const numberOf = (bytes) => BigInt(`0x${Buffer.from(bytes).toString("hex")}`);
const bytesOf = (value) => Buffer.from(value.toString(16).padStart(64, "0"), "hex");
const hmac = (key, ...parts) => createHmac("sha256", key).update(Buffer.concat(parts)).digest();

export const sign = (secret, message) => {
  const hashed = sha256(message);
  const [d, e] = [numberOf(secret), numberOf(hashed)];
  let [K, V] = [Buffer.alloc(32), Buffer.alloc(32, 1)];
  const seed = [Buffer.from(secret), bytesOf(e % ORDER)];
  for (const mark of [0, 1]) {
    K = hmac(K, V, Buffer.from([mark]), ...seed);
    V = hmac(K, V);
  }
  for (;;) {
    V = hmac(K, V);
    const k = numberOf(V);
    if (k > 0n && k < ORDER) {
      const r = numberOf(pairOf(k).getPublicKey(null, "uncompressed").subarray(1, 33)) % ORDER;
      const s = (inverse(k, ORDER) * (e + r * d)) % ORDER;
      if (r && s) return Buffer.concat([bytesOf(r), bytesOf(s)]);
    }
    K = hmac(K, V, Buffer.from([0]));
    V = hmac(K, V);
  }
};
