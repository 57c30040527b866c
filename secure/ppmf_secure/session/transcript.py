# SPDX-License-Identifier: GPL-3.0-or-later
"""A party's transcript: every message that it sent or received, byte for byte, in order.

A file is a CBOR sequence (RFC 8742) of records [direction, peer, message bytes]. It grows with the
run, can be read after an interruption, and is never held in memory.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import cbor2

from ppmf_spec.errors import EncodingError
from ppmf_spec.roles import Role

SUFFIX = ".cborseq"
Direction = Literal["sent", "received"]


@dataclass(frozen=True, slots=True)
class Record:
    """One message that a party sent or received."""

    direction: Direction
    peer: Role
    message: bytes


class Recorder:
    """The writer of one party's transcript. Without a folder it records nothing.

    A later epoch is appended to the file of the earlier ones.
    """

    def __init__(self, folder: Path | None, party: Role, *, epoch: int = 0) -> None:
        self._file: FileIO | None = None
        if folder is not None:
            path = folder / (party + SUFFIX)
            if epoch and path.exists():
                os.truncate(path, _whole_records(path))
            self._file = FileIO(path, "ab" if epoch else "wb")

    def record(self, direction: Direction, peer: Role, message: bytes) -> None:
        """Append one message."""
        if self._file is not None:
            self._file.write(cbor2.dumps([direction, peer, message]))

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()


def _whole_records(path: Path) -> int:
    """The length of a file without the last record, if an interruption cut it short."""
    end = 0
    with path.open("rb") as file, suppress(cbor2.CBORError, ValueError):
        while file.peek(1):
            cbor2.load(file)
            end = file.tell()
    return end


def read(path: Path) -> Iterator[Record]:
    """The records of a transcript. Raises EncodingError, which names the file and the record."""
    with path.open("rb") as file:
        number = 0
        while file.peek(1):
            try:
                parts = cbor2.load(file)
            except (cbor2.CBORDecodeError, ValueError) as error:
                raise EncodingError(f"{path}: record {number} is not CBOR") from error
            match parts:
                case ["sent" | "received" as direction, str(peer), bytes(message)] if peer in set(
                    Role
                ):
                    yield Record(direction, Role(peer), message)
                case _:
                    raise EncodingError(f"{path}: record {number} is not a transcript record")
            number += 1
