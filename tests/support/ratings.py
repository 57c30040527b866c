# SPDX-License-Identifier: Apache-2.0
"""Ratings from a table, with numbered ids, and files of ratings from their text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from ppmf_spec.ratings import Ratings

Table = Mapping[tuple[int, int], int]
"""x at scale fr, by (user row, item row)."""


def ratings_of(n_users: int, n_items: int, table: Table) -> Ratings:
    """Ratings of the users 1..n and the items 1..m."""
    pairs = sorted(table)
    return Ratings(
        users=tuple(str(i + 1) for i in range(n_users)),
        items=tuple(str(j + 1) for j in range(n_items)),
        user=np.array([i for i, _ in pairs], dtype=np.int64),
        item=np.array([j for _, j in pairs], dtype=np.int64),
        value=np.array([table[pair] for pair in pairs], dtype=np.int64),
    )


def ratings_file(folder: Path, text: str | bytes) -> Path:
    """A file of that content, whose name says nothing of its layout."""
    path = folder / "ratings"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path
