# SPDX-License-Identifier: Apache-2.0
"""What is kept, byte by byte, and how two servers choose among what both have kept."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import cbor2
import numpy as np
import pytest

from ppmf_secure.effects import Receive, Send
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.resumption import agree_on_checkpoint, lineage
from ppmf_secure.session.checkpoint import (
    Checkpoint,
    RatingShares,
    SavedSide,
    read_checkpoint,
    read_ratings,
    write_checkpoint,
    write_ratings,
)
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role

SESSION = Session(Parameters(rank=2, bias=False), ("1", "2"), ("7", "8", "9"), "ideal", bytes(16))
COINS = Coins.seeded("checkpoints")


def side(rows: int) -> SavedSide:
    bits = COINS.bits((SESSION.parameters.word_bits, 2 * rows))
    return SavedSide(COINS.words((2, rows)), bits)


def checkpoint(iteration: int, first: int = 0) -> Checkpoint:
    """With a lineage that begins with the byte `first`."""
    return Checkpoint(iteration, bytes([first]) + COINS.bytes(31), side(2), side(3))


def name(of: Checkpoint) -> bytes:
    return of.iteration.to_bytes(8, "little") + of.lineage


def agreed(me: Role, mine: list[Checkpoint], theirs: bytes) -> tuple[bytes, Checkpoint | None]:
    """What `me` sends, and what it settles on when the peer names `theirs`."""
    peer = me.peer
    program = agree_on_checkpoint(me, mine)
    sent = next(program)
    assert isinstance(sent, Send)
    assert isinstance(sent.message, wire.Resume)
    assert program.send(None) == Receive(peer, wire.Resume)
    assert sent.to == peer
    with pytest.raises(StopIteration) as end:
        program.send(wire.Resume(theirs))
    return sent.message.checkpoints, end.value.value


# Iterations whose order is another by their first byte, by their bytes, and with the lineage.
ONE, TWO, FAR = checkpoint(1, 9), checkpoint(2, 5), checkpoint(256, 0)


@pytest.mark.req("PPMF-RES-003")
@pytest.mark.parametrize("me", [RECSYS, CSP])
def test_names_go_by_iteration_and_the_highest_common_one_is_chosen(me: Role) -> None:
    sent, chosen = agreed(me, [FAR, ONE, TWO], name(TWO) + name(FAR) + name(checkpoint(300)))
    assert sent == name(ONE) + name(TWO) + name(FAR)
    assert chosen is FAR
    assert agreed(me, [ONE, TWO], name(checkpoint(7)) + name(ONE))[1] is ONE


@pytest.mark.req("PPMF-RES-003")
def test_a_name_is_only_read_where_one_begins() -> None:
    assert agreed(RECSYS, [ONE], bytes(20) + name(ONE) + bytes(20))[1] is None
    assert agreed(RECSYS, [ONE], b"")[1] is None
    assert agreed(RECSYS, [], name(ONE)) == (b"", None)


@pytest.mark.req("PPMF-RES-006")
def test_a_lineage_depends_on_every_key_and_who_has_it() -> None:
    keys = {CSP: wire.ServerKey("s", b"a", b"bc"), RECSYS: wire.ServerKey("s", b"d", b"e")}
    moved = {CSP: wire.ServerKey("s", b"ab", b"c"), RECSYS: keys[RECSYS]}
    swapped = {CSP: keys[RECSYS], RECSYS: keys[CSP]}
    found = {lineage(SESSION, messages) for messages in (keys, moved, swapped)}
    assert len(found) == 3
    text = b"ppmf/v1/lineage/" + SESSION.id
    for key in (b"a", b"bc", b"d", b"e"):  # CSP's, then RecSys'
        text += bytes([len(key), 0, 0, 0, 0, 0, 0, 0]) + key
    assert lineage(SESSION, keys) == hashlib.sha256(text).digest()


def test_ratings_are_kept_as_one_array() -> None:
    shares = RatingShares(COINS.words((2, 3)), COINS.words((2, 3)))
    data = write_ratings(SESSION, shares)
    parts = [shares.rated.astype("<u8").tobytes(), shares.rating.astype("<u8").tobytes()]
    assert cbor2.loads(data) == ["ppmf-checkpoint/1", SESSION.id, "ratings", *parts]
    again = read_ratings(SESSION, data)
    assert np.array_equal(again.rated, shares.rated)
    assert np.array_equal(again.rating, shares.rating)


def test_a_model_is_kept_as_one_array() -> None:
    some = replace(checkpoint(258), iteration=258)
    data = write_checkpoint(SESSION, some)
    kept = cbor2.loads(data)
    assert kept[:5] == ["ppmf-checkpoint/1", SESSION.id, "model", b"\x02\x01" + bytes(6), kept[4]]
    assert kept[4] == some.lineage
    again = read_checkpoint(SESSION, data)
    assert (again.iteration, again.lineage) == (258, some.lineage)
    for one, other in ((again.users, some.users), (again.items, some.items)):
        assert np.array_equal(one.share, other.share)
        assert np.array_equal(one.bits, other.bits)


FOREIGN = "not of format ppmf-checkpoint/1"


@pytest.mark.req("PPMF-ERR-004")
@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (0, "ppmf-checkpoint/2", f"checkpoint of the model: {FOREIGN}"),
        (2, "ratings", f"checkpoint of the model: {FOREIGN}"),
        (3, b"1234567", "checkpoint of the model: its name is not of its length"),
        (4, bytes(31), "checkpoint of the model: its name is not of its length"),
        (5, bytes(31), "checkpoint: shares: 31 bytes where 32 are due"),
        (6, bytes(6), "checkpoint: 6 bytes of bits for 56 bits"),
        (7, 7, f"checkpoint of the model: {FOREIGN}"),
    ],
)
def test_a_model_that_is_not_as_it_should_be_is_refused(
    place: int, value: Any, message: str
) -> None:
    content = cbor2.loads(write_checkpoint(SESSION, checkpoint(1)))
    content[place] = value
    with pytest.raises(EncodingError) as caught:
        read_checkpoint(SESSION, cbor2.dumps(content))
    assert str(caught.value) == message


@pytest.mark.req("PPMF-ERR-004")
@pytest.mark.parametrize("parts", [[], [bytes(48)], [bytes(48)] * 3])
def test_a_wrong_number_of_parts_is_refused(parts: list[bytes]) -> None:
    content = ["ppmf-checkpoint/1", SESSION.id, "ratings", *parts]
    with pytest.raises(EncodingError) as caught:
        read_ratings(SESSION, cbor2.dumps(content))
    assert str(caught.value) == f"checkpoint of the ratings: {FOREIGN}"


@pytest.mark.req("PPMF-ERR-004")
@pytest.mark.parametrize("place", [3, 4])
def test_kept_ratings_of_a_wrong_length_are_named(place: int) -> None:
    content = ["ppmf-checkpoint/1", SESSION.id, "ratings", bytes(48), bytes(48)]
    content[place] = bytes(40)
    with pytest.raises(EncodingError) as caught:
        read_ratings(SESSION, cbor2.dumps(content))
    assert str(caught.value) == "kept ratings: 40 bytes where 48 are due"
