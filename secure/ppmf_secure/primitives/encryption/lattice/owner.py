# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a lattice key, who encrypts rows and decrypts answers.

The owner encrypts with the secret key: c1 = a comes from a seed, and c0 = -a s + e + the message.
Only the seed and the coefficients of c0 that are in use are sent. `scheme` says what hides what.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, OwnerKey, Uses, length
from ppmf_secure.primitives.encryption.lattice.layout import (
    ROWS_AT_ONCE,
    LatticeContext,
    Piece,
    answer_pieces,
    residues,
)
from ppmf_secure.primitives.encryption.lattice.ring import Residues, combine, reduce
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, binomial, ternary
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues, words_for
from ppmf_secure.primitives.shares import words_to_bytes


class RlweOwner(OwnerKey):
    """Q's key pair."""

    def __init__(self, context: LatticeContext, coins: Coins) -> None:
        self._context = context
        lattice = context.lattice
        self._secret = context.negacyclic.transform(ternary(coins, (lattice.degree,)))
        seed = coins.bytes(SEED_BYTES)
        errors = binomial(coins, (lattice.degree,))
        b = errors - self._times_secret(context.expand([seed], 1)[:, 0, 0])
        words = [pack(reduce(row, p), p) for row, p in zip(b, lattice.primes, strict=True)]
        self._public = seed + words_to_bytes(np.stack(words))

    @property
    def public(self) -> bytes:
        """The seed of a, then the residues of b = -a s + e modulo each prime (PPMF-RLW-004)."""
        return self._public

    def encrypt_rows(self, matrix: Words, layout: Layout, coins: Coins) -> Iterator[bytes]:
        """The encrypted rows: for each its seed and the residues of c0 modulo each prime
        (PPMF-RLW-006).
        """
        if matrix.shape != (layout.rows, sum(layout.blocks)):
            raise ValueError("the matrix has not the layout's shape")
        found = self._context.pieces(layout)
        for first in range(0, layout.rows, ROWS_AT_ONCE):
            part = np.ascontiguousarray(matrix[first : first + ROWS_AT_ONCE])
            seeds = [coins.bytes(SEED_BYTES) for _ in part]
            for seed, words in zip(seeds, self._encrypt(part, found, seeds, coins), strict=True):
                yield seed + words_to_bytes(words)

    def decrypt(self, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        """Q's shares, by block (PPMF-RLW-012)."""
        context, lattice = self._context, self._context.lattice
        degree, kept = lattice.degree, lattice.kept_primes
        asked = answer_pieces(context.pieces(layout), uses)
        count = residues(asked, degree)
        sent = read_residues([answer], count, kept, ["homomorphic answer"])[:, 0]
        shares = [
            np.empty((length(use), columns), dtype=np.uint64)
            for use, columns in zip(uses, layout.blocks, strict=True)
        ]
        at = 0
        for each in asked:
            stop = at + len(each.rows) * degree
            first = sent[:, at:stop].reshape(len(kept), len(each.rows), degree)
            phases = []
            for part in each.parts:
                at, stop = stop, stop + prod(part.shape)
                phases.append(sent[:, at:stop].reshape(len(kept), *part.shape).astype(np.float64))
            at = stop
            for index, prime in enumerate(kept):
                product = self._times_secret(first[index])
                for part, phase in zip(each.parts, phases, strict=True):
                    rows = slice(part.place, part.place + part.shape[0])
                    phase[index] += product[rows, part.segment.coefficients]
                    reduce(phase[index], prime)
            for part, phase in zip(each.parts, phases, strict=True):
                columns = part.segment.columns
                shares[part.segment.block][:, columns] = context.rounding.decode(phase)
        return shares

    def _encrypt(
        self, matrix: Words, found: list[Piece], seeds: list[bytes], coins: Coins
    ) -> Words:
        """The packed residues (rows, primes, words) of c0 of some rows."""
        lattice, rounding = self._context.lattice, self._context.rounding
        uniforms = self._context.expand(seeds, len(found))
        errors = binomial(coins, matrix.shape)
        limbs = rounding.message_limbs(matrix)
        packed = np.empty(
            (len(matrix), len(lattice.primes), words_for(matrix.shape[1])), dtype=np.uint64
        )
        for index, prime in enumerate(lattice.primes):
            values = combine(rounding.encoding[index], limbs)
            values += errors
            for number, piece in enumerate(found):
                product = self._times_secret(uniforms[index, :, number])
                values[:, piece.columns] -= product[:, : piece.used]
            packed[:, index] = pack(reduce(values, prime), prime)
        return packed

    def _times_secret(self, values: NDArray[np.int32]) -> Residues:
        negacyclic = self._context.negacyclic
        return negacyclic.product(negacyclic.transform(values), self._secret)
