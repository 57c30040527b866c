# SPDX-License-Identifier: Apache-2.0
"""Toys: small rating sets and parameter sets of every kind, for the oracle's property tests."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

RatingsOf = Callable[[int, int, Mapping[tuple[int, int], int]], Ratings]


def make_ratings(users: int, items: int, entries: Mapping[tuple[int, int], int]) -> Ratings:
    pairs = np.array(sorted(entries), dtype=np.int64).reshape(-1, 2)
    values = np.array([entries[pair] for pair in sorted(entries)], dtype=np.int64)
    names = [tuple(str(row) for row in range(1, size + 1)) for size in (users, items)]
    return Ratings(names[0], names[1], pairs[:, 0], pairs[:, 1], values)


@st.composite
def parameter_sets(draw: Callable[[Any], Any]) -> Parameters:
    ridge = draw(st.integers(0, 24))
    guard = draw(st.integers(0, 4))
    rule = draw(st.sampled_from(["lipschitz", "count"]))
    return Parameters(
        rank=draw(st.integers(1, 3)),
        iterations=draw(st.integers(1, 3)),
        inner_steps=draw(st.integers(1, 2)),
        frac_bits=draw(st.integers(8, 16)),
        step_bits=draw(st.integers(4, 18)),
        step_guard_bits=guard,
        box_bits=draw(st.integers(1, 2)),
        bias=draw(st.booleans()),
        ridge=Fraction(ridge, 4),
        l1=Fraction(draw(st.integers(0, 12)), 8),
        regulariser=draw(st.sampled_from(["elastic-net", "binary-elastic-net"])),
        step_rule=rule,
        curvature_shift=draw(st.integers(-1, min(3, guard))),
        damping=ridge // 4 + draw(st.integers(2, 6)),
        seed=draw(st.sampled_from(["ppmf", "a", "b"])),
    )


@st.composite
def rating_sets(draw: Callable[[Any], Any]) -> Ratings:
    users, items = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    pairs = st.tuples(st.integers(0, users - 1), st.integers(0, items - 1))
    return make_ratings(users, items, draw(st.dictionaries(pairs, st.integers(-5, 4), max_size=12)))


@pytest.fixture(scope="session")
def ratings_of() -> RatingsOf:
    """Ratings from {(user, item): value}; the ids are 1, 2, 3 .."""
    return make_ratings


@pytest.fixture(scope="session")
def toys() -> st.SearchStrategy[tuple[Ratings, Parameters]]:
    """Ratings of up to 4 x 4, none and nobody included, with parameters of every kind."""
    return st.tuples(rating_sets(), parameter_sets())
