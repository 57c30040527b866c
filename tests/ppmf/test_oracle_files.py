# SPDX-License-Identifier: Apache-2.0
"""Decimal balls contain the rational ones, and are hardly wider."""

from __future__ import annotations

from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from ppmf.oracle_files import decimal_ball, decimal_places, fixed_point

numbers = st.fractions(min_value=-2, max_value=2)
radii = st.integers(min_value=40, max_value=400).map(lambda bits: Fraction(1, 1 << bits))


@given(numbers, radii)
def test_decimal_balls_contain_the_interval_and_are_at_most_2_percent_wider(
    middle: Fraction, radius: Fraction
) -> None:
    low, high = middle - radius, middle + radius
    places = decimal_places(radius)
    shown_middle, shown_radius = map(Fraction, decimal_ball(low, high, places))
    assert shown_middle - shown_radius <= low
    assert high <= shown_middle + shown_radius
    assert shown_radius <= radius * Fraction(102, 100)


@given(st.integers(min_value=-(10**30), max_value=10**30), st.integers(min_value=1, max_value=40))
def test_fixed_point_writes_the_exact_decimal(scaled: int, places: int) -> None:
    text = fixed_point(scaled, places)
    assert Fraction(text) == Fraction(scaled, 10**places)
    assert len(text.split(".")[1]) == places
