// SPDX-License-Identifier: GPL-3.0-or-later
// The phases of a session (chapter 8, "Sessions") as users are told them.

import { byId, el, setText, time } from "./dom.mjs";

const STEPS = [
  ["open", "Ratings are collected"],
  ["closed", "Who takes part is decided"],
  ["setting-up", "The training is set up"],
  ["training", "The servers train together"],
  ["finished", "Recommendations are here"],
];
const FINAL = ["finished", "failed", "abandoned"];
const KEPT = "Your ratings are still on this device, for the next one.";

export const isFinal = (phase) => FINAL.includes(phase);

// Whether RecSys takes uploads now, by this device's clock.
export const takes = ({ phase, session }) =>
  phase === "open" && (!session.closes || Date.now() < 1000 * session.closes);

const line = (state) => {
  const { phase, tenths, session } = state;
  if (phase === "open" && !takes(state)) return "Collecting is over; the training begins soon.";
  return (
    {
      open: `Collecting ratings ${session.closes ? `until ${time(session.closes)}` : "until RecSys closes it"}.`,
      closed: "Collecting is over; the training begins soon.",
      "setting-up": "The servers prepare the training.",
      training: `The servers train: ${10 * tenths} % done.`,
      finished: "The training is finished.",
      failed: `The training failed. ${KEPT}`,
      abandoned: `The training was given up. ${KEPT}`,
    }[phase] ?? "How far the training is cannot be told."
  );
};

export const showPhase = (state) => {
  const node = byId("phase");
  node.hidden = false;
  node.dataset.phase = state.phase;
  node.dataset.tenths = state.tenths;
  setText(node, line(state));
  const reached = STEPS.findIndex(([phase]) => phase === state.phase);
  byId("steps").hidden = reached < 0;
  byId("steps").replaceChildren(
    ...STEPS.map(([, text], at) =>
      el(
        "li",
        { class: at < reached || isFinal(state.phase) ? "done" : "", "aria-current": at === reached ? "step" : null },
        text,
      ),
    ),
  );
  byId("progress-box").hidden = state.phase !== "training";
  byId("progress").value = state.tenths;
};
