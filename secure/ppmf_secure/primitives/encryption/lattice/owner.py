# SPDX-License-Identifier: GPL-3.0-or-later
"""The owner of a lattice key, who encrypts rows and decrypts answers.

The owner encrypts with the secret key: c1 = a comes from a seed, and c0 = -a s + e + the message,
under the secret of each segment. Only the seed and the coefficients of c0 that are in use are sent.
`scheme` says what hides what.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, OwnerKey, Uses, length
from ppmf_secure.primitives.encryption.lattice.layout import (
    GROUPS_AT_ONCE,
    AnswerShape,
    LatticeContext,
    Packing,
)
from ppmf_secure.primitives.encryption.lattice.params import Lattice
from ppmf_secure.primitives.encryption.lattice.ring import Residues, Spectrum, reduce
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, binomial, ternary
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues, words_for
from ppmf_secure.primitives.shares import words_to_bytes
from ppmf_secure.primitives.workers import Call, Workers, words_of_file, write_words

_GROUPS_OF_A_TASK = 4 * GROUPS_AT_ONCE
"""Groups that a worker encrypts in one task: about 12 MB of them at several thousand columns."""


class RlweOwner(OwnerKey):
    """Q's key pair: a secret for each segment, and one public a with a b for each secret."""

    def __init__(
        self, context: LatticeContext, coins: Coins, workers: Workers | None = None
    ) -> None:
        self._context, self._workers, self._matrices = context, workers, 0
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
        if self._workers is None:
            yield from self._encrypted_here(matrix, packing, coins)
        else:
            yield from self._encrypted_by(self._workers, matrix, packing, coins)

    def _encrypted_here(self, matrix: Words, packing: Packing, coins: Coins) -> Iterator[bytes]:
        for groups in packing.batches():
            part = np.ascontiguousarray(matrix[packing.rows_of(groups)])
            count = length(groups)
            yield from encrypted(self._context, self._secrets, part, packing, count, coins)

    def _encrypted_by(
        self, workers: Workers, matrix: Words, packing: Packing, coins: Coins
    ) -> Iterator[bytes]:
        """The groups, made by workers. Each batch has coins of its own, so that a batch is the same
        whoever makes it, and however often (PPMF-WRK-003).
        """
        self._matrices += 1
        path = workers.folder / f"matrix-{self._matrices}.plain"
        write_words(path, matrix)
        lattice, layouts = self._context.lattice, self._context.layouts
        tasks = (
            Call(
                encrypted_rows_of_file,
                (
                    (lattice, layouts),
                    self._secrets,
                    path,
                    packing,
                    groups,
                    coins.child_key(f"encrypted-rows/{self._matrices}/{groups.start}"),
                ),
            )
            for groups in packing.batches(_GROUPS_OF_A_TASK)
        )
        try:
            for groups in workers.run(tasks):
                yield from groups
        finally:
            path.unlink()

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


def encrypted(
    context: LatticeContext,
    secrets: Spectrum,
    matrix: Words,
    packing: Packing,
    count: int,
    coins: Coins,
) -> list[bytes]:
    """So many groups of equally many rows, encrypted: for each its seed and the residues of c0.

    secrets: the transforms of Q's secrets.
    """
    primes, numbers = context.lattice.primes, matrix.size // count
    seeds = [coins.bytes(SEED_BYTES) for _ in range(count)]
    uniforms = context.expand(seeds)
    errors = binomial(coins, matrix.shape)
    encoded = context.rounding.encode(matrix, errors)
    packed = np.empty((count, len(primes), words_for(numbers)), dtype=np.uint64)
    for index, (values, prime) in enumerate(zip(encoded, primes, strict=True)):
        _mask(context, secrets, values.reshape(matrix.shape), uniforms[index], packing)
        packed[:, index] = pack(reduce(values, prime).reshape(count, numbers), prime)
    return [seed + words_to_bytes(words) for seed, words in zip(seeds, packed, strict=True)]


def encrypted_rows_of_file(
    session: tuple[Lattice, tuple[Layout, ...]],
    secrets: Spectrum,
    path: Path,
    packing: Packing,
    groups: slice,
    key: bytes,
) -> list[bytes]:
    """Some groups, encrypted by a worker with the coins of a key, from a file of the whole matrix.

    session: the lattice and the layouts of its matrices.
    """
    context, coins = _context(*session), Coins(key)
    matrix = words_of_file(path, (packing.rows, packing.columns))
    found = []
    for batch in packing.batches():
        if groups.start <= batch.start < groups.stop:
            rows = np.array(matrix[packing.rows_of(batch)], dtype=np.uint64)
            found += encrypted(context, secrets, rows, packing, length(batch), coins)
    return found


_context = cache(LatticeContext)
"""The context of a worker's session, with its tables."""


def _mask(
    context: LatticeContext,
    secrets: Spectrum,
    values: Residues,
    uniforms: NDArray[np.int32],
    packing: Packing,
) -> None:
    """Take c1 s, for the c1 (groups, N) of some groups, from the numbers (rows, columns)."""
    spectrum = context.negacyclic.transform(uniforms)
    rows = len(values) // len(uniforms)
    by_group = values.reshape(len(uniforms), rows, packing.columns)
    for segment in packing.segments:
        product = context.negacyclic.product(spectrum, secrets[segment.secret])
        bands = product.reshape(len(uniforms), packing.size, packing.band)
        by_group[:, :, segment.place] -= bands[:, :rows, : segment.width]
