# SPDX-License-Identifier: Apache-2.0
"""The integer words against their definitions, and the prox against a search for the minimum."""

from __future__ import annotations

from fractions import Fraction
from math import floor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec.words import (
    clamp,
    prox_binary,
    prox_elastic_net,
    reciprocal,
    round_half_up,
    saturate,
    soft,
    threshold,
)

INTEGERS = st.integers(-(2**70), 2**70)
SMALL = st.integers(-300, 300)


@pytest.mark.req("PPMF-FIX-001")
@pytest.mark.parametrize(
    ("a", "b", "rounded"),
    [(1, 2, 1), (-1, 2, 0), (3, 2, 2), (-3, 2, -1), (0, 5, 0), (7, 3, 2), (-7, 3, -2), (5, 1, 5)],
)
def test_ties_round_upwards(a: int, b: int, rounded: int) -> None:
    assert round_half_up(a, b) == rounded


@pytest.mark.req("PPMF-FIX-001")
@given(INTEGERS, st.integers(1, 2**70))
def test_rounding_is_the_floor_after_adding_a_half(a: int, b: int) -> None:
    assert round_half_up(a, b) == floor(Fraction(a, b) + Fraction(1, 2))


@pytest.mark.req("PPMF-FIX-034")
@pytest.mark.parametrize(
    ("z", "word"),
    [(31, 31), (32, 31), (10**30, 31), (-32, -32), (-33, -32), (-(10**30), -32), (0, 0)],
)
def test_saturation_at_the_edges_of_a_word_of_six_bits(z: int, word: int) -> None:
    assert saturate(z, 1, 4) == word


@given(INTEGERS, INTEGERS, INTEGERS)
def test_clamp_is_the_nearest_point(z: int, one: int, other: int) -> None:
    low, high = sorted((one, other))
    held = clamp(z, low, high)
    assert low <= held <= high
    assert held == z or not low <= z <= high
    assert all(abs(z - held) <= abs(z - edge) for edge in (low, high))


@given(INTEGERS, st.integers(0, 2**70))
def test_soft_threshold_is_its_formula(z: int, t: int) -> None:
    sign = (z > 0) - (z < 0)
    assert soft(z, t) == sign * max(abs(z) - t, 0)
    assert soft(-z, t) == -soft(z, t)


@pytest.mark.parametrize(("z", "t", "out"), [(5, 5, 0), (6, 5, 1), (-5, 5, 0), (-6, 5, -1)])
def test_soft_threshold_has_its_dead_zone(z: int, t: int, out: int) -> None:
    assert soft(z, t) == out


@pytest.mark.req("PPMF-FIX-032")
@given(SMALL, st.integers(0, 200))
def test_elastic_net_prox_minimises(z: int, tau: int) -> None:
    """Over all integers near enough: half the squared distance, plus tau times |p|."""

    def cost(p: int) -> int:
        return (p - z) ** 2 + 2 * tau * abs(p)

    best = min(map(cost, range(-301, 302)))
    assert cost(prox_elastic_net(z, tau)) == best


@pytest.mark.req("PPMF-FIX-033")
@given(SMALL, st.integers(0, 150), st.integers(0, 31))
def test_binary_prox_minimises(z: int, tau: int, theta: int) -> None:
    """With 2^f = 64: tau min{|p|, |p - 64| + (theta/tau)(64 - 2p)}, the ridge of 0 left out."""

    def cost(p: int) -> int:
        at_one = 2 * tau * abs(p - 64) + 2 * theta * (64 - 2 * p)
        return (p - z) ** 2 + min(2 * tau * abs(p), at_one)

    best = min(map(cost, range(-301, 450)))
    assert cost(prox_binary(z, tau, theta, 6)) == best


@pytest.mark.req("PPMF-FIX-033")
def test_the_tie_at_the_jump_goes_to_zero() -> None:
    theta, half = 10, 32
    assert prox_binary(half - theta, 5, theta, 6) == half - theta - 5
    assert prox_binary(half - theta + 1, 5, theta, 6) == half + theta + 1 + 5


@pytest.mark.req("PPMF-FIX-033")
@given(SMALL, st.integers(0, 150), st.integers(0, 31))
def test_binary_prox_is_symmetric_about_its_jump(z: int, tau: int, theta: int) -> None:
    jump = 32 - theta
    if z != jump:
        mirrored = prox_binary(2 * jump - z, tau, theta, 6)
        assert mirrored == 64 - prox_binary(z, tau, theta, 6)


@pytest.mark.req("PPMF-FIX-024")
@given(st.integers(0, 2**40), st.integers(0, 32), st.integers(0, 16), st.integers(1, 2**32))
def test_step_is_the_floor_of_the_exact_step(curvature: int, q: int, g: int, c0: int) -> None:
    step = reciprocal(curvature, q, g, c0)
    exact = Fraction(2**q) / (Fraction(curvature, 2**g) + c0)
    assert step == floor(exact)


@pytest.mark.req("PPMF-FIX-024")
def test_longest_step_is_that_of_no_rating() -> None:
    assert reciprocal(0, 16, 4, 16) == 4096
    assert reciprocal(1, 16, 4, 16) == 4080
    assert reciprocal(2**20, 16, 4, 16) == 0


@pytest.mark.req("PPMF-FIX-025")
@given(st.integers(0, 2**32), st.integers(0, 2**60), st.integers(8, 24), st.integers(0, 32))
def test_threshold_is_the_exact_rational_rounded(step: int, weight: int, f: int, q: int) -> None:
    exact = step * Fraction(weight, 2 ** (2 * f)) * 2**f / 2 ** (q + 1)
    assert threshold(step, weight, f, q) == floor(exact + Fraction(1, 2))
