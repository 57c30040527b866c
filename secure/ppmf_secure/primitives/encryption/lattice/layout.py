# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of a row's columns in its ciphertexts, and of what an answer holds.

The blocks of a row, one after the other, fill the coefficients of as many ciphertexts, called
*pieces*, as they need. An answer holds, for each piece, c1 as a whole for every row of X that is
wanted against any of its blocks, and of c0 the wanted coefficients alone.

`LatticeContext` holds a lattice with its tables, and tells the lengths of what is sent.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import prod

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.primitives.encryption.interface import Layout, Uses, length
from ppmf_secure.primitives.encryption.lattice.params import Budget, Lattice
from ppmf_secure.primitives.encryption.lattice.ring import NegacyclicProduct
from ppmf_secure.primitives.encryption.lattice.rounding import Rounding
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, uniform
from ppmf_secure.primitives.encryption.lattice.wire import WORD_BYTES, words_for

LARGE_BYTES = 1 << 30
"""A matrix that takes more at four bytes for each residue is kept compactly, at three."""

ROWS_AT_ONCE = 8
"""Rows encrypted or taken in together, so that their polynomials stay in the cache."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The columns of one block that lie in one piece.

    columns: which columns of the block. coefficients: which coefficients of the piece.
    """

    block: int
    columns: slice
    coefficients: slice

    @property
    def width(self) -> int:
        """The number of columns."""
        return int(self.columns.stop - self.columns.start)


@dataclass(frozen=True, slots=True)
class Piece:
    """One ciphertext of a row.

    columns: which columns of the matrix. segments: the same columns, by block.
    """

    columns: slice
    segments: tuple[Segment, ...]

    @property
    def used(self) -> int:
        """The number of coefficients in use, which are the first."""
        return int(self.columns.stop - self.columns.start)


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """The part of an answer that belongs to one segment.

    use: the rows of X that are wanted against it.
    place: the number of the first of these among the rows of X of the whole piece.
    """

    segment: Segment
    use: slice
    place: int

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        return length(self.use), self.segment.width

    def within(self, group: slice) -> slice:
        """The rows of this part, counted from 0, that are in a group of the piece's rows."""
        ends = (min(max(0, at - self.place), length(self.use)) for at in (group.start, group.stop))
        return slice(*ends)


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """The part of an answer that belongs to one piece: c1 for `rows` of X, and c0 by parts.

    piece: the number of the piece.
    """

    piece: int
    rows: NDArray[np.intp]
    parts: tuple[AnswerPart, ...]


class LatticeContext:
    """A lattice with all that is computed from it once: its transforms and its rounding."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.negacyclic = NegacyclicProduct(lattice.degree)
        self.rounding = Rounding(lattice)

    def pieces(self, layout: Layout) -> list[Piece]:
        """The pieces of a row. Raises ParametersError if the layout is out of the budget."""
        Budget.of(self.lattice, layout)
        return pieces(layout, self.lattice.degree)

    def public_bytes(self) -> int:
        """The length of a public key."""
        return self._seeded_bytes(self.lattice.degree)

    def row_bytes(self, layout: Layout) -> int:
        """The length of an encrypted row."""
        return self._seeded_bytes(sum(piece.used for piece in self.pieces(layout)))

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The length of an answer."""
        count = residues(answer_pieces(self.pieces(layout), uses), self.lattice.degree)
        return WORD_BYTES * self.lattice.kept * words_for(count)

    def expand(self, seeds: list[bytes], count: int) -> NDArray[np.int32]:
        """The uniform c1 (primes, rows, count, N) of rows of `count` ciphertexts, from their seeds
        (PPMF-RLW-002).
        """
        primes, degree = self.lattice.primes, self.lattice.degree
        out = np.empty((len(primes), len(seeds), count * degree), dtype=np.int32)
        for row, seed in enumerate(seeds):
            uniform(seed, primes, out[:, row])
        return out.reshape(len(primes), len(seeds), count, degree)

    def _seeded_bytes(self, count: int) -> int:
        return SEED_BYTES + WORD_BYTES * len(self.lattice.primes) * words_for(count)


def kept_compact(lattice: Lattice, layout: Layout) -> bool:
    """Whether the peer keeps such a matrix compactly, since it would take more than LARGE_BYTES."""
    columns = sum(layout.blocks)
    stored = -(-columns // lattice.degree) * lattice.degree + columns
    return stored * layout.rows * len(lattice.primes) * 4 > LARGE_BYTES


def pieces(layout: Layout, degree: int) -> list[Piece]:
    """The pieces of a row; there is none for a matrix of no columns (PPMF-RLW-006)."""
    ends = np.cumsum((0, *layout.blocks)).tolist()
    found = []
    for start in range(0, ends[-1], degree):
        stop = min(start + degree, ends[-1])
        segments = []
        for block, (first, last) in enumerate(pairwise(ends)):
            low, high = max(first, start), min(last, stop)
            if low < high:
                columns, here = slice(low - first, high - first), slice(low - start, high - start)
                segments.append(Segment(block, columns, here))
        found.append(Piece(slice(start, stop), tuple(segments)))
    return found


def answer_pieces(found: list[Piece], uses: Uses) -> list[AnswerPiece]:
    """The content of an answer, piece by piece. Pieces of which nothing is wanted are left out
    (PPMF-RLW-008, -011).
    """
    answer = []
    for number, piece in enumerate(found):
        segments = [segment for segment in piece.segments if length(uses[segment.block])]
        if segments:
            ranges = [range(uses[s.block].start, uses[s.block].stop) for s in segments]
            rows = np.array(sorted(set().union(*ranges)), dtype=np.intp)
            parts = tuple(
                AnswerPart(s, uses[s.block], int(np.searchsorted(rows, span.start)))
                for s, span in zip(segments, ranges, strict=True)
            )
            answer.append(AnswerPiece(number, rows, parts))
    return answer


def residues(answer: list[AnswerPiece], degree: int) -> int:
    """The number of residues that an answer holds, for each prime."""
    return sum(
        len(each.rows) * degree + sum(prod(part.shape) for part in each.parts) for each in answer
    )
