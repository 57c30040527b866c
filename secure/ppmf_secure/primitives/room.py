# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the large arrays of a server or of a worker lie: in its memory, or in files.

A matrix that is larger than the memory is kept in a file that is mapped, and is multiplied block by
block. The file has no name and is open in this process alone, so that nobody else can reach it, and
the system frees it as soon as the process has let it go or is gone, however that came
(PPMF-WRK-010).
"""

from __future__ import annotations

import errno
import mmap
import os
import tempfile
from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_PAGE = mmap.ALLOCATIONGRANULARITY


class Stored:
    """A large array in memory. values: all of it. by_rows: whether it is best read row after row,
    each once. A caller that reads it so says which part comes next, and which it has done with.
    """

    by_rows = False

    def __init__(self, values: NDArray[Any]) -> None:
        self.values = values

    def soon(self, part: NDArray[Any]) -> None:
        """Note that a contiguous part of the values will be read soon."""

    def done(self, part: NDArray[Any]) -> None:
        """Note that a contiguous part of the values is not needed for a while."""


class Room(ABC):
    """Where large arrays are kept."""

    @abstractmethod
    def take(self, shape: tuple[int, ...], dtype: type[np.generic]) -> Stored:
        """Room for an array of any content. Raises OSError if there is not so much."""


@dataclass(frozen=True, slots=True)
class Memory(Room):
    """The memory of this process."""

    def take(self, shape: tuple[int, ...], dtype: type[np.generic]) -> Stored:
        """An array in memory."""
        return Stored(np.empty(shape, dtype))


MEMORY = Memory()


class _InFile(Stored):
    """An array in a file that is mapped; pages that are done with leave this process."""

    by_rows = True

    def __init__(self, mapped: mmap.mmap, values: NDArray[Any]) -> None:
        super().__init__(values)
        self._mapped = mapped
        self._first = values.ctypes.data

    def soon(self, part: NDArray[Any]) -> None:
        """Have the system begin to read it."""
        self._advise("MADV_WILLNEED", part)

    def done(self, part: NDArray[Any]) -> None:
        """Give its pages back; what was written stays in the file."""
        self._advise("MADV_DONTNEED", part)

    def _advise(self, advice: str, part: NDArray[Any]) -> None:
        start = (part.ctypes.data - self._first) // _PAGE * _PAGE
        stop = part.ctypes.data - self._first + part.nbytes
        if hasattr(mmap, advice) and stop > start:
            self._mapped.madvise(getattr(mmap, advice), start, stop - start)


@dataclass(frozen=True, slots=True)
class Files(Room):
    """Files without a name in a folder, which is made where it is not there yet."""

    folder: Path

    def take(self, shape: tuple[int, ...], dtype: type[np.generic]) -> Stored:
        """An array in a file. Raises OSError, which names the folder, where the disk is full.

        The disk is asked for all of it at once, since a full disk would end the process later.
        """
        size = prod(shape) * np.dtype(dtype).itemsize
        if not size:
            return Stored(np.empty(shape, dtype))
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=self.folder) as file:
            try:
                if hasattr(os, "posix_fallocate"):
                    os.posix_fallocate(file.fileno(), 0, size)
                else:
                    file.truncate(size)
            except OSError as error:
                if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                    raise
                free = os.statvfs(self.folder)
                told = (
                    f"{os.strerror(error.errno)}: a matrix needs {size:,} bytes there, and "
                    f"{free.f_bavail * free.f_frsize:,} are free"
                )
                raise OSError(error.errno, told, str(self.folder)) from error
            mapped = mmap.mmap(file.fileno(), size)
        values: NDArray[Any] = np.frombuffer(mapped, dtype).reshape(shape)
        return _InFile(mapped, values)
