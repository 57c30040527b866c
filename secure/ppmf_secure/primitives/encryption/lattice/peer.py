# SPDX-License-Identifier: GPL-3.0-or-later
"""The peer of the owner of a lattice key, who takes in encrypted rows and multiplies them.

To the rows that it takes in, the peer adds the encodings of its own share of the matrix: a trivial
encryption of it. So they encrypt the whole matrix from then on.

An answer is made in this order: the product of X with the encrypted rows; a fresh public-key
encryption of zero, which is added; mask and flood, which are added to c0; the rounding to the kept
primes. `scheme` says what hides what.

An answer is made piece by piece, and a piece by groups of up to 128 rows of X. The coins of a group
are drawn in this order: u and then e2 of all its rows; then, for each part with rows in the group,
in the order of the blocks, the masks rho, e1, and the flood.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from math import prod

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
    ROWS_AT_ONCE,
    AnswerPiece,
    LatticeContext,
    answer_pieces,
    kept_compact,
    residues,
)
from ppmf_secure.primitives.encryption.lattice.params import Budget
from ppmf_secure.primitives.encryption.lattice.ring import (
    ResidueMatrix,
    Residues,
    Scratch,
    Spectrum,
    combine,
    reduce,
)
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, binomial, flood, ternary
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues
from ppmf_secure.primitives.shares import check_length, words_to_bytes
from ppmf_spec.errors import EncodingError

_ANSWERS_AT_ONCE = 128
"""Rows of X answered together: 80 MB of residues of each component, before the rounding."""


class RlwePeer(PeerKey):
    """Q's public key, as P holds it: the transforms of a and b modulo each prime."""

    def __init__(self, context: LatticeContext, public: bytes) -> None:
        lattice = context.lattice
        check_length(public, context.public_bytes(), "lattice public key")
        a = context.expand([public[:SEED_BYTES]], 1)[:, 0, 0]
        b = read_residues(
            [public[SEED_BYTES:]], lattice.degree, lattice.primes, ["lattice public key"]
        )
        self._context = context
        self._key = context.negacyclic.transform(a), context.negacyclic.transform(b[:, 0])
        self._scratch = Scratch()

    def intake(self, layout: Layout, own: Words) -> RlweIntake:
        """The intake for a matrix of Q, to which P's share is added."""
        taken = RlweRows(self._context, self._key, layout, self._scratch)
        return RlweIntake(self._context, layout, taken, own)


class RlweIntake(RowIntake):
    """The intake of Q's rows, which adds P's share to them and stores the residues."""

    def __init__(
        self, context: LatticeContext, layout: Layout, taken: RlweRows, own: Words
    ) -> None:
        if own.shape != (layout.rows, sum(layout.blocks)):
            raise ValueError("the peer's share has not the layout's shape")
        self._context = context
        self._layout = layout
        self._taken = taken
        self._own = own
        self._count = 0

    def add(self, rows: Sequence[bytes]) -> None:
        """Check and store the next rows."""
        context, layout = self._context, self._layout
        size, columns = context.row_bytes(layout), sum(layout.blocks)
        if self._count + len(rows) > layout.rows:
            raise EncodingError(f"encrypted matrix: more than {layout.rows} rows")
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows[start : start + ROWS_AT_ONCE]
            names = [f"encrypted row {self._count + at}" for at in range(len(part))]
            for row, name in zip(part, names, strict=True):
                check_length(row, size, name)
            second = read_residues(
                [row[SEED_BYTES:] for row in part], columns, context.lattice.primes, names
            )
            here = slice(self._count, self._count + len(part))
            self._fold_in(second, here)
            self._taken.put(here, [row[:SEED_BYTES] for row in part], second)
            self._count += len(part)

    def _fold_in(self, second: NDArray[np.int32], rows: slice) -> None:
        """Add the encodings of P's share of some rows to their c0 (primes, rows, columns)
        (PPMF-RLW-014).
        """
        rounding = self._context.rounding
        limbs = rounding.message_limbs(np.ascontiguousarray(self._own[rows]))
        for index, prime in enumerate(self._context.lattice.primes):
            values = combine(rounding.encoding[index], limbs)
            values += second[index]
            second[index] = reduce(values, prime)

    def finish(self) -> RlweRows:
        """The encrypted matrix, once all rows are in."""
        if self._count != self._layout.rows:
            raise EncodingError(
                f"encrypted matrix: {self._count} rows instead of {self._layout.rows}"
            )
        return self._taken


class RlweRows(EncryptedRows):
    """Enc_Q(M), as P holds it: residues of c1 by piece, and of c0 by piece and block."""

    def __init__(
        self,
        context: LatticeContext,
        key: tuple[Spectrum, Spectrum],
        layout: Layout,
        scratch: Scratch,
    ) -> None:
        lattice = context.lattice
        self._context = context
        self._key = key
        self._layout = layout
        self._scratch = scratch
        self._pieces = context.pieces(layout)
        self._flood_bits = Budget.of(lattice, layout).flood_bits + 1
        self._hiding = context.rounding.hiding(self._flood_bits)
        compact = kept_compact(lattice, layout)
        self._first = [
            ResidueMatrix(lattice, layout.rows, lattice.degree, compact=compact)
            for _ in self._pieces
        ]
        self._second = {
            (number, segment.block): ResidueMatrix(
                lattice, layout.rows, segment.width, compact=compact
            )
            for number, piece in enumerate(self._pieces)
            for segment in piece.segments
        }

    def put(self, rows: slice, seeds: list[bytes], second: NDArray[np.int32]) -> None:
        """Store some rows: the seeds of their c1, and their c0 (primes, rows, columns)."""
        first = self._context.expand(seeds, len(self._pieces))
        for number, piece in enumerate(self._pieces):
            self._first[number].put(rows, first[:, :, number])
            here = second[:, :, piece.columns]
            for segment in piece.segments:
                self._second[number, segment.block].put(rows, here[:, :, segment.coefficients])

    def multiply(self, x: Words, uses: Uses, coins: Coins) -> tuple[bytes, list[Words]]:
        """The answer, and P's shares -rho mod 2^64 (PPMF-RLW-008, -009, -011).

        The answer has, for each kept prime and piece, the residues of c1 for the rows of the piece,
        then those of c0 for its parts.
        """
        if x.ndim != 2 or x.shape[1] != self._layout.rows:
            raise ValueError("X has not as many columns as the encrypted matrix has rows")
        if any(length(use) and not 0 <= use.start < use.stop <= len(x) for use in uses):
            raise ValueError("X has not all the rows wanted")
        lattice = self._context.lattice
        asked = answer_pieces(self._pieces, uses)
        sent = np.empty((lattice.kept, residues(asked, lattice.degree)), dtype=np.int32)
        shares = [
            np.empty((length(use), columns), dtype=np.uint64)
            for use, columns in zip(uses, self._layout.blocks, strict=True)
        ]
        lifted = self._context.rounding.lift(np.ascontiguousarray(x))
        at = 0
        for each in asked:
            counts = [len(each.rows) * lattice.degree, *(prod(part.shape) for part in each.parts)]
            ends = np.cumsum([at, *counts]).tolist()
            outs = [sent[:, start:stop] for start, stop in pairwise(ends)]
            for start in range(0, len(each.rows), _ANSWERS_AT_ONCE):
                group = slice(start, min(start + _ANSWERS_AT_ONCE, len(each.rows)))
                self._answer(lifted, each, group, coins, outs, shares)
            at = ends[-1]
        packed = [pack(row, prime) for row, prime in zip(sent, lattice.kept_primes, strict=True)]
        return b"".join(map(words_to_bytes, packed)), shares

    def _answer(
        self,
        lifted: Residues,
        each: AnswerPiece,
        group: slice,
        coins: Coins,
        outs: list[NDArray[np.int32]],
        shares: list[Words],
    ) -> None:
        """Answer one group of a piece's rows of X, and fill in P's shares of it.

        outs: where the piece's residues go, c1 (kept, rows N), then each part (kept, rows columns).
        """
        degree = self._context.lattice.degree
        first, *seconds = outs
        out = first[:, group.start * degree : group.stop * degree]
        zeros = self._first_component(lifted, each, group, coins, out)
        for part, zero, second in zip(each.parts, zeros, seconds, strict=True):
            rows, width = part.within(group), part.segment.width
            if not length(rows):
                continue
            rho = coins.words((length(rows), width))
            shares[part.segment.block][rows, part.segment.columns] = np.negative(rho)
            used = slice(part.use.start + rows.start, part.use.start + rows.stop)
            stored = self._second[each.piece, part.segment.block]
            out = second[:, rows.start * width : rows.stop * width]
            self._second_component(lifted[:, used], stored, zero, rho, coins, out)

    def _first_component(
        self,
        lifted: Residues,
        each: AnswerPiece,
        group: slice,
        coins: Coins,
        out: NDArray[np.int32],
    ) -> list[Residues]:
        """Write c1 of a group, rounded, to out (kept, rows N).

        Returns b u for the rows of each part (primes, rows, columns), not reduced (PPMF-RLW-008).
        """
        lattice, negacyclic = self._context.lattice, self._context.negacyclic
        key_a, key_b = self._key
        rows = each.rows[group]
        shape = len(rows), lattice.degree
        u = negacyclic.transform(ternary(coins, shape))
        errors = binomial(coins, shape)
        values = self._scratch.take("c1", (len(lattice.primes), *shape))
        places = [part.within(group) for part in each.parts]
        zeros = [
            np.empty((len(lattice.primes), length(place), part.segment.width))
            for part, place in zip(each.parts, places, strict=True)
        ]
        for index, prime in enumerate(lattice.primes):
            value = values[index]
            self._first[each.piece].times(lifted[index, rows], index, value, self._scratch)
            value += negacyclic.product(u, key_a[index])
            value += errors
            reduce(value, prime)
            b_u = negacyclic.product(u, key_b[index])
            for part, place, zero in zip(each.parts, places, zeros, strict=True):
                start = max(0, part.place - group.start)
                zero[index] = b_u[start : start + length(place), part.segment.coefficients]
        self._context.rounding.switch(values.reshape(len(values), -1), out)
        return zeros

    def _second_component(
        self,
        lifted: Residues,
        stored: ResidueMatrix,
        zero: Residues,
        rho: Words,
        coins: Coins,
        out: NDArray[np.int32],
    ) -> None:
        """Write c0 of some rows, with mask and flood, rounded, to out (kept, rows columns).

        lifted: these rows of X (primes, rows, layout.rows) (PPMF-RLW-008, -009).
        """
        rounding, count = self._context.rounding, rho.size
        hidden = np.concatenate(
            [
                rounding.message_limbs(rho).reshape(2, count),
                binomial(coins, (1, count)),
                np.ones((1, count)),
                flood(coins, self._flood_bits, count),
            ]
        )
        values = self._hiding @ hidden
        values += zero.reshape(values.shape)
        product = self._scratch.take("c0", rho.shape)
        for index, prime in enumerate(self._context.lattice.primes):
            stored.times(lifted[index], index, product, self._scratch)
            values[index] += reduce(product, prime).reshape(count)
            reduce(values[index], prime)
        rounding.switch(values, out)
