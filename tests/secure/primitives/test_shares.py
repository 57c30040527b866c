# SPDX-License-Identifier: Apache-2.0
"""Shares as arrays and bytes: bits against Python's integers, slices, lengths."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.shares import (
    CHUNK,
    SharedWords,
    check_length,
    chunks,
    from_bits,
    low_bytes,
    overlapping_words,
    put_low_bytes,
    to_bits,
    view_as_bytes,
    weights,
    words_from_bytes,
    words_of_low_bytes,
    words_to_bytes,
)
from ppmf_spec.errors import EncodingError

words = st.lists(st.integers(0, 2**64 - 1), max_size=5)
widths = st.integers(1, 64)


def shared(width: int, count: int, label: str) -> SharedWords:
    coins = Coins.seeded(label)
    return SharedWords(
        coins.bits((width, count)),
        coins.words((width, count, 2)),
        coins.words((width, count, 2)),
        coins.words(2),
    )


@pytest.mark.req("PPMF-GCB-006", "PPMF-BIT-005")
@pytest.mark.parametrize(
    ("count", "ends"),
    [
        (0, []),
        (1, [(0, 1)]),
        (4096, [(0, 4096)]),
        (4097, [(0, 4096), (4096, 4097)]),
        (10_000, [(0, 4096), (4096, 8192), (8192, 10_000)]),
    ],
)
def test_a_message_has_at_most_4096_elements(count: int, ends: list[tuple[int, int]]) -> None:
    assert CHUNK == 4096
    assert [(part.start, part.stop) for part in chunks(count)] == ends


@pytest.mark.parametrize("width", [1, 2, 13, 63, 64])
def test_a_sign_bit_counts_negative(width: int) -> None:
    plain = [1 << place for place in range(width)]
    assert weights(width, signed=False).tolist() == plain
    assert weights(width, signed=True).tolist() == [*plain[:-1], 2**64 - plain[-1]]


def test_zero_bits_have_no_weights() -> None:
    assert weights(0, signed=True).tolist() == weights(0, signed=False).tolist() == []


@given(values=words, width=widths)
def test_bits_are_the_low_ones_lowest_first(values: list[int], width: int) -> None:
    bits = to_bits(np.array(values, dtype=np.uint64), width)
    assert bits.dtype == np.uint8
    assert bits.tolist() == [[value >> place & 1 for value in values] for place in range(width)]


@given(values=words, width=widths)
@example(values=[0, 1, 2, 3], width=2)
@example(values=[0, 1, 2**63, 2**64 - 1], width=64)
def test_bits_make_up_the_integer(values: list[int], width: int) -> None:
    bits = to_bits(np.array(values, dtype=np.uint64), width)
    low = [value % 2**width for value in values]
    signed = [(value - 2**width if value >> (width - 1) else value) % 2**64 for value in low]
    for wanted, sign in ((low, False), (signed, True)):
        found = from_bits(bits, signed=sign)
        assert found.dtype == np.uint64
        assert found.tolist() == wanted


@given(values=words)
def test_words_are_written_little_endian(values: list[int]) -> None:
    data = b"".join(value.to_bytes(8, "little") for value in values)
    assert words_to_bytes(np.array(values, dtype=np.uint64)) == data
    found = words_from_bytes(data, (len(values),), "x")
    assert found.dtype == np.uint64
    assert found.tolist() == values


def test_words_are_written_little_endian_whatever_their_order_in_memory() -> None:
    swapped = np.array([1, 2**63 + 5], dtype=">u8")
    assert words_to_bytes(swapped) == b"\1" + bytes(7) + b"\5" + bytes(6) + b"\x80"


@given(values=words, size=st.integers(1, 8))
@example(values=[2**64 - 1, 0, 2**64 - 1], size=5)
def test_the_low_bytes_of_words_are_written_lowest_first(values: list[int], size: int) -> None:
    kept = [value % 256**size for value in values]
    data = b"".join(value.to_bytes(size, "little") for value in kept)
    assert low_bytes(np.array(values, dtype=np.uint64), size) == data
    found = words_of_low_bytes(data, (len(values),), size)
    assert found.dtype == np.uint64
    assert found.tolist() == kept


@pytest.mark.parametrize("size", range(1, 9))
def test_low_bytes_of_part_of_an_array_go_to_part_of_another(size: int) -> None:
    source = Coins.seeded("low").words((2, 5, 4))[:, :, :3]
    out = np.zeros((2, 9, 3, size), dtype=np.uint8)
    put_low_bytes(source, out[:, 2:7])
    assert out[:, 2:7].tobytes() == low_bytes(source, size)
    assert not out[:, :2].any()
    assert not out[:, 7:].any()
    for before, after in ((0, 0), (3, 0), (1, 7), (0, 8)):
        data = bytes(before) + out.tobytes() + bytes(after)
        found = overlapping_words(data, before, (2, 9, 3), size)[:, 2:7]
        above = np.uint64(64 - 8 * size)
        assert np.array_equal(found << above, source << above)


def test_an_array_is_written_row_by_row() -> None:
    wide = np.arange(24, dtype=np.uint64).reshape(2, 3, 4)
    for array in (wide, wide[:, ::2, 1:], wide.T):
        data = words_to_bytes(array)
        assert view_as_bytes(array) == data
        assert data == b"".join(int(value).to_bytes(8, "little") for value in array.ravel())
        assert np.array_equal(words_from_bytes(data, array.shape, "x"), array)


@pytest.mark.req("PPMF-ERR-003")
@pytest.mark.parametrize("size", [0, 47, 49, 96])
def test_bytes_of_another_length_are_refused(size: int) -> None:
    with pytest.raises(EncodingError, match=f"^the thing: {size} bytes where 48 are due$"):
        words_from_bytes(bytes(size), (2, 3), "the thing")
    with pytest.raises(EncodingError, match=f"^the thing: {size} bytes where 48 are due$"):
        check_length(bytes(size), 48, "the thing")
    check_length(bytes(size), size, "the thing")


def test_shared_words_are_cut_and_joined_by_elements() -> None:
    first, second = shared(3, 5, "first"), shared(3, 2, "second")
    assert (first.width, first.count) == (3, 5)
    joined = SharedWords.join(first, second)
    assert (joined.width, joined.count) == (3, 7)
    assert np.array_equal(joined.offset, first.offset)
    for part, whole in ((slice(0, 5), first), (slice(5, 7), second)):
        taken = joined.take(part)
        assert np.array_equal(taken.bits, whole.bits)
        assert np.array_equal(taken.sender_keys, whole.sender_keys)
        assert np.array_equal(taken.chosen_keys, whole.chosen_keys)
        assert np.array_equal(taken.offset, first.offset)


def test_shared_words_print_nothing_of_their_bits() -> None:
    one, other = shared(3, 5, "one"), shared(3, 5, "other")
    assert repr(one).replace(hex(id(one)), "") == repr(other).replace(hex(id(other)), "")
