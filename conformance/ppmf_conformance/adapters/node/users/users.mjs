// SPDX-License-Identifier: Apache-2.0
// All users of a session as one party, each of whom uploads once and is finished.

import { ratings } from "./ratings.mjs";
import { upload } from "./upload.mjs";

// The bytes of all uploads. `given` are the ratings by id, [user, item, rating]; `draw` is as in upload.mjs.
export const uploads = async (session, given, consentKeys, draw) => {
  const { users, items, p } = session;
  const { cells } = ratings({ users, items, ratings: given }, p);
  const made = [];
  for (const [row, user] of users.entries()) {
    const own = cells.filter((cell) => cell.row === row).map(({ column, x }) => [column, x]);
    made.push(await upload(session, user, own, consentKeys[row], 1n, draw));
  }
  return made;
};
