# SPDX-License-Identifier: Apache-2.0
"""The scale of ratings: how the integers x of `Ratings` and stars are converted (chapter 2)."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor
from typing import Final, Self

from ppmf_spec.parameters import Parameters


@dataclass(frozen=True, slots=True, kw_only=True)
class RatingScale:
    """The four parameters that say how many stars an integer x is: `offset` + x / 2^`frac_bits`.

    Stars lie between `lowest` and `highest`, both included (PPMF-FIX-006).
    """

    offset: Fraction
    frac_bits: int
    lowest: Fraction
    highest: Fraction

    @classmethod
    def of(cls, params: Parameters) -> Self:
        """The scale of a parameter set."""
        return cls(
            offset=params.rating_offset,
            frac_bits=params.rating_frac_bits,
            lowest=params.rating_min,
            highest=params.rating_max,
        )

    def admits(self, stars: Fraction) -> bool:
        """Whether `stars` lies between the ends of the scale (PPMF-FIX-006)."""
        return self.lowest <= stars <= self.highest

    @property
    def least(self) -> int:
        """The smallest x on the scale."""
        return ceil((self.lowest - self.offset) * (1 << self.frac_bits))

    @property
    def most(self) -> int:
        """The largest x on the scale."""
        return floor((self.highest - self.offset) * (1 << self.frac_bits))

    def holds(self, stars: Fraction) -> bool:
        """Whether `stars` is a point of the grid, between the ends of the scale or beyond them
        (PPMF-FIX-007).
        """
        return ((stars - self.offset) * (1 << self.frac_bits)).denominator == 1

    def nearest(self, stars: Fraction) -> Fraction:
        """The nearest point of the grid on the scale, of two the greater; `stars` is on the scale.

        The function of chapter 2 refuses ratings between two points: rounding is for callers who
        choose it before.
        """
        step = Fraction(1, 1 << self.frac_bits)
        found = self.offset + (2 * (stars - self.offset) / step + 1) // 2 * step
        if found > self.highest:
            found -= step
        elif found < self.lowest:
            found += step
        return found

    def __str__(self) -> str:
        unit = Fraction(1, 1 << self.frac_bits)
        return f"{self.lowest} to {self.highest} in steps of {unit} from {self.offset}"


DEFAULT_SCALE: Final = RatingScale.of(Parameters())
"""The scale of the default parameters: 1/2 to 5 stars in halves, from 3."""
