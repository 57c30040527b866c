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

    @property
    def least(self) -> int:
        """The smallest x on the scale."""
        return ceil((self.lowest - self.offset) * (1 << self.frac_bits))

    @property
    def most(self) -> int:
        """The largest x on the scale."""
        return floor((self.highest - self.offset) * (1 << self.frac_bits))

    def __str__(self) -> str:
        unit = Fraction(1, 1 << self.frac_bits)
        return f"{self.lowest} to {self.highest} in steps of {unit} from {self.offset}"


DEFAULT_SCALE: Final = RatingScale.of(Parameters())
"""The scale of the default parameters: 1/2 to 5 stars in halves, from 3."""
