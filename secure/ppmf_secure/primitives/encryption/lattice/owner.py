# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a lattice key, who encrypts rows and decrypts answers.

The owner encrypts with the secret key: c1 = a comes from a seed, and c0 = -a s + e + the message,
under the secret of each segment. Only the seed and the coefficients of c0 that are in use are sent.
`scheme` says what hides what.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, OwnerKey, Uses, length
from ppmf_secure.primitives.encryption.lattice.layout import AnswerShape, LatticeContext, Packing
from ppmf_secure.primitives.encryption.lattice.ring import Residues, reduce
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, binomial, ternary
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues, words_for
from ppmf_secure.primitives.shares import words_to_bytes


class RlweOwner(OwnerKey):
    """Q's key pair: a secret for each segment, and one public a with a b for each secret."""

    def __init__(self, context: LatticeContext, coins: Coins) -> None:
        self._context = context
        lattice, negacyclic = context.lattice, context.negacyclic
        secrets = ternary(coins, (context.secrets, lattice.degree))
        self._secrets = negacyclic.transform(secrets)
        seed = coins.bytes(SEED_BYTES)
        a = negacyclic.transform(context.expand([seed])[:, 0])
        parts = [seed]
        for secret in self._secrets:
            b = binomial(coins, (lattice.degree,)) - negacyclic.product(a, secret)
            words = [pack(reduce(row, p), p) for row, p in zip(b, lattice.primes, strict=True)]
            parts.append(words_to_bytes(np.stack(words)))
        self._public = b"".join(parts)

    @property
    def public(self) -> bytes:
        """The seed of a, then for each secret the residues of b = -a s + e modulo each prime
        (PPMF-RLW-004).
        """
        return self._public

    def encrypt_rows(self, matrix: Words, layout: Layout, coins: Coins) -> Iterator[bytes]:
        """The groups of encrypted rows: for each its seed and the residues of c0 modulo each prime
        (PPMF-RLW-006).
        """
        if matrix.shape != layout.shape:
            raise ValueError("the matrix has not the layout's shape")
        packing = self._context.packing(layout)
        for groups in packing.batches():
            part = np.ascontiguousarray(matrix[packing.rows_of(groups)])
            seeds = [coins.bytes(SEED_BYTES) for _ in range(length(groups))]
            for seed, words in zip(seeds, self._encrypt(part, packing, seeds, coins), strict=True):
                yield seed + words_to_bytes(words)

    def decrypt(self, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        """Q's shares, by block (PPMF-RLW-012)."""
        context, lattice = self._context, self._context.lattice
        packing = context.packing(layout)
        shape = AnswerShape.of(lattice.degree, layout, uses)
        sent = read_residues(
            [answer], sum(shape.counts), lattice.kept_primes, ["homomorphic answer"]
        )
        first, *seconds = shape.split(sent[:, 0])
        first = first.reshape(lattice.kept, -1, lattice.degree)
        phases = [
            second.reshape(lattice.kept, *part.shape).astype(np.float64)
            for part, second in zip(shape.parts, seconds, strict=True)
        ]
        for index, prime in enumerate(lattice.kept_primes):
            spectrum = context.negacyclic.transform(first[index])
            for part, phase in zip(shape.parts, phases, strict=True):
                for segment in packing.segments:
                    if segment.block == part.block:
                        phase[index, :, segment.columns] += context.negacyclic.product(
                            spectrum[part.rows], self._secrets[segment.secret], segment.width
                        )
                reduce(phase[index], prime)
        shares = [
            np.empty((length(use), columns), dtype=np.uint64)
            for use, columns in zip(uses, layout.blocks, strict=True)
        ]
        for part, phase in zip(shape.parts, phases, strict=True):
            shares[part.block][:] = context.rounding.decode(phase)
        return shares

    def _encrypt(self, matrix: Words, packing: Packing, seeds: list[bytes], coins: Coins) -> Words:
        """The packed residues (groups, primes, words) of c0 of some groups of equally many rows."""
        primes, count = self._context.lattice.primes, matrix.size // len(seeds)
        uniforms = self._context.expand(seeds)
        errors = binomial(coins, matrix.shape)
        encoded = self._context.rounding.encode(matrix, errors)
        packed = np.empty((len(seeds), len(primes), words_for(count)), dtype=np.uint64)
        for index, (values, prime) in enumerate(zip(encoded, primes, strict=True)):
            self._mask(values.reshape(matrix.shape), uniforms[index], packing)
            packed[:, index] = pack(reduce(values, prime).reshape(len(seeds), count), prime)
        return packed

    def _mask(self, values: Residues, uniforms: NDArray[np.int32], packing: Packing) -> None:
        """Take c1 s, for the c1 (groups, N) of some groups, from the numbers (rows, columns)."""
        negacyclic = self._context.negacyclic
        spectrum = negacyclic.transform(uniforms)
        rows = len(values) // len(uniforms)
        by_group = values.reshape(len(uniforms), rows, packing.columns)
        for segment in packing.segments:
            product = negacyclic.product(spectrum, self._secrets[segment.secret])
            bands = product.reshape(len(uniforms), packing.size, packing.band)
            by_group[:, :, segment.place] -= bands[:, :rows, : segment.width]
