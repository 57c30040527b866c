# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user's program keeps on the user's own disk: the ratings, and the last bytes of a session.

Whoever tries again must send the same bytes again, also after a restart: the bytes are therefore
stored before they are sent, and a serial is never used for others (PPMF-UPL-014, PPMF-API-018).
"""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from ppmf_secure.session.private_files import partial_file, private_folder
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError

_FORMAT = "ppmf-last-upload/1"
RATINGS = "ratings.csv"


@dataclass(frozen=True, slots=True)
class Last:
    """The last upload of a session, or its withdrawal.

    ratings: SHA-256 of the ratings that it was made of. data: its bytes, none for a withdrawal.
    acknowledged: whether RecSys said that it has it.
    """

    session_id: bytes
    serial: int
    ratings: bytes
    data: bytes
    acknowledged: bool

    @property
    def withdrawal(self) -> bool:
        """Whether it is a withdrawal."""
        return not self.data


class UserFolder:
    """The folder of one user at one RecSys, readable by its owner alone."""

    def __init__(self, path: Path) -> None:
        """Make the folder if there is none; raises StateError if others may use it."""
        self.path = path
        private_folder(path)

    def last(self, session_id: bytes) -> Last | None:
        """What was kept of a session, if anything. Raises EncodingError for a damaged file."""
        path = self._upload(session_id)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return None
        try:
            content = strict_cbor.decode(data)
        except EncodingError as error:
            raise EncodingError(f"{path}: {error}") from None
        match content:
            case [
                str(name),
                memoryview() as found,
                int(serial),
                memoryview() as ratings,
                memoryview() as sent,
                (0 | 1) as acknowledged,
            ] if name == _FORMAT and found == session_id:
                return Last(session_id, serial, bytes(ratings), bytes(sent), bool(acknowledged))
        raise EncodingError(f"{path}: not of format {_FORMAT}, or of another session")

    def keep(self, last: Last) -> None:
        """Store what is about to be sent, or that it was acknowledged, durably."""
        content: list[strict_cbor.Encodable] = [
            _FORMAT,
            last.session_id,
            last.serial,
            last.ratings,
            last.data,
            int(last.acknowledged),
        ]
        _write(self._upload(last.session_id), strict_cbor.encode(content))

    def ratings(self) -> str | None:
        """The text of the ratings that were kept, if any."""
        try:
            return (self.path / RATINGS).read_text("utf-8")
        except FileNotFoundError:
            return None

    def keep_ratings(self, text: str) -> None:
        """Keep ratings for a later session, in the place of those before."""
        _write(self.path / RATINGS, text.encode())

    def forget(self) -> None:
        """Remove what was kept, and the folder."""
        for path in (self.path / RATINGS, *self.path.glob("upload-*.cbor"), *self._partial()):
            path.unlink(missing_ok=True)
        with suppress(OSError):  # it has files of somebody else
            self.path.rmdir()

    def _partial(self) -> list[Path]:
        return list(self.path.glob("*.partial"))

    def _upload(self, session_id: bytes) -> Path:
        return self.path / f"upload-{session_id.hex()}.cbor"


def digest(text: str) -> bytes:
    """By which the same ratings are known again."""
    return hashlib.sha256(text.encode()).digest()


def _write(path: Path, content: bytes) -> None:
    descriptor, temporary = partial_file(path)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
