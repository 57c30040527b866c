# SPDX-License-Identifier: GPL-3.0-or-later
"""The places of rows and columns in ciphertexts, and of numbers in an answer.

Several short rows share a ciphertext: a *group* of g rows. Its N coefficients fall into g *bands*
of N / g, and row b of the group stands at the beginning of band b. With y = X^(N/g), which has
y^g = -1, row b is multiplied by y^b. So band 0 of y^(-b) times the group is row b, and the sum of
x_j times row j is band 0 of the sum over groups c of p_c(y) times group c, where

    p_c(y) = sum over b of x_(c g + b) y^(-b).

A block that is longer than N is cut into *pieces* of N columns; then g is 1. The pieces of all
blocks lie in ciphertexts with one common c1, under secrets of their own: piece i of block k is
under secret number i B + k, with B blocks.

`LatticeContext` holds a lattice with its tables, and tells the lengths of what is sent.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.primitives.encryption.interface import Layout, Uses, length
from ppmf_secure.primitives.encryption.lattice.params import Lattice
from ppmf_secure.primitives.encryption.lattice.ring import NegacyclicProduct
from ppmf_secure.primitives.encryption.lattice.rounding import Rounding
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES, uniform
from ppmf_secure.primitives.encryption.lattice.wire import WORD_BYTES, words_for

LARGEST_GROUP = 128
"""The most rows in a ciphertext: every prime is 1 modulo twice this number (PPMF-RLW-001)."""

LARGE_BYTES = 1 << 30
"""A matrix that takes more at four bytes for each residue is kept compactly, at three."""

GROUPS_AT_ONCE = 8
"""Groups encrypted or taken in together, so that their polynomials stay in the cache."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The columns of one block that lie in one piece.

    columns: which columns of the block. place: the same columns among those of all blocks.
    secret: the number of the secret that they are encrypted under.
    """

    block: int
    columns: slice
    place: slice
    secret: int

    @property
    def width(self) -> int:
        """The number of columns."""
        return length(self.columns)


@dataclass(frozen=True, slots=True)
class Packing:
    """How the rows of a matrix lie in ciphertexts (PPMF-RLW-015).

    size: the rows of a group, g.
    """

    degree: int
    rows: int
    blocks: tuple[int, ...]
    size: int

    @classmethod
    def of(cls, degree: int, layout: Layout) -> Packing:
        """The packing of a matrix, a function of public sizes alone."""
        width, size = max((1, *layout.blocks)), 1
        while 2 * size <= LARGEST_GROUP and 2 * size * width <= degree:
            size *= 2
        return cls(degree, layout.rows, layout.blocks, size)

    @property
    def band(self) -> int:
        """The number of coefficients of a band."""
        return self.degree // self.size

    @property
    def groups(self) -> int:
        """The number of groups."""
        return -(-self.rows // self.size)

    @property
    def columns(self) -> int:
        """The number of columns of all blocks."""
        return sum(self.blocks)

    @property
    def secrets(self) -> int:
        """The number of secrets that the matrix needs (PPMF-RLW-004)."""
        return len(self.blocks) * -(-max((1, *self.blocks)) // self.degree)

    @property
    def segments(self) -> list[Segment]:
        """The segments, block after block and piece after piece."""
        found, before = [], 0
        for block, width in enumerate(self.blocks):
            for piece, first in enumerate(range(0, width, self.degree)):
                last = min(first + self.degree, width)
                place = slice(before + first, before + last)
                secret = piece * len(self.blocks) + block
                found.append(Segment(block, slice(first, last), place, secret))
            before += width
        return found

    def shards(self, count: int) -> list[slice]:
        """The groups in so many ranges, or fewer if there are not so many, as equal as can be."""
        ends = [self.groups * number // count for number in range(count + 1)]
        return [slice(start, stop) for start, stop in pairwise(ends) if start < stop]

    def of_groups(self, groups: slice) -> Packing:
        """The packing of some groups as a matrix of their own."""
        return Packing(self.degree, length(self.rows_of(groups)), self.blocks, self.size)

    def rows_of(self, groups: slice) -> slice:
        """The rows of some groups; the last group may have fewer than the others."""
        return slice(groups.start * self.size, min(groups.stop * self.size, self.rows))

    def batches(self, at_once: int = GROUPS_AT_ONCE) -> Iterator[slice]:
        """All groups, a few at a time; those of a batch have equally many rows."""
        full = self.rows // self.size
        for first in range(0, full, at_once):
            yield slice(first, min(first + at_once, full))
        if full < self.groups:
            yield slice(full, self.groups)


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """The numbers of c0 in an answer that belong to one block.

    use: the rows of X that are wanted against it.
    place: the number of the first of these among the rows of X of the whole answer.
    width: the number of columns of the block.
    """

    block: int
    use: slice
    place: int
    width: int

    @property
    def shape(self) -> tuple[int, int]:
        """The number of rows and of columns."""
        return length(self.use), self.width

    @property
    def rows(self) -> slice:
        """Its rows of X, counted among those of the whole answer."""
        return slice(self.place, self.place + length(self.use))

    def within(self, group: slice) -> slice:
        """The rows of this part, counted from 0, that are in a range of the answer's rows."""
        ends = (min(max(0, at - self.place), length(self.use)) for at in (group.start, group.stop))
        return slice(*ends)


@dataclass(frozen=True, slots=True)
class AnswerShape:
    """The content of an answer: c1 for `rows` of X, and c0 by parts (PPMF-RLW-008, -011)."""

    degree: int
    rows: NDArray[np.intp]
    parts: tuple[AnswerPart, ...]

    @classmethod
    def of(cls, degree: int, layout: Layout, uses: Uses) -> AnswerShape:
        """The content for these uses; blocks of which nothing is wanted have no part."""
        wanted = [
            (block, use, width)
            for block, (use, width) in enumerate(zip(uses, layout.blocks, strict=True))
            if length(use)
        ]
        rows = np.array(
            sorted({row for _, use, _ in wanted for row in range(use.start, use.stop)}),
            dtype=np.intp,
        )
        parts = tuple(
            AnswerPart(block, use, int(np.searchsorted(rows, use.start)), width)
            for block, use, width in wanted
        )
        return cls(degree, rows, parts)

    @property
    def counts(self) -> list[int]:
        """The numbers of residues, for each prime: of c1, then of each part."""
        return [len(self.rows) * self.degree, *(int(np.prod(part.shape)) for part in self.parts)]

    def split(self, numbers: NDArray[np.int32]) -> list[NDArray[np.int32]]:
        """The views of c1 (primes, rows N) and of each part in all numbers of an answer."""
        return np.split(numbers, np.cumsum(self.counts)[:-1], axis=1)


class LatticeContext:
    """A lattice with all that is computed from it once, for the matrices of one session.

    layouts: those of its matrices, at least one, in one ring. secrets: the secrets of a key.
    """

    def __init__(self, lattice: Lattice, layouts: Sequence[Layout]) -> None:
        self.lattice, self.layouts = lattice, tuple(layouts)
        self.negacyclic = NegacyclicProduct(lattice.degree)
        self.rounding = Rounding(lattice, layouts[0].ring_bits)
        self.secrets = max(self.packing(layout).secrets for layout in layouts)

    def packing(self, layout: Layout) -> Packing:
        """The packing of a matrix. Raises ParametersError on a layout without rows or outputs."""
        layout.check()
        return Packing.of(self.lattice.degree, layout)

    def public_bytes(self) -> int:
        """The length of a public key."""
        return SEED_BYTES + self.secrets * self.residue_bytes(self.lattice.degree)

    def group_bytes(self, packing: Packing, groups: slice) -> int:
        """The length of each group of encrypted rows, in a batch of equally many rows."""
        rows = length(packing.rows_of(groups)) // length(groups)
        return SEED_BYTES + self.residue_bytes(rows * packing.columns)

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The length of an answer."""
        count = sum(AnswerShape.of(self.lattice.degree, layout, uses).counts)
        return WORD_BYTES * self.lattice.kept * words_for(count)

    def expand(self, seeds: Sequence[bytes]) -> NDArray[np.int32]:
        """The uniform polynomials (primes, seeds, N) that some seeds stand for (PPMF-RLW-002)."""
        primes, degree = self.lattice.primes, self.lattice.degree
        out = np.empty((len(primes), len(seeds), degree), dtype=np.int32)
        for row, seed in enumerate(seeds):
            uniform(seed, primes, out[:, row])
        return out

    def residue_bytes(self, count: int) -> int:
        """The length of the packed residues of some numbers, modulo all primes."""
        return WORD_BYTES * len(self.lattice.primes) * words_for(count)


def stored_residues(packing: Packing) -> int:
    """The residues that the peer keeps of a matrix, for each prime: all c1, and c0 in use."""
    return packing.groups * packing.degree + packing.rows * packing.columns


def is_compact(lattice: Lattice, packing: Packing) -> bool:
    """Whether the peer keeps such a matrix compactly, since it would take more than LARGE_BYTES."""
    return stored_residues(packing) * len(lattice.primes) * 4 > LARGE_BYTES
