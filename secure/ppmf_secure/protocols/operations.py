# SPDX-License-Identifier: GPL-3.0-or-later
"""The operations of an epoch, and the messages that each of them takes.

An `Operation` is something that the parties do together: a circuit, a product, an exchange of keys.
It knows its messages, with their routes and lengths, from public sizes alone. In which
order an epoch does them is said by `message_plan`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import overload

from ppmf_secure.primitives.base_transfers import POINT_BYTES, REQUEST_BYTES
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.encryption.interface import FittedScheme
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.shares import chunk_sizes, chunks
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.protocols import conversion
from ppmf_secure.protocols.admission import DECISION_BYTES, RECORD_BYTES
from ppmf_secure.protocols.bit_products import payload_bytes
from ppmf_secure.protocols.conversion import AHEAD
from ppmf_secure.protocols.ratings_product import (
    Orientation,
    group_batches,
    groups_of_a_batch,
)
from ppmf_secure.protocols.resumption import NAME_BYTES
from ppmf_secure.protocols.shared_circuits import EVALUATOR_INPUT
from ppmf_secure.protocols.upload import SEAL_BYTES
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_spec import wire
from ppmf_spec.roles import CSP, RECSYS, USERS, Role

_NUMBERED = (1 << 64) - 1

ROWS_AHEAD = 16
"""The most messages of encrypted rows by which a server is ahead of what it takes."""

BOTH_WAYS = ((RECSYS, CSP), (CSP, RECSYS))


@dataclass(frozen=True, slots=True)
class PlannedMessage:
    """A message of the plan: its route, its type, and what public sizes say of its fields.

    sizes: for each field in wire order, the length in bytes of bytes or text, the value of an
        integer.
    """

    sender: Role
    receiver: Role
    kind: type[wire.Message]
    sizes: tuple[int, ...]

    @property
    def length(self) -> int:
        """The length of its only field, which is bytes."""
        (length,) = self.sizes
        return length

    def encoded(self, epoch: int, number: int) -> int:
        """The length of the whole message, by the rules of canonical CBOR (PPMF-WIR-001, -002)."""
        header = 1 + _string(len(self.kind.name)) + _string(wire.SESSION_BYTES)
        size = header + head(epoch) + head(number)
        for kind, value in zip(wire.FIELD_TYPES[self.kind.name], self.sizes, strict=True):
            size += head(value) if kind is int else _string(value)
        return size


@dataclass(frozen=True, slots=True)
class PublicSize:
    """The public size of a run.

    id_bytes: the length in UTF-8 of every user's id, which is all that lengths depend on.
    items: the number of items.
    """

    id_bytes: Sequence[int]
    items: int

    @property
    def users(self) -> int:
        """The number of users."""
        return len(self.id_bytes)

    @classmethod
    def of(cls, user_ids: Sequence[str], items: int) -> PublicSize:
        """The size of a run with these users."""
        return cls([len(user.encode()) for user in user_ids], items)

    @classmethod
    def numbered(cls, users: int, items: int) -> PublicSize:
        """The size of a run whose users are called 1, 2, 3, ..."""
        return cls(Numbers(users), items)


@dataclass(frozen=True, slots=True)
class Numbers(Sequence[int]):
    """The lengths of the numbers from 1 to `last` in decimals, none of which is written."""

    last: int

    def __len__(self) -> int:
        return self.last

    @overload
    def __getitem__(self, index: int) -> int: ...

    @overload
    def __getitem__(self, index: slice) -> list[int]: ...

    def __getitem__(self, index: int | slice) -> int | list[int]:
        numbers = range(1, self.last + 1)
        if isinstance(index, slice):
            return [len(str(number)) for number in numbers[index]]
        return len(str(numbers[index]))

    def counted(self) -> Counter[int]:
        """How many of them have each length."""
        found: Counter[int] = Counter()
        for length in range(1, len(str(self.last)) + 1):
            found[length] = min(self.last, 10**length - 1) - 10 ** (length - 1) + 1
        return found


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that the parties do together in a phase of the run."""

    phase: str

    def messages(self) -> Iterator[PlannedMessage]:
        """The messages that it takes, in order for each direction."""
        raise NotImplementedError

    def counted(self) -> Counter[PlannedMessage]:
        """How many of its messages are alike: integers in them stand for all of their length."""
        return Counter(self.messages())

    def ahead(self, sender: Role) -> int:
        """The most bytes of its messages that a server may have sent while the next message of its
        peer is still under way: all of them, unless some depend on what the peer sends.
        """
        return _bytes_of(self.counted(), sender)


@dataclass(frozen=True, slots=True)
class ChunkedOperation(Operation):
    """An operation on elements that takes the same messages for each chunk of so many elements."""

    @property
    def chunked(self) -> int:
        """The number of elements that fall into chunks."""
        raise NotImplementedError

    def of_chunk(self, count: int) -> Iterator[PlannedMessage]:
        """The messages of a chunk of so many elements."""
        raise NotImplementedError

    def messages(self) -> Iterator[PlannedMessage]:
        """The messages of the chunks, one chunk after the other."""
        for part in chunks(self.chunked):
            yield from self.of_chunk(part.stop - part.start)

    def counted(self) -> Counter[PlannedMessage]:
        """How many of its messages are alike, without a walk through them."""
        found: Counter[PlannedMessage] = Counter()
        for size, times in chunk_sizes(self.chunked).items():
            for due in self.of_chunk(size):
                found[due] += times
        return found


@dataclass(frozen=True, slots=True)
class TakeUploads(Operation):
    """Users upload, in any order, RecSys says who is present, and CSP whom it admits.

    present: the rows of the users who are present, or None for all of them.
    """

    size: PublicSize
    code: RatingCode
    present: tuple[int, ...] | None = None

    def messages(self) -> Iterator[PlannedMessage]:
        """The uploads in the order of the user list, each user's first, then closing and
        admission.
        """
        lengths = self._id_bytes()
        for length in lengths:
            yield self._upload(length)
        yield from self._decision(len(lengths))

    def counted(self) -> Counter[PlannedMessage]:
        """How many of its messages are alike: uploads whose users' ids have one length."""
        lengths = self._id_bytes()
        each = lengths.counted() if isinstance(lengths, Numbers) else Counter(lengths)
        found = Counter({self._upload(length): times for length, times in each.items()})
        found.update(self._decision(len(lengths)))
        return found

    def _id_bytes(self) -> Sequence[int]:
        """The lengths of the ids of the users who are present."""
        every = self.size.id_bytes
        return every if self.present is None else [every[row] for row in self.present]

    def _upload(self, id_bytes: int) -> PlannedMessage:
        sizes = (id_bytes, 1, self.code.row_bytes(self.size.items), SEAL_BYTES)
        return PlannedMessage(USERS, RECSYS, wire.Upload, sizes)

    def _decision(self, present: int) -> Iterator[PlannedMessage]:
        bits = (self.size.users + 7) // 8
        yield PlannedMessage(RECSYS, CSP, wire.Closing, (bits, present * RECORD_BYTES))
        yield PlannedMessage(CSP, RECSYS, wire.Admission, (bits,))


@dataclass(frozen=True, slots=True)
class NameCheckpoints(Operation):
    """Each server names its last epoch and its checkpoints, in a later epoch.

    last: the number of the epoch before. held: how many checkpoints RecSys and CSP have.
    """

    last: int
    held: tuple[int, int]

    def messages(self) -> Iterator[PlannedMessage]:
        """One message each way, RecSys' first."""
        for way, count in zip(BOTH_WAYS, self.held, strict=True):
            sizes = (self.last, NAME_BYTES * count, DECISION_BYTES)
            yield PlannedMessage(*way, wire.Resume, sizes)


@dataclass(frozen=True, slots=True)
class GiveServerKeys(Operation):
    """The servers exchange their public keys."""

    suite: CipherSuite
    scheme: FittedScheme

    def messages(self) -> Iterator[PlannedMessage]:
        """One message each way."""
        sizes = (len(self.suite.name), self.scheme.key_bytes)
        for way in BOTH_WAYS:
            yield PlannedMessage(*way, wire.ServerKey, sizes)


@dataclass(frozen=True, slots=True)
class GiveEncryptedRows(Operation):
    """The servers exchange the encryptions of their shares of the ratings, in one orientation."""

    scheme: FittedScheme
    orientation: Orientation

    @property
    def batches(self) -> list[range]:
        """The numbers of the groups in each message."""
        return list(group_batches(self.scheme.group_bytes(self.orientation.layout)))

    def messages(self) -> Iterator[PlannedMessage]:
        """A message for each batch of groups of rows, each way."""
        groups = self.scheme.group_bytes(self.orientation.layout)
        for batch in self.batches:
            yield from self._of_batch(batch.start, sum(groups[batch.start : batch.stop]))

    def counted(self) -> Counter[PlannedMessage]:
        """How many of its messages are alike, without a walk through them.

        All groups but the last are alike, and so are all batches but the last.
        """
        count, each, end = self.scheme.group_sizes(self.orientation.layout)
        size = groups_of_a_batch(each if count > 1 else end)
        last = (count - 1) // size * size
        batches = {
            (first, size * each): times for first, times in multiples_by_head(size, last).items()
        }
        of_last = (last, (count - 1 - last) * each + end)
        found: Counter[PlannedMessage] = Counter()
        for (first, rows), times in (*batches.items(), (of_last, 1)):
            for due in self._of_batch(alike(first), rows):
                found[due] += times
        return found

    def ahead(self, sender: Role) -> int:
        """Those of as many messages as a server may be ahead of what it takes, the longest ones."""
        found, left = 0, ROWS_AHEAD
        sizes = ((one.encoded(_NUMBERED, _NUMBERED), times) for one, times in self._of(sender))
        for size, times in sorted(sizes, reverse=True):
            found += min(times, left) * size
            left -= min(times, left)
        return found

    def _of(self, sender: Role) -> Iterator[tuple[PlannedMessage, int]]:
        return ((one, times) for one, times in self.counted().items() if one.sender is sender)

    def _of_batch(self, first: int, rows: int) -> Iterator[PlannedMessage]:
        sizes = (len(self.orientation.packing), first, rows)
        for way in BOTH_WAYS:
            yield PlannedMessage(*way, wire.EncryptedRows, sizes)


@dataclass(frozen=True, slots=True)
class RunBaseTransfers(Operation):
    """The servers make the base transfers, each way, whatever the cipher suite is."""

    def messages(self) -> Iterator[PlannedMessage]:
        """A request and an answer, each way."""
        for way in BOTH_WAYS:
            yield PlannedMessage(*way, wire.BaseRequest, (REQUEST_BYTES,))
            yield PlannedMessage(*way, wire.BaseAnswer, (POINT_BYTES,))


@dataclass(frozen=True, slots=True)
class ConvertBits(ChunkedOperation):
    """The servers turn the users' bits into arithmetic shares.

    entries: how many entries the ratings have. planes: the bits of one.
    """

    entries: int
    planes: int
    ring_bits: int

    @property
    def chunked(self) -> int:
        """The entries."""
        return self.entries

    def of_chunk(self, count: int) -> Iterator[PlannedMessage]:
        """Both servers' columns and both servers' corrections."""
        yield self._columns(RECSYS, self.planes * count)
        yield self._columns(CSP, count)
        yield self._corrections(CSP, count)
        yield self._corrections(RECSYS, count)

    def messages(self) -> Iterator[PlannedMessage]:
        """RecSys' columns, CSP's columns and corrections, RecSys' corrections, chunk by chunk."""
        sizes = [part.stop - part.start for part in chunks(self.entries)]
        for count in sizes[:AHEAD]:
            yield self._columns(RECSYS, self.planes * count)
        for number, count in enumerate(sizes):
            yield self._columns(CSP, count)
            yield self._corrections(CSP, count)
            yield self._corrections(RECSYS, count)
            for later in sizes[number + AHEAD : number + AHEAD + 1]:
                yield self._columns(RECSYS, self.planes * later)

    def ahead(self, sender: Role) -> int:
        """Those of as many chunks as RecSys' columns are ahead, and of one more."""
        parts = min(AHEAD + 1, sum(chunk_sizes(self.entries).values()))
        return parts * _bytes_of(Counter(self.of_chunk(max(chunk_sizes(self.entries)))), sender)

    def _columns(self, sender: Role, bits: int) -> PlannedMessage:
        return PlannedMessage(sender, sender.peer, wire.TransferColumns, (columns_bytes(bits),))

    def _corrections(self, sender: Role, count: int) -> PlannedMessage:
        size = conversion.payload_bytes(sender, count, self.planes, self.ring_bits)
        return PlannedMessage(sender, sender.peer, wire.TransferPayload, (size,))


@dataclass(frozen=True, slots=True)
class RestoreWords(Operation):
    """The servers make transfers for the Boolean shares of one side, from a checkpoint.

    bits: how many bits these are.
    """

    bits: int

    def messages(self) -> Iterator[PlannedMessage]:
        """The columns of each way."""
        for way in BOTH_WAYS:
            yield PlannedMessage(*way, wire.TransferColumns, (columns_bytes(self.bits),))


@dataclass(frozen=True, slots=True)
class RunCircuit(ChunkedOperation):
    """The servers run a garbled circuit on shares, for a number of elements."""

    circuit: Circuit
    elements: int

    @property
    def input_bits(self) -> int:
        """The number of bits of an element with which the evaluator chooses."""
        return self.circuit.inputs[EVALUATOR_INPUT]

    @property
    def chunked(self) -> int:
        """The elements."""
        return self.elements

    def of_chunk(self, count: int) -> Iterator[PlannedMessage]:
        """The columns of the evaluator's transfers, then the tables."""
        columns = columns_bytes(self.input_bits * count)
        yield PlannedMessage(RECSYS, CSP, wire.TransferColumns, (columns,))
        tables = 32 * self.circuit.and_count * count
        yield PlannedMessage(CSP, RECSYS, wire.GarbledTables, (tables,))

    def ahead(self, sender: Role) -> int:
        """CSP's tables of a chunk depend on RecSys' columns of it; those are sent when the tables
        before have come.
        """
        if sender is CSP:
            return _bytes_of(Counter(self.of_chunk(max(chunk_sizes(self.elements)))), sender)
        return _bytes_of(self.counted(), sender)


@dataclass(frozen=True, slots=True)
class ShareOutputs(Operation):
    """Output labels become Boolean-shared words with transfers in both directions.

    bits: how many bits these are.
    """

    bits: int

    def messages(self) -> Iterator[PlannedMessage]:
        """The columns of CSP's choices. In CSP's own transfers the labels are the keys."""
        yield PlannedMessage(CSP, RECSYS, wire.TransferColumns, (columns_bytes(self.bits),))


@dataclass(frozen=True, slots=True)
class MultiplyBits(ChunkedOperation):
    """The servers multiply words with vectors, for a number of elements.

    length: that of a vector. width: the bits of a word. ring_bits: those of the ring.
    ways: who sends corrections to whom.
    """

    elements: int
    length: int
    width: int
    ring_bits: int
    ways: tuple[tuple[Role, Role], ...] = BOTH_WAYS

    @property
    def chunked(self) -> int:
        """The elements."""
        return self.elements

    def of_chunk(self, count: int) -> Iterator[PlannedMessage]:
        """A payload each way."""
        payload = payload_bytes(count, self.length, self.width, self.ring_bits)
        for way in self.ways:
            yield PlannedMessage(*way, wire.TransferPayload, (payload,))


@dataclass(frozen=True, slots=True)
class MultiplyRatings(Operation):
    """The servers multiply the columns of the fixed side with the ratings.

    public: whether the fixed side is the public start, so that the product is local.
    """

    scheme: FittedScheme
    orientation: Orientation
    public: bool

    def messages(self) -> Iterator[PlannedMessage]:
        """An answer each way, but none for the public start."""
        layout, uses = self.orientation.layout, self.orientation.uses
        for way in () if self.public else BOTH_WAYS:
            answer = self.scheme.answer_bytes(layout, uses)
            yield PlannedMessage(*way, wire.ProductAnswer, (answer,))


@dataclass(frozen=True, slots=True)
class OpenOutput(Operation):
    """CSP sends its share of V's bits to RecSys.

    bits: how many bits these are.
    """

    bits: int

    def messages(self) -> Iterator[PlannedMessage]:
        """One message, the last of a run."""
        yield PlannedMessage(CSP, RECSYS, wire.OutputShare, ((self.bits + 7) // 8,))


_HEADS = ((1, 24), (2, 1 << 8), (3, 1 << 16), (5, 1 << 32), (9, 1 << 64))
"""The length in bytes of a head, and the value below which it suffices."""


def head(value: int) -> int:
    """The length of the head of a CBOR item with this value (RFC 8949, section 3)."""
    return next(size for size, limit in _HEADS if value < limit)


def alike(value: int) -> int:
    """The largest value whose head is as long as this one's."""
    return next(limit for _, limit in _HEADS if value < limit) - 1


def multiples_by_head(step: int, end: int) -> dict[int, int]:
    """How many multiples of `step` below `end` have heads of one length, by the least of them."""
    found, before = {}, 0
    for _, limit in _HEADS:
        least, stop = -(-before // step) * step, min(limit, end)
        if least < stop:
            found[least] = -(-(stop - least) // step)
        before = limit
    return found


def heads_below(value: int) -> int:
    """The length of the heads of all values below this one together."""
    limits = (0, *(min(limit, value) for _, limit in _HEADS))
    return sum(
        size * (limit - before)
        for (size, _), before, limit in zip(_HEADS, limits, limits[1:], strict=False)
    )


def _bytes_of(messages: Counter[PlannedMessage], sender: Role) -> int:
    """The bytes of the messages that one party sends, of the highest epoch and numbers."""
    return sum(
        times * due.encoded(_NUMBERED, _NUMBERED)
        for due, times in messages.items()
        if due.sender is sender
    )


def _string(length: int) -> int:
    return head(length) + length
