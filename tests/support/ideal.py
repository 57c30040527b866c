# SPDX-License-Identifier: Apache-2.0
"""Ideal building blocks: what the real ones are measured against, and what fast tests run on.

`IdealScheme` is the matrix product of the hybrid model: its "ciphertexts" are the numbers
themselves and its key a random name. It hides nothing and is for tests alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import (
    EncryptedRows,
    FittedScheme,
    Layout,
    OwnerKey,
    PeerKey,
    ProductScheme,
    RowIntake,
    Uses,
)
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.shares import words_from_bytes, words_to_bytes
from ppmf_secure.primitives.workers import Workers
from ppmf_secure.session.cipher_suites import CipherSuite

KEY_BYTES = 16


def _shapes(layout: Layout, uses: Uses) -> list[tuple[int, int]]:
    return [(use.stop - use.start, width) for use, width in zip(uses, layout.blocks, strict=True)]


class IdealOwner(OwnerKey):
    """The owner's key: a name, which differs from epoch to epoch as a real one does."""

    def __init__(self, name: bytes) -> None:
        self._name = name

    @property
    def public(self) -> bytes:
        return self._name

    def encrypt_rows(self, matrix: Words, layout: Layout, coins: Coins) -> Iterator[bytes]:
        for row in matrix:
            yield words_to_bytes(row)

    def decrypt(self, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        shapes = _shapes(layout, uses)
        flat = words_from_bytes(answer, (sum(r * c for r, c in shapes),), "ideal answer")
        ends = np.cumsum([r * c for r, c in shapes])[:-1]
        return [part.reshape(s) for part, s in zip(np.split(flat, ends), shapes, strict=True)]


class IdealRows(EncryptedRows):
    """The owner's matrix in the peer's hands, in the clear."""

    def __init__(self, matrix: Words, layout: Layout) -> None:
        self._blocks = np.split(matrix, np.cumsum(layout.blocks)[:-1], axis=1)

    def multiply(self, x: Words, uses: Uses, coins: Coins) -> tuple[bytes, list[Words]]:
        kept, masked = [], []
        for use, block in zip(uses, self._blocks, strict=True):
            product = x[use] @ block
            mask = coins.words(product.shape)
            masked.append(words_to_bytes(product + mask))
            kept.append(np.negative(mask))
        return b"".join(masked), kept


class IdealPeer(PeerKey):
    """The peer's view of the owner's key."""

    def intake(self, layout: Layout, own: Words) -> IdealIntake:
        return IdealIntake(layout, own)


class IdealIntake(RowIntake):
    """Keeps the rows, and adds the peer's own."""

    def __init__(self, layout: Layout, own: Words) -> None:
        self._layout = layout
        self._own = own
        self._rows: list[bytes] = []

    def add(self, groups: Sequence[bytes]) -> None:
        self._rows += groups

    def finish(self) -> IdealRows:
        shape = (self._layout.rows, sum(self._layout.blocks))
        matrix = words_from_bytes(b"".join(self._rows), shape, "ideal rows")
        return IdealRows(matrix + self._own, self._layout)


class IdealScheme(ProductScheme, FittedScheme):
    """See the module."""

    name = "ideal"
    secure = False

    def fit(self, layouts: Sequence[Layout]) -> IdealScheme:
        return self

    @property
    def key_bytes(self) -> int:
        return KEY_BYTES

    def generate(self, coins: Coins, workers: Workers | None = None) -> IdealOwner:
        return IdealOwner(coins.bytes(KEY_BYTES))

    def peer(self, public: bytes, workers: Workers | None = None, room: Room = MEMORY) -> IdealPeer:
        return IdealPeer()

    def group_sizes(self, layout: Layout) -> tuple[int, int, int]:
        each = 8 * sum(layout.blocks)
        return layout.rows, each, each

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        return 8 * sum(r * c for r, c in _shapes(layout, uses))

    def answer_terms(self, layout: Layout, uses: Uses) -> int:
        return layout.rows * sum(r * c for r, c in _shapes(layout, uses))

    def stored_bytes(self, layout: Layout) -> int:
        return sum(self.group_bytes(layout))


def ideal_suite() -> CipherSuite:
    """The ideal product; everything else is real."""
    return CipherSuite(IdealScheme())
