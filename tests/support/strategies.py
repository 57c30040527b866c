# SPDX-License-Identifier: Apache-2.0
"""Hypothesis strategies: parameter sets of the whole domain, ratings, small problems."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import strategies as st

from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, RawRatings
from tests.support.parameter_sets import REGULARISERS, STEP_RULES
from tests.support.ratings import ratings_of

Toy = tuple[Ratings, Parameters]
"""A small problem: what a training is run on."""


inertias = st.just(Fraction(0)) | st.integers(0, 2**16 - 1).map(lambda a: Fraction(a, 2**16))
"""Any inertia, often none."""


def dyadic(low: int, high: int, places: int) -> st.SearchStrategy[Fraction]:
    """Fractions from `low` to `high` with that many binary places."""
    scaled = st.integers(low << places, high << places)
    return scaled.map(lambda value: Fraction(value, 1 << places))


@st.composite
def parameter_sets(draw: st.DrawFn) -> Parameters:
    """Any set of the elastic net in the domain: everything varies, no rule is broken."""
    f = draw(st.integers(8, 24))
    g = draw(st.integers(0, 16))
    rule = draw(st.sampled_from(STEP_RULES))
    low = max(-16, g - 2 * f) if rule == "lipschitz" else -16
    rating_min = draw(dyadic(-5, 5, 6))
    return Parameters(
        rank=draw(st.integers(1, 1024)),
        iterations=draw(st.integers(1, 10**6)),
        inner_steps=draw(st.integers(1, 1000)),
        frac_bits=f,
        step_bits=draw(st.integers(0, 32 - g)),
        step_guard_bits=g,
        box_bits=draw(st.integers(0, 16)),
        bias=draw(st.booleans()),
        rating_offset=draw(dyadic(-(2**16), 2**16, 64)),
        rating_frac_bits=draw(st.integers(0, 16)),
        rating_min=rating_min,
        rating_max=rating_min + draw(dyadic(1, 5, 6)),
        ridge=draw(dyadic(0, 100, 2 * f)),
        l1=draw(dyadic(0, 2**32, 16)),
        step_rule=rule,
        curvature_shift=draw(st.integers(low, 32 if rule == "lipschitz" else g)),
        damping=draw(st.integers(1, 2**32)),
        inertia=draw(inertias),
        ring_bits=draw(st.integers(32, 64) | st.just(0)),
        seed=draw(st.text(max_size=60)),
    )


@st.composite
def small_parameter_sets(draw: st.DrawFn, iterations: int = 3, frac_bits: int = 16) -> Parameters:
    """Sets for small runs of every kind: each regulariser and step rule, with biases or without.

    Both arguments are the largest values. The damping is above the ridge weight, as the binary
    regulariser needs it.
    """
    regulariser = draw(st.sampled_from(REGULARISERS))
    guard = draw(st.integers(0, 6))
    ridge = draw(dyadic(0, 12, 2))
    return Parameters(
        rank=draw(st.integers(1, 3)),
        iterations=draw(st.integers(1, iterations)),
        inner_steps=draw(st.integers(1, 2)),
        frac_bits=draw(st.integers(8, frac_bits)),
        step_bits=draw(st.integers(4, 18)),
        step_guard_bits=guard,
        box_bits=draw(st.integers(1 if regulariser == "binary-elastic-net" else 0, 2)),
        bias=draw(st.booleans()),
        ridge=ridge,
        l1=draw(st.just(Fraction(0)) | dyadic(0, 12, 3)),
        regulariser=regulariser,
        step_rule=draw(st.sampled_from(STEP_RULES)),
        curvature_shift=draw(st.integers(-1, min(3, guard))),
        damping=int(ridge) + draw(st.integers(2, 20)),
        inertia=draw(inertias),
        seed=draw(st.text("ab", max_size=3)),
    )


ids = st.text(
    st.characters(exclude_categories=("C", "Z")) | st.sampled_from("0123456789-,\"|'"), min_size=1
)
half_stars = st.integers(1, 10).map(lambda halves: Fraction(halves, 2))


@st.composite
def raw_ratings(draw: st.DrawFn, names: st.SearchStrategy[str] = ids) -> RawRatings:
    """Half stars by up to 30 pairs of a user and an item, with ids of any kind by default."""
    pairs = draw(st.lists(st.tuples(names, names), unique=True, min_size=1, max_size=30))
    values = draw(st.lists(half_stars, min_size=len(pairs), max_size=len(pairs)))
    return RawRatings(tuple(u for u, _ in pairs), tuple(i for _, i in pairs), tuple(values))


@st.composite
def rating_sets(draw: st.DrawFn) -> Ratings:
    """Half stars of up to 4 users on up to 4 items, perhaps none."""
    users, items = draw(st.integers(1, 4)), draw(st.integers(1, 4))
    pairs = st.tuples(st.integers(0, users - 1), st.integers(0, items - 1))
    return ratings_of(users, items, draw(st.dictionaries(pairs, st.integers(-5, 4), max_size=12)))


def toys() -> st.SearchStrategy[Toy]:
    """Small sets of ratings, each with a small parameter set."""
    return st.tuples(rating_sets(), small_parameter_sets())
