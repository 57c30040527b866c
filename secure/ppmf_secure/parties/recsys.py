# SPDX-License-Identifier: GPL-3.0-or-later
"""RecSys, which takes in the users' uploads, evaluates what CSP garbles, and learns V."""

from __future__ import annotations

from ppmf_secure.effects import Phase, Program
from ppmf_secure.parties.training import train
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols.admission import check_time, take_uploads
from ppmf_secure.protocols.observer import Observer, nobody
from ppmf_secure.protocols.output import receive_output
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.session.checkpoint import Kept, read_ratings
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import RECSYS


def recsys(
    session: Session,
    suite: CipherSuite,
    coins: Coins,
    *,
    grace: int = 0,
    epoch: int = 0,
    kept: Kept | None = None,
    observer: Observer = nobody,
    workers: Workers | None = None,
    room: Room = MEMORY,
) -> Program[ItemProfiles]:
    """The program of RecSys in one epoch. Its result is V, which RecSys publishes (PPMF-UPL-016).

    grace: for how many seconds users may replace their uploads when all are there.
    kept: what earlier epochs kept, for a later one; no user uploads twice.
    observer: whom it tells its shares after each stage, in the trace of a conformance adapter.
    workers: those of this server, if it has any. room: where encrypted matrices lie.
    """
    fitted_scheme(session, suite)
    yield from check_time(session)
    yield Phase("keys", 0, session.half_steps)
    if kept is None:
        shares = yield from take_uploads(session, grace)
    else:
        shares = read_ratings(session, kept.ratings)
    labels = yield from train(
        RECSYS,
        session,
        suite,
        shares,
        coins,
        epoch=epoch,
        kept=kept,
        observer=observer,
        workers=workers,
        room=room,
    )
    yield Phase("output", session.half_steps, session.half_steps)
    return (yield from receive_output(session, labels))
