# SPDX-License-Identifier: Apache-2.0
"""Figures and demonstrations of the pages on limits and on the audit."""

from __future__ import annotations

from functools import cache

import numpy as np

from ppmf_docs.tables import count, table
from ppmf_docs.toy_training import RATINGS, STARS
from ppmf_reference import fixed, ratings_from
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters

UNRATED = "dune"
SETTING = Parameters(rank=2, iterations=2)
"""Defaults but for the size."""


@cache
def largest_rows() -> str:
    """The number of rows that a side may have with default parameters: exact, by bisection."""
    low, high = 1, 1 << 31
    while high - low > 1:
        middle = (low + high) // 2
        try:
            bounds(Parameters(), middle, middle)
        except ParametersError:
            high = middle
        else:
            low = middle
    return count(low)


def unrated() -> str:
    """V of the worked example's ratings and of others, with one more item that nobody rated."""
    items = (*RATINGS.items, UNRATED)
    gap = np.full((len(STARS), 1), np.nan)
    others = np.where(np.isnan(STARS), np.nan, 5.5 - STARS)
    runs = [
        fixed.train(
            ratings_from(np.hstack([stars, gap]), SETTING, users=RATINGS.users, items=items),
            SETTING,
        )
        for stars in (STARS, others)
    ]
    rows = []
    for row, name in enumerate(items):
        cells = []
        for run in runs:
            assert run.bias is not None, "the example has biases"
            words = (*run.factors[row].tolist(), int(run.bias[row]))
            cells.append(", ".join(f"{word:,}".replace("-", "−") for word in words))
        rows.append([name, *cells, "equal" if cells[0] == cells[1] else ""])
    return table(["item", "V from the ratings", "V from other ratings", ""], rows)
