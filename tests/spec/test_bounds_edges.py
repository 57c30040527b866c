# SPDX-License-Identifier: Apache-2.0
"""The parts of the bounds one by one: the ring's last word, the levels of a step, the lines."""

from __future__ import annotations

from fractions import Fraction
from math import isqrt, log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec import words
from ppmf_spec.bounds import _check_ring, bounds
from ppmf_spec.decimals import decimal_text, parse_decimal
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.step_rules import StepRuleName, ceil_root, levels
from tests.support.parameter_sets import STEP_RULES, version_1

DEFAULTS = version_1()  # Z is shifted by 2 f + q = 40 bits, in a ring of 64


def refusal(params: Parameters, rows: int, bound: Fraction, after_shift: int) -> str:
    try:
        _check_ring(params, params.ring_bits, rows, bound, after_shift)
    except ParametersError as error:
        return str(error)
    return ""


@pytest.mark.req("PPMF-PAR-016")
def test_z_may_reach_the_last_word_of_the_ring() -> None:
    assert refusal(DEFAULTS, 3, Fraction(2**63) - Fraction(1, 2), 0) == ""
    assert refusal(DEFAULTS, 3, Fraction(2**63), 0) == (
        "ring_bits = 64: 3 rows of rank 10 need 64.0 bits"
    )


@pytest.mark.req("PPMF-PAR-017")
def test_what_follows_the_shift_may_reach_the_last_word_of_the_ring() -> None:
    assert refusal(DEFAULTS, 3, Fraction(0), 2**23 - 1) == ""
    assert refusal(DEFAULTS, 3, Fraction(0), 2**23) == (
        "ring_bits = 64: 3 rows of rank 10 reach 8388608 after the shift, which must be below 2^23"
    )


@pytest.mark.req("PPMF-PAR-018")
def test_the_denominator_may_reach_the_last_word_of_the_ring() -> None:
    params = version_1(step_rule="count", curvature_shift=-4, damping=256, ring_bits=36)
    rows = 2**28 - 16  # 2^8 rows + 2^4 damping = 2^36
    assert refusal(params, rows - 1, Fraction(0), 0) == ""
    assert refusal(params, rows, Fraction(0), 0) == (
        f"ring_bits = 36: {rows:,} rows of rank 10 need 37 bits for the step's denominator"
    )


@pytest.mark.req("PPMF-PAR-016")
@given(
    q=st.integers(0, 10),
    g=st.integers(0, 4),
    damping=st.integers(1, 20),
    shift=st.integers(-4, 4),
    largest=st.integers(0, 300),
)
def test_levels_are_every_nonzero_step_with_its_last_argument(
    q: int, g: int, damping: int, shift: int, largest: int
) -> None:
    params = version_1(step_bits=q, step_guard_bits=g, damping=damping)
    last: dict[int, int] = {}
    for x in range(largest + 1):
        curvature = x * 2**shift if shift >= 0 else x // 2**-shift
        last[words.reciprocal(curvature, q, g, damping)] = x
    last.pop(0, None)
    assert list(levels(params, shift, largest)) == list(last.items())


@given(st.integers(0, 10**40))
def test_the_root_is_rounded_up(square: int) -> None:
    root = isqrt(square)
    assert ceil_root(square) == root + (root**2 < square)


def test_the_root_of_small_squares() -> None:
    assert [ceil_root(square) for square in range(11)] == [0, 1, 2, 2, 2, 3, 3, 3, 3, 3, 4]


@pytest.mark.req("PPMF-PAR-019")
@pytest.mark.parametrize("rule", STEP_RULES)
def test_the_lines_of_the_warnings(rule: StepRuleName) -> None:
    params = version_1(damping=2**17, step_rule=rule)
    assert bounds(params, 1, 1).warnings == tuple(
        f"a row of 0 ratings can have step 0, so that its {part} cannot move"
        for part in ("bias", "factors")
    )


@pytest.mark.parametrize("places", [1, 30, 100])
def test_decimals_of_many_places_are_exact(places: int) -> None:
    text = f"0.{'0' * (places - 1)}7"
    assert decimal_text(Fraction(7, 10**places), "x") == text
    assert parse_decimal(text, "x") == Fraction(7, 10**places)
    assert decimal_text(Fraction(1, 5**places), "x") == decimal_text(
        Fraction(2**places, 10**places), "x"
    )


@pytest.mark.req("PPMF-PAR-015")
@pytest.mark.parametrize(("users", "items", "named"), [(0, 1, "users"), (1, 0, "items")])
def test_a_side_without_rows_is_named(users: int, items: int, named: str) -> None:
    with pytest.raises(ParametersError) as caught:
        bounds(DEFAULTS, users, items)
    assert str(caught.value) == f"{named} = 0: must be between 1 and 2147483647"


@pytest.mark.req("PPMF-PAR-015")
def test_the_largest_side_is_allowed() -> None:
    params = version_1(frac_bits=8, step_bits=0, step_guard_bits=0, rank=1, damping=2**20)
    assert bounds(params, 2**31 - 1, 1).bound > 0


@pytest.mark.req("PPMF-PAR-017")
@pytest.mark.parametrize("l1", [Fraction(0), Fraction(5)])
@pytest.mark.parametrize("rows", [7, 50])
def test_what_follows_the_shift_is_bounded_by_the_ceiling_and_tau(l1: Fraction, rows: int) -> None:
    found = bounds(version_1(l1=l1), rows, rows)
    assert found.bound % 2**40 != 0
    assert found.after_shift == int(found.bound) // 2**40 + 1 + found.max_tau
    assert type(found.after_shift) is int


def test_bits_of_a_bound_that_is_no_integer() -> None:
    found = bounds(version_1(rating_offset=Fraction(3) + Fraction(1, 2**64)), 5, 5)
    assert found.bound.denominator > 1
    assert found.bits == pytest.approx(log2(found.bound) + 1)
