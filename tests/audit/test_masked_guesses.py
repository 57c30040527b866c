# SPDX-License-Identifier: Apache-2.0
"""What lets CSP test a guess of a user's ratings is found."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from ppmf_audit.masked_guesses import finding
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode, Row
from ppmf_spec.parameters import Parameters

CODE = RatingCode.of(Parameters())
ITEMS = 30
COINS = Coins.seeded("guesses")
MASKS = [COINS.bytes(CODE.row_bytes(ITEMS)) for _ in range(4)]
RECEIVED = [COINS.bytes(size) for size in (0, 3, 9, 1000, 4096)]


def masked(user: int, ratings: dict[int, int]) -> bytes:
    row = Row(
        np.array(sorted(ratings), dtype=np.int64), np.array(list(ratings.values()), dtype=np.int64)
    )
    plain = np.frombuffer(CODE.plain_bits(row, ITEMS), dtype=np.uint8)
    return (plain ^ np.frombuffer(MASKS[user], dtype=np.uint8)).tobytes()


@pytest.mark.req("PPMF-SEC-004")
@pytest.mark.parametrize("ratings", [{}, {7: -5}, {29: 4}])
@pytest.mark.parametrize("name", ["sha256", "blake2b", "sha1", None])
def test_a_digest_of_the_masked_bits_of_a_short_row_is_found(
    ratings: dict[int, int], name: str | None
) -> None:
    assert finding(CODE, ITEMS, MASKS, RECEIVED).ok
    data = masked(2, ratings)
    found = hashlib.new(name, data).digest() if name else data
    for at in (0, 500, 501, 980):
        sent = RECEIVED[3][:at] + found + RECEIVED[3][at:]
        seen = finding(CODE, ITEMS, MASKS, [RECEIVED[4], sent])
        assert not seen.ok
        assert ", 1 found in 2 messages" in seen.detail


def test_a_digest_of_a_row_that_is_not_guessed_is_not_found() -> None:
    found = hashlib.sha256(masked(2, {7: -5, 8: 1})).digest()
    assert finding(CODE, ITEMS, MASKS, [found]).ok


def test_nothing_is_found_where_nothing_was_received() -> None:
    assert finding(CODE, ITEMS, MASKS, []).ok
    assert finding(CODE, ITEMS, [], RECEIVED).ok
