# SPDX-License-Identifier: GPL-3.0-or-later
"""Control messages: what the servers say to each other outside of any epoch (PPMF-LNK-013).

RecSys asks and CSP answers. Every question may be asked again, and gets the same answer, so that
whoever was interrupted begins where the database says that they are. A message is a CBOR array: its
name, the 32 bytes by which the session is known, and its members.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass, fields
from typing import ClassVar, TypeAlias, get_type_hints

from ppmf_secure.session import set_up
from ppmf_spec import strict_cbor
from ppmf_spec.errors import KINDS, EncodingError, PpmfError, told
from ppmf_spec.wire import Bulk

KEY_BYTES = 32
MOST_BYTES = 2 * set_up.MOST_BYTES
"""The most bytes of a control message: a proposal, or a closing of a great many users."""

_MOST_LINE = 300
_ITEMS = 8
_CLASSES = {kind.kind: kind for kind in KINDS}
_ENDS = ("failed", "abandoned")
"""The states in which a session ends without V (PPMF-SRV-004)."""


@dataclass(frozen=True, slots=True)
class _Control:
    """The base of all control messages. key: of the session, its id or the digest of its
    proposal.
    """

    name: ClassVar[str]
    key: bytes


@dataclass(frozen=True, slots=True)
class Propose(_Control):
    """RecSys proposes a session."""

    name = "propose"
    proposal: bytes


@dataclass(frozen=True, slots=True)
class Accept(_Control):
    """CSP has accepted: its acceptance and its signature of the session."""

    name = "accept"
    acceptance: bytes
    by_csp: bytes


@dataclass(frozen=True, slots=True)
class Sign(_Control):
    """RecSys has signed the session."""

    name = "sign"
    by_recsys: bytes


@dataclass(frozen=True, slots=True)
class Opened(_Control):
    """CSP has both signatures, and publishes the session."""

    name = "opened"


@dataclass(frozen=True, slots=True)
class ClosingControl(_Control):
    """The message `closing` of the session, as its bytes."""

    name = "closing"
    message: bytes


@dataclass(frozen=True, slots=True)
class AdmissionControl(_Control):
    """The message `admission` of the session, as its bytes."""

    name = "admission"
    message: bytes


@dataclass(frozen=True, slots=True)
class EpochHello(_Control):
    """RecSys wants to begin an epoch, whose messages are to travel on that stream."""

    name = "epoch"
    stream: int


@dataclass(frozen=True, slots=True)
class Ready(_Control):
    """CSP has begun the epoch."""

    name = "ready"
    stream: int


@dataclass(frozen=True, slots=True)
class Receipt(_Control):
    """RecSys has V: SHA-256 of its file, and RecSys' signature of that."""

    name = "receipt"
    digest: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Received(_Control):
    """CSP has the receipt, and needs nothing any more."""

    name = "received"


@dataclass(frozen=True, slots=True)
class Refused(_Control):
    """A question was refused, or has to wait: which, the class, and the line for the operator. The
    session goes on, and the question may be asked again later.
    """

    name = "refused"
    question: str
    kind: str
    line: str

    @classmethod
    def of(cls, question: _Control, error: PpmfError) -> Refused:
        """The refusal of a question."""
        return cls(question.key, question.name, error.kind, bounded(str(error)))

    def error(self, peer: str) -> PpmfError:
        """What the peer said, as an error; it shows the line as `told` does."""
        return _error(peer, self.kind, self.line)


@dataclass(frozen=True, slots=True)
class Ended(_Control):
    """A server has ended the session: in which state, the class, and the line of why."""

    name = "ended"
    state: str
    kind: str
    line: str

    def error(self, peer: str) -> PpmfError:
        """Why the peer has ended the session."""
        return _error(peer, self.kind, self.line)


Control: TypeAlias = (
    Propose
    | Accept
    | Sign
    | Opened
    | ClosingControl
    | AdmissionControl
    | EpochHello
    | Ready
    | Receipt
    | Received
    | Refused
    | Ended
)

_KINDS: dict[str, type[Control]] = {
    kind.name: kind
    for kind in (
        Propose,
        Accept,
        Sign,
        Opened,
        ClosingControl,
        AdmissionControl,
        EpochHello,
        Ready,
        Receipt,
        Received,
        Refused,
        Ended,
    )
}
_TYPES = {name: get_type_hints(kind) for name, kind in _KINDS.items()}


def kind_of(name: str) -> type[Control]:
    """The class of the control messages of a name. Raises EncodingError for an unknown name."""
    if name not in _KINDS:
        raise EncodingError(f"link: unknown control message {told(name)}")
    return _KINDS[name]


def bounded(line: str) -> str:
    """The line of an error as it is sent."""
    return line.encode("ascii", "backslashreplace").decode()[:_MOST_LINE]


def encode(message: Control) -> bytes:
    """The bytes of a control message."""
    return strict_cbor.encode([message.name, *astuple(message)])


def decode(data: Bulk) -> Control:
    """The control message in such bytes.

    Raises EncodingError if they are malformed or of an unknown name (PPMF-LNK-013).
    """
    match strict_cbor.decode(data, items=_ITEMS):
        case [str(name), *values]:
            kind = kind_of(name)
        case _:
            raise EncodingError("link: a control message is not an array with a name")
    names = [item.name for item in fields(kind)]
    if len(values) != len(names):
        raise EncodingError(f"link: control message {name}: {len(values)} members")
    found: list[object] = []
    for item, value in zip(names, values, strict=True):
        expected = _TYPES[name][item]
        plain = bytes(value) if isinstance(value, memoryview) else value
        if not isinstance(plain, expected):
            raise EncodingError(f"link: control message {name}: {item} is not of its type")
        if item == "key" and len(plain) != KEY_BYTES:
            raise EncodingError(f"link: control message {name}: a key has {KEY_BYTES} bytes")
        found.append(plain)
    made = kind(*found)  # type: ignore[arg-type]
    if isinstance(made, Refused | Ended) and made.kind not in _CLASSES:
        raise EncodingError(f"link: control message {name}: an unknown class")
    if isinstance(made, Ended) and made.state not in _ENDS:
        raise EncodingError(f"link: control message {name}: in an unknown state")
    return made


def _error(peer: str, kind: str, line: str) -> PpmfError:
    return _CLASSES[kind](f"{peer}: {ascii(line)[1:-1]}")
