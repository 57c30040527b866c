# SPDX-License-Identifier: GPL-3.0-or-later
"""CSP, the crypto-service provider: holds the users' key, garbles, learns nothing (section 5)."""

from __future__ import annotations

from functools import partial

import numpy as np

from ppmf_secure.ahe.paillier_keys import SecretKey
from ppmf_secure.checkpoint import Kept, RatingShares, read_ratings, write_ratings
from ppmf_secure.coins import Coins
from ppmf_secure.garbling import permute_bits
from ppmf_secure.program import CSP, RECSYS, USERS, Keep, Phase, Program, Send, receive
from ppmf_secure.server import check_session, train
from ppmf_secure.session import Session
from ppmf_secure.shares import check_length
from ppmf_secure.suites import SuiteChoice
from ppmf_secure.user import expand_seed, open_seed
from ppmf_spec import wire


def csp(
    session: Session, suite: SuiteChoice, coins: Coins, *, epoch: int = 0, kept: Kept | None = None
) -> Program[None]:
    """CSP's whole program. It ends with the only opening: its XOR share of V, to RecSys.

    A later epoch takes up what an earlier one `kept`, under a new key: no user is asked twice.
    """
    check_session(session, suite)
    yield Phase("keys", 0, session.half_steps)
    key = SecretKey.generate(suite.transfer_bits, coins)
    if kept is None:
        shares = yield from _take_seeds(session, suite, key)
    else:
        shares = read_ratings(session, kept.ratings)
    labels = yield from train(CSP, session, suite, key, shares, coins, epoch=epoch, kept=kept)
    yield Phase("output", session.half_steps, session.half_steps)
    bits = np.packbits(permute_bits(labels).ravel(), bitorder="little")
    yield Send(RECSYS, wire.OutputShare(bits.tobytes()))


def _take_seeds(session: Session, suite: SuiteChoice, key: SecretKey) -> Program[RatingShares]:
    """Give the users a key, and open the seeds that come back through RecSys."""
    for receiver in (RECSYS, USERS):
        yield Send(receiver, wire.UserKey(key.public.to_bytes()))
    yield Phase("upload", 0, session.half_steps)
    message = yield from receive(RECSYS, wire.SealedSeeds)
    shares = _shares(session, suite, key, message.sealed)
    yield Keep("ratings", None, partial(write_ratings, session, shares))
    return shares


def _shares(session: Session, suite: SuiteChoice, key: SecretKey, sealed: bytes) -> RatingShares:
    """CSP's share of the ratings: the users' masks, from their seeds."""
    size = suite.sealed_bytes
    check_length(sealed, size * len(session.users), "sealed seeds")
    masks = np.empty((2, len(session.users), len(session.items)), dtype=np.uint64)
    for row, user in enumerate(session.users):
        seed = open_seed(session, user, key, sealed[row * size : (row + 1) * size])
        masks[:, row] = expand_seed(session, user, seed)
    return RatingShares(*masks)
