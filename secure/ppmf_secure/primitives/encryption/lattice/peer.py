# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer of the owner of a lattice key, who takes in encrypted rows and multiplies them.

To the rows that it takes in, the peer adds the encodings of its own share of the matrix: a trivial
encryption of it. So they encrypt the whole matrix from then on.

An answer is made in this order: the product of X with the encrypted rows; a fresh public-key
encryption of zero, which is added; mask and flood, which are added to c0; the rounding to the kept
primes. `scheme` says what hides what. Of c0 only the wanted columns of band 0 (see `layout`) are
ever computed: in the other bands there would be products of X with rows that no mask hides
(PPMF-RLW-016).

An answer is made by groups of up to 128 rows of X. The coins of a group are drawn in this order: u
and then e2 of all its rows; then, for each block with rows in the group, the masks rho, e1, and the
flood.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

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
from ppmf_secure.primitives.encryption.lattice.layout import (
    AnswerPart,
    AnswerShape,
    LatticeContext,
)
from ppmf_secure.primitives.encryption.lattice.params import Budget
from ppmf_secure.primitives.encryption.lattice.ring import (
    Scratch,
    Spectrum,
    reduce,
)
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, binomial, flood, ternary
from ppmf_secure.primitives.encryption.lattice.shards import RowsAtWorkers
from ppmf_secure.primitives.encryption.lattice.stored import RowStore, StoredRows, Sums
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.shares import check_length, ring_mask, words_to_bytes
from ppmf_secure.primitives.workers import Workers
from ppmf_spec.errors import EncodingError

_ANSWERS_AT_ONCE = 128
"""Rows of X answered together: 80 MB of residues of c1, before the rounding."""


class RlwePeer(PeerKey):
    """Q's public key, as P holds it: the transforms of a and of every b modulo each prime."""

    def __init__(
        self,
        context: LatticeContext,
        public: bytes,
        workers: Workers | None = None,
        room: Room = MEMORY,
    ) -> None:
        lattice, count = context.lattice, context.secrets
        check_length(public, context.public_bytes(), "lattice public key")
        size = context.residue_bytes(lattice.degree)
        b = read_residues(
            [public[at : at + size] for at in range(SEED_BYTES, len(public), size)],
            lattice.degree,
            lattice.primes,
            ["lattice public key"] * count,
        )
        self._context = context
        self._key_a = context.negacyclic.transform(context.expand([public[:SEED_BYTES]])[:, 0])
        self._keys_b = context.negacyclic.transform(b.swapaxes(0, 1))
        self._scratch = Scratch()
        self._workers, self._matrices, self._room = workers, 0, room

    def intake(self, layout: Layout, own: Words) -> RlweIntake:
        """The intake for a matrix of Q, to which P's share is added."""
        if own.shape != layout.shape:
            raise ValueError("the peer's share has not the layout's shape")
        context, packing = self._context, self._context.packing(layout)
        store: RowStore
        if self._workers is None:
            store = StoredRows(context, packing, own, self._scratch, room=self._room)
        else:
            self._matrices += 1
            folder = self._workers.folder / f"matrix-{self._matrices}"
            store = RowsAtWorkers(context, packing, own, self._workers, folder, self._room)
        key = self._key_a, self._keys_b
        return RlweIntake(RlweRows(context, key, layout, self._scratch, store))


class RlweIntake(RowIntake):
    """The intake of Q's rows, which adds P's share to them and stores the residues."""

    def __init__(self, taken: RlweRows) -> None:
        self._taken = taken
        self._count = 0

    def add(self, groups: Sequence[bytes]) -> None:
        """Take in the next groups. Workers, where there are any, check them in `finish`."""
        due = self._taken.packing.groups
        if self._count + len(groups) > due:
            raise EncodingError(f"encrypted matrix: more than {due} groups")
        self._taken.store.take_in(self._count, groups)
        self._count += len(groups)

    def finish(self) -> RlweRows:
        """The encrypted matrix, once all rows are in."""
        due = self._taken.packing.groups
        if self._count != due:
            raise EncodingError(f"encrypted matrix: {self._count} groups instead of {due}")
        self._taken.store.finish()
        return self._taken


class RlweRows(EncryptedRows):
    """Enc_Q(M), as P holds it, with what an answer needs besides.

    store: where the residues are.
    """

    def __init__(
        self,
        context: LatticeContext,
        key: tuple[Spectrum, Spectrum],
        layout: Layout,
        scratch: Scratch,
        store: RowStore,
    ) -> None:
        self.layout = layout
        self.packing = context.packing(layout)
        self.store = store
        self._context = context
        self._key_a, self._keys_b = key
        self._scratch = scratch
        self._flood_bits = Budget.of(context.lattice, layout).flood_bits + 1
        self._ring = ring_mask(layout.ring_bits)
        self._hiding = context.rounding.hiding(self._flood_bits)

    def multiply(self, x: Words, uses: Uses, coins: Coins) -> tuple[bytes, list[Words]]:
        """The answer, and P's shares -rho mod 2^k (PPMF-RLW-008, -009, -011).

        The answer has, for each kept prime, the residues of c1 for all its rows of X, then those of
        c0 for its parts.
        """
        if x.ndim != 2 or x.shape[1] != self.layout.rows:
            raise ValueError("X has not as many columns as the encrypted matrix has rows")
        if any(length(use) and not 0 <= use.start < use.stop <= len(x) for use in uses):
            raise ValueError("X has not all the rows wanted")
        lattice = self._context.lattice
        shape = AnswerShape.of(lattice.degree, self.layout, uses)
        sent = np.empty((lattice.kept, sum(shape.counts)), dtype=np.int32)
        shares = [
            np.empty((length(use), columns), dtype=np.uint64)
            for use, columns in zip(uses, self.layout.blocks, strict=True)
        ]
        sums = self.store.sums(x[shape.rows], shape)
        for start in range(0, len(shape.rows), _ANSWERS_AT_ONCE):
            group = slice(start, min(start + _ANSWERS_AT_ONCE, len(shape.rows)))
            self._answer(sums, shape, group, coins, shape.split(sent), shares)
        packed = [pack(row, prime) for row, prime in zip(sent, lattice.kept_primes, strict=True)]
        return b"".join(map(words_to_bytes, packed)), shares

    def _answer(
        self,
        sums: Sums,
        shape: AnswerShape,
        group: slice,
        coins: Coins,
        outs: list[NDArray[np.int32]],
        shares: list[Words],
    ) -> None:
        """Answer some rows of X, and fill in P's shares of them.

        outs: where the residues go, c1 (kept, rows N), then each part (kept, rows columns).
        """
        degree = self._context.lattice.degree
        first, *seconds = outs
        out = first[:, group.start * degree : group.stop * degree]
        u = self._first_component(sums, group, coins, out)
        for part, second in zip(shape.parts, seconds, strict=True):
            rows = part.within(group)
            if not length(rows):
                continue
            rho = coins.words((length(rows), part.width)) & self._ring
            shares[part.block][rows] = np.negative(rho) & self._ring
            used = slice(part.place + rows.start, part.place + rows.stop)
            of_rows = u[used.start - group.start : used.stop - group.start]
            out = second[:, rows.start * part.width : rows.stop * part.width]
            self._second_component(sums, used, part, of_rows, rho, coins, out)

    def _first_component(
        self, sums: Sums, group: slice, coins: Coins, out: NDArray[np.int32]
    ) -> Spectrum:
        """Write c1 of some rows, rounded, to out (kept, rows N); the transform of their u
        (PPMF-RLW-008).
        """
        lattice, negacyclic = self._context.lattice, self._context.negacyclic
        shape = length(group), lattice.degree
        u = negacyclic.transform(ternary(coins, shape))
        errors = binomial(coins, shape)
        values = self._scratch.take_integers("c1", (len(lattice.primes), *shape))
        for index, prime in enumerate(lattice.primes):
            for rows, some in sums.first(group, index):
                some += negacyclic.product(u[rows], self._key_a[index])
                some += errors[rows]
                values[index, rows] = reduce(some, prime)
        self._context.rounding.switch(values.reshape(len(values), -1), out)
        return u

    def _second_component(
        self,
        sums: Sums,
        used: slice,
        part: AnswerPart,
        u: Spectrum,
        rho: Words,
        coins: Coins,
        out: NDArray[np.int32],
    ) -> None:
        """Write c0 of some rows of a part, masked, flooded, rounded, to out (kept, rows columns).

        used: these rows, among those of the whole answer. u: the transform of their u
        (PPMF-RLW-008, -009).
        """
        context, count = self._context, rho.size
        hidden = np.concatenate(
            [
                context.rounding.message_limbs(rho).reshape(2, count),
                binomial(coins, (1, count)),
                np.ones((1, count)),
                flood(coins, self._flood_bits, count),
            ]
        )
        values = self._hiding @ hidden
        product = self._scratch.take("c0", rho.shape)
        segments = [segment for segment in self.packing.segments if segment.block == part.block]
        for index, prime in enumerate(context.lattice.primes):
            sums.second(part, used, index, product)
            reduce(product, prime)
            for segment in segments:
                product[:, segment.columns] += context.negacyclic.product(
                    u, self._keys_b[segment.secret, index], segment.width
                )
            values[index] += product.reshape(count)
            reduce(values[index], prime)
        context.rounding.switch(values, out)
