# SPDX-License-Identifier: Apache-2.0
"""What comes again inside uniform bytes is found, and a chance likeness is not taken for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from ppmf_audit.opened_values import unfair_bits
from ppmf_audit.repetition import Repetition
from ppmf_secure.primitives.coins import Coins
from ppmf_spec import wire
from ppmf_spec.roles import CSP, RECSYS, Role

BLOCKS = "no block repeated within a message"
STREAMS = "columns under fresh keystreams"
NEAR = "masked rows far from 0 and from each other"
WAY, BACK = (RECSYS, CSP), (CSP, RECSYS)

COINS = Coins.seeded("repetition")
N_USERS, N_ITEMS = 6, 5


def failed(*sent: tuple[tuple[Role, Role], wire.Message]) -> set[str]:
    seen = Repetition()
    for direction, message in sent:
        seen.add(direction, message)
    return {one.check for one in seen.findings() if not one.ok}


def columns(keystreams: bytes, choices: bytes) -> wire.TransferColumns:
    """128 columns of as many bytes as there are choices."""
    streams = np.frombuffer(keystreams, dtype=np.uint8).reshape(128, -1)
    return wire.TransferColumns((streams ^ np.frombuffer(choices, dtype=np.uint8)).tobytes())


def uploads(rows: np.ndarray[tuple[int, int], np.dtype[np.uint64]]) -> Sequence[wire.Upload]:
    return [wire.Upload(str(number), row.tobytes(), b"") for number, row in enumerate(rows)]


@pytest.mark.parametrize("kind", [wire.GarbledTables, wire.TransferColumns])
def test_one_block_that_comes_twice_is_found(kind: Callable[[bytes], wire.Message]) -> None:
    data = COINS.bytes(128 * 48)
    assert failed((WAY, kind(data))) == set()
    assert failed((WAY, kind(data[:-16] + data[:16]))) == {BLOCKS}


def test_equal_halves_of_blocks_are_no_repetition() -> None:
    data = bytearray(COINS.bytes(128 * 48))
    data[16:24] = data[:8]
    assert failed((WAY, wire.GarbledTables(bytes(data)))) == set()


def test_blocks_may_come_again_in_another_message() -> None:
    """That whole fields do not is another check; blocks would be too many to remember."""
    message = wire.GarbledTables(COINS.bytes(1600))
    assert failed((WAY, message), (WAY, message)) == set()


@pytest.mark.parametrize("size", [16, 32])
def test_keystreams_used_again_are_found(size: int) -> None:
    streams, fresh = COINS.bytes(128 * size), COINS.bytes(128 * size)
    choices = [COINS.bytes(size) for _ in range(2)]
    first = columns(streams, choices[0])
    assert failed((WAY, first), (WAY, columns(fresh, choices[1]))) == set()
    assert failed((WAY, first), (WAY, columns(streams, choices[1]))) == {STREAMS}
    # the other direction has keystreams of its own
    assert failed((WAY, first), (BACK, columns(streams, choices[1]))) == set()


def test_one_mask_for_two_users_is_found() -> None:
    rows = COINS.words((N_USERS, 2 * N_ITEMS))
    assert failed(*((WAY, upload) for upload in uploads(rows))) == set()
    rows[4] = rows[1] + np.arange(2 * N_ITEMS, dtype=np.uint64) % np.uint64(9)
    assert failed(*((WAY, upload) for upload in uploads(rows))) == {NEAR}


def test_rows_in_the_clear_are_found_of_either_sign() -> None:
    rows = COINS.words((N_USERS, 2 * N_ITEMS))
    rows[2, :2] = np.array([1, -5], dtype=np.int64).view(np.uint64)
    assert failed(*((WAY, upload) for upload in uploads(rows))) == {NEAR}


def test_one_word_near_another_may_be_chance() -> None:
    rows = COINS.words((N_USERS, 2 * N_ITEMS))
    rows[3, 7] = rows[0, 7] + np.uint64(1)
    assert failed(*((WAY, upload) for upload in uploads(rows))) == set()


def test_a_bit_is_unfair_from_where_hoeffding_says() -> None:
    """64 bits looked at, 2^-40 for all of them, a thousand values: 127.6 from a half."""
    values = [0] * 373 + [(1 << 64) - 1] * 627
    assert unfair_bits(values, 64) == []
    assert unfair_bits([0] * 372 + [(1 << 64) - 1] * 628, 64) == list(range(64))
    assert unfair_bits([value >> 1 for value in values], 64) == [0]
