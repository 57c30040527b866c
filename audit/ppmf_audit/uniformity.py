# SPDX-License-Identifier: Apache-2.0
"""Tests whether bytes look uniform, with a proven rate of false alarms (chapter 6).

A stream is all fields of one type of message in one direction whose class promises uniform bytes.
Its null hypothesis is that every byte is uniform and independent. The following tests reject a true
hypothesis with probability at most alpha each, for every size of the data and not only in the
limit:

- byte values, and byte values by position modulo 16 (a field's words and blocks lie there): the
  likelihood ratio against uniform. With n bytes of 256 values the relative entropy KL of what was
  seen against uniform obeys P(n KL >= t) <= exp(-t) (e t / 255)^255 for t > 255 (R. Agrawal,
  "Finite-sample concentration of the multinomial in relative entropy", IEEE Transactions on
  Information Theory 66, 2020).
- bits against the bits 1, 8, 64 and 128 places further on (runs, bytes, words, blocks): the number
  that differ is binomial of parameter 1/2, since the x_i ^ x_(i+lag) are as independent as the
  bits themselves. Hoeffding: P(|differing - n/2| >= s) <= 2 exp(-2 s^2 / n).

alpha is the false-alarm rate of the whole audit divided by the number of its tests (union bound).
The tests of a stream of fewer than MIN_BYTES bytes cannot fail, and are not counted as evidence.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import log, sqrt

import numpy as np
from numpy.typing import NDArray

MIN_BYTES = 4096
"""The least size of a stream in which a constant byte at one position of 16 is found."""

PERIOD = 16
LAGS = (1, 8, 64, 128)
TESTS = 1 + PERIOD + len(LAGS)
"""The number of tests of one stream."""

_VALUES = 256


@dataclass(slots=True)
class Stream:
    """The running counts of one stream, to which fields are added one by one."""

    size: int = 0
    counts: NDArray[np.int64] = field(
        default_factory=lambda: np.zeros((PERIOD, _VALUES), dtype=np.int64)
    )
    compared: dict[int, int] = field(default_factory=lambda: dict.fromkeys(LAGS, 0))
    differing: dict[int, int] = field(default_factory=lambda: dict.fromkeys(LAGS, 0))

    def add(self, data: bytes) -> None:
        """Count one field; positions and lags are taken within it."""
        self.size += len(data)
        values = np.frombuffer(data, dtype=np.uint8)
        for position in range(PERIOD):
            self.counts[position] += np.bincount(values[position::PERIOD], minlength=_VALUES)
        for lag in LAGS:
            compared, differing = differences(values, lag)
            self.compared[lag] += compared
            self.differing[lag] += differing


def differences(values: NDArray[np.uint8], lag: int) -> tuple[int, int]:
    """The number of bits compared with the bit `lag` places on, and how many of them differ.

    The lowest bit of a byte comes first.

    A lag is 1 or a multiple of 8.
    """
    if lag == 1:
        if not values.size:
            return 0, 0
        inside = (values ^ (values >> np.uint8(1))) & np.uint8(0x7F)
        across = (values[:-1] >> np.uint8(7)) ^ (values[1:] & np.uint8(1))
        return 8 * values.size - 1, ones(inside) + int(across.sum())
    step = lag // 8
    return 8 * max(values.size - step, 0), ones(values[:-step] ^ values[step:])


_ONES = np.array([bin(value).count("1") for value in range(_VALUES)], dtype=np.uint8)


def ones(values: NDArray[np.uint8]) -> int:
    """The number of bits that are set."""
    return int(_ONES[values].sum(dtype=np.int64))


def suspicious(stream: Stream, alpha: float) -> list[str]:
    """The tests that the stream fails at level alpha, each in a few words; empty when it passes."""
    found = []
    if excess(stream.counts.sum(axis=0)) > surprise_limit(alpha):
        found.append("byte values")
    found += [
        f"byte values at positions {position} mod {PERIOD}"
        for position in range(PERIOD)
        if excess(stream.counts[position]) > surprise_limit(alpha)
    ]
    for lag in LAGS:
        number = stream.compared[lag]
        limit = sqrt(number * log(2 / alpha) / 2)
        if abs(stream.differing[lag] - number / 2) > limit:
            found.append(f"bits {lag} apart")
    return found


def excess(counts: NDArray[np.int64]) -> float:
    """The relative entropy (nats) of the counts of 256 values against uniform, times their sum."""
    seen = counts[counts > 0].astype(np.float64)
    total = float(seen.sum())
    return float((seen * np.log(seen * _VALUES / total)).sum()) if total else 0.0


def surprise_limit(alpha: float) -> float:
    """The least t with exp(-t) (e t / 255)^255 <= alpha, by bisection."""
    freedom = _VALUES - 1
    low, high = float(freedom), 2.0 * freedom + 4 * log(1 / alpha)
    while high - low > 1e-6:
        middle = (low + high) / 2
        if -middle + freedom * (1 + log(middle / freedom)) > log(alpha):
            low = middle
        else:
            high = middle
    return high
