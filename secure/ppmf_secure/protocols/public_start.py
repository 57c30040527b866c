# SPDX-License-Identifier: GPL-3.0-or-later
"""The public start of the model, which both servers compute (chapter 2, "The start")."""

from __future__ import annotations

import hashlib

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_spec.parameters import Parameters


def public_start(params: Parameters, users: int, items: int) -> tuple[Words, Words]:
    """The start of both sides, (D, users) and (D, items), at scale f as ring elements
    (PPMF-FIX-010, -011).
    """
    count = (users + items) * params.rank
    seed = b"ppmf/v1/init/" + params.seed.encode()
    drawn = np.frombuffer(hashlib.shake_256(seed).digest(count), dtype=np.uint8)
    entries = (drawn.astype(np.int64) - 128) << (params.frac_bits - 8)
    both = np.zeros((params.row_rank, users + items), dtype=np.uint64)
    both[: params.rank] = entries.reshape(users + items, params.rank).T.astype(np.uint64)
    return both[:, :users].copy(), both[:, users:].copy()
