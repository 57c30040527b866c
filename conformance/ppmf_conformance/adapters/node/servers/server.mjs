// SPDX-License-Identifier: Apache-2.0
// What a server is made of before it sends anything.

import { Coins } from "./coins.mjs";
import { suiteOf } from "./encryption.mjs";
import { Link } from "./link.mjs";
import { longestMessages, sizesOf } from "./sizes.mjs";

// PPMF-SES-003: a session that does not fit its suite is refused here.
export const newServer = (me, session, mailbox, label) => {
  const peer = me === "csp" ? "recsys" : "csp";
  const sizes = sizesOf(session);
  const suite = suiteOf(session.suite, sizes);
  const place = { session: session.id, epoch: 0 };
  const link = new Link(mailbox, peer, place, longestMessages(sizes, session.suite, suite, me));
  const coins = new Coins(label === undefined ? undefined : `${me}/${label}`);
  return { me, peer, session, sizes, suite, suiteName: session.suite, place, link, coins, mailbox };
};

// The party's clock, in seconds (chapter 4, "Who takes part").
export const timeOf = () => Math.floor(Date.now() / 1000);
