# SPDX-License-Identifier: Apache-2.0
"""Pearson's chi-square test of counts, with the exact tails of its distribution."""

from __future__ import annotations

from typing import Any

import mpmath
import numpy as np

Counts = np.ndarray[Any, np.dtype[np.int64]]

UNLIKELY = 2.0**-25
"""What counts as no accident: a tail of this probability, on either side."""


def deviates(counts: Counts, probabilities: np.ndarray[Any, Any] | None = None) -> bool:
    """Whether counts are not those of draws with these probabilities, which are equal by default.

    They may be too far from what is expected, or too near to it.
    """
    cells = len(counts)
    expected = counts.sum() * (
        np.full(cells, 1 / cells) if probabilities is None else probabilities
    )
    assert expected.min() >= 5, "too few draws to judge"
    statistic = float(((counts - expected) ** 2 / expected).sum())
    above = float(mpmath.gammainc((cells - 1) / 2, statistic / 2, mpmath.inf, regularized=True))
    return not UNLIKELY < above < 1 - UNLIKELY


def bytes_deviate(data: bytes) -> bool:
    """Whether the values of bytes are not uniform."""
    return deviates(np.bincount(np.frombuffer(data, dtype=np.uint8), minlength=256))
