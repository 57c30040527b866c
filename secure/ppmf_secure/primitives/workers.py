# SPDX-License-Identifier: GPL-3.0-or-later
"""Workers: processes of one server, on machines of its own, that share its work (chapter 4,
"Workers").

A server that has workers gives each of them a *shard* of its large data, which stays there: the
shard is loaded by the worker itself, from files of the server, and is never sent to it. The server
then asks for products of its shards with something small. Besides, workers run tasks that need no
shard.

Workers are in the trust domain of their server: they see what it sees. They draw no coins, so what
they answer is a function of what they are asked (PPMF-WRK-002). A question may therefore be asked
again, of another worker, when one is lost: nothing that is used once is used twice by that.
"""

from __future__ import annotations

import errno
import os
import shutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from ppmf_secure.arrays import Words

TASKS = "task-"
"""How the names of folders begin in which the arrays of tasks lie."""

_LEFT = ("matrix*", f"{TASKS}*")
"""The names of what is written into the folder of workers."""

_TRIES = 8
"""How often a folder is emptied that workers go on to write into."""


def remove_shards(folder: Path) -> None:
    """Remove what an epoch has left in the folder of its workers, and nothing else
    (PPMF-WRK-001).
    """
    for path in (path for names in _LEFT for path in folder.glob(names)):
        if path.is_dir() and not path.is_symlink():
            _remove_tree(path)
        else:
            path.unlink()


def _remove_tree(path: Path) -> None:
    """Remove a folder into which a worker may write just now. It cannot once it is gone."""
    for left in range(_TRIES, 0, -1):
        try:
            shutil.rmtree(path)
        except OSError as error:
            if error.errno != errno.ENOTEMPTY or left == 1:
                raise
        else:
            return


@dataclass(frozen=True, slots=True, repr=False)
class Call:
    """A function with its arguments. The function stands in a module, so that its name says it all
    to a worker.
    """

    function: Callable[..., Any]
    arguments: tuple[Any, ...]

    def __call__(self) -> Any:
        """The result of the call."""
        return self.function(*self.arguments)


@dataclass(frozen=True, slots=True)
class ProcessHealth:
    """How a process does.

    memory: its resident size in bytes. most_memory: the largest that it had.
    cpu_seconds: the processor time that it has spent.
    """

    memory: int
    most_memory: int
    cpu_seconds: float


@dataclass(frozen=True, slots=True)
class WorkerHealth:
    """How one worker does. address: where it is. shards: the names of those that it holds."""

    address: str
    shards: tuple[str, ...]
    process: ProcessHealth


class Answer(ABC):
    """The answer to a call that was asked; it may be under way."""

    @abstractmethod
    def get(self) -> Any:
        """The answer, once it is there. Raises what the call raised."""


class Ready(Answer):
    """An answer that is there."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def get(self) -> Any:
        """What was given."""
        return self._value


class Workers(ABC):
    """The workers of one server."""

    @property
    @abstractmethod
    def count(self) -> int:
        """How many shards a matrix is to be cut into."""

    @property
    @abstractmethod
    def folder(self) -> Path:
        """A folder of the server that all its workers can read, and nobody else can."""

    @abstractmethod
    def load(self, shards: Mapping[str, Call]) -> None:
        """Have workers make shards, and keep them under these names. A shard is made again, by
        another worker, if its own is lost. Raises what the first of the calls that fails raises.
        """

    @abstractmethod
    def multiply(self, questions: Mapping[str, Call]) -> Iterator[Any]:
        """The answers of calls whose first argument is the shard of that name, in any order."""

    @abstractmethod
    def ask(self, call: Call) -> Answer:
        """Have any worker answer a call that needs no shard. The caller sees to it that only a few
        are under way at once. Large parts of a question or an answer should be arrays.
        """

    @abstractmethod
    def run(self, tasks: Iterator[Call]) -> Iterator[Any]:
        """The results of tasks without a shard, in their order. Only a few are under way at once,
        so that neither tasks nor results pile up.
        """

    @abstractmethod
    def drop(self, names: Sequence[str]) -> None:
        """Forget shards."""

    @abstractmethod
    def health(self) -> list[WorkerHealth]:
        """How each worker does, those that are lost left out."""


class OneProcess(Workers):
    """Workers that are none: everything is done at once, in this process. For tests.

    shards: how many shards a matrix is cut into. folder: a private one.
    """

    def __init__(self, shards: int, folder: Path) -> None:
        self._count, self._folder = shards, folder
        self._shards: dict[str, Any] = {}

    @property
    def count(self) -> int:
        """As it was given."""
        return self._count

    @property
    def folder(self) -> Path:
        """As it was given."""
        return self._folder

    def load(self, shards: Mapping[str, Call]) -> None:
        """Make shards and keep them."""
        self._shards |= {name: call() for name, call in shards.items()}

    def multiply(self, questions: Mapping[str, Call]) -> Iterator[Any]:
        """The answers, one after the other."""
        for name, call in questions.items():
            yield call.function(self._shards[name], *call.arguments)

    def ask(self, call: Call) -> Answer:
        """The answer, made at once."""
        return Ready(call())

    def run(self, tasks: Iterator[Call]) -> Iterator[Any]:
        """The results, one after the other."""
        return (task() for task in tasks)

    def drop(self, names: Sequence[str]) -> None:
        """Forget shards."""
        for name in names:
            self._shards.pop(name, None)

    def health(self) -> list[WorkerHealth]:
        """There is no process to tell of."""
        return []


def ask(workers: Workers | None, call: Call) -> Answer:
    """Have a worker answer a call; without workers it is answered here, at once."""
    return Ready(call()) if workers is None else workers.ask(call)


def write_words(path: Path, words: Words) -> None:
    """Write words to a new file that nobody else can read."""
    with new_file(path) as file:
        file.write(words.astype("<u8").tobytes())


def words_of_file(path: Path, shape: tuple[int, int]) -> Words:
    """The words of a file, which are read as they are needed."""
    if not path.stat().st_size:
        return np.empty(shape, dtype=np.uint64)
    return np.memmap(path, "<u8", "r").reshape(shape)


def new_file(path: Path) -> BinaryIO:
    """A new file that nobody else can read."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    return os.fdopen(descriptor, "wb")
