// SPDX-License-Identifier: Apache-2.0
// Operations of chapter 8: enrolment, invitations, digests of a proposal, receipts of V.

import { sign } from "../servers/signing.mjs";
import { fromHex, hexOf, sha256 } from "../users/bytes.mjs";
import { readPoint } from "../users/curves.mjs";
import * as invitations from "../users/invitations.mjs";
import { checkReceipt, proposalDigests, receiptText } from "../users/session.mjs";
import { session } from "./sessions.mjs";

// In calls a code is in hexadecimal digits.
const inLetters = (half) => (half.from === "csp" ? { ...half, code: invitations.letters(fromHex(half.code)) } : half);
const inHex = (half) => (half.from === "csp" ? { ...half, code: hexOf(invitations.readCode(half.code)) } : half);

const proposal = async (given) => {
  const { digest, catalogue } = await proposalDigests(await session(given.session));
  return { digest: hexOf(digest), catalogue: hexOf(catalogue) };
};
const signed = async (given) => {
  const { id } = await session(given.session);
  return { signature: hexOf(sign(fromHex(given.secret), receiptText(id, fromHex(given.digest)))) };
};
const receipt = async (given) => {
  const s = await session(given.session);
  await checkReceipt(s, fromHex(given.digest), fromHex(given.signature));
  return { id: hexOf(s.id) };
};

const keyDigest = async (given) => {
  const point = fromHex(given.key);
  readPoint(point, "key");
  return { digest: hexOf(await sha256(point)) };
};

export const ENROLMENT = {
  "enrol.letters": (given) => ({ letters: invitations.letters(fromHex(given.code)) }),
  "enrol.code": (given) => ({ code: hexOf(invitations.readCode(given.text)) }),
  "enrol.consent_key": async (given) => ({ key: hexOf(await invitations.consentKey(fromHex(given.code))) }),
  "enrol.token": async (given) => ({ digest: hexOf(await invitations.tokenDigest(given.token)) }),
  "enrol.key_digest": keyDigest,
  "invitation.write": (given) => ({ line: invitations.writeHalf(inLetters(given)) }),
  "invitation.read": (given) => inHex(invitations.readHalf(given.text)),
  "invitation.join": (given) => ({ user: invitations.join(...given.halves.map(invitations.readHalf)).user }),
  "session.proposal": proposal,
  "receipt.check": receipt,
  "receipt.sign": signed,
};
