# SPDX-License-Identifier: Apache-2.0
"""The records of three transcripts without their contents.

Contents may be gigabytes. A check that needs them reads them again, one message at a time, by
`contents`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ppmf_secure.session import set_up, transcript
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.roles import Role

PARTIES = tuple(Role)
"""The parties whose transcripts an audit needs: a directory holds PARTY/PARTY.cborseq of each."""

Direction = tuple[Role, Role]
"""(sender, receiver)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One record of one party's transcript: its direction, header, length and SHA-256.

    `index` counts the records of the file from 0. `header` is None, and `problem` says why, when
    the bytes are not a message.
    """

    owner: Role
    index: int
    direction: Direction
    length: int
    digest: bytes
    header: Header | None
    problem: str = ""

    @property
    def sent(self) -> bool:
        """Whether the owner of the transcript is the sender."""
        return self.direction[0] == self.owner

    @property
    def where(self) -> str:
        """The record and its transcript, for a person."""
        return f"{self.owner}: record {self.index}"


@dataclass(frozen=True, slots=True)
class Header:
    """The public header of a message."""

    kind: type[wire.Message]
    session: bytes
    epoch: int
    number: int


def files(directory: Path) -> dict[Role, Path]:
    """The transcript of each party; EncodingError when one is missing."""
    found = {party: transcript.transcript_file(directory, party) for party in PARTIES}
    for party, path in found.items():
        if not path.is_file():
            raise EncodingError(
                f"{directory}: no transcript of {party} ({path.relative_to(directory)})"
            )
    return found


def session_of(directory: Path) -> Session:
    """The session of the transcripts; EncodingError when its file is missing."""
    path = directory / transcript.SESSION_FILE
    if not path.is_file():
        raise EncodingError(f"{directory}: no file of the session ({path.name})")
    return set_up.read(path.read_bytes(), str(path)).session


def outline(directory: Path) -> list[Entry]:
    """Every record of every transcript, in the order of each file."""
    return [
        entry
        for party, path in files(directory).items()
        for entry in entries(party, transcript.read(path))
    ]


def entries(party: Role, records: Iterable[transcript.Record]) -> Iterator[Entry]:
    """The records of one party's transcript."""
    for index, record in enumerate(records):
        yield _entry(party, index, record)


def contents(directory: Path) -> Iterator[tuple[Direction, wire.Envelope]]:
    """Every message that decodes, once, from its sender's transcript."""
    for party, path in files(directory).items():
        for record in transcript.read(path):
            if record.direction == "sent":
                try:
                    yield (party, record.peer), wire.decode(record.message)
                except EncodingError:
                    continue  # reported by the outline


def direction_of(party: Role, record: transcript.Record) -> Direction:
    """The direction of a record in that party's transcript."""
    return (party, record.peer) if record.direction == "sent" else (record.peer, party)


def _entry(party: Role, index: int, record: transcript.Record) -> Entry:
    header, problem = None, ""
    try:
        envelope = wire.decode(record.message)
        header = Header(type(envelope.message), envelope.session, envelope.epoch, envelope.number)
    except EncodingError as error:
        problem = str(error)
    digest = hashlib.sha256(record.message).digest()
    direction = direction_of(party, record)
    return Entry(party, index, direction, len(record.message), digest, header, problem)
