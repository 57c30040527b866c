# SPDX-License-Identifier: Apache-2.0
"""The strict decoder: exactly four kinds of items, in one form, and no work that bytes ask for."""

from __future__ import annotations

import tracemalloc
from typing import Any

import cbor2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec.errors import EncodingError
from ppmf_spec.strict_cbor import decode, decode_next, encode
from tests.support.attacks import ATTACKS, counted
from tests.support.cbor_by_hand import by_hand

COUNTS = st.integers(0, 2**64 - 1) | st.sampled_from(
    [value + step for value in (24, 2**8, 2**16, 2**32) for step in (-1, 0, 1)]
)
LEAVES = COUNTS | st.text(max_size=30) | st.binary(max_size=30)
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=30), max_leaves=40)


def plain(item: Any) -> Any:
    """An item with bytes in the place of views."""
    if isinstance(item, list):
        return [plain(one) for one in item]
    return bytes(item) if isinstance(item, memoryview) else item


@pytest.mark.req("PPMF-WIR-002")
@given(VALUES)
def test_every_value_has_one_encoding_and_comes_back(value: Any) -> None:
    encoded = encode(value)
    assert encoded == by_hand(value)
    assert plain(decode(encoded, depth=64, items=10_000)) == value


@pytest.mark.req("PPMF-WIR-002", "PPMF-WIR-003")
@given(st.binary(max_size=60) | VALUES.map(cbor2.dumps).flatmap(lambda data: flipped(data)))
def test_what_is_accepted_is_what_its_value_encodes_to(data: bytes) -> None:
    try:
        item = decode(data, depth=64, items=10_000)
    except EncodingError:
        return
    assert encode(item) == data


def flipped(data: bytes) -> st.SearchStrategy[bytes]:
    """The bytes with one of them changed."""
    return st.tuples(st.integers(0, len(data) - 1), st.integers(0, 255)).map(
        lambda change: data[: change[0]] + bytes([change[1]]) + data[change[0] + 1 :]
    )


@pytest.mark.req("PPMF-WIR-002", "PPMF-WIR-003")
@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "byte 0: cut short"),
        (b"\x20", "byte 0: a negative integer"),
        (b"\xa0", "byte 0: a map"),
        (b"\xc0\x00", "byte 0: a tag"),
        (b"\xf4", "byte 0: a float or simple value"),
        (b"\xff", "byte 0: a float or simple value"),
        (b"\x1c", "byte 0: an indefinite or reserved length"),
        (b"\x5f\xff", "byte 0: an indefinite or reserved length"),
        (b"\x9f\xff", "byte 0: an indefinite or reserved length"),
        (b"\x18\x17", "byte 0: not in shortest form"),
        (b"\x19\x00\xff", "byte 0: not in shortest form"),
        (b"\x1a\x00\x00\xff\xff", "byte 0: not in shortest form"),
        (b"\x1b\x00\x00\x00\x00\xff\xff\xff\xff", "byte 0: not in shortest form"),
        (b"\x19\x01", "byte 0: cut short"),
        (b"\x82\x00\x42\x00", "byte 2: cut short"),
        (b"\x61\xff", "byte 0: a text that is not UTF-8"),
        (b"\x63\xed\xa0\x80", "byte 0: a text that is not UTF-8"),
        (b"\x00\x00", "byte 1: bytes after the end"),
        (b"\x81\x80", "byte 1: an array where none can be"),
        (b"\x98\x20" + bytes(32), "byte 0: more items than there can be"),
    ],
)
def test_each_refusal_names_its_place(data: bytes, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        decode(data)
    assert str(caught.value) == message


@pytest.mark.req("PPMF-WIR-010", "PPMF-WIR-003")
@pytest.mark.parametrize("data", ATTACKS.values(), ids=ATTACKS.keys())
def test_an_attack_costs_no_memory_and_looks_at_few_bytes(
    data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The place that the refusal names says how far the bytes were looked at."""
    with counted(monkeypatch) as work, pytest.raises(EncodingError, match=r"^byte [0-5]: "):
        decode(data)
    assert work.heads <= 2
    assert work.memory < 100_000


@pytest.mark.req("PPMF-WIR-010")
def test_items_are_counted_over_all_arrays() -> None:
    assert plain(decode(encode([[1, 2], [3]]), depth=2, items=6)) == [[1, 2], [3]]
    with pytest.raises(EncodingError, match="more items"):
        decode(encode([[1, 2], [3]]), depth=2, items=5)


def test_byte_strings_are_views_of_what_was_given() -> None:
    data = encode([b"0123456789", 7])
    tracemalloc.start()
    item = decode(data)
    tracemalloc.stop()
    assert isinstance(item, list)
    assert isinstance(item[0], memoryview)
    assert item[0].obj is data
    assert item[0].readonly


def test_items_in_a_sequence_are_read_one_after_the_other() -> None:
    data = encode(1) + encode(["a"]) + encode(b"b")
    first, at = decode_next(data, 0)
    second, at = decode_next(data, at)
    third, at = decode_next(data, at)
    assert [first, second, third, at] == [1, ["a"], b"b", len(data)]


@pytest.mark.parametrize("value", [-1, 2**64])
def test_integers_outside_64_bits_are_not_encoded(value: int) -> None:
    with pytest.raises(OverflowError):
        encode(value)
