# SPDX-License-Identifier: GPL-3.0-or-later
"""The users, each of whom sends one upload and is then finished."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ppmf_secure.effects import Phase, Program, Send
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.admission import check_time
from ppmf_secure.protocols.upload import upload
from ppmf_secure.session.session import Session
from ppmf_spec.roles import RECSYS


def users(
    session: Session,
    rows: Iterable[tuple[str, Row]],
    consent_keys: Mapping[str, bytes],
    coins: Coins,
) -> Program[None]:
    """The program of all users of a run, one after the other, each with coins of their own.

    rows: for each user their id and what they rated. consent_keys: by their ids.
    """
    yield from check_time(session)
    yield Phase("upload", 0, session.half_steps)
    for user, row in rows:
        own = Coins(coins.bytes(32))
        yield Send(RECSYS, upload(session, user, 1, row, consent_keys[user], own))
