# SPDX-License-Identifier: Apache-2.0
"""Repetitions in bytes that should be uniform are found; accidental likeness is not reported."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from ppmf_audit.repetition import Repetition
from ppmf_secure.primitives.coins import Coins
from ppmf_spec import wire
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.messages import message_of

BLOCKS = "no block repeated within a message"
STREAMS = "columns under fresh keystreams"
BITS = "masked bits fair, alone and between users"
WAY, BACK = (RECSYS, CSP), (CSP, RECSYS)

COINS = Coins.seeded("repetition")


def failed(*sent: tuple[tuple[Role, Role], wire.Message]) -> set[str]:
    seen = Repetition()
    for direction, message in sent:
        seen.add(direction, message)
    return {one.check for one in seen.findings() if not one.ok}


def columns(keystreams: bytes, choices: bytes) -> wire.TransferColumns:
    """128 columns of as many bytes as there are choices."""
    streams = np.frombuffer(keystreams, dtype=np.uint8).reshape(128, -1)
    return message_of(
        wire.TransferColumns, columns=(streams ^ np.frombuffer(choices, dtype=np.uint8)).tobytes()
    )


def uploads(fields: np.ndarray[tuple[int, int], np.dtype[np.uint8]]) -> Sequence[wire.Upload]:
    return [
        message_of(wire.Upload, user=str(number), masked=field.tobytes())
        for number, field in enumerate(fields)
    ]


@pytest.mark.parametrize(
    ("kind", "field"), [(wire.GarbledTables, "tables"), (wire.TransferColumns, "columns")]
)
def test_a_block_repeated_within_a_message_is_found(kind: type[wire.Message], field: str) -> None:
    data = COINS.bytes(128 * 48)
    assert failed((WAY, message_of(kind, **{field: data}))) == set()
    assert failed((WAY, message_of(kind, **{field: data[:-16] + data[:16]}))) == {BLOCKS}


def test_equal_halves_of_blocks_are_not_a_repetition() -> None:
    data = bytearray(COINS.bytes(128 * 48))
    data[16:24] = data[:8]
    assert failed((WAY, message_of(wire.GarbledTables, tables=bytes(data)))) == set()


def test_blocks_may_be_repeated_in_another_message() -> None:
    """That whole fields do not is another check; blocks would be too many to remember."""
    message = message_of(wire.GarbledTables, tables=COINS.bytes(1600))
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


def masked(users: int, size: int) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    return np.frombuffer(COINS.bytes(users * size), dtype=np.uint8).reshape(users, size).copy()


def test_one_mask_for_two_users_who_rated_little_is_found() -> None:
    """Wherever the two stand; each rated one item."""
    fields = masked(6, 40)
    assert failed(*((WAY, upload) for upload in uploads(fields))) == set()
    fields[4] = fields[1]
    fields[4, 3] ^= 1
    fields[1, 7] ^= 2
    assert failed(*((WAY, upload) for upload in uploads(fields))) == {BITS}


def test_one_mask_for_all_users_of_a_small_run_is_found() -> None:
    fields = masked(10, 2)
    assert failed(*((WAY, upload) for upload in uploads(fields))) == set()
    fields[:] = fields[0]
    fields[2:5, 1] ^= 8
    assert BITS in failed(*((WAY, upload) for upload in uploads(fields)))


def test_bits_in_the_clear_are_found() -> None:
    fields = masked(6, 40)
    fields[:] = 0
    fields[:, 1] = 3
    assert failed(*((WAY, upload) for upload in uploads(fields))) == {BITS}


def test_of_uploads_of_several_lengths_none_are_compared() -> None:
    """That lengths are equal is another check."""
    some = [message_of(wire.Upload, user="1", masked=bytes(size)) for size in (40, 41)]
    assert failed(*((WAY, upload) for upload in some)) == set()
