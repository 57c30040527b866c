// SPDX-License-Identifier: Apache-2.0
// What a server is made of before it sends anything.

import { Coins } from "./coins.mjs";
import { suiteOf } from "./encryption.mjs";
import { Link } from "./link.mjs";
import { longestMessages, sizesOf } from "./sizes.mjs";

// What a server keeps for later epochs (PPMF-RES-015): the highest number of an epoch, its bits of the ratings and the digest
// of closing and admission, once the ratings are complete, and checkpoints.
const nothing = () => ({ last: 0, bits: null, decision: null, checkpoints: [] });

// A server of a session, in the epoch after what it kept.
export const newServer = (me, session, mailbox, label, kept) => {
  const peer = me === "csp" ? "recsys" : "csp";
  const sizes = sizesOf(session);
  const suite = suiteOf(session.suite, sizes);
  const place = { session: session.id, epoch: kept ? kept.last + 1 : 0 };
  const link = new Link(mailbox, peer, place, longestMessages(sizes, session.suite, suite, me, place.epoch));
  const coins = new Coins(label === undefined ? undefined : `${me}/${label}`);
  return {
    me,
    peer,
    session,
    sizes,
    suite,
    suiteName: session.suite,
    place,
    link,
    coins,
    mailbox,
    kept: kept ?? nothing(),
  };
};

// The party's clock, in seconds (chapter 4, "Who takes part").
export const timeOf = () => Math.floor(Date.now() / 1000);
