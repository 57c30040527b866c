# SPDX-License-Identifier: Apache-2.0
"""Sessions for tests: fixed keys of both servers, and everything else as a test wants it."""

from __future__ import annotations

import hashlib
from typing import Any

from ppmf_secure.primitives.base_transfers import fresh_secret, write_point
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.session.session import Acceptance, Proposal, Session
from ppmf_secure.session.set_up import SignedSession, sign
from ppmf_spec.parameters import Parameters

SEALING = SealingKey.generate(Coins.seeded("tests/sealing"))
"""CSP's key pair for seals, in every session of `session_of`."""

SIGNING = {name: fresh_secret(Coins.seeded(f"tests/{name}")) for name in ("recsys", "csp")}
"""The servers' keys for signatures."""

POINTS = {name: write_point(key.public_key()) for name, key in SIGNING.items()}


def session_of(
    params: Parameters,
    users: tuple[str, ...],
    items: tuple[str, ...],
    suite: str = "ideal",
    nonce: bytes = bytes(16),
    **more: Any,
) -> Session:
    """A session of fixed keys. nonce: RecSys'. more: other members of the proposal."""
    proposed = {"trial": True, **more}
    proposal = Proposal(params, users, items, suite, POINTS["recsys"], nonce, **proposed)
    return Session(proposal, Acceptance(POINTS["csp"], bytes(range(16)), SEALING.public))


def consent_keys(session: Session) -> dict[str, bytes]:
    """The consent keys of a session's users, which follow from their ids."""
    return {user: hashlib.sha256(user.encode()).digest() for user in session.users}


def signed(session: Session) -> SignedSession:
    """A session of `session_of` with the signatures of both servers."""
    return SignedSession(session, *(sign(SIGNING[name], session.id) for name in ("recsys", "csp")))
