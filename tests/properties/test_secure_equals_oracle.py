# SPDX-License-Identifier: Apache-2.0
"""The claim of the project: whatever the ratings, parameters and coins, secure V == F_fix's V.

Run over the ideal product (everything else real: uploads, transfers, garbled circuits) for breadth,
and over small Paillier keys and a small lattice for the whole. The suite of the product cannot
change a number.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ppmf_reference import fixed
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.strategies import small_parameter_sets
from tests.support.toy_runs import run_toy

Problem = tuple[Parameters, int, int, dict[tuple[int, int], int]]


@st.composite
def problems(draw: st.DrawFn, largest: int = 5) -> Problem:
    """Parameters, sizes, and a table of ratings from nobody rated to everything rated."""
    params = draw(small_parameter_sets(iterations=2, frac_bits=12))
    n, m = draw(st.integers(1, largest)), draw(st.integers(1, largest))
    stars = st.sampled_from([-5, 4]) | st.integers(-5, 4)
    cell = st.tuples(st.integers(0, n - 1), st.integers(0, m - 1))
    if draw(st.booleans()):
        table = draw(st.dictionaries(cell, stars))
    else:
        table = {(i, j): draw(stars) for i in range(n) for j in range(m)}
    try:
        bounds(params, n, m)
    except ParametersError:
        table = {}
        params = Parameters(rank=params.rank, iterations=1)
    return params, n, m, table


@pytest.mark.req("PPMF-FIX-062", "PPMF-RUN-001", "PPMF-RUN-002")
@settings(max_examples=60)
@given(problem=problems(), coins=st.text("xyz", max_size=6))
@example((Parameters(rank=1, iterations=1), 1, 1, {}), "nobody rated anything")
@example((Parameters(rank=1, iterations=2), 1, 1, {(0, 0): 4}), "one user, one item")
@example((Parameters(rank=2, iterations=1), 1, 3, {(0, 1): -5}), "one user")
@example((Parameters(rank=2, iterations=1), 3, 1, {(2, 0): -5}), "one item")
@example(
    (
        Parameters(rank=2, iterations=3, ridge=Fraction(0), damping=1, l1=Fraction(3, 4)),
        3,
        3,
        {(i, j): 4 if i == j else -5 for i in range(3) for j in range(3)},
    ),
    "long steps to the edges of the box",
)
def test_any_problem_over_the_ideal_product(problem: Problem, coins: str) -> None:
    params, n, m, table = problem
    ratings = ratings_of(n, m, table)
    assert run_toy(ratings, params, ideal_suite(), label=coins) == fixed.train(ratings, params)


@pytest.mark.req("PPMF-RUN-001")
@settings(max_examples=6)
@given(problem=problems(largest=3), coins=st.text("xyz", max_size=6))
def test_any_problem_over_paillier(problem: Problem, coins: str) -> None:
    params, n, m, table = problem
    ratings = ratings_of(n, m, table)
    small = cipher_suite("paillier-512-insecure")
    assert run_toy(ratings, params, small, label=coins) == fixed.train(ratings, params)


@pytest.mark.req("PPMF-RUN-001", "PPMF-AHE-002")
@settings(max_examples=8)
@given(problem=problems(largest=3), coins=st.text("xyz", max_size=6))
def test_any_problem_over_a_small_lattice(problem: Problem, coins: str) -> None:
    params, n, m, table = problem
    ratings = ratings_of(n, m, table)
    small = cipher_suite("rlwe-64-insecure")
    assert run_toy(ratings, params, small, label=coins) == fixed.train(ratings, params)


@pytest.mark.req("PPMF-RUN-002")
def test_the_output_does_not_depend_on_the_coins() -> None:
    ratings = ratings_of(3, 3, {(0, 0): 1, (1, 2): -3, (2, 1): 4})
    params = Parameters(rank=2, iterations=2)
    first, second = (run_toy(ratings, params, ideal_suite(), label=label) for label in "ab")
    assert first == second
