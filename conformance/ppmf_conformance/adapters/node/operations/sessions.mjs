// SPDX-License-Identifier: Apache-2.0
// Operations of chapter 4: sessions, ratings as bits, uploads, and who takes part.

import { hex } from "../servers/bytes.mjs";
import { Intake, admit, decision, listed, readAdmission, writeRows } from "../servers/intake.mjs";
import { openShare } from "../servers/output.mjs";
import { sign } from "../servers/signing.mjs";
import { concat, fromHex, hexOf } from "../users/bytes.mjs";
import { codeOf, decodeOne, encodeOne, plainOf, ratingsOf } from "../users/code.mjs";
import { parameters } from "../users/params.mjs";
import { integer, integers } from "../users/refusal.mjs";
import * as seals from "../users/seals.mjs";
import * as files from "../users/session.mjs";

export const session = (given) =>
  files.checked({
    p: parameters(given.parameters),
    users: given.users,
    items: given.items,
    suite: given.suite,
    least: integer(given.least),
    closes: integer(given.closes),
    expires: integer(given.expires),
    addresses: given.addresses,
    trial: given.trial ? 1n : 0n,
    recsysKey: fromHex(given.recsys_key),
    recsysNonce: fromHex(given.recsys_nonce),
    cspKey: fromHex(given.csp_key),
    cspNonce: fromHex(given.csp_nonce),
    sealingKey: fromHex(given.sealing_key),
  });

const signed = async (given) => {
  const { id } = await session(given.session);
  return { signature: hexOf(sign(fromHex(given.secret), files.acceptanceText(id))) };
};
const written = async (given) => {
  const signatures = [given.by_recsys, given.by_csp].map(fromHex);
  return { file: hexOf(files.write(await session(given.session), ...signatures)) };
};
const idOf = async (given) => ({ id: hexOf((await session(given)).id) });
const read = async (given) => ({ id: hexOf((await files.read(fromHex(given.file), integer(given.now))).id) });

const code = (given) => codeOf(parameters(given.parameters));
const weights = (given) => {
  const { least, weights: found } = code(given);
  return { least, weights: found };
};
const plain = (given) => {
  const ratings = given.ratings.map(([item, x]) => [Number(item), integer(x)]);
  return { plain: hexOf(plainOf(code(given), Number(given.items), ratings)) };
};
const row = (given) => {
  const found = ratingsOf(code(given), Number(given.items), fromHex(given.plain));
  return { ratings: found.map(([item, x]) => [`${item}`, x]) };
};

const keystream = async (given) => {
  const s = await session(given.session);
  const found = await seals.mask(s, given.user, fromHex(given.seed), codeOf(s.p).rowBytes(s.items.length));
  return { keystream: hexOf(found) };
};
const consent = async (given) => {
  const s = await session(given.session);
  return { consent: hexOf(await seals.consent(s, given.user, fromHex(given.key), integer(given.serial))) };
};
const seal = async (given) => {
  const payload = concat(fromHex(given.seed), fromHex(given.consent));
  return {
    sealed: hexOf(await seals.seal(await session(given.session), given.user, payload, fromHex(given.material))),
  };
};
const open = async (given) => {
  const s = await session(given.session);
  const found = await seals.open(s, given.user, fromHex(given.secret), fromHex(given.sealed));
  return { seed: hexOf(found.seed), consent: hexOf(found.consent) };
};

const taken = async (given) => {
  const s = await session(given.session);
  const intake = new Intake(s, codeOf(s.p));
  for (const [user, serial, masked, sealed] of given.uploads)
    intake.take({ user, serial: integer(serial), masked: hex(masked), sealed: hex(sealed) });
  return intake;
};
const take = async (given) => ({ missing: BigInt((await taken(given)).missing) });
const close = async (given) => {
  const { presence, seals: records } = (await taken(given)).close();
  return { presence: hexOf(presence), seals: hexOf(records) };
};
const admission = async (given) => {
  const s = await session(given.session);
  const present = listed(s, hex(given.presence), hex(given.seals));
  const found = await admit(s, fromHex(given.secret), given.consent_keys.map(fromHex), present);
  return {
    admitted: hexOf(
      writeRows(
        found.map(({ row: at }) => at),
        s.users.length,
      ),
    ),
  };
};
const admitted = async (given) => {
  const s = await session(given.session);
  const parts = [given.presence, given.seals, given.admitted].map(hex);
  const rows = readAdmission(s, parts[0], parts[2]);
  return { rows: rows.map(BigInt), digest: hexOf(decision(s, ...parts)) };
};

const shareOpen = async (given) => openShare(await session(given.session), hex(given.csp), hex(given.recsys));

export const SESSIONS = {
  "session.id": idOf,
  "session.sign": signed,
  "session.write": written,
  "session.read": read,
  "share.open": shareOpen,
  "code.weights": weights,
  "code.encode": (given) => ({ codes: integers(given.values).map((x) => encodeOne(code(given), x).join("")) }),
  "code.decode": (given) => ({ values: given.codes.map((bits) => decodeOne(code(given), [...bits].map(BigInt))) }),
  "upload.plain": plain,
  "upload.row": row,
  "upload.keystream": keystream,
  "upload.consent": consent,
  "upload.seal": seal,
  "upload.open": open,
  "upload.take": take,
  "closing.make": close,
  "admission.make": admission,
  "admission.take": admitted,
};
