# SPDX-License-Identifier: Apache-2.0
"""The overflow validator against brute force at small sizes, and at its edges."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product
from math import log2
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from ppmf_spec.bounds import Bounds, bounds, largest_denominator
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.step_rules import StepRuleName
from ppmf_spec.words import reciprocal
from tests.support.parameter_sets import STEP_RULES, version_1
from tests.support.strategies import inertias

STARS = version_1(rating_min=Fraction(1), rating_max=Fraction(5))


def brute_force_bound(params: Parameters, rows: int) -> Fraction:
    """The formula of the specification, visiting every count and every sum of squares."""
    f, q, g, s = params.frac_bits, params.step_bits, params.step_guard_bits, params.curvature_shift
    box = 1 << params.box_bits
    error = params.rank * box**2 + 2 * box + params.xmax
    pull = params.ridge * box

    def step(curvature: int) -> int:
        return (1 << (q + g)) // (curvature + (params.damping << g))

    moves: list[Fraction] = []
    for c in range(rows + 1):
        if params.bias:
            moves.append(step(c << (g - min(s, 0))) * (c * error + pull))
        if params.step_rule == "count":
            moves.append(step(c << (g - s)) * (c * box * error + pull))
            continue
        q2 = np.arange(c * params.rank * box**2 * 4**f + 1)
        root = np.sqrt(c * q2).astype(np.int64)
        root -= root**2 > c * q2
        root += root**2 < c * q2
        steps = 2 ** (q + g) // ((q2 >> (2 * f - g + s)) + params.damping * 2**g)
        unit = 2**20  # enough for E and lambda B to be integers, little enough for 64 bits
        gradient = np.minimum(root, c * box * 2**f) * int(error * unit)
        moved = steps * (gradient + int(pull * unit) * 2**f)
        moves.append(Fraction(int(moved.max()), unit * 2**f))
    word = (1 + 2 * params.inertia) * (box << (3 * f + q))
    return word + (1 << (2 * f + q - 1)) + (max(moves) * (1 << 3 * f))


@pytest.mark.req("PPMF-PAR-016")
@given(
    q=st.integers(0, 12),
    g=st.integers(0, 6),
    s=st.integers(-3, 3),
    damping=st.integers(1, 40),
    ridge=st.integers(0, 2**12),
    bias=st.booleans(),
    xmax=st.integers(1, 64),
    inertia=inertias,
)
@example(q=12, g=6, s=0, damping=1, ridge=0, bias=False, xmax=1, inertia=Fraction(0))
def test_lipschitz_bound_equals_brute_force(
    q: int, g: int, s: int, damping: int, ridge: int, bias: bool, xmax: int, inertia: Fraction
) -> None:
    params = version_1(
        rank=1,
        frac_bits=8,
        box_bits=0,
        step_bits=q,
        step_guard_bits=g,
        curvature_shift=s,
        damping=damping,
        ridge=Fraction(ridge, 2**8),
        bias=bias,
        rating_offset=Fraction(0),
        rating_min=Fraction(0),
        rating_max=Fraction(xmax, 16),
        inertia=inertia,
    )
    assert bounds(params, 1, 1).bound == brute_force_bound(params, 1)


@pytest.mark.req("PPMF-PAR-016")
@pytest.mark.parametrize(("rows", "rank"), [(2, 1), (3, 1), (2, 2), (2, 4), (5, 1)])
def test_lipschitz_bound_of_several_rows_equals_brute_force(rows: int, rank: int) -> None:
    # With the heavy damping the largest |G| is c B E, that of every factor at the edge of the box.
    for q, damping in product((2, 10), (1, 3, 500)):
        params = version_1(
            rank=rank,
            frac_bits=8,
            box_bits=0,
            step_bits=q,
            damping=damping,
            ridge=Fraction(1, 4),
            bias=False,
        )
        assert bounds(params, rows, 1).bound == brute_force_bound(params, rows)


@pytest.mark.req("PPMF-PAR-016")
@given(
    q=st.integers(0, 20),
    g=st.integers(0, 8),
    s=st.integers(-4, 8),
    damping=st.integers(1, 500),
    ridge=st.integers(0, 2**10),
    bias=st.booleans(),
    box_bits=st.integers(0, 3),
    rank=st.integers(1, 20),
    rows=st.integers(1, 400),
    inertia=inertias,
)
def test_count_bound_equals_brute_force(
    q: int,
    g: int,
    s: int,
    damping: int,
    ridge: int,
    bias: bool,
    box_bits: int,
    rank: int,
    rows: int,
    inertia: Fraction,
) -> None:
    assume(s <= g)
    params = version_1(
        rank=rank,
        frac_bits=8,
        box_bits=box_bits,
        step_bits=q,
        step_guard_bits=g,
        step_rule="count",
        curvature_shift=s,
        damping=damping,
        ridge=Fraction(ridge, 2**4),
        bias=bias,
        inertia=inertia,
    )
    assert bounds(params, rows, 1).bound == brute_force_bound(params, rows)


@st.composite
def worst_rows(
    draw: st.DrawFn,
) -> tuple[Parameters, list[int], list[int], list[list[int]], list[int]]:
    """A row, the row before it, its counterparts and its ratings, most of them at the very edge of
    their range.
    """
    params = version_1(
        rank=draw(st.integers(1, 3)),
        frac_bits=8,
        box_bits=draw(st.integers(0, 1)),
        step_bits=draw(st.integers(0, 14)),
        step_rule=draw(st.sampled_from(STEP_RULES)),
        curvature_shift=draw(st.integers(-2, 4)),
        damping=draw(st.integers(1, 20)),
        ridge=Fraction(draw(st.integers(0, 20))),
        inertia=draw(inertias),
    )
    edge = 1 << (params.box_bits + params.frac_bits)
    entry = st.sampled_from([-edge, edge - 1]) | st.integers(-edge, edge - 1)
    row = st.lists(entry, min_size=params.row_rank, max_size=params.row_rank)
    others = draw(st.lists(row, min_size=0, max_size=12))
    rating = st.sampled_from([-5, 4])  # (0.5 - 3) 2 and (5 - 3) 2
    ratings = draw(st.lists(rating, min_size=len(others), max_size=len(others)))
    return params, draw(row), draw(row), others, ratings


@pytest.mark.req("PPMF-PAR-016", "PPMF-FIX-030")
@given(worst_rows())
def test_no_row_leaves_the_bound(
    case: tuple[Parameters, list[int], list[int], list[list[int]], list[int]],
) -> None:
    """Chapter 2's inner step, in integers, on rows of hostile users."""
    params, row, before, others, ratings = case
    f, q, g, s, d = (
        params.frac_bits,
        params.step_bits,
        params.step_guard_bits,
        params.curvature_shift,
        params.rank,
    )
    limit = bounds(params, max(1, len(others)), 1).bound
    q2 = sum(y * y for other in others for y in other[:d])
    c = len(others)
    factors = q2 >> (2 * f - g + s) if params.step_rule == "lipschitz" else c << (g - s)
    errors = [
        sum(x * y for x, y in zip(row[:d], other[:d], strict=True))
        + ((row[d] + other[d]) << f)
        - (rating << (2 * f - 1))
        for other, rating in zip(others, ratings, strict=True)
    ]
    for k, (x, p) in enumerate(zip(row, before, strict=True)):
        seen = [other[k] if k < d else 1 << f for other in others]
        gradient = sum(e * y for e, y in zip(errors, seen, strict=True)) + params.ridge_int * x
        curvature = factors if k < d else c << (g - min(s, 0))
        step = reciprocal(curvature, q, g, params.damping)
        moved = (x << (2 * f + q)) + params.inertia_int * (x - p) - step * gradient
        assert abs(moved + (1 << (2 * f + q - 1))) <= limit
        assert step <= params.max_step


@pytest.mark.req("PPMF-PAR-016")
@pytest.mark.parametrize(("rows", "bits"), [(1682, 60.9), (10_000, 62.2)])
def test_figures_of_the_defaults_on_a_scale_of_one_to_five(rows: int, bits: float) -> None:
    found = bounds(STARS, 943, rows)
    assert round(found.bits, 1) == bits
    assert found.bits == pytest.approx(log2(found.bound) + 1)


@pytest.mark.req("PPMF-PAR-016")
def test_largest_number_of_rows_of_the_defaults() -> None:
    fits, fails = 1, 2_000_000
    while fails - fits > 1:
        rows = (fits + fails) // 2
        try:
            bounds(STARS, 1, rows)
            fits = rows
        except ParametersError:
            fails = rows
    assert 126_000 <= fits < 126_100
    assert bounds(STARS, fits, 1).bound < 2**63
    with pytest.raises(ParametersError, match=r"^ring_bits = 64: .* rows of rank 10 need 64"):
        bounds(STARS, 1, fails)


@pytest.mark.req("PPMF-PAR-016")
def test_a_ring_exactly_as_wide_as_z_is_enough_and_one_bit_less_is_not() -> None:
    width = bounds(STARS, 100, 100).z_bits
    bounds(version_1(ring_bits=width, rating_min=Fraction(1)), 100, 100)
    with pytest.raises(ParametersError, match="ring_bits"):
        bounds(version_1(ring_bits=width - 1, rating_min=Fraction(1)), 100, 100)


@pytest.mark.req("PPMF-PAR-016", "PPMF-PAR-017", "PPMF-PAR-018", "PPMF-PAR-027")
@given(
    rows=st.integers(1, 10**6),
    change=st.sampled_from(
        [
            {},
            {"frac_bits": 12, "step_bits": 16},
            {"step_bits": 4, "l1": Fraction(65536), "ridge": Fraction(1)},
            {"step_rule": "count", "curvature_shift": -4, "damping": 256},
            {"rank": 1, "box_bits": 0, "step_bits": 0, "bias": False},
        ]
    ),
)
def test_the_least_ring_that_holds_a_run(rows: int, change: dict[str, Any]) -> None:
    params = Parameters(**change)
    try:
        width = bounds(params, rows, 1).ring_bits
    except ParametersError as error:
        with pytest.raises(ParametersError, match=str(error)[:20]):
            bounds(replace(params, ring_bits=64), rows, 1)
        return
    assert bounds(replace(params, ring_bits=width), rows, 1) == bounds(params, rows, 1)
    if width == 32:
        return
    with pytest.raises(ParametersError, match=f"ring_bits = {width - 1}"):
        bounds(replace(params, ring_bits=width - 1), rows, 1)


def test_a_ring_that_is_given_is_taken() -> None:
    assert bounds(Parameters(ring_bits=60), 943, 1682).ring_bits == 60
    assert bounds(Parameters(), 943, 1682).ring_bits == bounds(Parameters(), 943, 1682).z_bits


@given(st.integers(1, 10**5), st.integers(1, 10**5), st.sampled_from(STEP_RULES))
def test_the_bound_grows_with_the_longer_side_alone(
    users: int, items: int, rule: StepRuleName
) -> None:
    params = version_1(step_rule=rule, step_bits=12)
    found = bounds(params, users, items)
    assert found == bounds(params, items, users) == bounds(params, 1, max(users, items))
    assert found.bound <= bounds(params, users + 1, items + 1).bound


@given(st.integers(1, 10**5))
def test_z_bits_is_the_least_signed_width(rows: int) -> None:
    found = bounds(STARS, rows, 1)
    assert 2 ** (found.z_bits - 2) <= found.bound < 2 ** (found.z_bits - 1)
    assert found.z_bits - 1 <= found.bits <= found.z_bits


def test_the_largest_thresholds_are_those_of_the_longest_step() -> None:
    params = version_1(
        regulariser="binary-elastic-net", l1=Fraction(3), ridge=Fraction(2), curvature_shift=-1
    )
    found = bounds(params, 100, 100)
    assert (found.max_step, found.max_tau, found.max_theta) == (4096, 384, 256)
    plain = bounds(version_1(l1=Fraction(3), ridge=Fraction(2), curvature_shift=-1), 100, 100)
    # Beyond tau, the branch of 1 may add 2 theta + 1.
    assert found.after_shift - plain.after_shift == 2 * 256 + 4096 - 384


@pytest.mark.req("PPMF-PAR-017")
def test_a_large_l1_leaves_the_ring_after_the_shift() -> None:
    fits = version_1(l1=Fraction(2**15))
    assert bounds(fits, 10, 10).after_shift > 2**22
    with pytest.raises(ParametersError, match="after the shift"):
        bounds(version_1(l1=Fraction(2**16)), 10, 10)


@pytest.mark.req("PPMF-PAR-018")
def test_the_denominator_of_the_step_must_fit_too() -> None:
    """Its step is 0 or 1, so nothing moves far, but q2 + c0 2^(2f+s) would wrap."""
    params = version_1(damping=2**16, curvature_shift=24)
    with pytest.raises(ParametersError, match="need 65 bits for the step's denominator"):
        bounds(params, 10, 10)
    bounds(version_1(damping=2**16, curvature_shift=23), 10, 10)


@pytest.mark.req("PPMF-PAR-018")
@pytest.mark.parametrize(
    ("params", "rows", "largest"),
    [
        (version_1(rank=3, frac_bits=8, box_bits=2, damping=5, curvature_shift=1), 7, 0x15A0000),
        (version_1(step_rule="count", curvature_shift=3, damping=5), 7, (7 << 4) + 80),
        (version_1(step_rule="count", curvature_shift=3, damping=5, bias=False), 7, 14 + 80),
        (version_1(step_rule="count", curvature_shift=-2, damping=5), 7, (7 << 6) + 80),
    ],
)
def test_largest_denominator_by_hand(params: Parameters, rows: int, largest: int) -> None:
    assert largest_denominator(params, rows) == largest


@pytest.mark.req("PPMF-PAR-015")
@pytest.mark.parametrize(("users", "items"), [(0, 1), (1, 0), (-1, 1), (2**31, 1), (1, 2**31)])
def test_counts_of_rows_outside_their_range(users: int, items: int) -> None:
    with pytest.raises(ParametersError, match="must be between 1 and 2147483647"):
        bounds(version_1(), users, items)


@pytest.mark.req("PPMF-PAR-019")
@pytest.mark.parametrize(
    ("params", "rows", "parts"),
    [
        (version_1(), 1682, []),
        (version_1(), 26_208, []),
        (version_1(), 26_209, ["factors"]),
        (version_1(bias=False), 65_600, ["factors"]),
        (version_1(), 65_520, ["factors"]),
        (version_1(), 65_521, ["bias", "factors"]),
        (version_1(step_rule="count", step_bits=8), 240, []),
        (version_1(step_rule="count", step_bits=8), 241, ["bias", "factors"]),
        (version_1(step_rule="count", step_bits=8, curvature_shift=3), 241, ["bias"]),
        (version_1(damping=2**17, step_bits=16), 1, ["bias", "factors"]),
    ],
)
def test_warning_when_some_count_makes_a_step_zero(
    params: Parameters, rows: int, parts: list[str]
) -> None:
    found = bounds(params, rows, 1).warnings
    assert len(found) == len(parts)
    assert all(part in line for part, line in zip(parts, found, strict=True))


def test_a_set_whose_steps_are_all_zero_still_has_bounds() -> None:
    found = bounds(version_1(damping=2**17), 5, 5)
    assert found.max_step == 0
    assert found.bound == 2 ** (1 + 36 + 16) + 2 ** (24 + 16 - 1)
    assert "a row of 0 ratings" in found.warnings[0]


def test_the_bounds_of_a_million_rows_are_computed_quickly() -> None:
    """The most levels that the domain allows, a wide step over few fractional bits."""
    params = version_1(step_bits=24, step_guard_bits=8, damping=1, frac_bits=8)
    assert isinstance(bounds(params, 10**6, 10**6), Bounds)
