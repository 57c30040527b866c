# SPDX-License-Identifier: Apache-2.0
"""Checkpoints byte by byte, and what is refused of one."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import cbor2
import numpy as np
import pytest

from ppmf_secure.session.checkpoint import (
    RatingBits,
    read_admission,
    read_checkpoint,
    read_closing,
    read_ratings,
    write_admission,
    write_checkpoint,
    write_closing,
    write_ratings,
)
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from tests.support.checkpoints import COINS, SESSION, checkpoint
from tests.support.sessions import session_of


def test_ratings_are_kept_as_one_array() -> None:
    planes = np.frombuffer(COINS.bytes(10), dtype=np.uint8).reshape(5, 2, 1) & np.uint8(7)
    data = write_ratings(SESSION, RatingBits(planes))
    assert cbor2.loads(data) == ["ppmf-checkpoint/2", SESSION.id, "ratings", planes.tobytes()]
    assert np.array_equal(read_ratings(SESSION, data).planes, planes)


@pytest.mark.req("PPMF-ERR-004")
@pytest.mark.parametrize(
    ("kept", "message"),
    [
        (bytes(9), "kept ratings: 9 bytes where 10 are due"),
        (bytes(9) + b"\x08", "kept ratings: a spare bit is not 0"),
    ],
)
def test_other_bits_are_refused(kept: bytes, message: str) -> None:
    data = cbor2.dumps(["ppmf-checkpoint/2", SESSION.id, "ratings", kept])
    with pytest.raises(EncodingError, match=f"^{message}$"):
        read_ratings(SESSION, data)


@pytest.mark.req("PPMF-ERR-004")
@pytest.mark.parametrize("items", [1, 7, 8, 9, 10, 15, 16, 17])
def test_all_bits_of_a_row_are_kept_and_only_the_spare_ones_refused(items: int) -> None:
    names = tuple(str(number) for number in range(10, 10 + items))
    session = session_of(SESSION.parameters, ("1", "2"), names)
    ones = np.packbits(np.ones((5, 2, items), dtype=np.uint8), axis=2, bitorder="little")
    assert np.array_equal(
        read_ratings(session, write_ratings(session, RatingBits(ones))).planes, ones
    )
    for bit in range(items % 8 or 8, 8):
        spoiled = ones.copy()
        spoiled[-1, -1, -1] |= np.uint8(1 << bit)
        with pytest.raises(EncodingError, match="^kept ratings: a spare bit is not 0$"):
            read_ratings(session, write_ratings(session, RatingBits(spoiled)))


@pytest.mark.req("PPMF-ADM-007")
def test_a_decision_is_kept_with_recsys_share_of_the_bits_and_at_csp_without() -> None:
    closing, admission = wire.Closing(b"\3", b"seals"), wire.Admission(b"\2")
    bits = RatingBits(np.arange(10, dtype=np.uint8).reshape(5, 2, 1))
    for share, kept in ((bits, bytes(range(10))), (None, b"")):
        data = write_closing(SESSION, closing, share)
        assert cbor2.loads(data) == [FORMAT, SESSION.id, "closing", b"\3", b"seals", kept]
        assert read_closing(SESSION, data) == closing
    data = write_admission(SESSION, admission)
    assert cbor2.loads(data) == [FORMAT, SESSION.id, "admission", b"\2"]
    assert read_admission(SESSION, data) == admission


def test_a_model_is_kept_as_one_array() -> None:
    some = replace(checkpoint(258), iteration=258)
    data = write_checkpoint(SESSION, some)
    kept = cbor2.loads(data)
    assert kept[:5] == ["ppmf-checkpoint/2", SESSION.id, "model", b"\x02\x01" + bytes(6), kept[4]]
    assert kept[4] == some.lineage
    again = read_checkpoint(SESSION, data)
    assert (again.iteration, again.lineage) == (258, some.lineage)
    for one, other in ((again.users, some.users), (again.items, some.items)):
        assert np.array_equal(one.share, other.share)
        assert np.array_equal(one.previous, other.previous)
        assert np.array_equal(one.bits, other.bits)


FORMAT = "ppmf-checkpoint/2"
FOREIGN = "not of format ppmf-checkpoint/2"


@pytest.mark.req("PPMF-ERR-004")
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, "ppmf-checkpoint/1", f"checkpoint of the model: {FOREIGN}"),
        (2, "ratings", f"checkpoint of the model: {FOREIGN}"),
        (3, b"1234567", "checkpoint of the model: its name is not of its length"),
        (4, bytes(31), "checkpoint of the model: its name is not of its length"),
        (5, bytes(31), "checkpoint: shares: 31 bytes where 32 are due"),
        (
            6,
            bytes(33),
            "checkpoint: shares before the last inner step: 33 bytes where 32 are due",
        ),
        (7, bytes(6), "checkpoint: 6 bytes of bits for 40 bits"),
        (8, 7, f"checkpoint of the model: {FOREIGN}"),
    ],
)
def test_a_malformed_model_is_refused(place: int, value: Any, message: str) -> None:
    content = cbor2.loads(write_checkpoint(SESSION, checkpoint(1)))
    content[place] = value
    with pytest.raises(EncodingError) as caught:
        read_checkpoint(SESSION, cbor2.dumps(content))
    assert str(caught.value) == message


@pytest.mark.req("PPMF-ERR-004")
@pytest.mark.parametrize("parts", [[], [bytes(10)] * 2, [7]])
def test_a_wrong_number_of_parts_is_refused(parts: list[Any]) -> None:
    content = ["ppmf-checkpoint/2", SESSION.id, "ratings", *parts]
    with pytest.raises(EncodingError) as caught:
        read_ratings(SESSION, cbor2.dumps(content))
    assert str(caught.value) == f"checkpoint of the ratings: {FOREIGN}"
