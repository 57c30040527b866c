# SPDX-License-Identifier: GPL-3.0-or-later
"""A party's transcript: every message that it sent or received, byte for byte, in order.

A file is a CBOR sequence (RFC 8742) of records [direction, peer, message bytes]. It grows with the
run, can be read after an interruption, and is never held in memory. Beside the transcripts of a run
lies the file of its session, which is public (`record_session`).
"""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import Literal, Self

from ppmf_secure.session.private_files import new_file, own_file, private_folder
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError
from ppmf_spec.roles import Role
from ppmf_spec.wire import Bulk

SESSION_FILE = "signed-session.cbor"
_MOST_PIECES = 1024
"""The most pieces that systems write at once."""

Direction = Literal["sent", "received"]


def transcript_file(folder: Path, party: Role) -> Path:
    """The file of a party's transcript, in a folder of its own within that of a run
    (PPMF-RES-017).
    """
    return folder / party / f"{party}.cborseq"


@dataclass(frozen=True, slots=True)
class Record:
    """One message that a party sent or received."""

    direction: Direction
    peer: Role
    message: bytes


class Recorder:
    """The writer of one party's transcript. Without a folder it records nothing.

    folder: that of the run, in which each party has one. Both are made if there are none. A later
    epoch is appended to the file of the earlier ones. Raises StateError if folders or file are not
    the caller's own (PPMF-RES-011).
    """

    def __init__(self, folder: Path | None, party: Role, *, epoch: int = 0) -> None:
        self._file: FileIO | None = None
        if folder is not None:
            path = transcript_file(folder, party)
            private_folder(folder)
            private_folder(path.parent)
            if epoch and os.path.lexists(path):
                descriptor = own_file(path)
                os.ftruncate(descriptor, _whole_records(path))
            else:
                descriptor = new_file(path)
            self._file = FileIO(descriptor, "ab")

    def record(self, direction: Direction, peer: Role, *pieces: Bulk) -> None:
        """Append one message, of which all pieces are given. None of them is copied in memory."""
        if self._file is not None:
            before = strict_cbor.encode([direction, peer, b""])[:-1]  # without the length, 0
            before += strict_cbor.head_of_bytes(sum(map(len, pieces)))
            _write_all(
                self._file.fileno(), [memoryview(before), *(memoryview(piece) for piece in pieces)]
            )

    def close(self) -> None:
        """End the file."""
        if self._file is not None:
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def record_session(folder: Path | None, file: bytes) -> None:
    """Put the file of a session (`set_up.write`) beside the transcripts, if there are any.

    Raises StateError as `Recorder` does (PPMF-RES-011).
    """
    if folder is not None:
        private_folder(folder)
        with FileIO(new_file(folder / SESSION_FILE), "wb") as out:
            out.write(file)


def _write_all(descriptor: int, pieces: list[memoryview]) -> None:
    """Write pieces, also where the system takes a part of them at once. Raises OSError."""
    while pieces:
        taken = os.writev(descriptor, pieces[:_MOST_PIECES])
        while pieces and taken >= len(pieces[0]):
            taken -= len(pieces.pop(0))
        if taken:
            pieces[0] = pieces[0][taken:]


def _whole_records(path: Path) -> int:
    """The length of a file without the last record, if an interruption cut it short."""
    end = 0
    with _bytes_of(path) as data:
        while end < len(data):
            try:
                end = strict_cbor.decode_next(data, end)[1]
            except EncodingError:
                break
    return end


def read(path: Path) -> Iterator[Record]:
    """The records of a transcript. Raises EncodingError, which names the file and the record."""
    number = at = 0
    with _bytes_of(path) as data:
        while at < len(data):
            try:
                parts, at = strict_cbor.decode_next(data, at)
            except EncodingError as error:
                raise EncodingError(f"{path}: record {number}: {error}") from None
            match parts:
                case ["sent" | "received" as direction, str(peer), memoryview() as message] if (
                    peer in set(Role)
                ):
                    found = Record(direction, Role(peer), bytes(message))
                case _:
                    raise EncodingError(f"{path}: record {number} is not a transcript record")
            del parts, message
            yield found
            number += 1


@contextmanager
def _bytes_of(path: Path) -> Iterator[memoryview]:
    """The bytes of a file, of which the system reads into memory what is looked at."""
    with path.open("rb") as file:
        if not path.stat().st_size:  # of which there can be no map
            yield memoryview(b"")
            return
        yield memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
