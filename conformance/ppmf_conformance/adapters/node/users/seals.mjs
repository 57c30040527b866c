// SPDX-License-Identifier: Apache-2.0
// Chapter 4: what a user's upload is made of. Seals are HPKE (RFC 9180) in base mode, one message, without additional
// data: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-256-GCM.

import { checkLength, concat, fromHex, u64, utf8 } from "./bytes.mjs";
import { KEY, checkKey } from "./curves.mjs";
import { refuse } from "./refusal.mjs";

const { subtle } = crypto;
const KEM = concat(utf8("KEM"), [0, 0x20]);
const HPKE = concat(utf8("HPKE"), [0, 0x20, 0, 1, 0, 2]);
const NOTHING = new Uint8Array(0);
export const [SEED, CONSENT, TAG] = [32, 32, 16];
export const SEAL = KEY + SEED + CONSENT + TAG;

// No salt is the same as 32 zero bytes, which WebCrypto takes where it refuses an empty key.
export const hmac = async (key, ...parts) => {
  const padded = key.length ? key : new Uint8Array(32);
  const made = await subtle.importKey("raw", padded, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
  return new Uint8Array(await subtle.sign("HMAC", made, concat(...parts)));
};

// LabeledExtract, and LabeledExpand for at most one block, of RFC 9180, section 4.
const extract = (suite, salt, label, material) => hmac(salt, utf8("HPKE-v1"), suite, utf8(label), material);
const expand = async (suite, key, label, info, length = 32) => {
  const text = [[0, length], utf8("HPKE-v1"), suite, utf8(label), info, [1]];
  return (await hmac(key, ...text)).subarray(0, length);
};

// X25519 with raw keys. The public key of a private one is only exported with it.
const X25519 = { name: "X25519" };
const privateKey = (raw) =>
  subtle.importKey("pkcs8", concat(fromHex("302e020100300506032b656e04220420"), raw), X25519, true, ["deriveBits"]);
const publicOf = async (secret) => {
  const { x } = await subtle.exportKey("jwk", secret);
  return Uint8Array.from(atob(x.replace(/-/g, "+").replace(/_/g, "/")), (one) => one.charCodeAt(0));
};
const exchange = async (secret, point, where) => {
  checkKey(point, where);
  const other = await subtle.importKey("raw", point, X25519, false, []);
  return new Uint8Array(await subtle.deriveBits({ ...X25519, public: other }, secret, 256));
};

// The cipher of the one message of a context.
const cipherOf = async (shared, encapsulated, receiver, info, usage) => {
  const prk = await extract(KEM, NOTHING, "eae_prk", shared);
  const secret = await expand(KEM, prk, "shared_secret", concat(encapsulated, receiver));
  const psk = await extract(HPKE, NOTHING, "psk_id_hash", NOTHING);
  const mode = concat([0], psk, await extract(HPKE, NOTHING, "info_hash", info));
  const schedule = await extract(HPKE, secret, "secret", NOTHING);
  const key = await subtle.importKey("raw", await expand(HPKE, schedule, "key", mode), "AES-GCM", false, [usage]);
  const iv = await expand(HPKE, schedule, "base_nonce", mode, 12);
  return [{ name: "AES-GCM", iv, tagLength: 8 * TAG }, key];
};

const bound = (label, session, user) => concat(utf8(label), session.id, utf8(user));
const infoOf = (session, user) => bound("ppmf/v2/seal/", session, user);

// PPMF-UPL-010: so many bytes of a keystream of AES in counter mode from 0.
export const mask = async (session, user, seed, size) => {
  const material = await subtle.importKey("raw", seed, "HKDF", false, ["deriveKey"]);
  const from = { name: "HKDF", hash: "SHA-256", salt: NOTHING, info: bound("ppmf/v2/upload/", session, user) };
  const key = await subtle.deriveKey(from, material, { name: "AES-CTR", length: 256 }, false, ["encrypt"]);
  const counter = { name: "AES-CTR", counter: new Uint8Array(16), length: 128 };
  return new Uint8Array(await subtle.encrypt(counter, key, new Uint8Array(size)));
};

// PPMF-UPL-012.
export const consent = (session, user, key, serial) =>
  hmac(key, utf8("ppmf/v2/consent/"), session.id, u64(serial), utf8(user));

// PPMF-UPL-013; `material` are 32 fresh bytes, of which DeriveKeyPair makes the ephemeral key.
export const seal = async (session, user, payload, material) => {
  const derived = await extract(KEM, NOTHING, "dkp_prk", material);
  const ephemeral = await privateKey(await expand(KEM, derived, "sk", NOTHING));
  const encapsulated = await publicOf(ephemeral);
  const shared = await exchange(ephemeral, session.sealingKey, "key for seals");
  const cipher = await cipherOf(shared, encapsulated, session.sealingKey, infoOf(session, user), "encrypt");
  return concat(encapsulated, new Uint8Array(await subtle.encrypt(...cipher, payload)));
};

export const open = async (session, user, secret, sealed) => {
  const where = "a seal";
  checkLength(sealed, SEAL, where);
  const own = await privateKey(secret);
  const encapsulated = sealed.subarray(0, KEY);
  const shared = await exchange(own, encapsulated, where);
  const cipher = await cipherOf(shared, encapsulated, await publicOf(own), infoOf(session, user), "decrypt");
  let payload;
  try {
    payload = new Uint8Array(await subtle.decrypt(...cipher, sealed.subarray(KEY)));
  } catch {
    refuse("state", `${where}: it was made for another key, session or user, or altered`);
  }
  return { seed: payload.subarray(0, SEED), consent: payload.subarray(SEED) };
};
