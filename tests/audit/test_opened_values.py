# SPDX-License-Identifier: Apache-2.0
"""What the checks with keys compute: which bits of uniform words are not fair."""

from __future__ import annotations

from ppmf_audit.opened_values import unfair_bits


def test_a_bit_is_unfair_beyond_hoeffdings_bound() -> None:
    """64 bits looked at, 2^-40 for all of them, a thousand values: 127.6 from a half."""
    values = [0] * 373 + [(1 << 64) - 1] * 627
    assert unfair_bits(values, 64) == []
    assert unfair_bits([0] * 372 + [(1 << 64) - 1] * 628, 64) == list(range(64))
    assert unfair_bits([value >> 1 for value in values], 64) == [0]
