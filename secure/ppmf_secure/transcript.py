# SPDX-License-Identifier: GPL-3.0-or-later
"""A party's transcript: every message it sent or received, byte for byte, in order.

A file is a CBOR sequence (RFC 8742) of records [direction, peer, message bytes]: appended as the
run goes, readable after an interruption, and never held in memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

import cbor2

from ppmf_spec.errors import EncodingError

SUFFIX = ".cborseq"
Direction = Literal["sent", "received"]


@dataclass(frozen=True, slots=True)
class Record:
    """One message as one party saw it."""

    direction: Direction
    peer: str
    message: bytes


class Recorder:
    """Writes one party's transcript; with no folder it records nothing.

    A later epoch is appended to what the earlier ones left.
    """

    def __init__(self, folder: Path | None, party: str, *, epoch: int = 0) -> None:
        mode = "ab" if epoch else "wb"
        self._file = None if folder is None else (folder / (party + SUFFIX)).open(mode)

    def record(self, direction: Direction, peer: str, message: bytes) -> None:
        """Append one message."""
        if self._file is not None:
            cbor2.dump([direction, peer, message], self._file)

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


def read(path: Path) -> Iterator[Record]:
    """The records of a transcript file; EncodingError names the file and the record."""
    with path.open("rb") as file:
        number = 0
        while file.peek(1):
            try:
                parts = cbor2.load(file)
            except (cbor2.CBORDecodeError, ValueError) as error:
                raise EncodingError(f"{path}: record {number} is not CBOR") from error
            match parts:
                case ["sent" | "received" as direction, str(peer), bytes(message)]:
                    yield Record(direction, peer, message)
                case _:
                    raise EncodingError(f"{path}: record {number} is not a transcript record")
            number += 1
