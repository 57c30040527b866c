# SPDX-License-Identifier: Apache-2.0
"""From bits to shares against its ideal: the ratings themselves, from any bits in any shares."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_secure.effects import Program, Receive, Send
from ppmf_secure.primitives import hashing
from ppmf_secure.primitives import shares as shares_module
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.primitives.workers import OneProcess
from ppmf_secure.protocols.conversion import AHEAD, WAITED, convert, payload_bytes
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.session.checkpoint import RatingBits, RatingShares
from ppmf_spec.errors import EncodingError
from ppmf_spec.roles import CSP, RECSYS
from ppmf_spec.wire import Message, TransferColumns
from tests.support.asked_twice import AskedTwice
from tests.support.messages import message_of
from tests.support.two_servers import ideal_transfers, run_both

Bits = np.ndarray[tuple[int, ...], np.dtype[np.uint8]]
Words = np.ndarray[tuple[int, ...], np.dtype[np.uint64]]
T = TypeVar("T")


def _transfers(label: str, ring_bits: int = 64) -> tuple[Transfers, Transfers]:
    csp, recsys = ideal_transfers(label)
    return replace(csp, ring_bits=ring_bits), replace(recsys, ring_bits=ring_bits)


def _bits(label: str, code: RatingCode, users: int, items: int) -> Bits:
    """Any bits (1 + t, users, items), those of items without a rating too."""
    return Coins.seeded(f"bits/{label}").bits((1 + code.bits, users, items))


def _packed(bits: Bits) -> Bits:
    return np.packbits(bits, axis=2, bitorder="little")


def _converted(
    transfers: tuple[Transfers, Transfers],
    bits: Bits,
    code: RatingCode,
    label: str,
    sent: tuple[list[bytes], list[bytes]] | None = None,
) -> tuple[RatingShares, RatingShares]:
    """Both servers' shares, CSP's first, of bits that are shared with a label's coins.

    The bits that the last byte of a row has to spare are as random as the others.
    """
    packed = _packed(bits)
    size = int(np.prod(packed.shape))
    mask = np.frombuffer(Coins.seeded(f"mask/{label}").bytes(size), dtype=np.uint8)
    mine = mask.reshape(packed.shape)
    items, noted = bits.shape[2], sent or ([], [])
    return run_both(
        _noted(convert(transfers[0], RatingBits(mine), items, code), noted[0]),
        _noted(convert(transfers[1], RatingBits(mine ^ packed), items, code), noted[1]),
    )


def _noted(program: Program[T], sent: list[bytes]) -> Program[T]:
    """A program whose messages are noted."""
    answer = None
    while True:
        try:
            effect = program.send(answer)
        except StopIteration as end:
            result: T = end.value
            return result
        if isinstance(effect, Send):
            sent.append(
                effect.message.name.encode() + b"".join(map(bytes, _fields(effect.message)))
            )
        answer = yield effect


def _both(shares: RatingShares) -> tuple[Words, Words]:
    return shares.rated, shares.rating


def _opened(shares: Sequence[RatingShares], ring_bits: int) -> tuple[Words, Words]:
    ring = np.uint64(2**ring_bits - 1)
    csp, recsys = shares
    return (csp.rated + recsys.rated) & ring, (csp.rating + recsys.rating) & ring


def _decoded(
    bits: Bits, code: RatingCode, ring_bits: int
) -> tuple[list[list[int]], list[list[int]]]:
    """The ratings and whether there are any, from bits and in whole numbers."""
    rated, *others = bits.astype(object)
    parts = (int(w) * plane for w, plane in zip(code.weights, others, strict=True))
    value = sum(parts, start=code.least)
    return rated.tolist(), (rated * value % 2**ring_bits).tolist()


@pytest.mark.req("PPMF-CNV-001", "PPMF-CNV-002")
@given(
    span=st.integers(0, 40),
    low=st.integers(-20, 20) | st.sampled_from([-(2**31), 2**31]),
    ring_bits=st.integers(32, 64),
    users=st.integers(1, 9),
    items=st.integers(1, 20),
    label=st.text("abc", max_size=8),
)
def test_any_bits_become_shares_of_the_ratings_that_they_mean(
    span: int, low: int, ring_bits: int, users: int, items: int, label: str
) -> None:
    code = RatingCode(low, span)
    bits = _bits(label, code, users, items)
    found = _opened(_converted(_transfers(label, ring_bits), bits, code, label), ring_bits)
    rated, rating = _decoded(bits, code, ring_bits)
    assert found[0].tolist() == rated
    assert found[1].tolist() == rating


@pytest.mark.req("PPMF-CNV-002")
@pytest.mark.parametrize("ring_bits", [32, 41, 64])
def test_nothing_that_is_not_rated_counts(ring_bits: int) -> None:
    """A hostile user puts ones into all planes of items that they do not rate."""
    code = RatingCode(-4, 9)
    bits = np.ones((5, 3, 21), dtype=np.uint8)
    bits[0] = 0
    rated, rating = _opened(_converted(_transfers("h", ring_bits), bits, code, "h"), ring_bits)
    assert not rated.any()
    assert not rating.any()


@pytest.mark.req("PPMF-CNV-001", "PPMF-CNV-002", "PPMF-CNV-004")
@pytest.mark.parametrize(
    ("users", "items", "span"),
    [
        pytest.param(1, 4096, 1, id="one chunk"),
        pytest.param(1, 4097, 1, id="one element more"),
        pytest.param(2, 9009, 4, id="rows longer than a chunk, and not of whole bytes"),
        pytest.param(1201, 7, 9, id="many rows in a chunk, and not of whole bytes"),
        pytest.param(AHEAD + 2, 4096, 0, id="more chunks than columns go ahead"),
    ],
)
def test_entries_fall_into_chunks(users: int, items: int, span: int) -> None:
    code = RatingCode(-4, span)
    bits = _bits("chunks", code, users, items)
    rated, rating = _opened(_converted(_transfers("chunks", 46), bits, code, "chunks"), 46)
    value = np.uint64(2**46 - 4) + np.tensordot(
        np.array(code.weights, np.uint64), bits[1:].astype(np.uint64), 1
    )
    assert np.array_equal(rated, bits[0])
    assert np.array_equal(rating, bits[0] * value % np.uint64(2**46))


@pytest.mark.req("PPMF-CNV-003", "PPMF-CNV-004", "PPMF-CNV-007")
def test_messages_go_in_this_order_and_have_these_lengths() -> None:
    """Those of each server, from 35 chunks of which the last has 5 entries."""
    sizes = [4096] * 34 + [5]
    csp, recsys = _transfers("order", 46)
    of_recsys = [("transfer-columns", 2048 * -(-4 * size // 128)) for size in sizes]
    of_csp = [("transfer-columns", 2048 * -(-size // 128)) for size in sizes]
    answers = [("transfer-payload", 5 * 6 * size) for size in sizes]
    ends = [("transfer-payload", 6 * size) for size in sizes]
    recsys_sends = [*of_recsys[:32], *_in_turn(ends[:3], of_recsys[32:]), *ends[3:]]
    csp_sends = _in_turn(of_csp, answers)
    bits = RatingBits(np.zeros((4, 1, -(-sum(sizes) // 8)), dtype=np.uint8))
    for server, sends, takes in ((recsys, recsys_sends, csp_sends), (csp, csp_sends, recsys_sends)):
        sent = _alone(
            convert(server, bits, sum(sizes), RatingCode(1, 4)), [size for _, size in takes]
        )
        assert sent == sends


def _in_turn(one: Sequence[T], other: Sequence[T]) -> list[T]:
    return [each for pair in zip(one, other, strict=True) for each in pair]


def _alone(
    program: Program[Any], lengths: Iterable[int], *, ends: bool = True
) -> list[tuple[str, int]]:
    """The names and lengths of what a program sends, when it is given zeros of these lengths.

    ends: whether that is all that it waits for.
    """
    sent: list[tuple[str, int]] = []
    due = iter(lengths)
    answer: Message | None = None
    with suppress(StopIteration):
        while True:
            effect = program.send(answer)
            if isinstance(effect, Send):
                (data,) = _fields(effect.message)
                sent.append((effect.message.name, len(data)))
                answer = None
            elif isinstance(effect, Receive):
                name = "columns" if effect.kind is TransferColumns else "payload"
                size = next(due, None)
                if size is None:
                    assert not ends
                    return sent
                answer = message_of(effect.kind, **{name: bytes(size)})
    assert not list(due)
    return sent


def _fields(message: Message) -> list[Any]:
    return [getattr(message, field.name) for field in fields(message)]


@pytest.mark.req("PPMF-CNV-007", "PPMF-CNV-003")
def test_an_entry_takes_so_many_bytes() -> None:
    """152 with four bits of code in the widest ring, 116 with three in one of 46 bits."""
    for planes, ring_bits, expected in ((5, 64, 152), (5, 46, 138), (4, 46, 116), (1, 32, 44)):
        columns = columns_bytes(128 * planes) + columns_bytes(128)
        payloads = [payload_bytes(server, 128, planes, ring_bits) for server in (CSP, RECSYS)]
        assert columns + sum(payloads) == 128 * expected


@pytest.mark.req("PPMF-WRK-002", "PPMF-WRK-003", "PPMF-WRK-004", "PPMF-WRK-005")
@settings(max_examples=12)
@given(
    chunk=st.sampled_from([8, 30]),
    users=st.integers(1, 12),
    items=st.integers(1, 40),
    span=st.sampled_from([0, 4, 9]),
    counts=st.tuples(*[st.none() | st.sampled_from([1, 2, 3, 5, 40])] * 2),
)
def test_workers_convert_to_the_same_shares_with_the_same_messages(
    tmp_path_factory: pytest.TempPathFactory,
    chunk: int,
    users: int,
    items: int,
    span: int,
    counts: tuple[int | None, ...],
) -> None:
    """Both servers have workers or none; every question is asked twice, of which once as bytes."""
    code, folder = RatingCode(-3, span), tmp_path_factory.mktemp("workers")
    bits = _bits("workers", code, users, items)
    found = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shares_module, "CHUNK", chunk)
        for workers in ((None, None), counts):
            sent: tuple[list[bytes], list[bytes]] = ([], [])
            given = tuple(None if count is None else AskedTwice(count, folder) for count in workers)
            csp, recsys = (
                replace(transfers, workers=each)
                for transfers, each in zip(_transfers("workers", 46), given, strict=True)
            )
            shares = _converted((csp, recsys), bits, code, "workers", sent)
            found.append((sent, [[*map(np.ndarray.tolist, _both(each))] for each in shares]))
            for each in filter(None, given):
                assert each.most <= WAITED
                assert each.under_way == 0
                assert len(each.questions) >= users * items / chunk / WAITED
    assert found[0] == found[1]


@pytest.mark.req("PPMF-WRK-004")
@pytest.mark.parametrize("count", [1, 3, 4, 40])
@pytest.mark.parametrize("server", [0, 1])
def test_with_workers_the_first_of_16_chunks_is_answered_before_another_one_is_awaited(
    tmp_path: Path, server: int, count: int
) -> None:
    """The server gets messages about 16 chunks, and none about a later one."""
    transfers = replace(_transfers("late")[server], workers=OneProcess(count, tmp_path))
    size = 4096
    bits = RatingBits(np.zeros((1, 40, size // 8), dtype=np.uint8))
    columns = columns_bytes(size)
    takes = [columns] if server == 0 else [columns, 2 * 8 * size]
    sent = _alone(convert(transfers, bits, size, RatingCode(1, 0)), takes * 16, ends=False)
    assert sent[(1, AHEAD)[server]] == ("transfer-payload", (2 - server) * 8 * size)


@pytest.mark.req("PPMF-CNV-010", "PPMF-BIT-003", "PPMF-HSH-008")
def test_batches_have_keys_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[object, ...]] = []
    calls: list[int] = []
    original, check = hashing.BatchKeys.cipher, hashing.check_calls

    def watched(self: hashing.BatchKeys, purpose: str, *indices: int) -> object:
        seen.append((id(self), purpose, indices))
        return original(self, purpose, *indices)

    def counted(count: int) -> None:
        calls.append(count)
        check(count)

    monkeypatch.setattr(hashing.BatchKeys, "cipher", watched)
    monkeypatch.setattr(hashing, "check_calls", counted)
    transfers, code = _transfers("keys"), RatingCode(0, 4)
    _converted(transfers, _bits("keys", code, 1, 4096 + 2049), code, "keys")
    for server in transfers:
        mine = [one[1:] for one in seen if one[0] == id(server.keys)]
        assert len(mine) == len(set(mine))
        assert set(mine) == {
            (f"conversion/to-{chooser}", (chunk, plane, 0))
            for chooser, planes in (("recsys", 4), ("csp", 1))
            for chunk in (0, 1)
            for plane in range(planes)
        }
    assert max(calls) == hashing.MAX_CALLS


@pytest.mark.req("PPMF-CNV-009")
def test_shares_of_two_epochs_fit_nothing_of_each_other() -> None:
    code = RatingCode(-4, 9)
    bits = _bits("epochs", code, 3, 7)
    first, second = (_converted(_transfers(label), bits, code, "one") for label in ("a", "b"))
    for one, other in zip(first, second, strict=True):
        assert (one.rated != other.rated).all()
        assert (one.rating != other.rating).all()
    assert (_opened((first[0], second[1]), 64)[0] != bits[0]).all()


@pytest.mark.req("PPMF-ERR-003", "PPMF-CNV-007")
@pytest.mark.parametrize("server", [0, 1])
def test_a_payload_of_the_wrong_length_is_refused(server: int) -> None:
    """RecSys' of one entry has 8 bytes, CSP's of four planes 40."""
    bits, due = RatingBits(np.zeros((4, 1, 1), dtype=np.uint8)), (8, 40)[server]
    columns = columns_bytes((4, 1)[server])
    program = convert(_transfers("short")[server], bits, 1, RatingCode(0, 4))
    with pytest.raises(EncodingError, match=f"payload: {due + 1} bytes where {due} are due"):
        _alone(program, [columns, due + 1])
