// SPDX-License-Identifier: GPL-3.0-or-later
// The page without a network. What the server has goes first, so that a page that was mended is used at once; the kept
// copy is for when there is no answer. Only the page's own files are kept, never an answer of the interface below /v1/
// (PPMF-PAGE-007).

"use strict";

const CACHE = "ppmf-page";
const SECONDS = 8;
const base = new URL("./", self.location.href);
const isOfPage = (url) =>
  url.origin === base.origin &&
  !url.search &&
  (url.href === base.href || ["page/", "titles.json"].some((part) => url.href.startsWith(base.href + part)));

const fetched = (url) =>
  fetch(url, { cache: "no-cache", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" });

// All files of the page, which the server lists, so that none is missing that was not needed yet.
const keep = async () => {
  const cache = await caches.open(CACHE);
  const list = await (await fetched(new URL("page/files.json", base))).json();
  const urls = list.map((one) => new URL(one, base)).filter(isOfPage);
  await Promise.all(
    urls.map(async (url) => {
      const found = await fetched(url);
      if (found.ok) await cache.put(url.href, found);
    }),
  );
};

// What cannot be kept for want of room is shown all the same; an answer that was cut short is none.
const withoutRoom = (error) => {
  if (error?.name !== "QuotaExceededError") throw error;
};

const answer = async (request) => {
  const cache = await caches.open(CACHE);
  const url = request.url.split("#")[0];
  try {
    const found = await fetch(request, { signal: AbortSignal.timeout(1000 * SECONDS) });
    if (found.ok && !found.redirected) await cache.put(url, found.clone()).catch(withoutRoom);
    if (found.status < 500) return found;
    return (await cache.match(url)) ?? found;
  } catch (error) {
    const kept = await cache.match(url);
    if (kept) return kept;
    throw error;
  }
};

self.addEventListener("install", () => self.skipWaiting());
self.addEventListener("activate", (event) => event.waitUntil(self.clients.claim()));
self.addEventListener("message", (event) => {
  if (event.data === "keep") event.waitUntil(keep());
});
self.addEventListener("fetch", (event) => {
  const { request } = event;
  if (request.method === "GET" && isOfPage(new URL(request.url.split("#")[0]))) event.respondWith(answer(request));
});
