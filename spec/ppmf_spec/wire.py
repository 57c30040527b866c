# SPDX-License-Identifier: Apache-2.0
"""Messages and their bytes: canonical CBOR, every field with its class (chapter 5).

A message is the CBOR array `[name, session, epoch, number, field, ...]` in the core deterministic
encoding of RFC 8949, section 4.2: definite lengths, shortest integers, UTF-8 text. It is read by
the strict decoder of `ppmf_spec.strict_cbor`. `number` counts the messages of one sender to one
receiver within an epoch, so that a lost, repeated or reordered one is noticed. The class of a field
says why its bytes may be seen. `wire.cddl`, beside chapter 5, states the same in CDDL, and a test
compares the two.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields
from enum import StrEnum
from typing import Any, ClassVar, TypeAlias, TypeVar, get_type_hints

from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, StateError, told
from ppmf_spec.roles import CSP, RECSYS, SIDES, USERS, Role

SESSION_BYTES = 32
_MOST_ITEMS = 16
"""More items than any message has."""

Bulk: TypeAlias = bytes | memoryview
"""A field that may be large: of a message that was parsed, it is a view of the message's bytes."""


class FieldClass(StrEnum):
    """Why a field may be on the wire at all (PPMF-WIR-006)."""

    PUBLIC = "public"
    PK_CIPHERTEXT = "pk-ciphertext"
    POINT = "point"
    HE_CIPHERTEXT = "he-ciphertext"
    MASKED = "masked"
    OT = "ot"
    GARBLED_TABLE = "garbled-table"
    LABEL = "label"
    OUTPUT_SHARE = "output-share"


def _of(field_class: FieldClass, among: tuple[str, ...] | None = None) -> Any:
    return field(metadata={"class": field_class, "among": among})


@dataclass(frozen=True, slots=True)
class Message:
    """The base of all messages; `name` stands first on the wire (PPMF-WIR-001, -006, -007)."""

    name: ClassVar[str]
    routes: ClassVar[tuple[tuple[Role, Role], ...]]
    """The (sender, receiver) pairs that exchange it."""

    def fields_with_class(self) -> Iterator[tuple[str, FieldClass, object]]:
        """(name, class, value) of each field, in wire order; of a view a copy."""
        for item in fields(self):
            value = getattr(self, item.name)
            copied = bytes(value) if isinstance(value, memoryview) else value
            yield item.name, item.metadata["class"], copied


_SERVERS = ((RECSYS, CSP), (CSP, RECSYS))


@dataclass(frozen=True, slots=True)
class Upload(Message):
    """All that a user sends: their masked bits, and the seal of the mask's seed and of consent.

    `serial` counts the user's uploads of the session, from 1.
    """

    name = "upload"
    routes = ((USERS, RECSYS),)
    user: str = _of(FieldClass.PUBLIC)
    serial: int = _of(FieldClass.PUBLIC)
    masked: Bulk = _of(FieldClass.MASKED)
    sealed: bytes = _of(FieldClass.PK_CIPHERTEXT)


@dataclass(frozen=True, slots=True)
class Closing(Message):
    """Who is present: a bit for each user, and the serial and the seal of each who is."""

    name = "closing"
    routes = ((RECSYS, CSP),)
    presence: bytes = _of(FieldClass.PUBLIC)
    seals: bytes = _of(FieldClass.PK_CIPHERTEXT)


@dataclass(frozen=True, slots=True)
class Admission(Message):
    """Who of those who are present is admitted: a bit for each user."""

    name = "admission"
    routes = ((CSP, RECSYS),)
    admitted: bytes = _of(FieldClass.PUBLIC)


@dataclass(frozen=True, slots=True)
class ServerKey(Message):
    """A server's public key for products, which is one of the cipher suite."""

    name = "server-key"
    routes = _SERVERS
    suite: str = _of(FieldClass.PUBLIC)
    product_key: bytes = _of(FieldClass.PUBLIC)


@dataclass(frozen=True, slots=True)
class Resume(Message):
    """The first message of a later epoch: the number of the last one, the checkpoints, and a digest
    of closing and admission.

    last: the highest number of an epoch that its sender had kept; the header has the next one
    (PPMF-RES-016).
    checkpoints: those that its sender holds. For each, in rising order: the iteration (8 bytes,
    little-endian) and the lineage (32 bytes) of the epoch that wrote it.
    decision: the digest of PPMF-ADM-010.
    """

    name = "resume"
    routes = _SERVERS
    last: int = _of(FieldClass.PUBLIC)
    checkpoints: bytes = _of(FieldClass.PUBLIC)
    decision: bytes = _of(FieldClass.PUBLIC)


@dataclass(frozen=True, slots=True)
class BaseRequest(Message):
    """Two points for each base transfer: its sender knows the secret of the one that it chooses."""

    name = "base-request"
    routes = _SERVERS
    points: bytes = _of(FieldClass.POINT)


@dataclass(frozen=True, slots=True)
class BaseAnswer(Message):
    """The point by which both servers make the seeds of the base transfers."""

    name = "base-answer"
    routes = _SERVERS
    point: bytes = _of(FieldClass.POINT)


@dataclass(frozen=True, slots=True)
class EncryptedRows(Message):
    """Rows of a server's own share of [W | R], under its own key.

    `packing` names the side that is packed ("users" or "items"); `first` is the first row's number.
    """

    name = "encrypted-rows"
    routes = _SERVERS
    packing: str = _of(FieldClass.PUBLIC, among=tuple(SIDES))
    first: int = _of(FieldClass.PUBLIC)
    rows: bytes = _of(FieldClass.HE_CIPHERTEXT)


@dataclass(frozen=True, slots=True)
class ProductAnswer(Message):
    """The masked product of the peer's matrix with the receiver's encrypted rows."""

    name = "product-answer"
    routes = _SERVERS
    answer: bytes = _of(FieldClass.HE_CIPHERTEXT)


@dataclass(frozen=True, slots=True)
class TransferColumns(Message):
    """The chooser's columns of a transfer extension."""

    name = "transfer-columns"
    routes = _SERVERS
    columns: Bulk = _of(FieldClass.OT)


@dataclass(frozen=True, slots=True)
class TransferPayload(Message):
    """The corrections of a bit times vector, which are ring elements."""

    name = "transfer-payload"
    routes = _SERVERS
    payload: Bulk = _of(FieldClass.OT)


@dataclass(frozen=True, slots=True)
class GarbledTables(Message):
    """The two ciphertexts of every AND gate, for one chunk of elements."""

    name = "garbled-tables"
    routes = ((CSP, RECSYS),)
    tables: Bulk = _of(FieldClass.GARBLED_TABLE)


@dataclass(frozen=True, slots=True)
class OutputShare(Message):
    """CSP's Boolean share of V as packed bits. V is the only value that is ever opened."""

    name = "output-share"
    routes = ((CSP, RECSYS),)
    bits: bytes = _of(FieldClass.OUTPUT_SHARE)


MESSAGES: dict[str, type[Message]] = {
    kind.name: kind
    for kind in (
        Upload,
        Closing,
        Admission,
        Resume,
        ServerKey,
        BaseRequest,
        BaseAnswer,
        EncryptedRows,
        ProductAnswer,
        TransferColumns,
        TransferPayload,
        GarbledTables,
        OutputShare,
    )
}

FIELD_TYPES: dict[str, tuple[Any, ...]] = {
    name: tuple(get_type_hints(kind)[item.name] for item in fields(kind))
    for name, kind in MESSAGES.items()
}
"""By a message's name, the types of its fields, in wire order: bytes, `Bulk`, str or int."""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with the public header it travels under."""

    session: bytes
    epoch: int
    number: int
    message: Message


def encode(envelope: Envelope) -> bytes:
    """The canonical bytes of a message (PPMF-WIR-001, -002)."""
    return b"".join(pieces_of(envelope))


def pieces_of(envelope: Envelope) -> Sequence[Bulk]:
    """The same in pieces, in which large fields are not copied."""
    message = envelope.message
    values = [getattr(message, item.name) for item in fields(message)]
    return strict_cbor.pieces_of(
        [message.name, envelope.session, envelope.epoch, envelope.number, *values]
    )


def decode(data: Bulk) -> Envelope:
    """Parse a message, strictly (PPMF-WIR-002, -003, -010).

    Raises EncodingError when the bytes are truncated, not canonical, or not one of MESSAGES.
    """
    try:
        parts = strict_cbor.decode(data, items=_MOST_ITEMS)
    except EncodingError as error:
        raise EncodingError(f"a message of {len(data)} bytes: {error}") from None
    match parts:
        case [str(name), session, epoch, number, *values]:
            pass
        case _:
            raise EncodingError("a message is not an array with a name and a header")
    if name not in MESSAGES:
        raise EncodingError(f"unknown message {told(name)}")
    if not isinstance(session, memoryview) or len(session) != SESSION_BYTES:
        raise EncodingError(f"message {name}: the session is not {SESSION_BYTES} bytes")
    if not (isinstance(epoch, int) and isinstance(number, int)):
        raise EncodingError(f"message {name}: epoch and number are unsigned integers")
    if len(values) != len(FIELD_TYPES[name]):
        raise EncodingError(f"message {name}: {len(values)} fields, not {len(FIELD_TYPES[name])}")
    found: list[object] = []
    for item, value, kind in zip(fields(MESSAGES[name]), values, FIELD_TYPES[name], strict=True):
        if not isinstance(value, kind if kind in {int, str} else memoryview):
            raise EncodingError(f"message {name}: field {item.name} is not of its type")
        among = item.metadata["among"]
        if among is not None and value not in among:
            raise EncodingError(f"message {name}: field {item.name} is none of {', '.join(among)}")
        found.append(bytes(value) if isinstance(value, memoryview) and kind is bytes else value)
    return Envelope(bytes(session), epoch, number, MESSAGES[name](*found))


M = TypeVar("M", bound=Message)


class Link:
    """One direction between two parties within an epoch, which numbers the messages that are sent
    and checks those that arrive (PPMF-WIR-004, -011).
    """

    def __init__(self, session: bytes, epoch: int, sender: Role, receiver: Role) -> None:
        self._session = session
        self._epoch = epoch
        self._route = (sender, receiver)
        self._next = 0

    def begin(self, epoch: int) -> None:
        """The messages to come are of that epoch; their numbers go on (PPMF-RES-016)."""
        self._epoch = epoch

    def encode(self, message: Message) -> bytes:
        """The bytes of the next message of this direction."""
        return b"".join(self.pieces_of(message))

    def pieces_of(self, message: Message) -> Sequence[Bulk]:
        """The same in pieces, in which large fields are not copied."""
        pieces = pieces_of(Envelope(self._session, self._epoch, self._next, message))
        self._next += 1
        return pieces

    def decode(self, data: Bulk, kind: type[M]) -> M:
        """The next message, which must be of type `kind` (PPMF-WIR-004, PPMF-ERR-006, -014).

        Raises EncodingError (see `decode`), and StateError for another session or epoch, a number
        out of turn, or another type than the protocol expects here.
        """
        envelope = decode(data)
        message = envelope.message
        where = f"message {self._next} from {self._route[0]} to {self._route[1]}"
        if envelope.session != self._session:
            raise StateError(f"{where}: it belongs to another session")
        due = message.last + 1 if isinstance(message, Resume) else self._epoch
        if envelope.epoch != due:
            raise StateError(f"{where}: epoch {envelope.epoch}, not {due}")
        if envelope.number != self._next:
            raise StateError(f"{where}: number {envelope.number} (repeated, lost or reordered)")
        if not isinstance(message, kind):
            raise StateError(f"{where}: {message.name} where {kind.name} was due")
        self._next += 1
        return message
