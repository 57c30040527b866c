# SPDX-License-Identifier: GPL-3.0-or-later
"""CSP, the crypto-service provider: opens the users' seals, garbles, learns nothing (section 5)."""

from __future__ import annotations

from functools import partial

import numpy as np

from ppmf_secure.effects import CSP, RECSYS, USERS, Keep, Phase, Program, Send, receive
from ppmf_secure.parties.training import check_session, train
from ppmf_secure.parties.users import SEALED_BYTES, expand_seed, open_seed
from ppmf_secure.primitives.circuits.half_gates import permute_bits
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.primitives.shares import check_length
from ppmf_secure.session.checkpoint import Kept, RatingShares, read_ratings, write_ratings
from ppmf_secure.session.cipher_suites import SuiteChoice
from ppmf_secure.session.session import Session
from ppmf_spec import wire


def csp(
    session: Session, suite: SuiteChoice, coins: Coins, *, epoch: int = 0, kept: Kept | None = None
) -> Program[None]:
    """CSP's whole program. It ends with the only opening: its XOR share of V, to RecSys.

    A later epoch takes up what an earlier one `kept`, under a new key: no user is asked twice
    (PPMF-OUT-001, -002).
    """
    check_session(session, suite)
    yield Phase("keys", 0, session.half_steps)
    transfer_key = SecretKey.generate(suite.transfer_bits, coins)
    if kept is None:
        shares = yield from _take_seeds(session, SealingKey.generate(coins))
    else:
        shares = read_ratings(session, kept.ratings)
    labels = yield from train(
        CSP, session, suite, transfer_key, shares, coins, epoch=epoch, kept=kept
    )
    yield Phase("output", session.half_steps, session.half_steps)
    bits = np.packbits(permute_bits(labels).ravel(), bitorder="little")
    yield Send(RECSYS, wire.OutputShare(bits.tobytes()))


def _take_seeds(session: Session, key: SealingKey) -> Program[RatingShares]:
    """Give the users a key, and open the seeds that come back through RecSys (PPMF-UPL-009)."""
    yield Send(USERS, wire.UserKey(key.public))
    yield Phase("upload", 0, session.half_steps)
    message = yield from receive(RECSYS, wire.SealedSeeds)
    shares = _shares(session, key, message.sealed)
    yield Keep("ratings", None, partial(write_ratings, session, shares))
    return shares


def _shares(session: Session, key: SealingKey, sealed: bytes) -> RatingShares:
    """CSP's share of the ratings: the users' masks, from their seeds."""
    check_length(sealed, SEALED_BYTES * len(session.users), "sealed seeds")
    masks = np.empty((2, len(session.users), len(session.items)), dtype=np.uint64)
    for row, user in enumerate(session.users):
        hers = sealed[row * SEALED_BYTES : (row + 1) * SEALED_BYTES]
        seed = open_seed(session, user, key, hers)
        masks[:, row] = expand_seed(session, user, seed)
    return RatingShares(*masks)
