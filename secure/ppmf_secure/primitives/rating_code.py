# SPDX-License-Identifier: GPL-3.0-or-later
"""The rating code: every string of bits is a rating that the scale allows (chapter 4, "Ratings as
bits").

Bits weigh powers of two, except the top one, which weighs what is left to the largest value. No
string exceeds the scale, so what a user uploads need not be proved to be in range.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Bits, Bytes
from ppmf_secure.primitives.shares import check_length
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_scale import RatingScale

Integers = NDArray[np.int64]


@dataclass(frozen=True, slots=True, repr=False)
class Row:
    """What one user rated: the numbers of the items (c,), each once, and the integers x (c,)."""

    items: Integers
    values: Integers


@dataclass(frozen=True, slots=True)
class RatingCode:
    """The code of the integers x from `least` to `least` + `span`, both included."""

    least: int
    span: int

    @classmethod
    @cache
    def of(cls, params: Parameters) -> RatingCode:
        """The code of a parameter set. Raises ParametersError if no integer is on its scale
        (PPMF-COD-001).
        """
        scale = RatingScale.of(params)
        if scale.most < scale.least:
            raise ParametersError(
                f"rating_min = {scale.lowest}, rating_max = {scale.highest}: no rating lies between"
            )
        return cls(scale.least, scale.most - scale.least)

    @property
    def bits(self) -> int:
        """The number of bits of a code, t; 0 if there is one rating alone (PPMF-COD-002)."""
        return self.span.bit_length()

    @property
    def weights(self) -> tuple[int, ...]:
        """The weight of each bit, the top one last; their sum is `span` (PPMF-COD-002)."""
        if not self.bits:
            return ()
        powers = [1 << bit for bit in range(self.bits - 1)]
        return (*powers, self.span - sum(powers))

    def encode(self, values: Integers) -> Bits:
        """The codes (t, n) of integers (n,). Raises RangeError if one is not on the scale
        (PPMF-COD-003).
        """
        above = values - self.least
        if ((above < 0) | (above > self.span)).any():
            raise RangeError(f"a rating is none of {self.least} to {self.least + self.span}")
        out = np.zeros((self.bits, len(values)), dtype=np.uint8)
        if not self.bits:
            return out
        top = above >= 1 << (self.bits - 1)
        rest = above - top * self.weights[-1]
        for bit in range(self.bits - 1):
            out[bit] = rest >> bit & 1
        out[-1] = top
        return out

    def decode(self, codes: Bits) -> Integers:
        """The integers (n,) of any codes (t, n) (PPMF-COD-004)."""
        weights = np.array(self.weights, dtype=np.int64)
        return self.least + np.tensordot(weights, codes.astype(np.int64), axes=1)

    def row_bytes(self, items: int) -> int:
        """The length of the bits of a row over so many items (PPMF-COD-005)."""
        return ((1 + self.bits) * items + 7) // 8

    def plain_bits(self, row: Row, items: int) -> bytes:
        """The bits of a row over so many items (PPMF-COD-005); raises as `encode` does."""
        bits = np.zeros((1 + self.bits, items), dtype=np.uint8)
        bits[0, row.items] = 1
        bits[1:, row.items] = self.encode(row.values)
        return np.packbits(bits, bitorder="little").tobytes()

    def planes(self, data: bytes | memoryview, items: int) -> Bytes:
        """The bits of a row or a share of them as (1 + t, ceil(items / 8)), each plane packed apart
        as in `session.checkpoint.RatingBits`.

        Raises EncodingError on another length than `row_bytes`. What stands in the spare bits of
        the last byte is dropped (PPMF-COD-006).
        """
        check_length(data, self.row_bytes(items), "bits of ratings")
        packed = np.frombuffer(data, dtype=np.uint8)
        bits = np.unpackbits(packed, count=(1 + self.bits) * items, bitorder="little")
        return np.packbits(bits.reshape(1 + self.bits, items), axis=1, bitorder="little")
