# SPDX-License-Identifier: GPL-3.0-or-later
"""Ratings as each user holds them: her two rows over the catalogue."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ppmf_secure.primitives.shares import Words
from ppmf_spec.ratings import Ratings


def user_rows(ratings: Ratings) -> Iterator[tuple[str, Words]]:
    """(user id, rows (2, items)) of every user on the list: w, and x mod 2^64 where rated
    (PPMF-UPL-001).
    """
    order = np.argsort(ratings.user, kind="stable")
    ends = np.searchsorted(ratings.user[order], np.arange(1, ratings.n_users))
    for user, hers in zip(ratings.users, np.split(order, ends), strict=True):
        rows = np.zeros((2, ratings.n_items), dtype=np.uint64)
        rows[0, ratings.item[hers]] = 1
        rows[1, ratings.item[hers]] = ratings.value[hers].astype(np.uint64)
        yield user, rows
