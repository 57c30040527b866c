# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a Paillier key, who encrypts rows and decrypts answers."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, OwnerKey, Uses, length
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.primitives.encryption.paillier.slots import Slots, answer_ciphertexts, matrix_spans
from ppmf_secure.primitives.shares import ring_mask


class PaillierOwner(OwnerKey):
    """Q's key pair."""

    def __init__(self, secret: SecretKey) -> None:
        self._secret = secret

    @property
    def public(self) -> bytes:
        """N, big-endian."""
        return self._secret.public.to_bytes()

    def encrypt_rows(self, matrix: Words, layout: Layout, coins: Coins) -> Iterator[bytes]:
        """The rows of the matrix as fresh ciphertexts, block after block (PPMF-AHE-008)."""
        if matrix.shape != layout.shape:
            raise ValueError("the matrix has not the layout's shape")
        secret, slots = self._secret, Slots.of(self._secret.public.bits, layout)
        spans = matrix_spans(slots, layout)
        for row in matrix & ring_mask(layout.ring_bits):
            yield secret.public.write(
                secret.encrypt(slots.pack(row[span].tolist()), coins) for span in spans
            )

    def decrypt(self, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        """Q's shares, by block (PPMF-AHE-010)."""
        secret, slots = self._secret, Slots.of(self._secret.public.bits, layout)
        count = answer_ciphertexts(slots, layout, uses)
        ciphertexts = iter(secret.public.read(answer, count, "homomorphic answer"))
        shares = []
        for columns, use in zip(layout.blocks, uses, strict=True):
            share = np.empty((length(use), columns), dtype=np.uint64)
            for row in share:
                for span in slots.spans(columns):
                    plaintext = secret.decrypt(next(ciphertexts))
                    row[span] = slots.unpack(plaintext, span.stop - span.start)
            shares.append(share)
        return shares
