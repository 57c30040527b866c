// SPDX-License-Identifier: GPL-3.0-or-later
// The page for users: from the invitation to recommendations. Ratings stay on the device, but for the one message that
// the user sends; nothing is asked of any other address than RecSys' own and, for the session, CSP's (PPMF-PAGE-001).

import { Client, madeOf } from "./client.mjs";
import { busy, byId, el, number, plural, setText, time } from "./dom.mjs";
import { Engine, trusted } from "./engine.mjs";
import * as files from "./files.mjs";
import { checkAddress, halvesIn, replaces, whole, withHalves } from "./invitation.mjs";
import { isFinal, showPhase, takes } from "./phases.mjs";
import { Polling } from "./polling.mjs";
import { RatingView } from "./rating_view.mjs";
import { RecommendationView } from "./recommendation_view.mjs";
import { Store } from "./store.mjs";
import { Catalogue, fetchTitles } from "./titles.mjs";
import { Told, sentence } from "./told.mjs";

const VIEWS = ["rate", "recommendations", "session", "data"];
const LONG_AGO = 10 * 60 * 1000;
const root = document.documentElement;
const base = new URL("../../", import.meta.url).href;

const app = {
  person: null, // who is shown: user, recsys, csp
  client: null,
  session: null,
  phase: "",
  tenths: 0,
  last: null, // what was sent last
  receipt: undefined, // what RecSys says that it has; undefined is not known
  ratings: new Map(),
  catalogue: null,
  titles: null, // comes as a promise of a Map
  trained: null, // the id of the session whose V was read
  asked: 0,
  warned: "", // the last warning about a session that was refused
};
const tabs = new BroadcastChannel("ppmf");

// -- messages --------------------------------------------------------------------------------------------------------

const showError = (error) => {
  const text = sentence(error);
  byId("error-box").hidden = false;
  setText(byId("error"), "");
  byId("error").textContent = text;
  byId("error-box").scrollIntoView({ block: "nearest" });
};
const hideError = () => {
  byId("error-box").hidden = true;
  setText(byId("error"), "");
};
const notice = (text) => setText(byId("notice"), text);

// Do what a user asked for: errors become one sentence.
const act = (call) => async (event) => {
  event?.preventDefault?.();
  hideError();
  notice("");
  await busy(async () => {
    try {
      await call(event);
    } catch (error) {
      showError(error);
    }
  });
};

// -- what is shown ---------------------------------------------------------------------------------------------------

const usable = () =>
  new Map(
    [...app.ratings].filter(([item]) => app.catalogue.rowOf.has(item)).sort(([one], [other]) => (one < other ? -1 : 1)),
  );

const showView = (name, focus = true) => {
  for (const one of VIEWS) byId(`view-${one}`).hidden = one !== name;
  for (const button of byId("nav").children)
    if (button.dataset.view === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  if (focus) {
    notice("");
    byId(`view-${name}`).querySelector("h2").focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }
  byId("others").hidden = name !== "data" || !byId("other-people").children.length;
  if (name === "recommendations") recommend();
};
const isShown = (name) => !byId(`view-${name}`).hidden;

// Whether the user has said of this session that they know that it is a trial.
const knowsTrial = () => app.person.knows?.includes(app.session.id) ?? false;

const sentState = async () => {
  const { last, receipt } = app;
  if (receipt && (!last || receipt.serial > BigInt(last.serial))) return receipt.withdrawn ? "withdrawn" : "elsewhere";
  if (!last) return "none";
  if (!last.acknowledged) return last.data ? "unsent" : "withdrawing";
  if (!last.data) return "withdrawn";
  if (receipt === null) return "lost";
  return last.made === (await madeOf(app.client.invitation.code, usable())) ? "sent" : "changed";
};
const SENT = {
  none: "Nothing was sent yet.",
  unsent: "What you sent was not acknowledged yet: send it again.",
  withdrawing: "Your withdrawal was not acknowledged yet: withdraw again.",
  sent: "Sent, and acknowledged by RecSys.",
  changed: "You changed ratings since you sent them.",
  withdrawn: "Withdrawn: RecSys uses nothing of yours.",
  elsewhere: "Something newer was sent with your invitation from another device.",
  lost: "RecSys says that it has nothing from you: send it again.",
};
const SENT_AT_THE_END = {
  sent: "You sent these ratings.",
  changed: "You changed ratings since you sent them.",
  elsewhere: "Another device sent ratings with your invitation.",
  withdrawn: "You withdrew what you had sent.",
  unsent: "What you sent was never acknowledged.",
};
const ADMITTED = { true: " They are in the training.", false: " They are not in the training." };
const SEND = { none: "Send", changed: "Replace what was sent", elsewhere: "Replace what was sent" };

const showSending = async () => {
  const state = await sentState();
  const open = takes(app);
  const own = usable();
  byId("rated-count").dataset.count = own.size;
  setText(byId("rated-count"), `You have rated ${number(own.size)} of ${plural(app.catalogue.items.length, "title")}.`);
  byId("sent-state").dataset.state = state;
  const admitted = ["sent", "changed", "elsewhere"].includes(state) ? (ADMITTED[app.receipt?.admitted] ?? "") : "";
  const ended = `${SENT_AT_THE_END[state] ?? SENT.none}${admitted} Ratings are taken no more.`;
  setText(byId("sent-state"), open ? SENT[state] : ended);
  byId("send").hidden = !open;
  byId("send").textContent = SEND[state] ?? "Send again";
  byId("send").disabled = !own.size;
  byId("withdraw").hidden = !open || ["none", "withdrawn", "lost"].includes(state);
  // What leaves the device, before it does; what else the page has to say stands in index.html (PPMF-PAGE-009).
  byId("leaves").dataset.bytes = app.session.bytes;
  setText(
    byId("leaves"),
    `Sending takes ${plural(app.session.bytes, "byte")} from this device, however much you rate: your ratings, ` +
      "hidden from RecSys, and their key, hidden from everybody but CSP.",
  );
  byId("new-session").hidden = !(open && state === "none" && own.size && app.before);
};

const showFacts = () => {
  const { session, receipt } = app;
  const [recsys, csp] = [app.client.invitation.recsys, app.client.invitation.csp].map((url) => new URL(url).host);
  const admitted = { true: "are in the training", false: "are not in the training" }[receipt?.admitted];
  const facts = [
    ["recsys", "RecSys, run by", recsys],
    ["csp", "CSP, run by", csp],
    ["items", "Titles", number(session.items.length)],
    ["users", "People invited", `${number(session.users)}, of whom ${number(session.least)} have to take part`],
    ["closes", "Collecting ends", session.closes ? time(session.closes) : "when RecSys closes it"],
    ["expires", "Everything is erased", session.expires ? `by ${time(session.expires)}` : "when the training is over"],
    ["admitted", "Your ratings", admitted ?? "who takes part is not decided yet"],
    ["suite", "Cipher suite", session.suite],
    ["user", "You are known as", app.person.user],
    ["id", "Session", session.id],
    ["asked", "Last asked", app.asked ? time(app.asked / 1000) : "not yet"],
  ];
  byId("facts").replaceChildren(
    ...facts.map(([id, name, value]) =>
      el("div", {}, el("dt", {}, name), el("dd", { id: `session-${id}`, "data-testid": `session-${id}` }, value)),
    ),
  );
};

const recommend = async () => {
  if (!app.session) return;
  if (!app.trained) {
    views.recommendations.none(
      isFinal(app.phase) && app.phase !== "finished"
        ? "This training ended without a result."
        : "There are no recommendations yet: they come when the training is finished.",
    );
    return;
  }
  try {
    await views.recommendations.show(app.trained, app.catalogue, app.ratings);
  } catch (error) {
    showError(error);
  }
};

// Show the parts for a state, and none of the others.
const showState = (state, ...parts) => {
  root.dataset.state = state;
  const all = ["start", "waiting", "nav", "phase", "trial"];
  for (const id of all) byId(id).hidden = !parts.includes(id);
  if (!parts.includes("nav")) for (const one of VIEWS) byId(`view-${one}`).hidden = true;
  byId("others").hidden =
    state === "erased" || !byId("other-people").children.length || (state === "ready" && !isShown("data"));
};

const showAll = async () => {
  showState("ready", "nav", "phase");
  byId("trial").hidden = !app.session.trial;
  byId("trial-box").hidden = byId("trial-known").checked = knowsTrial();
  if (!VIEWS.some(isShown)) showView("rate", false);
  showPhase(app);
  showFacts();
  await showSending();
};

const showStart = (text = "") => {
  showState("start", "start");
  byId("half-waiting").hidden = !text;
  setText(byId("half-waiting"), text);
};

const showWaiting = () => {
  showState("waiting", "waiting");
  setText(byId("waiting-text"), "Your invitation is whole. The session is fetched from both servers, and compared.");
};

// The others whose invitations are kept here, to switch to.
const showOthers = async () => {
  const people = (await app.store.all("people")).filter((one) => one.user !== app.person?.user);
  byId("other-people").replaceChildren(
    ...people.map((one) => el("button", { type: "button", click: act(() => open(one)) }, one.user)),
  );
};

// -- steps -----------------------------------------------------------------------------------------------------------

// Read the file of a session anew from what is kept, without a network.
const fromKept = async (id) => {
  const kept = id && (await app.store.get("sessions", id));
  return kept ? app.client.session(id) : null;
};

const take = async (session, phase) => {
  const another = app.session?.id !== session.id;
  app.session = session;
  app.phase = phase;
  app.last = await app.client.last(session);
  if (another) {
    app.catalogue = new Catalogue(session.items, await app.titles);
    views.rate.show(app.catalogue, app.ratings, session.scale);
  }
};

const learn = async (session) => {
  await app.client.profiles(session);
  app.trained = session.id;
  if (isShown("recommendations")) await recommend();
  keepPage();
};

// The page itself is kept for when there is no network, once there is something to do without one.
const keepPage = async () => {
  try {
    const registration = await navigator.serviceWorker.register(
      trusted.createScriptURL(new URL("service-worker.js", base).href),
      { scope: base },
    );
    const worker = registration.active ?? (await navigator.serviceWorker.ready).active;
    worker.postMessage("keep");
  } catch {
    // the page then needs a network to be opened; what is computed does not
  }
};

// Ask both servers what there is.
const refresh = async () => {
  const { client } = app;
  const found = await client.newest();
  if (client !== app.client) return;
  if (!found.current)
    throw new Told(found.refused || "RecSys has no session for your invitation yet: come back later.");
  const { session } = found.current;
  const [{ tenths, phase }, receipt] = await Promise.all([client.status(session), client.receipt(session)]);
  const uploads = await app.store.all("uploads");
  if (client !== app.client) return;
  await take(session, phase);
  const before = uploads.some((one) => one.user === app.person.user && one.session !== session.id);
  Object.assign(app, { tenths, receipt, before, asked: Date.now() });
  const trained = phase === "finished" ? session : found.trained?.session;
  app.person = { ...app.person, current: session.id, phase, trained: trained?.id ?? app.person.trained ?? null };
  await app.store.put("people", app.person);
  await showAll();
  if (found.refused !== app.warned) {
    app.warned = found.refused;
    if (found.refused) showError(new Told(found.refused));
  }
  if (trained) await learn(trained);
  else if (isShown("recommendations")) await recommend();
  if (isFinal(app.phase)) polling.end();
  else polling.begin();
};

// What is kept of the last visit, at once and also without a network; whether there is something.
const showKept = async () => {
  const { current, phase, trained } = app.person;
  const session = await fromKept(current).catch(() => null);
  if (!session) return false;
  await take(session, phase);
  await showAll();
  const kept = trained && (await app.store.get("profiles", trained));
  if (kept) {
    await app.engine.profiles({ id: trained, bytes: kept.bytes });
    app.trained = trained;
    if (isShown("recommendations")) await recommend();
  }
  return true;
};

const open = async (person) => {
  polling.end();
  const fresh = { person, session: null, trained: null, last: null, receipt: undefined, client: null, tenths: 0 };
  Object.assign(app, fresh);
  await app.store.put("settings", { name: "current", value: person.user });
  await showOthers();
  const invitation = whole(person);
  if (!invitation) {
    showStart("One half of your invitation is here. Now open the other sender's half in this browser, too.");
    return;
  }
  showWaiting();
  checkAddress(invitation, base);
  app.client = new Client({ invitation, store: app.store, engine: app.engine });
  app.ratings = await app.store.ratings(person.user);
  await showKept();
  await refresh();
};

// The person whose invitation is open, or was when this browser was here last.
const opened = async () => {
  if (app.person) return app.person;
  const current = await app.store.get("settings", "current");
  return current && app.store.get("people", current.value);
};

const openText = async (text) => {
  const halves = halvesIn(text);
  const users = new Set(halves.map((half) => half.user));
  if (users.size > 1) throw new Told("These two halves are of two different invitations: ask those who sent them.");
  if (new Set(halves.map((half) => half.from)).size < halves.length)
    throw new Told("Both are halves of the same sender: the other sender's half is missing.");
  const [user] = users;
  const before = await app.store.get("people", user);
  const current = await opened();
  if (current && current.user !== user && !(await agrees("switch", { from: current.user, to: user })))
    throw new Told("The other invitation was not opened: yours is still here.");
  if (replaces(before, halves) && !(await agrees("replace", { user })))
    throw new Told("The invitation that is kept in this browser was not changed.");
  const person = withHalves(before ?? { user, recsys: null, csp: null }, halves);
  await app.store.put("people", person);
  await open(person);
};

// Whether the user wants what a link would do to what is kept: put another half in its place (PPMF-PAGE-010), or go over
// to another user (PPMF-PAGE-011).
const agrees = (what, names) =>
  new Promise((resolve) => {
    const dialog = byId(`${what}-dialog`);
    for (const [name, text] of Object.entries(names)) setText(byId(`${what}-${name}`), text);
    dialog.returnValue = "";
    dialog.addEventListener("close", () => resolve(dialog.returnValue === "agreed"), { once: true });
    dialog.showModal();
  });

const rate = async (item, value) => {
  try {
    await app.store.change(app.person.user, [[item, value]]);
  } catch (error) {
    showError(error);
    return;
  }
  if (value === null) app.ratings.delete(item);
  else app.ratings.set(item, value);
  tabs.postMessage({ user: app.person.user });
  await showSending();
};

const send = async () => {
  if (app.session.trial && !knowsTrial()) byId("trial-known").focus();
  const { before } = await app.client.submit(app.session, usable(), knowsTrial());
  await sent(before ? "RecSys has exactly this already." : "Sent: RecSys has acknowledged it.");
};
const withdraw = async () => {
  await app.client.withdraw(app.session);
  await sent("Withdrawn: RecSys has acknowledged it.");
};
const sent = async (text) => {
  app.last = await app.client.last(app.session);
  app.receipt = await app.client.receipt(app.session);
  tabs.postMessage({ user: app.person.user });
  await showSending();
  showFacts();
  notice(text);
};
const sending = (call) =>
  act(async () => {
    for (const id of ["send", "withdraw", "send-anew"]) byId(id).disabled = true;
    try {
      await call();
    } finally {
      for (const id of ["withdraw", "send-anew"]) byId(id).disabled = false;
      app.last = await app.client.last(app.session);
      await showSending();
    }
  });

const exportRatings = () => {
  const url = URL.createObjectURL(new Blob([files.write(app.ratings)], { type: "application/json" }));
  const link = el("a", { href: url, download: "ratings.json" });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 10000);
  notice(`Exported ${plural(app.ratings.size, "rating")} into ratings.json: whoever has this file can read them.`);
};

const importRatings = async (event) => {
  const [file] = event.target.files;
  if (!file) return;
  try {
    const found = await files.read(file);
    const { scale } = app.session;
    const allowed = scale.values && new Set(scale.values);
    for (const [item, value] of found)
      if (allowed && !allowed.has(value))
        throw new Told(`This file rates “${app.catalogue.title(item)}” by ${value}, which is not on the scale here.`);
    await app.store.change(app.person.user, [...found]);
    for (const [item, value] of found) app.ratings.set(item, value);
    tabs.postMessage({ user: app.person.user });
    const unknown = [...found.keys()].filter((item) => !app.catalogue.rowOf.has(item)).length;
    const aside = unknown ? ` ${plural(unknown, "of them is", "of them are")} of no title here, and only kept.` : "";
    views.rate.search();
    await showSending();
    notice(`Imported ${plural(found.size, "rating")}.${aside}`);
  } finally {
    event.target.value = "";
  }
};

const erase = async () => {
  byId("erase-dialog").close();
  await app.store.erase();
  showErased();
};

// Also in the other tabs, whose store was closed then.
const showErased = () => {
  polling.end();
  app.client = null;
  showState("erased");
  hideError();
  notice("Everything that this page had kept in this browser was erased. Reload the page to begin anew.");
};

// -- the beginning ---------------------------------------------------------------------------------------------------

const polling = new Polling(async () => {
  await refresh();
  return !isFinal(app.phase);
});
const views = {};

const wire = () => {
  views.rate = new RatingView(rate);
  views.recommendations = new RecommendationView(app.engine, showError);
  for (const button of byId("nav").children) button.addEventListener("click", () => showView(button.dataset.view));
  byId("error-close").addEventListener("click", hideError);
  byId("skip").addEventListener("click", (event) => {
    event.preventDefault();
    byId("main").focus();
  });
  byId("invitation-form").addEventListener(
    "submit",
    act(async () => {
      await openText(byId("invitation-text").value);
      byId("invitation-text").value = "";
    }),
  );
  byId("invitation-file").addEventListener(
    "change",
    act(async (event) => {
      const [file] = event.target.files;
      event.target.value = "";
      if (file) await openText((await file.slice(0, 1 << 14).text()).slice(0, 1 << 14));
    }),
  );
  byId("send").addEventListener("click", sending(send));
  byId("send-anew").addEventListener("click", sending(send));
  byId("withdraw").addEventListener("click", sending(withdraw));
  byId("trial-known").addEventListener(
    "change",
    act(async () => {
      app.person = { ...app.person, knows: [...(app.person.knows ?? []), app.session.id] };
      await app.store.put("people", app.person);
      byId("trial-box").hidden = true;
      byId("main").focus({ preventScroll: true });
    }),
  );
  byId("check-now").addEventListener("click", act(refresh));
  byId("try-again").addEventListener(
    "click",
    act(() => open(app.person)),
  );
  byId("export").addEventListener("click", act(exportRatings));
  byId("import-file").addEventListener("change", act(importRatings));
  byId("erase").addEventListener("click", () => byId("erase-dialog").showModal());
  byId("erase-cancel").addEventListener("click", () => byId("erase-dialog").close());
  for (const what of ["replace", "switch"]) {
    byId(`${what}-cancel`).addEventListener("click", () => byId(`${what}-dialog`).close());
    byId(`${what}-confirm`).addEventListener("click", () => byId(`${what}-dialog`).close("agreed"));
  }
  byId("erase-confirm").addEventListener("click", act(erase));
  window.addEventListener("hashchange", () => {
    const text = location.hash.slice(1);
    history.replaceState(null, "", location.pathname);
    if (text.includes("ppmf=")) act(() => openText(text))();
  });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && app.client && Date.now() - app.asked > LONG_AGO) refresh().catch(() => {});
  });
  tabs.addEventListener("message", async ({ data }) => {
    if (!app.client || data?.user !== app.person.user) return;
    const fresh = await app.store.ratings(app.person.user);
    app.ratings.clear();
    for (const [item, value] of fresh) app.ratings.set(item, value);
    if (!app.session) return;
    app.last = await app.client.last(app.session);
    if (app.last?.acknowledged) app.receipt = undefined;
    views.rate.search();
    await showSending();
  });
};

const begin = async () => {
  const { fragment, browser } = window.ppmf;
  delete window.ppmf.fragment;
  if (!browser || !(await browser)) return;
  app.store = await Store.open(showErased);
  app.engine = new Engine();
  app.titles = fetchTitles(base);
  wire();
  let failed = null;
  try {
    if (fragment.includes("ppmf=")) await openText(fragment);
  } catch (error) {
    failed = error;
  }
  if (!app.person) {
    const person = await opened();
    if (person) await open(person);
    else showStart();
  }
  if (failed) throw failed;
};

busy(begin).catch((error) => {
  if (root.dataset.state === "loading") root.dataset.state = "start";
  showError(error);
});
