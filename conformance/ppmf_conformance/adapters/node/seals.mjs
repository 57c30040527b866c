// SPDX-License-Identifier: Apache-2.0
// Chapter 4: a user's sealed seed. HPKE (RFC 9180) in base mode, one message, without additional data:
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305.

import { createCipheriv, createDecipheriv, createHmac } from "node:crypto";

import { refuse } from "./refusal.mjs";
import { session } from "./session.mjs";
import { KEY, exchange, rawPublic, secretKey } from "./x25519.mjs";

const KEM = Buffer.from("KEM\x00\x20", "latin1");
const HPKE = Buffer.from("HPKE\x00\x20\x00\x01\x00\x03", "latin1");
const AEAD = "chacha20-poly1305";
const [SEED, TAG] = [32, 16];

const bytes = (text) => Buffer.from(text, "latin1");
const hex = (text) => Buffer.from(text, "hex");
const hmac = (key, ...parts) => createHmac("sha256", key).update(Buffer.concat(parts)).digest();

// LabeledExtract, and LabeledExpand for at most one block, of RFC 9180, section 4.
const extract = (suite, salt, label, material) => hmac(salt, bytes("HPKE-v1"), suite, bytes(label), material);
const expand = (suite, key, label, info, length = 32) => {
  const text = [Buffer.from([0, length]), bytes("HPKE-v1"), suite, bytes(label), info, Buffer.from([1])];
  return hmac(key, ...text).subarray(0, length);
};

// Key and nonce of the one message of a context.
const context = (shared, encapsulated, receiver, info) => {
  const prk = extract(KEM, bytes(""), "eae_prk", shared);
  const secret = expand(KEM, prk, "shared_secret", Buffer.concat([encapsulated, receiver]));
  const hashes = [extract(HPKE, bytes(""), "psk_id_hash", bytes("")), extract(HPKE, bytes(""), "info_hash", info)];
  const schedule = extract(HPKE, secret, "secret", bytes(""));
  const bound = Buffer.concat([Buffer.from([0]), ...hashes]);
  return [expand(HPKE, schedule, "key", bound), expand(HPKE, schedule, "base_nonce", bound, 12)];
};

const infoOf = (given) => Buffer.concat([bytes("ppmf/v2/seal/"), session(given.session).id, Buffer.from(given.user)]);

export const seal = (given) => {
  const material = extract(KEM, bytes(""), "dkp_prk", hex(given.material));
  const ephemeral = secretKey(expand(KEM, material, "sk", bytes("")));
  const receiver = session(given.session).sealingKey;
  const shared = exchange(ephemeral, receiver, "key for seals");
  const encapsulated = rawPublic(ephemeral);
  const cipher = createCipheriv(AEAD, ...context(shared, encapsulated, receiver, infoOf(given)), { authTagLength: TAG });
  const sealed = Buffer.concat([encapsulated, cipher.update(hex(given.seed)), cipher.final(), cipher.getAuthTag()]);
  return { sealed: sealed.toString("hex") };
};

export const open = (given) => {
  const [secret, sealed] = [secretKey(hex(given.secret)), hex(given.sealed)];
  const where = `sealed seed of user ${given.user}`;
  if (sealed.length !== KEY + SEED + TAG) refuse("encoding", `${where}: ${sealed.length} bytes instead of ${KEY + SEED + TAG}`);
  const encapsulated = sealed.subarray(0, KEY);
  const shared = exchange(secret, encapsulated, where);
  const cipher = createDecipheriv(AEAD, ...context(shared, encapsulated, rawPublic(secret), infoOf(given)), { authTagLength: TAG });
  cipher.setAuthTag(sealed.subarray(-TAG));
  const seed = cipher.update(sealed.subarray(KEY, -TAG));
  try {
    cipher.final();
  } catch {
    refuse("state", `${where}: it was made for another key, session or user, or altered`);
  }
  return { seed: seed.toString("hex") };
};
