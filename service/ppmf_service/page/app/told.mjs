// SPDX-License-Identifier: GPL-3.0-or-later
// Errors whose text is a sentence for the user, and the sentence of any other one.

import { Refusal } from "../users/refusal.mjs";

// unreachable: there was no answer, so that the same may go well later.
export class Told extends Error {
  constructor(message, { unreachable = false } = {}) {
    super(message);
    this.unreachable = unreachable;
  }
}

const OF_CLASS = {
  encoding: "is not of the form that it must have",
  range: "holds something that is out of its range",
  parameters: "has parameters that are not allowed",
  state: "does not belong to this session or to your invitation",
  peer: "did not come",
};

// The sentence of an error about `what`, such as "The session of RecSys"; nothing of a program's own words is shown.
export const sentence = (error, what = "What the page was given") => {
  if (error instanceof Told) return error.message;
  if (error instanceof Refusal) return `${what} ${OF_CLASS[error.kind] ?? OF_CLASS.encoding}, so it is not used.`;
  console.error(error?.stack ?? error); // a fault of the program, for those who mend it
  return "Something failed in this page: reload it, and try again. Your ratings are kept.";
};

// What `call` gives; its refusals are told as sentences about `what`.
export const about = async (what, call) => {
  try {
    return await call();
  } catch (error) {
    throw error instanceof Refusal ? new Told(sentence(error, what)) : error;
  }
};
