// SPDX-License-Identifier: GPL-3.0-or-later
// Opening invitations: halves in links, lines, files and texts, and whose invitation is whole.

import { join, readHalf, writeHalf } from "../users/invitations.mjs";
import { Told } from "./told.mjs";

const NONE = "This is no invitation: paste the whole link or line that you were sent.";

// The halves in a text: each stands by itself, or after the # of a link, or both in one link with a `;` between
// (PPMF-PAGE-002).
export const halvesIn = (text) => {
  if (text.length > 1 << 14) throw new Told(NONE);
  const parts = text.split(/[\s;]+/).filter((part) => part.includes("ppmf="));
  if (!parts.length) throw new Told(NONE);
  return parts.map((part) => {
    try {
      return readHalf(part);
    } catch {
      throw new Told("This invitation was cut or changed on its way: copy the whole link or line again.");
    }
  });
};

// The halves of a person as they are kept, with new ones in the place of old ones.
export const withHalves = (person, halves) => {
  const kept = { ...person };
  for (const half of halves) kept[half.from] = writeHalf(half);
  return kept;
};

// Whether one of these halves would take the place of another one that is kept: any page of the web can open a link here.
export const replaces = (person, halves) =>
  halves.some((half) => Boolean(person?.[half.from]) && person[half.from] !== writeHalf(half));

// The invitation of a person both of whose halves are there, or null.
export const whole = (person) =>
  person?.recsys && person.csp ? join(readHalf(person.recsys), readHalf(person.csp)) : null;

// RecSys' address must be where this page is from: it may reach no other one. And no policy can let a page to a bare
// address of IPv6.
export const checkAddress = (invitation, base) => {
  if (`${invitation.recsys}/` !== base)
    throw new Told(`This invitation is for another page: open your links at ${invitation.recsys}/ instead.`);
  if (new URL(invitation.csp).host.startsWith("["))
    throw new Told("No page can reach CSP at the address of your invitation: take part with the program ppmf instead.");
};
