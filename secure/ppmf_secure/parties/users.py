# SPDX-License-Identifier: GPL-3.0-or-later
"""The users, each of whom sends one upload and is then finished."""

from __future__ import annotations

from collections.abc import Iterable

from ppmf_secure.arrays import Words
from ppmf_secure.effects import Phase, Program, Send, receive
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import check_key
from ppmf_secure.protocols.upload import upload
from ppmf_secure.session.session import Session
from ppmf_spec.roles import CSP, RECSYS
from ppmf_spec.wire import UserKey


def users(session: Session, rows: Iterable[tuple[str, Words]], coins: Coins) -> Program[None]:
    """The program of all users of a run, one after the other, each with coins of their own.

    rows: for each user their id and their rows (2, items), as `protocols.upload.upload` takes them.
    """
    yield Phase("upload", 0, session.half_steps)
    message = yield from receive(CSP, UserKey)
    key = check_key(message.key, "CSP's key for seals")
    for user, theirs in rows:
        yield Send(RECSYS, upload(session, user, theirs, key, Coins(coins.bytes(32))))
