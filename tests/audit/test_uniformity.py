# SPDX-License-Identifier: Apache-2.0
"""The tests of uniformity keep their rate of false alarms, and count what they say they count."""

from __future__ import annotations

from math import exp, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_audit.uniformity import (
    LAGS,
    MIN_BYTES,
    TESTS,
    Stream,
    differences,
    excess,
    surprise_limit,
    suspicious,
)


def stream(*fields: bytes) -> Stream:
    made = Stream()
    for one in fields:
        made.add(one)
    return made


@given(st.binary(max_size=64), st.sampled_from(LAGS))
def test_differences_are_counted_bit_by_bit(data: bytes, lag: int) -> None:
    bits = np.unpackbits(np.frombuffer(data, dtype=np.uint8), bitorder="little")
    pairs = max(bits.size - lag, 0)
    differing = int(np.sum(bits[: bits.size - lag] != bits[lag:])) if pairs else 0
    assert differences(np.frombuffer(data, dtype=np.uint8), lag) == (pairs, differing)


@given(st.lists(st.binary(max_size=80), max_size=5))
def test_counts_are_by_position_within_a_field(fields: list[bytes]) -> None:
    made = stream(*fields)
    assert made.size == sum(map(len, fields)) == made.counts.sum()
    for position in range(16):
        expected = b"".join(one[position::16] for one in fields)
        assert made.counts[position].tolist() == [expected.count(value) for value in range(256)]


def test_excess_is_the_relative_entropy_in_nats() -> None:
    constant = np.zeros(256, dtype=np.int64)
    assert excess(constant) == 0
    constant[7] = 100
    assert excess(constant) == pytest.approx(100 * log(256))
    assert excess(np.full(256, 3, dtype=np.int64)) == pytest.approx(0)


@pytest.mark.parametrize("alpha", [0.5, 1e-3, 2.0**-30, 2.0**-40])
def test_the_limit_is_where_the_bound_on_the_tail_equals_alpha(alpha: float) -> None:
    limit = surprise_limit(alpha)
    assert limit > 255
    assert exp(-limit + 255 * (1 + log(limit / 255))) == pytest.approx(alpha, rel=1e-4)


@pytest.mark.parametrize("size", [1, 17, 300, 5000])
def test_uniform_bytes_raise_fewer_alarms_than_allowed(size: int) -> None:
    """At a level of 1 in 5 for all tests together, in 200 trials, at most 40 and then some."""
    random = np.random.default_rng(size)
    alarms = sum(bool(suspicious(stream(random.bytes(size)), 0.2 / TESTS)) for _ in range(200))
    assert alarms <= 40


def test_the_least_data_that_counts_as_evidence_shows_a_constant_byte() -> None:
    data = bytearray(np.random.default_rng(1).bytes(MIN_BYTES))
    data[5::16] = bytes(len(data[5::16]))
    alpha = 2.0**-30 / (TESTS * 20)
    assert "byte values at positions 5 mod 16" in suspicious(stream(bytes(data)), alpha)


def test_a_counter_is_found_although_its_bytes_are_uniform() -> None:
    """Each value equally often: what gives it away is how bits follow one another."""
    found = suspicious(stream(bytes(range(256)) * 64), 2.0**-36)
    assert "byte values" not in found
    assert any(one.startswith("bits") for one in found)
