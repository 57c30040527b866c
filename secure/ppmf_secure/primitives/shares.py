# SPDX-License-Identifier: GPL-3.0-or-later
"""Additive and Boolean shares, and how their arrays become bytes (chapter 4, "Conventions").

An *arithmetic* share is a uint64 array: the two servers' arrays add up to the secret mod 2^64.
A *Boolean* share is an array of bits, one a byte: the two servers' bits XOR to the secret's
two's-complement bits, lowest first. `SharedWords` is a Boolean share with one oblivious transfer a
bit in each direction, which is what lets a bit multiply a ring element.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ppmf_secure.arrays import Bits, Words
from ppmf_spec.errors import EncodingError

CHUNK = 4096
"""Elements a message: what bounds the memory of a circuit or a product of many elements."""


def chunks(count: int) -> Iterator[slice]:
    """The slices of at most CHUNK elements that cover `count` of them
    (PPMF-GCB-006, PPMF-BIT-005).
    """
    for first in range(0, count, CHUNK):
        yield slice(first, min(first + CHUNK, count))


@dataclass(frozen=True, slots=True, repr=False)
class SharedWords:
    """n words of `width` bits, XOR-shared, each bit with its two transfers.

    bits (width, n): this party's share.
    sender_keys (width, n, 2): the keys of choice 0 of the transfers it sends; the key of choice 1 is that
        XOR `offset` (2,). The peer's bit is the choice.
    chosen_keys (width, n, 2): the keys its own bits chose in the transfers the peer sends.
    """

    bits: Bits
    sender_keys: Words
    chosen_keys: Words
    offset: Words

    @property
    def width(self) -> int:
        return int(self.bits.shape[0])

    @property
    def count(self) -> int:
        return int(self.bits.shape[1])

    def take(self, part: slice) -> SharedWords:
        """The words of a slice of the elements."""
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
    """What bit i of a word counts for, mod 2^64: 2^i, and -2^(width-1) for a sign bit."""
    values = np.uint64(1) << np.arange(width, dtype=np.uint64)
    if signed:
        values[-1:] = np.negative(values[-1:])
    return values


def to_bits(values: Words, width: int) -> Bits:
    """The low `width` bits of values (n,), as (width, n)."""
    shifts = np.arange(width, dtype=np.uint64)[:, None]
    return ((values[None, :] >> shifts) & np.uint64(1)).astype(np.uint8)


def from_bits(bits: Bits, *, signed: bool) -> Words:
    """The integers mod 2^64 whose bits (width, n) these are."""
    scale = weights(bits.shape[0], signed=signed)
    values: Words = (bits.astype(np.uint64) * scale[:, None]).sum(axis=0, dtype=np.uint64)
    return values


def words_to_bytes(values: Words) -> bytes:
    """Little-endian bytes of an array, row-major."""
    return np.ascontiguousarray(values, dtype="<u8").tobytes()


def words_from_bytes(data: bytes, shape: tuple[int, ...], what: str) -> Words:
    """The array of that shape; EncodingError names `what` when the length is wrong."""
    check_length(data, 8 * int(np.prod(shape, dtype=np.int64)), what)
    return np.frombuffer(data, dtype="<u8").reshape(shape).astype(np.uint64, copy=False)


def check_length(data: bytes, expected: int, what: str) -> None:
    """EncodingError unless `data` has exactly the expected number of bytes
    (PPMF-ERR-003, PPMF-WIR-008).
    """
    if len(data) != expected:
        raise EncodingError(f"{what}: {len(data)} bytes where {expected} are due")
