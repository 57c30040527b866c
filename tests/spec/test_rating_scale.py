# SPDX-License-Identifier: Apache-2.0
"""The scale of ratings: which stars are on it, and the nearest that are."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_scale import DEFAULT_SCALE, RatingScale


def scale(offset: int, bits: int, lowest: Fraction, highest: Fraction) -> RatingScale:
    return RatingScale(offset=Fraction(offset), frac_bits=bits, lowest=lowest, highest=highest)


@given(
    values=st.lists(st.integers(-400, 400).map(lambda k: Fraction(k, 37)), min_size=1),
    bits=st.integers(0, 3),
)
def test_rounding_is_to_the_nearest_and_half_way_up(values: list[Fraction], bits: int) -> None:
    grid = scale(3, bits, Fraction(-20), Fraction(20))
    step = Fraction(1, 2**bits)
    for stars in values:
        nearest = grid.nearest(stars)
        assert grid.holds(nearest)
        assert -step / 2 < stars - nearest <= step / 2 or nearest - stars == step / 2
    assert grid.nearest(Fraction(3) + step / 2) == 3 + step
    assert grid.nearest(Fraction(3) - step / 2) == 3


def test_rounding_stays_on_the_scale() -> None:
    grid = scale(0, 0, Fraction(3, 4), Fraction(17, 4))
    assert grid.nearest(Fraction(17, 4)) == 4
    assert grid.nearest(Fraction(4, 5)) == 1
    edges = scale(0, 0, Fraction(1, 4), Fraction(7, 4))
    assert edges.nearest(Fraction(7, 4)) == 1
    assert edges.nearest(Fraction(1, 4)) == 1


@pytest.mark.req("PPMF-FIX-006", "PPMF-FIX-007")
def test_the_scale_and_its_grid_are_told_apart() -> None:
    assert RatingScale.of(Parameters()) == DEFAULT_SCALE
    for stars, on_scale, on_grid in (
        ("1/2", True, True),
        ("5", True, True),
        ("11/2", False, True),
        ("0", False, True),
        ("9/4", True, False),
        ("21/4", False, False),
    ):
        assert DEFAULT_SCALE.admits(Fraction(stars)) is on_scale
        assert DEFAULT_SCALE.holds(Fraction(stars)) is on_grid
    assert (DEFAULT_SCALE.least, DEFAULT_SCALE.most) == (-5, 4)
