# SPDX-License-Identifier: GPL-3.0-or-later
"""The two forms of shared secrets, and how arrays become bytes (chapter 4, "Conventions").

An *arithmetic* share is an array of words: the two servers' arrays add up to the secret mod 2^64.
A *Boolean* share is an array of bits, one in each byte: the exclusive or of the two servers' bits
is the two's complement of the secret, the lowest bit first. `SharedWords` are Boolean shares with
an oblivious transfer for every bit in each direction. The transfers let bits be multiplied with
ring elements (`protocols.bit_products`).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ppmf_secure.arrays import Bits, Bytes, Labels, Words
from ppmf_spec.errors import EncodingError

CHUNK = 4096
"""Elements in one message: the bound on the memory of a circuit or product of many elements."""


def chunks(count: int) -> Iterator[slice]:
    """The slices of at most CHUNK elements that cover `count` of them
    (PPMF-GCB-006, PPMF-BIT-005).
    """
    for first in range(0, count, CHUNK):
        yield slice(first, min(first + CHUNK, count))


def chunk_sizes(count: int) -> dict[int, int]:
    """By size, how many of the `chunks` of that many elements have it."""
    whole, rest = divmod(count, CHUNK)
    return {size: times for size, times in ((CHUNK, whole), (rest, 1)) if size and times}


@dataclass(frozen=True, slots=True, repr=False)
class SharedWords:
    """One server's share of n words of `width` bits, and of two transfers for every bit.

    bits (width, n): the Boolean share.
    sender_keys (width, n, 2): the keys of choice 0 in the transfers that this server sends. The key
        of choice 1 is that xor `offset` (2,). The peer's bit is the choice.
    chosen_keys (width, n, 2): the keys that this server's bits chose in the peer's transfers.
    """

    bits: Bits
    sender_keys: Labels
    chosen_keys: Labels
    offset: Labels

    @property
    def width(self) -> int:
        """The number of bits of a word."""
        return int(self.bits.shape[0])

    @property
    def count(self) -> int:
        """The number of words."""
        return int(self.bits.shape[1])

    def take(self, part: slice) -> SharedWords:
        """The words in a slice of the n."""
        return SharedWords(
            self.bits[:, part], self.sender_keys[:, part], self.chosen_keys[:, part], self.offset
        )

    @staticmethod
    def join(first: SharedWords, second: SharedWords) -> SharedWords:
        """The words of `first`, then those of `second` (same width, same offset)."""
        return SharedWords(
            np.concatenate([first.bits, second.bits], axis=1),
            np.concatenate([first.sender_keys, second.sender_keys], axis=1),
            np.concatenate([first.chosen_keys, second.chosen_keys], axis=1),
            first.offset,
        )


def weights(width: int, *, signed: bool) -> Words:
    """The weights of the bits of a word, mod 2^64: 2^i for bit i, -2^(width-1) for a sign bit."""
    values = np.uint64(1) << np.arange(width, dtype=np.uint64)
    if signed:
        values[-1:] = np.negative(values[-1:])
    return values


def to_bits(values: Words, width: int) -> Bits:
    """The lowest `width` bits of values (n,), as (width, n)."""
    shifts = np.arange(width, dtype=np.uint64)[:, None]
    return ((values[None, :] >> shifts) & np.uint64(1)).astype(np.uint8)


def ring_mask(ring_bits: int) -> np.uint64:
    """The word whose lowest `ring_bits` bits are 1: those of a word that count in the ring."""
    return np.uint64((1 << ring_bits) - 1)


def from_bits(bits: Bits, *, signed: bool) -> Words:
    """The integers mod 2^64 with these bits (width, n)."""
    scale = weights(bits.shape[0], signed=signed)
    values: Words = (bits.astype(np.uint64) * scale[:, None]).sum(axis=0, dtype=np.uint64)
    return values


def words_to_bytes(values: Words) -> bytes:
    """The little-endian bytes of an array, row by row."""
    return np.ascontiguousarray(values, dtype="<u8").tobytes()


def view_as_bytes(values: Words) -> memoryview:
    """The bytes of a contiguous array, as `words_to_bytes` writes them, where possible no copy."""
    return np.ascontiguousarray(values, dtype="<u8").reshape(-1).view(np.uint8).data


def words_from_bytes(data: bytes | memoryview, shape: tuple[int, ...], what: str) -> Words:
    """The array of that shape. Raises EncodingError, which names `what`, on another length."""
    check_length(data, 8 * int(np.prod(shape, dtype=np.int64)), what)
    return np.frombuffer(data, dtype="<u8").reshape(shape).astype(np.uint64, copy=False)


def put_low_bytes(values: Words, out: Bytes) -> None:
    """Write the lowest bytes of values (...) to out (..., size), the lowest byte first."""
    size = out.shape[-1]
    unit = size & -size  # the largest power of 2 that divides it
    source = values.astype("<u8", copy=False)[..., np.newaxis].view(f"<u{unit}")
    target = out.view(f"<u{unit}")
    for place in range(size // unit):
        target[..., place] = source[..., place]


def low_bytes(values: Words, size: int) -> bytes:
    """The lowest `size` bytes of every element, the lowest first, row by row."""
    out = np.empty((*values.shape, size), dtype=np.uint8)
    put_low_bytes(values, out)
    return out.tobytes()


def words_of_low_bytes(data: bytes | memoryview, shape: tuple[int, ...], size: int) -> Words:
    """The array of that shape whose elements have `size` bytes each, as `low_bytes` writes them."""
    found = overlapping_words(data, 0, shape, size) & ring_mask(8 * size)
    return found.astype(np.uint64, copy=False)


def overlapping_words(
    data: bytes | memoryview, start: int, shape: tuple[int, ...], size: int
) -> Words:
    """Elements of `size` bytes each, row by row from a place in the data, as words to be read.

    The higher bytes of a word are those of the next element. It is a view of the data, of a copy
    where they end with the last element.
    """
    strides = [size]
    for length in shape[:0:-1]:
        strides.append(strides[-1] * length)
    found = np.frombuffer(data, dtype=np.uint8)[start:]
    missing = shape[0] * strides[-1] + 8 - size - len(found)
    if missing > 0:
        found = np.concatenate([found, np.zeros(missing, dtype=np.uint8)])
    return np.ndarray(shape, "<u8", found, strides=strides[::-1])


def check_length(data: bytes | memoryview, expected: int, what: str) -> None:
    """Check that `data` has the expected number of bytes; raises EncodingError if not
    (PPMF-ERR-003, PPMF-WIR-008).
    """
    if len(data) != expected:
        raise EncodingError(f"{what}: {len(data)} bytes where {expected} are due")
