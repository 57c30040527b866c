# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer of the owner of a Paillier key, who takes in encrypted rows and multiplies them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from gmpy2 import mpz

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import (
    EncryptedRows,
    Layout,
    PeerKey,
    RowIntake,
    Uses,
    length,
)
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey
from ppmf_secure.primitives.encryption.paillier.multiexp import FixedBases, levels
from ppmf_secure.primitives.encryption.paillier.randomisers import Randomisers
from ppmf_secure.primitives.encryption.paillier.slots import Slots, matrix_spans
from ppmf_secure.primitives.shares import ring_mask
from ppmf_spec.errors import EncodingError

_KEPT_BYTES = 1 << 30
"""The stored powers of a matrix are kept between products if they take no more than this."""


class PaillierRows(EncryptedRows):
    """Enc_Q(M), as P holds it: columns of ciphertexts."""

    def __init__(
        self,
        public: PublicKey,
        randomisers: Randomisers,
        layout: Layout,
        columns: Sequence[Sequence[mpz]],
    ) -> None:
        self._public = public
        self._randomisers = randomisers
        self._layout = layout
        self._slots = Slots.of(public.bits, layout)
        bits = layout.ring_bits
        self._columns = [FixedBases(column, public.square, bits) for column in columns]
        stored = sum(levels(bases.window, bits) for bases in self._columns) * layout.rows
        self._keep = stored * public.ciphertext_bytes <= _KEPT_BYTES

    def multiply(self, x: Words, uses: Uses, coins: Coins) -> tuple[bytes, list[Words]]:
        """The answer, row by row in each block, and P's shares -rho mod 2^k
        (PPMF-AHE-009, -010).
        """
        if x.ndim != 2 or x.shape[1] != self._layout.rows:
            raise ValueError("X has not as many columns as the encrypted matrix has rows")
        answer: list[bytes] = []
        shares: list[Words] = []
        columns = iter(self._columns)
        for width, use in zip(self._layout.blocks, uses, strict=True):
            wanted = x[use] & ring_mask(self._layout.ring_bits)
            if len(wanted) != length(use):
                raise ValueError("X has not all the rows wanted")
            share = np.empty((len(wanted), width), dtype=np.uint64)
            block = [
                self._column(bases, wanted, share[:, span], coins)
                for span, bases in zip(self._slots.spans(width), columns, strict=False)
            ]
            answer.extend(self._public.write(row) for row in zip(*block, strict=True))
            shares.append(share)
        return b"".join(answer), shares

    def _column(self, bases: FixedBases, x: Words, share: Words, coins: Coins) -> list[mpz]:
        """The answers of one column of ciphertexts to the rows of x; P's shares are filled in."""
        if not len(x):
            return []
        slots, square = self._slots, self._public.square
        answers = []
        for product, row in zip(bases.products(x), share, strict=True):
            masks = [slots.mask(coins) for _ in range(len(row))]
            row[:] = [-mask % (1 << self._layout.ring_bits) for mask in masks]
            masked = product * self._public.plain(slots.pack(masks)) % square
            answers.append(masked * self._randomisers.draw(coins) % square)
        if not self._keep:
            bases.forget()
        return answers


class PaillierPeer(PeerKey):
    """Q's public key, as P holds it, with P's randomisers under it."""

    def __init__(self, public: PublicKey) -> None:
        self._public = public
        self._randomisers: dict[int, Randomisers] = {}

    def intake(self, layout: Layout, own: Words) -> PaillierIntake:
        """The intake for a matrix of Q, to which P's share is added."""
        if layout.outputs not in self._randomisers:
            self._randomisers[layout.outputs] = Randomisers(self._public, layout.outputs)
        return PaillierIntake(self._public, self._randomisers[layout.outputs], layout, own)


class PaillierIntake(RowIntake):
    """The intake of Q's rows, which checks every ciphertext and adds P's share to it."""

    def __init__(
        self, public: PublicKey, randomisers: Randomisers, layout: Layout, own: Words
    ) -> None:
        if own.shape != layout.shape:
            raise ValueError("the peer's share has not the layout's shape")
        self._public = public
        self._randomisers = randomisers
        self._layout = layout
        self._own = own & ring_mask(layout.ring_bits)
        self._slots = Slots.of(public.bits, layout)
        self._spans = matrix_spans(self._slots, layout)
        self._table: list[list[mpz]] = []

    def add(self, groups: Sequence[bytes]) -> None:
        """Check and store the next rows, P's share added (PPMF-AHE-013)."""
        for row in groups:
            number = len(self._table)
            if number == self._layout.rows:
                raise EncodingError(f"encrypted matrix: more than {number} rows")
            found = self._public.read(row, len(self._spans), f"encrypted row {number}")
            mine = (self._slots.pack(self._own[number, span].tolist()) for span in self._spans)
            self._table.append(
                [
                    ciphertext * self._public.plain(plaintext) % self._public.square
                    for ciphertext, plaintext in zip(found, mine, strict=True)
                ]
            )

    def finish(self) -> PaillierRows:
        """The encrypted matrix, once all rows are in."""
        count, layout = len(self._table), self._layout
        if count != layout.rows:
            raise EncodingError(f"encrypted matrix: {count} rows instead of {layout.rows}")
        columns = list(zip(*self._table, strict=True))
        return PaillierRows(self._public, self._randomisers, layout, columns)
