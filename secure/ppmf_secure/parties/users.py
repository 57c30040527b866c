# SPDX-License-Identifier: GPL-3.0-or-later
"""The users, each of whom sends one upload and is then finished."""

from __future__ import annotations

from collections.abc import Iterable

from ppmf_secure.arrays import Words
from ppmf_secure.effects import Phase, Program, Send
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import upload
from ppmf_secure.session.session import Session
from ppmf_spec.roles import RECSYS


def users(session: Session, rows: Iterable[tuple[str, Words]], coins: Coins) -> Program[None]:
    """The program of all users of a run, one after the other, each with coins of their own.

    rows: for each user their id and their rows (2, items), as `protocols.upload.upload` takes them.
    """
    yield Phase("upload", 0, session.half_steps)
    for user, theirs in rows:
        yield Send(RECSYS, upload(session, user, theirs, Coins(coins.bytes(32))))
