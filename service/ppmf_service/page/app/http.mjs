// SPDX-License-Identifier: GPL-3.0-or-later
// Requests to the two servers, with answers that are bounded before they are read. A request that may be sent again is
// sent again where that may help: every request of the interface may be repeated (PPMF-API-005).

import { concat } from "../users/bytes.mjs";
import { parse } from "../users/json.mjs";
import { Told } from "./told.mjs";

const SECONDS = 30;
const TRIES = 4;
const FIRST_PAUSE = 0.5;
const LONGEST_PAUSE = 30;
const AGAIN = new Set([408, 429, 500, 502, 503, 504]);
const MOST_JSON = 1 << 16;

const decoder = new TextDecoder("utf-8", { fatal: true });
const wait = (seconds) => new Promise((resolve) => setTimeout(resolve, 1000 * seconds));
const part = () => crypto.getRandomValues(new Uint16Array(1))[0] / (1 << 16);

const body = async (response, most, what) => {
  const tooLong = () => new Told(`${what} is longer than it can be, so it is not used.`);
  const length = response.headers.get("content-length");
  if (Number(length ?? 0) > most) throw tooLong();
  // A packed answer is longer than it says; of CSP's headers not all are shown.
  const packed = response.type !== "basic" || response.headers.has("content-encoding");
  if (length !== null && !packed) return new Uint8Array(await response.arrayBuffer());
  const [pieces, reader] = [[], response.body?.getReader()];
  let size = 0;
  while (reader) {
    const { done, value } = await reader.read();
    if (done) break;
    size += value.length;
    if (size > most) {
      await reader.cancel();
      throw tooLong();
    }
    pieces.push(value);
  }
  return concat(...pieces);
};

const once = async (url, most, what, options) => {
  const response = await fetch(url, {
    credentials: "omit",
    redirect: "error",
    referrerPolicy: "no-referrer",
    cache: "no-store",
    signal: AbortSignal.timeout(1000 * SECONDS),
    ...options,
  });
  return { status: response.status, headers: response.headers, body: await body(response, most, what) };
};

// The answer of a server that is called `who` in sentences: status, headers, body. Told if there is none.
export const request = async (who, url, given = {}) => {
  const { most = MOST_JSON, what = `The answer of ${who}`, tries = TRIES, ...options } = given;
  for (let left = tries - 1, pause = FIRST_PAUSE; ; left -= 1, pause *= 2) {
    let asked = 0;
    try {
      const answer = await once(url, most, what, options);
      if (!AGAIN.has(answer.status)) return answer;
      asked = Number(/^[0-9]{1,6}$/.exec(answer.headers.get("retry-after") ?? "")?.[0] ?? 0);
      if (!left) throw away(`${who} is busy or out of order: try again ${later(asked)}.`);
    } catch (error) {
      if (error instanceof Told) throw error;
      if (globalThis.navigator?.onLine === false) throw away(`This device is offline, so ${who} cannot be reached.`);
      if (!left) throw away(`${who} cannot be reached: try again later.`);
    }
    await wait(Math.min(Math.max(pause, asked) * (1 + part()), LONGEST_PAUSE));
  }
};

const away = (text) => new Told(text, { unreachable: true });
const later = (seconds) => (seconds ? `in ${seconds} seconds` : "later");

// The members of a JSON object, with integers as BigInts. Told if it is none.
export const object = (bytes, what) => {
  try {
    const found = parse(decoder.decode(bytes));
    if (found instanceof Map) return found;
  } catch {
    // told below
  }
  throw new Told(`${what} is not of the form that it must have, so it is not used.`);
};

// The class of a problem document (PPMF-API-004), or undefined.
export const problem = ({ headers, body: bytes }) => {
  if (!(headers.get("content-type") ?? "").startsWith("application/problem+json")) return undefined;
  try {
    return object(bytes, "").get("class");
  } catch {
    return undefined;
  }
};
