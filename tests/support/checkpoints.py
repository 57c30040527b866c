# SPDX-License-Identifier: Apache-2.0
"""Checkpoints of a small session, filled with random shares."""

from __future__ import annotations

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.checkpoint import Checkpoint, SavedSide
from ppmf_spec.parameters import Parameters
from tests.support.sessions import session_of

SESSION = session_of(Parameters(rank=2, bias=False), ("1", "2"), ("7", "8", "9"))
COINS = Coins.seeded("checkpoints")


def side(rows: int) -> SavedSide:
    bits = COINS.bits((SESSION.parameters.word_bits, 2 * rows))
    return SavedSide(COINS.words((2, rows)), COINS.words((2, rows)), bits)


def checkpoint(iteration: int, first: int = 0) -> Checkpoint:
    """The checkpoint after that iteration, with a lineage that begins with the byte `first`."""
    return Checkpoint(iteration, bytes([first]) + COINS.bytes(31), side(2), side(3))
