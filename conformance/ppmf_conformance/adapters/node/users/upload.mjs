// SPDX-License-Identifier: Apache-2.0
// Chapter 4, "The upload": all that a user sends.

import { codeOf, plainOf } from "./code.mjs";
import { concat } from "./bytes.mjs";
import { SEAL, SEED, consent, mask, seal } from "./seals.mjs";
import { write } from "./wire.mjs";

const drawn = (count) => crypto.getRandomValues(new Uint8Array(count));

const message = (session, user, serial, masked, sealed) =>
  write({ name: "upload", session: session.id, epoch: 0n, number: 0n, fields: { user, serial, masked, sealed } });

// How many bytes an upload has, whatever is rated.
export const uploadLength = (session, user, serial = 1n) => {
  const masked = new Uint8Array(codeOf(session.p).rowBytes(session.items.length));
  return message(session, user, serial, masked, new Uint8Array(SEAL)).length;
};

// The bytes of the message. `ratings` are the item's row and the integer x of each; `draw` gives fresh random bytes, and
// is only given where a test wants to draw the same again.
export const upload = async (session, user, ratings, consentKey, serial = 1n, draw = drawn) => {
  const plain = plainOf(codeOf(session.p), session.items.length, ratings);
  const seed = draw(SEED); // PPMF-UPL-014
  const hidden = await mask(session, user, seed, plain.length);
  const payload = concat(seed, await consent(session, user, consentKey, serial));
  const sealed = await seal(session, user, payload, draw(32));
  return message(
    session,
    user,
    serial,
    plain.map((byte, at) => byte ^ hidden[at]),
    sealed,
  );
};
