# SPDX-License-Identifier: GPL-3.0-or-later
"""CSP, the crypto-service provider, which opens the users' seals, garbles, and learns nothing."""

from __future__ import annotations

from collections.abc import Mapping

from ppmf_secure.effects import Phase, Program
from ppmf_secure.parties.training import train
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.protocols.admission import check_time, take_closing
from ppmf_secure.protocols.observer import Observer, nobody
from ppmf_secure.protocols.output import send_output
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.session.checkpoint import Kept, read_ratings
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP


def csp(
    session: Session,
    suite: CipherSuite,
    coins: Coins,
    *,
    sealing: SealingKey | None = None,
    consent_keys: Mapping[str, bytes] | None = None,
    epoch: int = 0,
    kept: Kept | None = None,
    observer: Observer = nobody,
    workers: Workers | None = None,
    room: Room = MEMORY,
) -> Program[None]:
    """The program of CSP in one epoch. It ends by sending its Boolean share of V to RecSys.

    sealing: the session's key pair for seals, and consent_keys: those of the users, both for the
    first epoch.
    kept: what earlier epochs kept, for a later one, which has new keys; no user uploads twice.
    observer: whom it tells its shares after each stage, in the trace of a conformance adapter.
    workers: those of this server, if it has any. room: where encrypted matrices lie.
    """
    fitted_scheme(session, suite)
    yield from check_time(session)
    yield Phase("keys", 0, session.half_steps)
    if kept is None:
        if sealing is None or sealing.public != session.sealing_key:
            raise StateError("CSP has not the key pair for the seals of this session")
        consent_keys = consent_keys or {}
        if lacking := len(set(session.users) - consent_keys.keys()):
            raise StateError(f"CSP lacks the consent keys of {lacking} users of this session")
        shares = yield from take_closing(session, sealing, consent_keys)
    else:
        shares = read_ratings(session, kept.ratings)
    labels = yield from train(
        CSP,
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
    yield from send_output(labels)
