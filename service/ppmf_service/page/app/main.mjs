// SPDX-License-Identifier: GPL-3.0-or-later
// The page for users: from the invitation to recommendations. Ratings stay on the device, but for the one message that
// the user sends; nothing is asked of any other address than RecSys' own and, for the session, CSP's.

import { Client, madeOf } from "./client.mjs";
import { busy, byId, el, number, plural, setText, time } from "./dom.mjs";
import { Engine, trusted } from "./engine.mjs";
import * as files from "./files.mjs";
import { checkAddress, halvesIn, whole, withHalves } from "./invitation.mjs";
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
  titles: new Map(),
  trained: null, // the id of the session whose V was read
  asked: 0,
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
  new Map([...app.ratings].filter(([item]) => app.catalogue.rowOf.has(item)).sort(([one], [other]) => (one < other ? -1 : 1)));

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
  if (name === "recommendations") recommend();
};
const isShown = (name) => !byId(`view-${name}`).hidden;

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
  elsewhere: "Something newer was sent in your name from elsewhere; sending replaces it.",
  lost: "RecSys says that it has nothing from you: send it again.",
};
const SEND = { none: "Send", changed: "Replace what was sent", elsewhere: "Replace what was sent" };

const showSending = async () => {
  const state = await sentState();
  const open = takes(app);
  const own = usable();
  byId("rated-count").dataset.count = own.size;
  setText(byId("rated-count"), `You have rated ${number(own.size)} of ${plural(app.catalogue.items.length, "title")}.`);
  byId("sent-state").dataset.state = state;
  setText(byId("sent-state"), SENT[state] + (open ? "" : " This session takes no ratings any more."));
  byId("send").hidden = !open;
  byId("send").textContent = SEND[state] ?? "Send again";
  byId("send").disabled = !own.size;
  byId("withdraw").hidden = !open || ["none", "withdrawn", "lost"].includes(state);
  byId("leaves").dataset.bytes = app.session.bytes;
  setText(
    byId("leaves"),
    `Sending takes ${plural(app.session.bytes, "byte")} from this device, however much you rate: your ratings, hidden from RecSys, and their key, hidden from everybody but CSP.`,
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

const showAll = async () => {
  root.dataset.state = "ready";
  byId("start").hidden = true;
  byId("nav").hidden = false;
  byId("trial").hidden = !app.session.trial;
  if (!VIEWS.some(isShown)) showView("rate", false);
  showPhase(app);
  showFacts();
  await showSending();
};

const showStart = (text = "") => {
  root.dataset.state = "start";
  byId("start").hidden = false;
  byId("nav").hidden = true;
  byId("phase").hidden = true;
  byId("trial").hidden = true;
  for (const one of VIEWS) byId(`view-${one}`).hidden = true;
  byId("half-waiting").hidden = !text;
  setText(byId("half-waiting"), text);
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
    app.catalogue = new Catalogue(session.items, app.titles);
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
  if (!found.current) throw new Told(found.refused || "RecSys has no session for your invitation yet: come back later.");
  const { session, phase } = found.current;
  await take(session, phase);
  const [{ tenths, phase: now }, receipt] = await Promise.all([client.status(session), client.receipt(session)]);
  Object.assign(app, { tenths, phase: now, receipt, asked: Date.now() });
  const uploads = await app.store.all("uploads");
  app.before = uploads.some((one) => one.user === app.person.user && one.session !== session.id);
  app.person = { ...app.person, current: session.id, trained: found.trained?.session.id ?? app.person.trained ?? null };
  await app.store.put("people", app.person);
  await showAll();
  if (found.refused) showError(new Told(found.refused));
  if (found.trained) await learn(found.trained.session);
  else if (isShown("recommendations")) await recommend();
  if (isFinal(app.phase)) polling.end();
  else polling.begin();
};

// Without a network: what is kept of the last visit.
const fall = async (error) => {
  if (app.session) throw error;
  const { current, trained } = app.person;
  const session = await fromKept(current).catch(() => null);
  if (!session) throw error;
  await take(session, trained === current ? "finished" : "unknown");
  await showAll();
  const kept = trained && (await app.store.get("profiles", trained));
  if (!kept) throw error;
  await app.engine.profiles({ id: trained, bytes: kept.bytes });
  app.trained = trained;
  showError(error);
};

const open = async (person) => {
  app.person = person;
  await app.store.put("settings", { name: "current", value: person.user });
  const invitation = whole(person);
  Object.assign(app, { session: null, trained: null, last: null, receipt: undefined, client: null });
  polling.end();
  if (!invitation) {
    const missing = person.recsys ? "the enroller's" : "RecSys'";
    showStart(`One half of your invitation is here. Now open ${missing} half in this browser, too.`);
    return;
  }
  showStart("Your invitation is whole. The session is being fetched from both servers.");
  checkAddress(invitation, base);
  const { store, engine } = app;
  app.client = new Client({ invitation, store, engine });
  app.ratings = await store.ratings(person.user);
  app.titles = await fetchTitles(base);
  try {
    await refresh();
  } catch (error) {
    await fall(error);
  }
};

const openText = async (text) => {
  const halves = halvesIn(text);
  const users = new Set(halves.map((half) => half.user));
  if (users.size > 1) throw new Told("These two halves are of two different invitations: ask those who sent them.");
  if (new Set(halves.map((half) => half.from)).size < halves.length)
    throw new Told("Both are halves of the same sender: the other sender's half is missing.");
  const [user] = users;
  const before = await app.store.get("people", user);
  const person = withHalves(before ?? { user, recsys: null, csp: null }, halves);
  await app.store.put("people", person);
  await open(person);
};

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
  const { before } = await app.client.submit(app.session, usable());
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
  polling.end();
  await app.store.erase();
  location.replace(base);
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
  byId("check-now").addEventListener("click", act(refresh));
  byId("export").addEventListener("click", act(exportRatings));
  byId("import-file").addEventListener("change", act(importRatings));
  byId("erase").addEventListener("click", () => byId("erase-dialog").showModal());
  byId("erase-cancel").addEventListener("click", () => byId("erase-dialog").close());
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
  app.store = await Store.open(() => location.replace(base));
  app.engine = new Engine();
  wire();
  if (fragment.includes("ppmf=")) {
    await openText(fragment);
    return;
  }
  const current = await app.store.get("settings", "current");
  const person = current && (await app.store.get("people", current.value));
  if (person) await open(person);
  else showStart();
};

busy(begin).catch((error) => {
  if (root.dataset.state === "loading") showStart();
  showError(error);
});
