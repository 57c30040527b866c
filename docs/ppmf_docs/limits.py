# SPDX-License-Identifier: Apache-2.0
"""Figures and demonstrations of the pages on limits and on the audit."""

from __future__ import annotations

from functools import cache

import numpy as np

from ppmf_docs.tables import count, table
from ppmf_docs.toy_training import RATINGS, STARS
from ppmf_reference import fixed, ratings_from
from ppmf_secure.protocols.ratings_product import orientations
from ppmf_secure.protocols.suite_choice import LATTICE
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters

UNRATED = "dune"
SETTING = Parameters(rank=2, iterations=2)
"""Defaults but for the size."""


@cache
def largest_rows(suite: str) -> int:
    """The number of rows that both sides may have with default parameters: exact, by bisection.

    suite: a cipher suite's name. What stops a larger run is the ring (PPMF-PAR-015 to
    PPMF-PAR-018) or the suite's ciphertexts (PPMF-SES-003), whichever comes first.
    """
    products = cipher_suite(suite).products
    low, high = 1, 1 << 31
    while high - low > 1:
        middle = (low + high) // 2
        try:
            bounds(Parameters(), middle, middle)
            both = orientations(Parameters(), middle, middle)
            products.fit([orientation.layout for orientation in both])
        except ParametersError:
            high = middle
        else:
            low = middle
    return low


@cache
def longest_row() -> int:
    """The most ratings of a row for which no step is 0 with default parameters, by bisection.

    Steps get shorter as rows get longer; beyond this PPMF-PAR-019 warns.
    """
    low, high = 1, 1 << 20
    while high - low > 1:
        middle = (low + high) // 2
        if bounds(Parameters(), middle, middle).warnings:
            high = middle
        else:
            low = middle
    return low


def ratings_of_a_row() -> str:
    """What the default parameters' steps allow."""
    return count(longest_row())


def largest_rows_of_the_default_suite() -> str:
    """What the default cipher suite allows."""
    return count(largest_rows(LATTICE))


def largest_rows_of_paillier() -> str:
    """What the ring allows; the Paillier suites set no limit of their own below it."""
    return count(largest_rows("paillier-3072"))


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
        rows.append([name, *cells, "equal" if cells[0] == cells[1] else "different"])
    return table(["item", "V from the ratings", "V from other ratings", "the two"], rows)
