# SPDX-License-Identifier: GPL-3.0-or-later
"""Coins: the one source of a party's randomness (chapter 4, "Sessions, epochs, coins").

A `Coins` is the keystream of AES-256 in counter mode under a key of 32 bytes. The key is entropy of
the operating system in production, and the hash of a label in tests and vectors. Masks, keys,
choice bits and seeds all come from here and no other code of a party reads entropy, so a run is a
function of its inputs and its coins. `child` makes an independent stream, so that two uses never
share a byte. The assumption is that AES-256, and SHA-256 of a key and a label, are pseudorandom.
"""

from __future__ import annotations

import hashlib
import os
from math import prod
from typing import Self, cast

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ppmf_secure.arrays import Bits, Bytes, Words
from ppmf_spec.errors import StateError

_ZEROS = bytes(1 << 16)
_forks = 0
"""How often this process is the child of a fork, counted from its last `exec`."""


def _note_fork() -> None:
    global _forks
    _forks += 1


os.register_at_fork(after_in_child=_note_fork)


class Coins:
    """A stream of random bytes, words, bits and bounded integers.

    Its `repr` shows nothing of the key.
    """

    def __init__(self, key: bytes) -> None:
        if len(key) != 32:
            raise ValueError("a Coins key has 32 bytes")
        self._key = key
        self._made_after = _forks
        self._stream = Cipher(algorithms.AES(key), modes.CTR(bytes(16))).encryptor()

    @classmethod
    def system(cls) -> Self:
        """Coins from the entropy of the operating system: the only ones in production
        (PPMF-SES-005).
        """
        return cls(os.urandom(32))

    @classmethod
    def seeded(cls, label: str) -> Self:
        """Reproducible coins for tests and vectors: a label always gives the same stream."""
        return cls(hashlib.sha256(b"ppmf/v1/coins/" + label.encode()).digest())

    def child(self, label: str) -> Coins:
        """An independent stream for one purpose; the same label gives the same stream again."""
        return Coins(self.child_key(label))

    def child_key(self, label: str) -> bytes:
        """The key of that stream, for a worker that makes something in the name of this party."""
        self._check_process()
        return hashlib.sha256(b"ppmf/v1/coins-child/" + self._key + label.encode()).digest()

    def bytes(self, count: int) -> bytes:
        """`count` uniform bytes."""
        return self.draw(count).tobytes()

    def draw(self, count: int) -> Bytes:
        """`count` uniform bytes, in a new array."""
        self._check_process()
        out = np.empty(count, dtype=np.uint8)
        view, zeros = out.data, memoryview(_ZEROS)
        for at in range(0, count, len(zeros)):
            piece = view[at : at + len(zeros)]
            # cast: the signature asks for bytes, but any writable buffer is taken
            self._stream.update_into(zeros[: len(piece)], cast(bytearray, piece))
        return out

    def words(self, shape: int | tuple[int, ...]) -> Words:
        """Uniform elements of Z_2^64 of the given shape."""
        size = shape if isinstance(shape, int) else prod(shape)
        return self.draw(8 * size).view("<u8").reshape(shape).astype(np.uint64, copy=False)

    def bits(self, shape: int | tuple[int, ...]) -> Bits:
        """Uniform bits of the given shape, one in each byte."""
        size = shape if isinstance(shape, int) else prod(shape)
        packed = np.frombuffer(self.bytes((size + 7) // 8), dtype=np.uint8)
        return np.unpackbits(packed, count=size, bitorder="little").reshape(shape)

    def below(self, bound: int) -> int:
        """A uniform integer in [0, bound), by rejection."""
        if bound < 1:
            raise ValueError("the bound of a uniform integer is at least 1")
        bits = (bound - 1).bit_length()
        size = (bits + 7) // 8
        while True:
            candidate = int.from_bytes(self.bytes(size), "little") >> (8 * size - bits)
            if candidate < bound:
                return candidate

    def _check_process(self) -> None:
        """Refuse to go on in a child of the process that made these coins: both would draw the same
        bytes (PPMF-SES-006).
        """
        if self._made_after != _forks:
            raise StateError("coins were made in another process, of which this is a fork")

    def __repr__(self) -> str:
        return "Coins(...)"
