// SPDX-License-Identifier: GPL-3.0-or-later
// Elements of the page. Texts become text nodes alone: nothing that comes from outside is ever read as HTML.

export const byId = (id) => document.getElementById(id);

// An element with attributes (functions are listeners, null and false are left out) and children.
export const el = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (typeof value === "function") made.addEventListener(key, value);
    else if (value === true) made.setAttribute(key, "");
    else if (value !== null && value !== false && value !== undefined) made.setAttribute(key, `${value}`);
  }
  made.append(...children.filter((child) => child !== null));
  return made;
};

// Text, only if it is another one: a live region then says nothing twice.
export const setText = (node, text) => {
  if (node.textContent !== text) node.textContent = text;
};

export const number = (value) => value.toLocaleString("en");

export const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;

// A time in seconds as people read it; 0 is none.
export const time = (seconds) =>
  new Date(1000 * seconds).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });

const root = document.documentElement;
let under = 0;

// What `call` does, with the page marked as busy meanwhile.
export const busy = async (call) => {
  under += 1;
  root.dataset.busy = "1";
  try {
    return await call();
  } finally {
    under -= 1;
    if (!under) root.dataset.busy = "0";
  }
};
