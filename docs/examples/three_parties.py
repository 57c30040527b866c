# SPDX-License-Identifier: Apache-2.0
"""A training by all three parties in one thread, in memory, on nine ratings."""

from __future__ import annotations

import math

import numpy as np

from ppmf_reference import fixed, ratings_from
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.message_plan import limits
from ppmf_secure.protocols.upload import user_rows
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.set_up import agree
from ppmf_secure.transport.stepper import run_together
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS, USERS

STARS = np.array([[5, 4.5, math.nan, 2], [4, math.nan, 1.5, 3], [math.nan, 2, 3.5, 1]])


def train(ratings: Ratings, params: Parameters, suite_name: str) -> ItemProfiles:
    """The item profiles, as RecSys opens them."""
    # Public, and the same for all three: parameters, lists of ids, suite, and the servers' keys.
    chosen = cipher_suite(suite_name)
    agreed = agree(
        params,
        ratings.users,
        ratings.items,
        chosen.name,
        recsys=Coins.system(),
        csp=Coins.system(),
        trial=not chosen.secure,
    )
    session = agreed.session
    keys = agreed.consent_keys  # each user has one, and CSP has them all

    # A program for each party: only the users' has ratings, and each draws coins of its own.
    programs = {
        USERS: users(session, user_rows(ratings), keys, Coins.system()),
        RECSYS: recsys(session, chosen, Coins.system()),
        CSP: csp(session, chosen, Coins.system(), sealing=agreed.sealing, consent_keys=keys),
    }

    # The driver of each program turns what it sends into bytes; here queues carry them.
    results = run_together(programs, session.id, limits=limits(session, chosen, epoch=0))
    profiles = results[RECSYS]
    assert isinstance(profiles, ItemProfiles)
    return profiles


def main() -> None:
    """Train, and compare with the function in the clear."""
    params = Parameters(rank=2, iterations=2)
    ratings = ratings_from(STARS, params)
    # A key so short that the suite is for tests: take rlwe-8192 for anything else.
    profiles = train(ratings, params, "paillier-512-insecure")
    print(profiles.factors)
    print(f"equal to F_fix: {profiles == fixed.train(ratings, params)}")


if __name__ == "__main__":
    main()
