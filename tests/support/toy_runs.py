# SPDX-License-Identifier: Apache-2.0
"""Toy runs for the tests: a session and coins from a label, three parties in one thread."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import RECSYS
from tests.support.sessions import session_of
from tests.support.three_parties import run_epoch


def toy_session(ratings: Ratings, params: Parameters, suite: CipherSuite, label: str) -> Session:
    """The public session of a toy run."""
    nonce = Coins.seeded(f"{label}/session").bytes(16)
    return session_of(params, ratings.users, ratings.items, suite.name, nonce)


def run_toy(
    ratings: Ratings,
    params: Parameters,
    suite: CipherSuite,
    *,
    label: str = "toy",
    transcripts: Path | None = None,
    checkpoints: Path | None = None,
    on_progress: Callable[[Progress], None] = lambda _: None,
) -> ItemProfiles:
    """Train with three parties in this thread; V as RecSys opened it."""
    session = toy_session(ratings, params, suite, label)
    results = run_epoch(
        session,
        suite,
        lambda role: Coins.seeded(f"{label}/{role}"),
        ratings=ratings,
        transcripts=transcripts,
        checkpoints=checkpoints,
        on_progress=on_progress,
    )
    profiles = results[RECSYS]
    assert isinstance(profiles, ItemProfiles)
    return profiles
