# SPDX-License-Identifier: GPL-3.0-or-later
"""Encrypted rows in shards at workers (chapter 4, "Workers").

Each shard has some of the groups of a matrix. What is received is written to files as it comes,
and each worker loads its own. For an answer each worker gets P's share of the columns of X that
meet its rows, and gives its sums, reduced; P adds these up (`stored`). That is all: what hides an
answer, the encryption of zero, the masks and the floods, P draws and adds itself (`peer`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.encryption.interface import Layout, length
from ppmf_secure.primitives.encryption.lattice.layout import (
    AnswerPart,
    AnswerShape,
    LatticeContext,
    Packing,
)
from ppmf_secure.primitives.encryption.lattice.params import Lattice
from ppmf_secure.primitives.encryption.lattice.ring import Residues, Scratch
from ppmf_secure.primitives.encryption.lattice.stored import RowStore, StoredRows, Sums
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.shares import check_length
from ppmf_secure.primitives.workers import Call, Workers, new_file, words_of_file, write_words


@dataclass(frozen=True, slots=True)
class ShardFiles:
    """One shard of encrypted rows as files, from which a worker loads it.

    lattice, layouts: those of the session. packing: that of the shard's rows alone.
    before: how many groups of the matrix come before them.
    received: the groups as they were sent. own: P's share of the rows, as words.
    room: where the worker keeps the residues.
    """

    lattice: Lattice
    layouts: tuple[Layout, ...]
    packing: Packing
    before: int
    received: Path
    own: Path
    room: Room = MEMORY

    def load(self) -> StoredRows:
        """The shard. Raises EncodingError or RangeError, which name the first bad group."""
        context, packing = LatticeContext(self.lattice, self.layouts), self.packing
        own = words_of_file(self.own, (packing.rows, packing.columns))
        stored = StoredRows(context, packing, own, Scratch(), self.before, self.room)
        received = np.memmap(self.received, np.uint8, "r")
        at = 0
        for groups in packing.batches():
            size = context.group_bytes(packing, groups)
            ends = [at + size * number for number in range(length(groups) + 1)]
            stored.take_in(
                groups.start, [received[one:two].tobytes() for one, two in pairwise(ends)]
            )
            at = ends[-1]
        stored.finish()
        return stored


class RowsAtWorkers(RowStore):
    """Encrypted rows at workers. folder: a new one, for their files. room: where each worker keeps
    its shards.
    """

    def __init__(
        self,
        context: LatticeContext,
        packing: Packing,
        own: Words,
        workers: Workers,
        folder: Path,
        room: Room = MEMORY,
    ) -> None:
        self._context, self._packing, self._workers = context, packing, workers
        self._groups = packing.shards(workers.count)
        folder.mkdir(mode=0o700)
        self._files = [
            ShardFiles(
                context.lattice,
                context.layouts,
                packing.of_groups(groups),
                groups.start,
                folder / f"{number}.received",
                folder / f"{number}.own",
                room,
            )
            for number, groups in enumerate(self._groups)
        ]
        self._names = [str(files.received) for files in self._files]
        for files, groups in zip(self._files, self._groups, strict=True):
            write_words(files.own, own[packing.rows_of(groups)])
            new_file(files.received).close()

    def take_in(self, first: int, groups: Sequence[bytes]) -> None:
        """Append the next groups to the files of their shards. The workers check the rest."""
        for number, group in enumerate(groups, first):
            due = self._context.group_bytes(self._packing, slice(number, number + 1))
            check_length(group, due, f"encrypted group {number}")
            shard = next(i for i, part in enumerate(self._groups) if number < part.stop)
            with self._files[shard].received.open("ab") as file:
                file.write(group)

    def finish(self) -> None:
        """Have every worker load its shards."""
        loads = {
            name: Call(ShardFiles.load, (files,))
            for name, files in zip(self._names, self._files, strict=True)
        }
        self._workers.load(loads)

    def sums(self, x: Words, shape: AnswerShape) -> _SumsOfWorkers:
        """The sums, which all workers make at the same time."""
        questions = {
            name: Call(StoredRows.reduced_sums, (x[:, self._packing.rows_of(groups)], shape))
            for name, groups in zip(self._names, self._groups, strict=True)
        }
        primes = len(self._context.lattice.primes)
        total = np.zeros((primes, sum(shape.counts)), dtype=np.int32)
        for answer in self._workers.multiply(questions):
            total += answer
        return _SumsOfWorkers(total, shape)


class _SumsOfWorkers(Sums):
    """Sums that workers have reduced and this process has added up.

    total (primes, numbers of the answer): sums of residues, one for each shard.
    """

    def __init__(self, total: NDArray[np.int32], shape: AnswerShape) -> None:
        first, *seconds = shape.split(total)
        self._first = first.reshape(len(total), len(shape.rows), shape.degree)
        self._second = {
            part.block: second.reshape(len(total), *part.shape)
            for part, second in zip(shape.parts, seconds, strict=True)
        }

    def first(self, rows: slice, index: int) -> Iterator[tuple[slice, Residues]]:
        """The sums that are there."""
        yield slice(0, length(rows)), self._first[index, rows].astype(np.float64)

    def second(self, part: AnswerPart, rows: slice, index: int, out: Residues) -> None:
        """The sums that are there."""
        out[:] = self._second[part.block][index, part.within(rows)]
