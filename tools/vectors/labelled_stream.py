# SPDX-License-Identifier: Apache-2.0
"""The random numbers of vectors: a stream of SHAKE-256 that a label determines."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class LabelledStream:
    """The stream of SHAKE-256("ppmf/v1/vectors/" + label) (PPMF-CON-022)."""

    def __init__(self, label: str) -> None:
        self.label = label
        self._hash = hashlib.shake_256(b"ppmf/v1/vectors/" + label.encode())
        self._used = 0

    def bytes(self, count: int) -> bytes:
        """The next bytes of the stream."""
        self._used += count
        return self._hash.digest(self._used)[-count:] if count else b""

    def below(self, bound: int) -> int:
        """An integer in [0, bound), off uniform by less than 2^-64."""
        size = (bound.bit_length() + 7) // 8 + 8
        return int.from_bytes(self.bytes(size), "little") % bound

    def between(self, low: int, high: int) -> int:
        """An integer in [low, high]."""
        return low + self.below(high - low + 1)

    def word(self) -> int:
        """A ring element."""
        return int.from_bytes(self.bytes(8), "little")

    def one_of(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        return choices[self.below(len(choices))]

    def chance(self, part: int, of: int) -> bool:
        """True `part` times in `of`."""
        return self.below(of) < part
