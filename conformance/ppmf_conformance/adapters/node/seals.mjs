// SPDX-License-Identifier: Apache-2.0
// Chapter 4: what a user's upload is made of. Seals are HPKE (RFC 9180) in base mode, one message, without additional data:
// DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

import { createCipheriv, createDecipheriv, createHmac, hkdfSync } from "node:crypto";

import { codeOf } from "./code.mjs";
import { integer, refuse } from "./refusal.mjs";
import { session } from "./session.mjs";
import { KEY, exchange, rawPublic, secretKey } from "./x25519.mjs";

const KEM = Buffer.from("KEM\x00\x20", "latin1");
const HPKE = Buffer.from("HPKE\x00\x20\x00\x01\x00\x02", "latin1");
const AEAD = "aes-256-gcm";
const [SEED, CONSENT, TAG] = [32, 32, 16];
export const SEAL = KEY + SEED + CONSENT + TAG;

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
  const mode = Buffer.concat([Buffer.from([0]), ...hashes]);
  return [expand(HPKE, schedule, "key", mode), expand(HPKE, schedule, "base_nonce", mode, 12)];
};

const bound = (label, given) => Buffer.concat([bytes(label), session(given.session).id, Buffer.from(given.user)]);
const infoOf = (given) => bound("ppmf/v2/seal/", given);

// PPMF-UPL-010: a keystream of AES in counter mode from 0, as long as the user's bits.
export const keystream = (given) => {
  const { p } = session(given.session);
  const size = codeOf(p).rowBytes(given.session.items.length);
  const key = Buffer.from(hkdfSync("sha256", hex(given.seed), "", bound("ppmf/v2/upload/", given), 32));
  return { keystream: createCipheriv("aes-256-ctr", key, Buffer.alloc(16)).update(Buffer.alloc(size)).toString("hex") };
};

// PPMF-UPL-012.
export const consent = (given) => {
  const serial = Buffer.alloc(8);
  serial.writeBigUInt64LE(integer(given.serial));
  const text = [bytes("ppmf/v2/consent/"), session(given.session).id, serial, Buffer.from(given.user)];
  return { consent: hmac(hex(given.key), ...text).toString("hex") };
};

export const seal = (given) => {
  const material = extract(KEM, bytes(""), "dkp_prk", hex(given.material));
  const ephemeral = secretKey(expand(KEM, material, "sk", bytes("")));
  const receiver = session(given.session).sealingKey;
  const shared = exchange(ephemeral, receiver, "key for seals");
  const encapsulated = rawPublic(ephemeral);
  const cipher = createCipheriv(AEAD, ...context(shared, encapsulated, receiver, infoOf(given)), { authTagLength: TAG });
  const sealed = Buffer.concat([encapsulated, cipher.update(hex(given.seed + given.consent)), cipher.final(), cipher.getAuthTag()]);
  return { sealed: sealed.toString("hex") };
};

export const open = (given) => {
  const [secret, sealed] = [secretKey(hex(given.secret)), hex(given.sealed)];
  const where = `seal of user ${given.user}`;
  if (sealed.length !== SEAL) refuse("encoding", `${where}: ${sealed.length} bytes instead of ${SEAL}`);
  const encapsulated = sealed.subarray(0, KEY);
  const shared = exchange(secret, encapsulated, where);
  const cipher = createDecipheriv(AEAD, ...context(shared, encapsulated, rawPublic(secret), infoOf(given)), { authTagLength: TAG });
  cipher.setAuthTag(sealed.subarray(-TAG));
  const payload = cipher.update(sealed.subarray(KEY, -TAG));
  try {
    cipher.final();
  } catch {
    refuse("state", `${where}: it was made for another key, session or user, or altered`);
  }
  return { seed: payload.toString("hex", 0, SEED), consent: payload.toString("hex", SEED) };
};
