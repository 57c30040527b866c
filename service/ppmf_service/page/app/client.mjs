// SPDX-License-Identifier: GPL-3.0-or-later
// A user's program (chapter 8, "The users' interface"), over what keeps (`store`), computes (`engine`), asks (`ask`).
// What is about to be sent is kept before it is sent, and a serial is never used for other bytes (PPMF-API-018).

import { compare, hexOf, sha256, utf8 } from "../users/bytes.mjs";
import { object, problem, request } from "./http.mjs";
import { Told } from "./told.mjs";

const MOST_SESSION = 1 << 26;
const MOST_PROFILES = 1 << 28;
const MOST_SERIAL = 2n ** 64n - 1n;
const SESSIONS_LOOKED_AT = 20;
const [RECSYS, CSP] = ["RecSys", "CSP"];

const isHex = (text) => typeof text === "string" && /^[0-9a-f]{64}$/.test(text);
const same = (one, other) => compare(one, other) === 0;

// By which it is known again whether an upload would be made of the same.
export const madeOf = async (code, ratings) => {
  const lines = [...ratings].map(([item, value]) => `${item}\n${value}\n`).sort();
  return hexOf(await sha256(utf8(`${code}\n`), ...lines.map(utf8)));
};

export class Client {
  // `invitation` is what `join` gives; `exclusively` runs one call of all tabs of this user at a time.
  constructor({ invitation, store, engine, ask = request, now = () => Date.now(), exclusively = locked }) {
    Object.assign(this, { invitation, store, engine, ask, now, exclusively, ofOthers: new Set() });
  }

  // -- sessions ------------------------------------------------------------------------------------------------------

  // The sessions that RecSys lists, the newest first: {id, phase}.
  async sessions() {
    const answer = await this.#get("/v1/sessions", "RecSys' list of sessions");
    const list = object(answer, "RecSys' list of sessions").get("sessions");
    const isOne = (one) => one instanceof Map && isHex(one.get("id")) && typeof one.get("phase") === "string";
    if (!Array.isArray(list) || !list.every(isOne))
      throw new Told("RecSys' list of sessions is not of the form that it must have, so it is not used.");
    return list.map((one) => ({ id: one.get("id"), phase: one.get("phase") }));
  }

  // The newest session of this user and the newest of which V is there: {session, phase} or null, each; `refused` is
  // the sentence of the first that was refused.
  async newest() {
    const found = { current: null, trained: null, refused: "" };
    for (const { id, phase } of (await this.sessions()).slice(0, SESSIONS_LOOKED_AT)) {
      if (this.ofOthers.has(id) || (found.current && (found.trained || phase !== "finished"))) continue;
      let session;
      try {
        session = await this.session(id);
      } catch (error) {
        if (!(error instanceof Told) || error.unreachable) throw error;
        found.refused ||= error.message;
        continue;
      }
      if (session?.row === null) this.ofOthers.add(id); // it need not be fetched again
      if ((session?.row ?? null) === null) continue;
      found.current ??= { session, phase };
      if (phase === "finished") found.trained ??= { session, phase };
    }
    return found;
  }

  // The session of that id, from both servers and checked (PPMF-API-017), or null if it is over and erased. What was
  // checked is kept here and not in the browser's cache, where a wrong answer would stay for ever.
  async session(id) {
    const kept = await this.store.get("sessions", id);
    const files = kept ? [kept.bytes] : await Promise.all([RECSYS, CSP].map((who) => this.#file(who, id)));
    if (files.every((file) => file === null)) return null;
    if (files.some((file) => file === null)) throw new Told("One of the two servers does not know the newest session.");
    if (!kept && !same(...files)) throw new Told("RecSys and CSP show two different sessions: do not take part.");
    const now = BigInt(Math.floor(this.now() / 1000));
    const session = await this.engine.session({ id, bytes: files[0], invitation: this.invitation, now });
    if (!kept && session.row !== null) await this.store.put("sessions", { session: id, bytes: files[0] });
    return session;
  }

  async #file(who, id) {
    const url = `${this.invitation[who.toLowerCase()]}/v1/sessions/${id}`;
    const answer = await this.ask(who, url, { most: MOST_SESSION, what: `The session of ${who}` });
    if (answer.status === 200) return answer.body;
    if (answer.status === 404) return null;
    throw new Told(`${who} does not show the session (status ${answer.status}).`);
  }

  // -- uploads -------------------------------------------------------------------------------------------------------

  // What was sent last in a session, or null.
  async last(session) {
    return (await this.store.get("uploads", [this.invitation.user, session.id])) ?? null;
  }

  // Upload ratings, a Map from item to text, in the place of what was uploaded before: {receipt, before}. The same
  // ratings again are the same bytes again, unless RecSys says that something newer came from this user.
  // known: whether the user has said that they know that a trial protects nobody (PPMF-API-023).
  submit(session, ratings, known = false) {
    if (session.trial && !known)
      throw new Told("Say first, in the note at the top, that you know that this trial protects nobody.");
    return this.exclusively(this.invitation.user, async () => {
      const made = await madeOf(this.invitation.code, ratings);
      const [last, there] = [await this.last(session), await this.receipt(session)];
      if (last?.data && last.made === made) {
        const digest = hexOf(await sha256(last.data));
        if (there && `${there.serial}` === last.serial && there.digest === digest) {
          await this.#keep({ ...last, acknowledged: true });
          return { receipt: there, before: true };
        }
        if (!there || there.serial < BigInt(last.serial)) return this.#put(session, last);
      }
      const serial = next(last, there);
      const data = await this.engine.upload({
        id: session.id,
        user: this.invitation.user,
        ratings,
        serial,
        code: this.invitation.code,
      });
      const fresh = {
        user: this.invitation.user,
        session: session.id,
        serial: `${serial}`,
        made,
        data,
        acknowledged: false,
      };
      await this.#keep(fresh);
      return this.#put(session, fresh);
    });
  }

  // Withdraw what was uploaded; the receipt.
  withdraw(session) {
    return this.exclusively(this.invitation.user, async () => {
      let [last, there] = [await this.last(session), await this.receipt(session)];
      if (there?.withdrawn && (!last || BigInt(last.serial) <= there.serial)) {
        await this.#keep(this.#withdrawal(session, there.serial, true));
        return there;
      }
      if (!there && !last) throw new Told("Nothing was sent in this session, so there is nothing to withdraw.");
      if (!last || last.data || (there && there.serial > BigInt(last.serial))) {
        last = this.#withdrawal(session, next(last, there), false);
        await this.#keep(last);
      }
      const receipt = await this.#own("DELETE", session, { query: `?serial=${last.serial}` });
      if (!receipt?.withdrawn) throw new Told("RecSys acknowledged something else than your withdrawal.");
      await this.#keep({ ...last, acknowledged: true });
      return receipt;
    });
  }

  // What RecSys says that it has of this user, or null: {serial, digest, withdrawn, admitted}.
  receipt(session) {
    return this.#own("GET", session);
  }

  #withdrawal(session, serial, acknowledged) {
    const { user } = this.invitation;
    return { user, session: session.id, serial: `${serial}`, made: "", data: null, acknowledged };
  }

  async #put(session, last) {
    const options = { body: last.data, headers: { "Content-Type": "application/cbor" } };
    const receipt = await this.#own("PUT", session, options);
    if (receipt?.digest !== hexOf(await sha256(last.data)))
      throw new Told("RecSys acknowledged something else than what was sent: try again.");
    await this.#keep({ ...last, acknowledged: true });
    return { receipt, before: false };
  }

  #keep(last) {
    return this.store.put("uploads", last);
  }

  async #own(method, session, { query = "", headers = {}, ...more } = {}) {
    const { recsys, token } = this.invitation;
    const url = `${recsys}/v1/sessions/${session.id}/uploads/${session.row}${query}`;
    const answer = await this.ask(RECSYS, url, {
      method,
      headers: { Authorization: `Bearer ${token}`, ...headers },
      ...more,
    });
    const kind = problem(answer);
    if (answer.status === 404 && method === "GET" && kind !== "state") return null;
    if (answer.status !== 200 && answer.status !== 201) throw refusal(method, answer.status, kind);
    const what = "RecSys' receipt";
    const found = object(answer.body, what);
    const receipt = Object.fromEntries(
      ["serial", "digest", "withdrawn", "admitted"].map((name) => [name, found.get(name)]),
    );
    const { serial, digest, withdrawn, admitted } = receipt;
    const right =
      typeof serial === "bigint" &&
      serial >= 1n &&
      serial <= MOST_SERIAL &&
      (digest === null || isHex(digest)) &&
      typeof withdrawn === "boolean" &&
      [null, true, false].includes(admitted);
    if (!right) throw new Told(`${what} is not of the form that it must have, so it is not used.`);
    return receipt;
  }

  // -- what becomes of it --------------------------------------------------------------------------------------------

  // How far a session is: {phase, tenths}.
  async status(session) {
    const what = "RecSys' status";
    const found = object(await this.#get(`/v1/sessions/${session.id}/status`, what), what);
    const [phase, tenths] = [found.get("phase"), found.get("tenths")];
    if (typeof phase !== "string" || typeof tenths !== "bigint" || tenths < 0n || tenths > 10n)
      throw new Told(`${what} is not of the form that it must have, so it is not used.`);
    return { phase, tenths: Number(tenths) };
  }

  // Fetch V of a session unless it is kept, and have the engine read it.
  async profiles(session) {
    const kept = await this.store.get("profiles", session.id);
    const what = "The file of item profiles";
    const path = `/v1/sessions/${session.id}/profiles`;
    const bytes = kept?.bytes ?? (await this.#get(path, what, { most: MOST_PROFILES }));
    await this.engine.profiles({ id: session.id, bytes });
    if (!kept) await this.store.put("profiles", { session: session.id, bytes, at: this.now() });
  }

  async #get(path, what, options = {}) {
    const answer = await this.ask(RECSYS, `${this.invitation.recsys}${path}`, { what, ...options });
    if (answer.status === 200) return answer.body;
    if (answer.status === 404 && problem(answer) === "state") throw new Told(`${what} is not there, or not any more.`);
    throw new Told(`RecSys refused to show something (status ${answer.status}): try again later.`);
  }
}

const next = (last, there) => {
  const used = [last ? BigInt(last.serial) : 0n, there?.serial ?? 0n].reduce((a, b) => (a > b ? a : b));
  if (used >= MOST_SERIAL)
    throw new Told("RecSys says that the last number of an upload was used: ask those who run it.");
  return used + 1n;
};

const refusal = (method, status, kind) => {
  const kept = "Your ratings are kept on this device.";
  if (status === 401)
    return new Told(`RecSys does not know this invitation, or not any more: ask for a new one. ${kept}`);
  if (status === 404) return new Told(`This session is over. ${kept}`);
  if (status === 409 && kind === "state" && method !== "GET")
    return new Told(
      `RecSys takes this no more: the session is closed, or another device sent something newer from you. ${kept}`,
    );
  return new Told(`RecSys refused this (status ${status}). ${kept}`);
};

// One tab at a time: two that read the same last serial would use the next one twice (PPMF-PAGE-005).
const locked = (user, call) => navigator.locks.request(`ppmf upload of ${user}`, call);
