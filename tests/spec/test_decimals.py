# SPDX-License-Identifier: Apache-2.0
"""Decimal text of fractions: exact, and the shortest."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec.decimals import decimal_text, parse_decimal


@given(st.decimals(allow_nan=False, allow_infinity=False, places=6, min_value=-99, max_value=99))
def test_decimals_are_exact(value: Any) -> None:
    exact = Fraction(value)
    text = decimal_text(exact, "x")
    assert parse_decimal(text, "x") == exact
    assert "." not in text or not text.endswith(("0", "."))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(0), "0"),
        (Fraction(-1, 2), "-0.5"),
        (Fraction(1, 1024), "0.0009765625"),
        (Fraction(1, 5), "0.2"),
        (Fraction(-12), "-12"),
        (Fraction(100), "100"),
    ],
)
def test_decimals_are_shortest(value: Fraction, text: str) -> None:
    assert decimal_text(value, "x") == text
