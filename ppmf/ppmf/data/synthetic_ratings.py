# SPDX-License-Identifier: Apache-2.0
"""Made-up ratings for machines without network, drawn from a label and the same on every machine.

The model is the usual one of matrix factorisation: r_ij = mean + user bias + item bias + <u_i, v_j>
+ noise, rounded to half-stars and clipped to 0.5..5, seen for a part of the pairs only. The chance
that a pair is rated falls with the ranks of its user and its item, like 1/((rank_i + 20) (rank_j +
10)): few users and few items have most of the ratings, as in real sets. Everything is integer
arithmetic on the bytes of one SHAKE-256 stream, so no platform's floating point can change a single
rating.
"""

from __future__ import annotations

import hashlib
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ppmf_spec.rating_files import RawRatings

LABEL = "ppmf/v1/synthetic"
_RANK = 4
# Scores are in half-stars times 2^16. A sum of 8 bytes has standard deviation 209, so these weights
# make standard deviations of 0.41, 0.46 and 0.71 stars; two factors multiply to 0.33 a coordinate.
_USER_WEIGHT, _ITEM_WEIGHT, _NOISE_WEIGHT = 256, 288, 448
_MEAN = 7 << 16
_CHANCE = 900  # with the ranks' law: about 0.15 of the pairs for 200 x 200
_LARGEST_CHANCE = Fraction(9, 10)


def ratings(users: int = 200, items: int = 200, label: str = LABEL) -> RawRatings:
    """Ratings of `users` by `items` with ids "1", "2", ...; equal arguments, equal ratings.

    The SHAKE-256 stream of the label is used up in this order: 8-byte keys whose order ranks users
    by activity and items by popularity; sums of 8 bytes for user biases, item biases, user factors,
    item factors and noise; a 4-byte lot for each pair, user-major.
    """
    sums = users + items + _RANK * (users + items) + users * items
    stream = hashlib.shake_256(label.encode()).digest(
        8 * (users + items) + 8 * sums + 4 * users * items
    )
    keys = np.frombuffer(stream, dtype="<u8", count=users + items)
    start = keys.nbytes
    raw_sums = np.frombuffer(stream, dtype=np.uint8, count=8 * sums, offset=start)
    centred = raw_sums.reshape(sums, 8).sum(axis=1, dtype=np.int64) - 1020
    lots = np.frombuffer(stream, dtype="<u4", offset=start + 8 * sums).reshape(users, items)

    ends = np.cumsum([users, items, _RANK * users, _RANK * items])
    user_bias, item_bias, user_factors, item_factors, noise = np.split(centred, ends)
    score = (
        _MEAN
        + _USER_WEIGHT * user_bias[:, None]
        + _ITEM_WEIGHT * item_bias[None, :]
        + user_factors.reshape(users, _RANK) @ item_factors.reshape(items, _RANK).T
        + _NOISE_WEIGHT * noise.reshape(users, items)
    )
    half_stars = np.clip((score + (1 << 15)) >> 16, 1, 10)

    law = (_ranks(keys[:users])[:, None] + 20) * (_ranks(keys[users:])[None, :] + 10)
    largest = (_LARGEST_CHANCE.numerator << 32) // _LARGEST_CHANCE.denominator
    seen = lots < np.minimum((_CHANCE << 32) // law, largest)
    user_rows, item_rows = np.nonzero(seen)
    stars = {value: Fraction(value, 2) for value in range(1, 11)}
    return RawRatings(
        users=tuple(str(row + 1) for row in user_rows.tolist()),
        items=tuple(str(row + 1) for row in item_rows.tolist()),
        values=tuple(stars[value] for value in half_stars[seen].tolist()),
        source=f"synthetic ratings ({label})",
    )


def _ranks(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The place of each key in ascending order, from 0."""
    return np.argsort(np.argsort(keys, kind="stable"), kind="stable").astype(np.int64)
