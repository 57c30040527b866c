# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the columns of a row lie in its ciphertexts, and what an answer holds of each.

The blocks of a row, one after the other, fill the coefficients of as many ciphertexts ("pieces") as
they need. Of a piece, an answer holds c1 whole for each row of X that is wanted against any of its
blocks, and of c0 only what is wanted.
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
"""A matrix that would take more, at four bytes a residue, is kept at three."""

ROWS_AT_ONCE = 8
"""Rows encrypted or taken in together: what keeps their polynomials in the cache."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Columns of one block that lie in one piece: `columns` of the block, `coefficients` of it."""

    block: int
    columns: slice
    coefficients: slice

    @property
    def width(self) -> int:
        """The number of its columns."""
        return int(self.columns.stop - self.columns.start)


@dataclass(frozen=True, slots=True)
class Piece:
    """One ciphertext of a row: `columns` of the matrix, and the segments they are made of."""

    columns: slice
    segments: tuple[Segment, ...]

    @property
    def used(self) -> int:
        """The number of its coefficients in use: the first."""
        return int(self.columns.stop - self.columns.start)


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """Of one segment, what an answer holds: the `use` rows of X, from `place` among the piece's."""

    segment: Segment
    use: slice
    place: int

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns."""
        return length(self.use), self.segment.width

    def within(self, group: slice) -> slice:
        """Which of its rows, counted from 0, are in a group of the piece's."""
        ends = (min(max(0, at - self.place), length(self.use)) for at in (group.start, group.stop))
        return slice(*ends)


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """Of one piece, what an answer holds: c1 for `rows` of X, c0 for the parts."""

    piece: int
    rows: NDArray[np.intp]
    parts: tuple[AnswerPart, ...]


class LatticeContext:
    """A lattice with its tables, and the lengths of what is sent."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.negacyclic = NegacyclicProduct(lattice.degree)
        self.rounding = Rounding(lattice)

    def pieces(self, layout: Layout) -> list[Piece]:
        """The ciphertexts of a row; ParametersError when the layout is out of budget."""
        Budget.of(self.lattice, layout)
        return pieces(layout, self.lattice.degree)

    def public_bytes(self) -> int:
        """Length of a public key."""
        return self._seeded_bytes(self.lattice.degree)

    def row_bytes(self, layout: Layout) -> int:
        """Length of an encrypted row."""
        return self._seeded_bytes(sum(piece.used for piece in self.pieces(layout)))

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """Length of an answer."""
        count = residues(answer_pieces(self.pieces(layout), uses), self.lattice.degree)
        return WORD_BYTES * self.lattice.kept * words_for(count)

    def expand(self, seeds: list[bytes], count: int) -> NDArray[np.int32]:
        """The uniform c1 of rows of `count` ciphertexts: (primes, rows, count, N)
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
    """Whether the peer keeps such a matrix at three bytes a residue: if four were over 1 GiB."""
    columns = sum(layout.blocks)
    stored = -(-columns // lattice.degree) * lattice.degree + columns
    return stored * layout.rows * len(lattice.primes) * 4 > LARGE_BYTES


def pieces(layout: Layout, degree: int) -> list[Piece]:
    """The ciphertexts of a row; none for a matrix of no columns (PPMF-RLW-006)."""
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
    """What an answer holds, piece by piece; pieces of which nothing is wanted are left out
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
    """The residues modulo each prime that an answer holds."""
    return sum(
        len(each.rows) * degree + sum(prod(part.shape) for part in each.parts) for each in answer
    )
