# SPDX-License-Identifier: GPL-3.0-or-later
"""What a user's program keeps on the user's own disk: invitation, ratings, the last bytes sent.

Whoever tries again must send the same bytes again, also after a restart: the bytes are therefore
stored before they are sent, and a serial is never used for others (PPMF-UPL-014, PPMF-API-018).
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.session.enrolment import consent_key
from ppmf_secure.session.invitations import Invitation, read_invitation
from ppmf_secure.session.private_files import partial_file, private_folder
from ppmf_spec import rating_files, strict_cbor
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.rating_files import RawRatings

_FORMAT = "ppmf-last-upload/1"
RATINGS = "ratings.csv"
INVITATION = "invitation.txt"
_LOCK = "in-use"
_OPEN_LOCK = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Last:
    """The last upload of a session, or its withdrawal.

    made_of: see the function of that name. data: its bytes, none for a withdrawal.
    acknowledged: whether RecSys said that it has it.
    """

    session_id: bytes
    serial: int
    made_of: bytes
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

    @contextmanager
    def exclusively(self) -> Iterator[None]:
        """The context of one program, from reading the last serial to the acknowledgement of the
        next: another one would use the same serial for other bytes (PPMF-API-018).

        Raises StateError if there is another one. The lock ends with its process.
        """
        with os.fdopen(os.open(self.path / _LOCK, _OPEN_LOCK, 0o600), "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StateError(f"{self.path}: another program uses this folder now") from None
            yield

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
                memoryview() as made,
                memoryview() as sent,
                (0 | 1) as acknowledged,
            ] if name == _FORMAT and found == session_id:
                return Last(session_id, serial, bytes(made), bytes(sent), bool(acknowledged))
        raise EncodingError(f"{path}: not of format {_FORMAT}, or of another session")

    def keep(self, last: Last) -> None:
        """Store what is about to be sent, or that it was acknowledged, durably."""
        content: list[strict_cbor.Encodable] = [
            _FORMAT,
            last.session_id,
            last.serial,
            last.made_of,
            last.data,
            int(last.acknowledged),
        ]
        _write(self._upload(last.session_id), strict_cbor.encode(content))

    @property
    def ratings(self) -> Path:
        """The file of the ratings that were kept for later sessions, if it is there."""
        return self.path / RATINGS

    def keep_ratings(self, raw: RawRatings) -> None:
        """Keep ratings, in the place of those before."""
        rating_files.write_csv(self.ratings, raw)

    def invitation(self) -> Invitation | None:
        """The invitation that was kept, if any. Raises as `read_invitation`."""
        try:
            return read_invitation((self.path / INVITATION).read_text("ascii"))
        except FileNotFoundError:
            return None
        except UnicodeDecodeError:
            raise EncodingError(f"{self.path / INVITATION}: not an invitation") from None

    def replaces(self, invitation: Invitation) -> bool:
        """Whether an invitation would take the place of another one of the same user that is kept.
        Raises StateError if the folder is another user's, or for another RecSys (PPMF-API-027).
        """
        before = self.invitation()
        if before is not None and _whose(before) != _whose(invitation):
            raise StateError(f"{self.path}: belongs to another invitation; name another folder")
        return before is not None and before != invitation

    def keep_invitation(self, invitation: Invitation) -> None:
        """Keep an invitation, once the user has agreed if it replaces another one. Raises as
        `replaces`.
        """
        before = self.invitation()
        self.replaces(invitation)
        if before != invitation:
            _write(self.path / INVITATION, invitation.text().encode("ascii"))

    def forget(self) -> None:
        """Remove what was kept, and the folder. Raises StateError as `exclusively`."""
        names = (RATINGS, INVITATION, "upload-*.cbor", "profiles-*.json", "*.partial", _LOCK)
        with self.exclusively():
            for path in [path for name in names for path in self.path.glob(name)]:
                path.unlink()
        with suppress(OSError):  # it has files of somebody else
            self.path.rmdir()

    def profiles(self, session_id: bytes) -> Path:
        """Where V of a session is kept, so that it need not be fetched again."""
        return self.path / f"profiles-{session_id.hex()}.json"

    def last_profiles(self) -> Path | None:
        """The file of V that was used last, if there is one."""
        found = self.path.glob("profiles-*.json")
        return max(found, key=lambda path: path.stat().st_mtime, default=None)

    def _upload(self, session_id: bytes) -> Path:
        return self.path / f"upload-{session_id.hex()}.cbor"


def made_of(invitation: Invitation, row: Row) -> bytes:
    """By which it is known again whether an upload would be made of the same: SHA-256 of the
    consent key and of what is rated how.
    """
    order = np.argsort(row.items, kind="stable")
    both = np.stack([row.items[order], row.values[order]]).astype("<i8")
    return hashlib.sha256(consent_key(invitation.csp.code) + both.tobytes()).digest()


def _whose(invitation: Invitation) -> tuple[str, str]:
    return invitation.user, invitation.recsys.recsys_url


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
