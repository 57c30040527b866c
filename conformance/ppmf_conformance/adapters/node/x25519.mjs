// SPDX-License-Identifier: Apache-2.0
// X25519 (RFC 7748) with raw keys, which Node takes in DER alone.

import { createPrivateKey, createPublicKey, diffieHellman } from "node:crypto";

import { refuse } from "./refusal.mjs";

export const KEY = 32;

const hex = (text) => Buffer.from(text, "hex");

export const secretKey = (raw) =>
  createPrivateKey({ key: Buffer.concat([hex("302e020100300506032b656e04220420"), raw]), format: "der", type: "pkcs8" });
const publicKey = (raw) =>
  createPublicKey({ key: Buffer.concat([hex("302a300506032b656e032100"), raw]), format: "der", type: "spki" });
export const rawPublic = (secret) => createPublicKey(secret).export({ format: "der", type: "spki" }).subarray(-KEY);

// The shared secret; a point of small order has none.
export const exchange = (secret, point, where) => {
  if (point.length !== KEY) refuse("encoding", `${where}: ${point.length} bytes instead of ${KEY}`);
  let shared = Buffer.alloc(KEY);
  try {
    shared = diffieHellman({ privateKey: secret, publicKey: publicKey(point) });
  } catch {
    // OpenSSL refuses some points of small order, the rest gives zeros.
  }
  if (shared.equals(Buffer.alloc(KEY))) refuse("range", `${where}: a point of small order`);
  return shared;
};

// A public key that anybody's private key can be used with.
export const checkKey = (point, where) => {
  exchange(secretKey(Buffer.alloc(KEY)), point, where);
};
