// SPDX-License-Identifier: GPL-3.0-or-later
// What takes time, in a thread of its own, so that the page does not freeze. Every call is answered once, by what it
// gives and how long it took, or by a sentence.

import { hexOf, sha256 } from "../users/bytes.mjs";
import { codeOf } from "../users/code.mjs";
import { consentKey, readCode } from "../users/invitations.mjs";
import { DECIMALS, INTEGERS, read as readProfiles } from "../users/profiles.mjs";
import { scaledRating } from "../users/ratings.mjs";
import { Fraction, decimal, decimalText, whole } from "../users/refusal.mjs";
import * as ridge from "../users/ridge.mjs";
import { read as readSession } from "../users/session.mjs";
import { upload, uploadLength } from "../users/upload.mjs";
import { Told, about, sentence } from "./told.mjs";

const GRID = 1 << 16; // more steps than these are typed without a list
const sessions = new Map();
const trained = new Map();

// PPMF-API-017, but for the comparison of both files.
const check = async (session, id, invitation, now) => {
  if (hexOf(session.id) !== id) throw new Told("RecSys shows another session than the one that was asked for.");
  if (hexOf(await sha256(session.cspKey)) !== invitation.key)
    throw new Told("The session is signed by another CSP than your invitation names: do not take part.");
  if (session.suite.endsWith("-insecure") && !session.trial)
    throw new Told("The session's cipher suite protects nothing, and it is not marked as a trial: do not take part.");
  const due = [invitation.recsys, invitation.csp];
  if (session.addresses.length !== due.length || session.addresses.some((url, k) => url !== due[k]))
    throw new Told("The session is one of other addresses than those of your invitation: do not take part.");
  if (session.expires && now >= session.expires) throw new Told("The session has expired.");
};

const scaleOf = (p) => {
  const { least, span } = codeOf(p);
  const step = new Fraction(1n, 1n << p.rating_frac_bits);
  const text = (k) => decimalText(p.rating_offset.plus(whole(least + k).times(step)));
  const values = span < GRID ? Array.from({ length: Number(span) + 1 }, (_, k) => text(BigInt(k))) : null;
  return { low: text(0n), high: text(span), step: decimalText(step), values };
};

const CALLS = {
  // Read and check the file of a session: what the page shows of it. `row` is null if the user is not on its list.
  async session({ id, bytes, invitation, now }) {
    let session = sessions.get(id);
    if (!session) session = await about("The session", () => readSession(bytes, 0n));
    await check(session, id, invitation, now);
    const row = session.users.indexOf(invitation.user);
    if (row < 0) return { id, row: null };
    sessions.set(id, session);
    const { p, suite, least, closes, expires, trial, users, items } = session;
    return {
      id,
      row,
      suite,
      items,
      users: users.length,
      trial: trial === 1n,
      least: Number(least),
      closes: Number(closes),
      expires: Number(expires),
      scale: scaleOf(p),
      bytes: uploadLength(session, invitation.user),
    };
  },

  // The bytes of an upload of `ratings`, a Map from item to text; items that the session does not have are left out.
  async upload({ id, user, ratings, serial, code }) {
    const session = sessions.get(id);
    const columns = new Map(session.items.map((item, column) => [item, column]));
    const row = [...ratings].filter(([item]) => columns.has(item));
    const numbers = row.map(([item, text]) => [columns.get(item), scaledRating(decimal(text), session.p, "a rating")]);
    return upload(session, user, numbers, await consentKey(readCode(code)), serial);
  },

  // Read the file of V, which is one of the session's items and parameters if the session is at hand.
  async profiles({ id, bytes }) {
    if (trained.has(id)) return;
    const text = new TextDecoder().decode(bytes);
    const found = await about("The file of item profiles", () => readProfiles(text));
    const session = sessions.get(id);
    if (session) {
      const { p, items } = session;
      const right =
        INTEGERS.every((name) => found[name] === p[name]) &&
        DECIMALS.every((name) => found[name].compare(p[name]) === 0) &&
        (found.bias !== null) === p.bias &&
        found.items.length === items.length &&
        found.items.every((item, row) => item === items[row]);
      if (!right) throw new Told("The file of item profiles is not that of this session, so it is not used.");
    }
    trained.set(id, { found, rows: new Map(found.items.map((item, row) => [item, row])) });
  },

  // The best items that are not rated, and every rating beside its prediction.
  recommend({ id, ratings, count }) {
    const { found, rows } = trained.get(id);
    const usable = [...ratings].filter(([item, text]) => rows.has(item) && fits(found, text));
    const rated = new Map(usable.map(([item, text]) => [rows.get(item), decimal(text)]));
    const own = ridge.solution(found, rated);
    const predicted = (row) => ridge.shownPrediction(found, own, row);
    return {
      top: ridge.top(found, own, rated, count).map((item) => ({ item, value: predicted(rows.get(item)) })),
      own: usable.map(([item, text]) => ({ item, yours: text, value: predicted(rows.get(item)) })),
      left: ratings.size - usable.length,
      items: found.items.length,
    };
  },

  similar({ id, item, count }) {
    return ridge.similar(trained.get(id).found, item, count);
  },
};

const fits = (p, text) => {
  try {
    scaledRating(decimal(text), p, "a rating");
    return true;
  } catch {
    return false;
  }
};

self.addEventListener("message", async ({ data: { number, name, given } }) => {
  const began = performance.now();
  try {
    const found = await CALLS[name](given);
    self.postMessage({ number, found, took: performance.now() - began });
  } catch (error) {
    self.postMessage({ number, told: sentence(error) });
  }
});
