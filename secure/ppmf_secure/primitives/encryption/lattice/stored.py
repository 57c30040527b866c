# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted rows as the peer keeps them, and the sums of an answer.

An answer needs, for each row of X and each prime, the sum over the groups of p_c(y) c1_c and the
sum over the rows of x_j c0_j (see `scheme`). Both are sums over the groups, so groups can lie in
different places, which `shards` does.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.encryption.interface import length
from ppmf_secure.primitives.encryption.lattice.layout import (
    GROUPS_AT_ONCE,
    AnswerPart,
    AnswerShape,
    LatticeContext,
    Packing,
    is_compact,
)
from ppmf_secure.primitives.encryption.lattice.ring import (
    GroupMatrix,
    ResidueMatrix,
    Residues,
    Scratch,
    reduce,
)
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES
from ppmf_secure.primitives.encryption.lattice.wire import read_residues
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.shares import check_length


class Sums(ABC):
    """The sums of one answer, which is made by some rows of X and one prime at a time."""

    @abstractmethod
    def first(self, rows: slice, index: int) -> Iterator[tuple[slice, Residues]]:
        """The sums of c1 for some rows of the answer, for one prime: a few rows (., N) at a time,
        with their place among these, in an array that the caller may change. They are not reduced;
        with a negacyclic product added to them they stay below 2^53.
        """

    @abstractmethod
    def second(self, part: AnswerPart, rows: slice, index: int, out: Residues) -> None:
        """Write the sums of c0 for some rows of the answer to out (rows, width), as above."""


class RowStore(ABC):
    """Where the encrypted rows of one matrix are, and P's share added to them."""

    @abstractmethod
    def take_in(self, first: int, groups: Sequence[bytes]) -> None:
        """Take in the next groups as they were sent, from number `first` on (PPMF-RLW-014)."""

    @abstractmethod
    def finish(self) -> None:
        """Get ready for products, after the last group.

        By then EncodingError or RangeError have named the first group that is none.
        """

    @abstractmethod
    def sums(self, x: Words, shape: AnswerShape) -> Sums:
        """The sums of an answer of that shape, for the rows x (r, rows of the matrix) of X."""


class StoredRows(RowStore):
    """Encrypted rows in this process: values of the c1 of all groups, residues of c0 by block.

    packing: that of these rows alone. own: P's share of them. before: how many groups of the matrix
    come before them. room: where the residues lie.
    """

    def __init__(
        self,
        context: LatticeContext,
        packing: Packing,
        own: Words,
        scratch: Scratch,
        before: int = 0,
        room: Room = MEMORY,
    ) -> None:
        lattice = context.lattice
        compact = is_compact(lattice, packing)
        self.packing = packing
        self._own: Words | None = own
        self._context, self._scratch, self._before = context, scratch, before
        self._first = GroupMatrix(lattice, packing.groups, packing.size, compact=compact, room=room)
        self._second = [
            ResidueMatrix(lattice, packing.rows, width, compact=compact, room=room)
            for width in packing.blocks
        ]

    def take_in(self, first: int, groups: Sequence[bytes]) -> None:
        """Check and store the next groups."""
        at = 0
        while at < len(groups):
            # the last group may have fewer rows than the others
            room = max(1, self.packing.rows // self.packing.size - first)
            here = slice(first, first + min(GROUPS_AT_ONCE, room, len(groups) - at))
            self._add(here, groups[at : at + length(here)])
            first, at = here.stop, at + length(here)

    def finish(self) -> None:
        """P's share is not needed any more."""
        self._own = None

    def _add(self, here: slice, groups: Sequence[bytes]) -> None:
        """Check and store some groups of equally many rows, P's share added."""
        assert self._own is not None, "rows are taken in before the store is finished"
        context, packing = self._context, self.packing
        size, rows = context.group_bytes(packing, here), packing.rows_of(here)
        numbers = range(self._before + here.start, self._before + here.stop)
        names = [f"encrypted group {number}" for number in numbers]
        for group, name in zip(groups, names, strict=True):
            check_length(group, size, name)
        primes, shape = context.lattice.primes, (length(rows), packing.columns)
        second = read_residues(
            [group[SEED_BYTES:] for group in groups],
            shape[0] * shape[1] // len(groups),
            primes,
            names,
        ).reshape(len(primes), -1)
        folded = context.rounding.encode(self._own[rows])
        for values, received, prime in zip(folded, second, primes, strict=True):
            values += received
            reduce(values, prime)
        seeds = [bytes(group[:SEED_BYTES]) for group in groups]
        self._put(here, seeds, folded.reshape(len(primes), *shape))

    def _put(self, groups: slice, seeds: list[bytes], second: Residues) -> None:
        """Store some groups: the seeds of their c1, and their c0 (primes, rows, columns)."""
        packing = self.packing
        self._first.put(groups, self._context.expand(seeds))
        for block, (stored, width) in enumerate(zip(self._second, packing.blocks, strict=True)):
            before = sum(packing.blocks[:block])
            for index, values in enumerate(second[:, :, before : before + width]):
                stored.put(index, packing.rows_of(groups), values)

    def sums(self, x: Words, shape: AnswerShape) -> _SumsHere:
        """The sums, made as they are asked for."""
        lifted = self._context.rounding.lift(np.ascontiguousarray(x))
        return _SumsHere(self._first, self._second, lifted, self._scratch)

    def reduced_sums(self, x: Words, shape: AnswerShape) -> NDArray[np.int32]:
        """All sums of an answer, reduced: (primes, numbers of the answer), c1 first."""
        primes, degree = self._context.lattice.primes, self.packing.degree
        found = np.empty((len(primes), sum(shape.counts)), dtype=np.int32)
        sums = self.sums(x, shape)
        for index, prime in enumerate(primes):
            first, *seconds = shape.split(found[index : index + 1])
            by_row = first.reshape(len(shape.rows), degree)
            for rows, values in sums.first(slice(0, len(by_row)), index):
                by_row[rows] = reduce(values, prime)
            for part, second in zip(shape.parts, seconds, strict=True):
                out = self._scratch.take("c0", part.shape)
                sums.second(part, part.rows, index, out)
                second.reshape(part.shape)[:] = reduce(out, prime)
        return found


class _SumsHere(Sums):
    """Sums of rows in this process.

    lifted: the rows of X, lifted (primes, r, rows of the matrix).
    """

    def __init__(
        self,
        first: GroupMatrix,
        second: Sequence[ResidueMatrix],
        lifted: Residues,
        scratch: Scratch,
    ) -> None:
        self._first, self._second = first, second
        self._lifted, self._scratch = lifted, scratch

    def first(self, rows: slice, index: int) -> Iterator[tuple[slice, Residues]]:
        """The sums, straight from the product."""
        return self._first.times(self._lifted[index, rows], index, self._scratch)

    def second(self, part: AnswerPart, rows: slice, index: int, out: Residues) -> None:
        """The sums, straight from the product."""
        x = self._lifted[index, rows]
        self._second[part.block].times(x, index, out, self._scratch)
