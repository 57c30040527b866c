# SPDX-License-Identifier: GPL-3.0-or-later
"""The form of every file that is kept for a later epoch: its place, its content, and a tag.

The tag is HMAC-SHA256 under a key that is drawn for the session and kept apart from the files. It
finds damage: without it one bit that flips on a disk gives shares that are none, and a wrong V that
looks like any other. It does not stop somebody who can write the folder, who may read the key too.
(Chapter 4, "Interruption".)
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass

from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, StateError

KEY_BYTES = 32
TAG_BYTES = 32
_FORMAT = "ppmf-kept/1"
_CONTEXT = b"ppmf/v2/kept/"


@dataclass(frozen=True, slots=True, repr=False)
class KeptFile:
    """What a kept file says of itself, and its content.

    session_id: that of the session. party: whose file it is. epoch: the one that wrote it.
    name: what it holds. The iteration and the lineage of a checkpoint stand in its content.
    """

    session_id: bytes
    party: str
    epoch: int
    name: str
    content: bytes | memoryview


def write(key: bytes, kept: KeptFile) -> bytes:
    """The bytes of a kept file, with its tag at the end (PPMF-RES-008)."""
    body = strict_cbor.encode(
        [_FORMAT, kept.session_id, kept.party, kept.epoch, kept.name, kept.content]
    )
    return body + _tag(key, body)


def read(key: bytes, data: bytes, where: str) -> KeptFile:
    """The kept file in such bytes, whose content is a view.

    where: begins the text of a refusal. Raises EncodingError unless the tag is right
    (PPMF-RES-008, PPMF-ERR-004).
    """
    view = memoryview(data)
    body, tag = view[:-TAG_BYTES], view[-TAG_BYTES:]
    if not hmac.compare_digest(_tag(key, body), tag):
        raise EncodingError(f"{where}: damaged: its tag is not that of its content")
    match strict_cbor.decode(body):
        case [
            name,
            memoryview() as session_id,
            str(party),
            int(epoch),
            str(what),
            memoryview() as content,
        ] if name == _FORMAT:
            return KeptFile(bytes(session_id), party, epoch, what, content)
    raise EncodingError(f"{where}: not of format {_FORMAT}")


@dataclass(frozen=True, slots=True, repr=False)
class Keeper:
    """Whose files are written and read: of a session, a party and an epoch, under a key."""

    key: bytes
    session_id: bytes
    party: str
    epoch: int = 0

    def write(self, name: str, content: bytes) -> bytes:
        """The bytes of a file of this party and epoch."""
        return write(self.key, KeptFile(self.session_id, self.party, self.epoch, name, content))

    def read(self, name: str, data: bytes, where: str) -> KeptFile:
        """The file of that name; raises as `read` does, and StateError if it is another one
        (PPMF-ERR-004).
        """
        found = read(self.key, data, where)
        if found.session_id != self.session_id:
            raise StateError(f"{where}: it belongs to another session")
        if (found.party, found.name) != (self.party, name):
            raise StateError(f"{where}: it is the file of another place")
        return found


def _tag(key: bytes, body: bytes | memoryview) -> bytes:
    made = hmac.new(key, _CONTEXT, hashlib.sha256)
    made.update(body)
    return made.digest()
