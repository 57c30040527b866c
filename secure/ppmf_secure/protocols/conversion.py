# SPDX-License-Identifier: GPL-3.0-or-later
"""The users' bits become arithmetic shares (chapter 4, "From bits to shares").

For every entry, a user and an item, the servers hold Boolean shares of 1 + t bits. That of plane 0
is w, whether the user rated the item; those of planes 1 to t are the code of the rating, in which
bit i weighs omega_i. The servers get arithmetic shares of

    w    and    r = w (least + sum over i of omega_i b_i).

So r is 0 wherever w is, whatever a user put into the other planes. The products are those of
`bit_products`: a transfer for every bit, pads from the hash of its keys, a correction. In CSP's
transfers each bit is multiplied by the number 1, and that of plane 0 also by CSP's share of the
value. CSP knows this share at once, since it is made of CSP's own pads; so both corrections go in
one message. In RecSys' transfers plane 0 is multiplied by RecSys' share of the value.

RecSys' columns are `AHEAD` chunks ahead of its corrections. Both servers and the line between them
are busy then, and what a server has to remember does not grow with the ratings: RecSys the keys of
these chunks, CSP nothing, since it adds its pads to its shares at once.

With workers a server takes in `WAITED` chunks, in ranges that its workers compute (`ranges`).
Without, each chunk is a range, and the same functions are called here. A worker of RecSys makes the
keys anew, from the same keystreams as the columns: that takes less than to send them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Bits, Bytes, Labels, Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.hashing import TweakedHash
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.shares import check_length, chunks, put_low_bytes, words_of_low_bytes
from ppmf_secure.primitives.transfer_extension import check_columns
from ppmf_secure.primitives.workers import Call
from ppmf_secure.protocols.ranges import by_ranges, ranges
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.session.checkpoint import RatingBits, RatingShares
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import Bulk, TransferColumns, TransferPayload

AHEAD = 32
"""By how many chunks RecSys' columns are ahead of its corrections (PPMF-CNV-004)."""

WAITED = 16
"""The chunks at most that a server with workers takes in before it goes on with the first of them.
Both servers may do so without waiting for each other, since RecSys is ahead by the sum
(PPMF-WRK-004)."""

_MOST_RANGES = 8
"""The ranges at most of these chunks: what a worker gets at once should take it some time."""


def convert(
    transfers: Transfers, bits: RatingBits, items: int, code: RatingCode
) -> Program[RatingShares]:
    """This server's arithmetic shares (users, items) of w and r, from its share of the bits.

    What comes out depends on the coins of both servers in this epoch, and fits nothing of another
    epoch (PPMF-CNV-001 to -004, -009, PPMF-WRK-004).
    """
    users = bits.planes.shape[1]
    run = _Run(transfers, code, bits.planes, items, list(chunks(users * items)))
    shares = np.empty((2, users * items), dtype=np.uint64)
    yield from (_convert_at_csp if transfers.garbles else _convert_at_recsys)(run, shares)
    return RatingShares(*shares.reshape(2, users, items))


@dataclass(frozen=True, slots=True, repr=False)
class _Run:
    """The bits of a server, and the chunks of elements."""

    transfers: Transfers
    code: RatingCode
    planes: Bytes
    items: int
    chunks: list[slice]

    @property
    def ranges(self) -> tuple[list[range], int]:
        """The numbers of chunks in ranges, and how many ranges may be under way at once."""
        workers = self.transfers.workers
        if workers is None:
            return ranges(len(self.chunks), 1), 1
        under_way = min(max(workers.count, 2), _MOST_RANGES)
        return ranges(len(self.chunks), WAITED // under_way), under_way

    def size(self, number: int) -> int:
        """The elements of a chunk."""
        part = self.chunks[number]
        return int(part.stop - part.start)

    def bits(self, numbers: range) -> _BitsOfChunks:
        """The bits of some chunks."""
        parts = [self.chunks[number] for number in numbers]
        first, last = parts[0].start // self.items, (parts[-1].stop - 1) // self.items
        before = first * self.items
        return _BitsOfChunks(
            self.planes[:, first : last + 1],
            self.items,
            [slice(part.start - before, part.stop - before) for part in parts],
        )


@dataclass(frozen=True, slots=True, repr=False)
class _BitsOfChunks:
    """The packed bits of some users (1 + t, users, ceil(items / 8)), and chunks of their entries.

    chunks: as slices of the entries of these users.
    """

    planes: Bytes
    items: int
    chunks: list[slice]

    def __getitem__(self, index: int) -> Bits:
        """The bits (1 + t, n) of a chunk; element i m + j is item j of user i (PPMF-CNV-001)."""
        planes, items, part = self.planes, self.items, self.chunks[index]
        first, last = part.start // items, (part.stop - 1) // items
        at = part.start - first * items
        if first == last:
            here = planes[:, first, at // 8 : (at + part.stop - part.start + 7) // 8]
            bits = np.unpackbits(here, axis=1, bitorder="little")
            at %= 8
        else:
            rows = planes[:, first : last + 1]
            bits = np.unpackbits(rows, axis=2, count=items, bitorder="little")
            bits = bits.reshape(len(planes), -1)
        return bits[:, at : at + part.stop - part.start]


def _convert_at_recsys(run: _Run, shares: Words) -> Program[None]:
    transfers, planes = run.transfers, len(run.planes)
    # with workers, the columns are made by the end that is ahead, the keys by this one
    work = Conversion(replace(transfers, chooser=transfers.chooser.here()), run.code)

    ahead: deque[Labels] = deque()

    def send_columns(number: int) -> Program[None]:
        choices = run.bits(range(number, number + 1))[0].ravel()
        if transfers.workers is None:
            columns, keys = transfers.chooser.extend(choices)
            ahead.append(keys)
        else:
            columns = transfers.chooser.columns(choices)
        yield Send(transfers.peer, TransferColumns(columns))

    def question(numbers: range) -> Program[Call]:
        received = []
        sizes = [run.size(number) for number in numbers]
        for size in sizes:
            columns = yield from _receive_columns(transfers, size)
            received.append((columns, (yield from _receive_payload(transfers, size, planes))))
        part = work.part(sent=sizes, chosen=[planes * size for size in sizes])
        bits = run.bits(numbers)
        chosen = [ahead.popleft()] if transfers.workers is None else None
        return Call(Conversion.end_at_recsys, (part, numbers.start, bits, received, chosen))

    def deliver(numbers: range, answers: Sequence[tuple[Bytes, Words]]) -> Program[None]:
        for number, (payload, share) in zip(numbers, answers, strict=True):
            yield Send(transfers.peer, TransferPayload(payload.data))
            shares[:, run.chunks[number]] = share
            if number + AHEAD < len(run.chunks):
                yield from send_columns(number + AHEAD)

    for number in range(min(AHEAD, len(run.chunks))):
        yield from send_columns(number)
    parts, under_way = run.ranges
    yield from by_ranges(transfers.workers, parts, question, deliver, under_way=under_way)


def _convert_at_csp(run: _Run, shares: Words) -> Program[None]:
    transfers, planes = run.transfers, len(run.planes)
    work = Conversion(transfers, run.code)

    def take_rest(number: int) -> Program[None]:
        payload = yield from _receive_payload(transfers, run.size(number), 1)
        bits = run.bits(range(number, number + 1))[0]
        shares[1, run.chunks[number]] += work.rest_at_csp(bits[:1], payload.data)

    def question(numbers: range) -> Program[Call]:
        received = []
        sizes = [run.size(number) for number in numbers]
        for number, size in zip(numbers, sizes, strict=True):
            if number >= AHEAD:
                yield from take_rest(number - AHEAD)
            received.append((yield from _receive_columns(transfers, planes * size)))
        part = work.part(sent=[planes * size for size in sizes], chosen=sizes)
        return Call(Conversion.answer_at_csp, (part, numbers.start, run.bits(numbers), received))

    def deliver(numbers: range, answers: Sequence[tuple[Bytes, Bytes, Words]]) -> Program[None]:
        for number, (columns, payload, share) in zip(numbers, answers, strict=True):
            yield Send(transfers.peer, TransferColumns(columns.data))
            yield Send(transfers.peer, TransferPayload(payload.data))
            shares[:, run.chunks[number]] = share

    parts, under_way = run.ranges
    yield from by_ranges(transfers.workers, parts, question, deliver, under_way=under_way)
    for number in range(max(0, len(run.chunks) - AHEAD), len(run.chunks)):
        yield from take_rest(number)


def _receive_columns(transfers: Transfers, count: int) -> Program[Bytes]:
    """The columns of so many transfers; raises EncodingError if they are not as long as is due."""
    message = yield from receive(transfers.peer, TransferColumns)
    check_columns(message.columns, count)
    return np.frombuffer(message.columns, dtype=np.uint8)


def _receive_payload(transfers: Transfers, count: int, planes: int) -> Program[Bytes]:
    """The peer's corrections for a chunk; raises EncodingError if they are not as long as is due,
    before a worker gets them (PPMF-CNV-007).
    """
    message = yield from receive(transfers.peer, TransferPayload)
    due = payload_bytes(transfers.peer, count, planes, transfers.ring_bits)
    check_length(message.payload, due, "transfer payload")
    return np.frombuffer(message.payload, dtype=np.uint8)


def payload_bytes(sender: Role, elements: int, planes: int, ring_bits: int) -> int:
    """The bytes of a server's corrections for a chunk: at CSP one for each plane and one more for
    plane 0, at RecSys that one alone (PPMF-CNV-007).
    """
    return elements * (planes + 1 if sender == CSP else 1) * _byte_width(ring_bits)


class Conversion:
    """What one server computes for chunks of n elements, in buffers that are used again."""

    def __init__(self, transfers: Transfers, code: RatingCode) -> None:
        self.transfers = transfers
        self._code = code
        self._size = _byte_width(transfers.ring_bits)
        self._hashes: dict[tuple[int, int], TweakedHash] = {}

    def part(self, *, sent: Sequence[int], chosen: Sequence[int]) -> Conversion:
        """The same for the next messages alone, if a worker is to have it (`Transfers.part`)."""
        transfers = self.transfers.part(sent=sent, chosen=chosen)
        return self if transfers is self.transfers else Conversion(transfers, self._code)

    def answer_at_csp(
        self, first: int, bits: _BitsOfChunks, received: Sequence[Bytes]
    ) -> list[tuple[Bytes, Bytes, Words]]:
        """CSP's answers to the columns of chunks from number `first` on: of each its columns, its
        corrections, and its shares (2, n) but for what RecSys' corrections bring.
        """
        answers = []
        for index, columns in enumerate(received):
            here = bits[index]
            planes, count = here.shape
            sent = self.transfers.sender.extend(columns.data, planes * count)
            ours, chosen = self.transfers.chooser.extend(here[0])
            payload, shares = self.corrections_of_csp(
                first + index, here, sent.reshape(planes, count, 2)
            )
            shares[1] += self.pads_at_csp(first + index, chosen)
            answers.append((np.frombuffer(ours, dtype=np.uint8), payload, shares))
        return answers

    def end_at_recsys(
        self,
        first: int,
        bits: _BitsOfChunks,
        received: Sequence[tuple[Bytes, Bytes]],
        keys: Sequence[Labels] | None,
    ) -> list[tuple[Bytes, Words]]:
        """RecSys' corrections for chunks from number `first` on, and its shares (2, n), from CSP's
        columns and corrections.

        keys: those that its bits chose, of each chunk; None if they are to be made here.
        """
        answers = []
        for index, (columns, payload) in enumerate(received):
            here = bits[index]
            chosen = self.transfers.chooser.keys(here.size) if keys is None else keys[index]
            sent = self.transfers.sender.extend(columns.data, here.shape[1])
            answers.append(
                self.corrections_of_recsys(
                    first + index,
                    here,
                    chosen.reshape(*here.shape, 2),
                    sent[None],
                    payload.data,
                )
            )
        return answers

    def corrections_of_csp(self, number: int, bits: Bits, sent: Labels) -> tuple[Bytes, Words]:
        """CSP's corrections for a chunk, and its shares (2, n) of w and r but for what RecSys'
        corrections bring (PPMF-CNV-005, -007).

        bits (1 + t, n): its bits. sent (1 + t, n, 2): its keys of choice 0.
        """
        planes, count = bits.shape
        mine = bits.astype(np.uint64)
        others = mine ^ np.uint64(1)
        numbers = np.empty((planes, count), dtype=np.uint64)
        corrections = np.empty((planes + 1, count), dtype=np.uint64)

        def correct(plane: int) -> Labels:
            """Make a plane's corrections; the other pads (2, n), which are in a buffer."""
            pads = self._both_pads(number, plane, sent[plane])
            zero, one = pads[..., 0]
            np.subtract(mine[plane], zero, out=numbers[plane])
            # pad_0 is the bit less its share
            np.subtract(others[plane], numbers[plane], out=corrections[plane])
            corrections[plane] -= one
            return pads[..., 1]

        for plane in range(1, planes):
            correct(plane)
        value = self._weighed(numbers[1:]) + np.uint64(self._code.least % (1 << 64))
        zero, one = correct(0)
        corrections[-1] = zero + _negated_where(bits[0], value) - one
        shares = np.stack([numbers[0], mine[0] * value - zero])
        return self._payload(corrections), shares

    def corrections_of_recsys(
        self, number: int, bits: Bits, chosen: Labels, sent: Labels, payload: Bulk
    ) -> tuple[Bytes, Words]:
        """RecSys' corrections for a chunk, and its shares (2, n) of w and r (PPMF-CNV-006).

        bits (1 + t, n): its bits. chosen (1 + t, n, 2): the keys that they chose.
        sent (1, n, 2): its keys of choice 0, for plane 0. payload: CSP's corrections.
        """
        corrections = self._corrections(payload, CSP, bits)
        mine = bits.astype(np.uint64)
        numbers = corrections[:-1]
        numbers *= mine
        for plane in range(1, len(bits)):
            numbers[plane] += self._chosen_pads(number, plane, chosen[plane])[:, 0]
        pads = self._chosen_pads(number, 0, chosen[0])
        numbers[0] += pads[:, 0]
        as_chooser = pads[:, 1] + mine[0] * corrections[-1]
        value = self._weighed(numbers[1:])
        zero, one = self._both_pads(number, 0, sent[0])[..., 0]
        correction = zero + _negated_where(bits[0], value) - one
        rating = mine[0] * value + as_chooser - zero
        return self._payload(correction), np.stack([numbers[0], rating])

    def pads_at_csp(self, number: int, chosen: Labels) -> Words:
        """What CSP adds to its shares (n,) of r for its chosen keys (n, 2) of plane 0; it is in a
        buffer as the pads are (PPMF-CNV-006).
        """
        pads: Words = self._chosen_pads(number, 0, chosen)[:, 0]
        return pads

    def rest_at_csp(self, bits: Bits, payload: Bulk) -> Words:
        """What RecSys' corrections bring to CSP's shares (n,) of r (PPMF-CNV-006).

        bits (1, n): CSP's bits of plane 0.
        """
        rest: Words = self._corrections(payload, self.transfers.peer, bits)[0]
        rest *= bits[0]
        return rest

    def _both_pads(self, number: int, plane: int, sent: Labels) -> Labels:
        """The pads (2, n, 2) of both keys of this server's transfers, two of each key, from the
        keys of choice 0 (n, 2); they are in a buffer until the next are made (PPMF-CNV-010).
        """
        hashed = self._hash_of(2, len(sent))
        hashed.blocks[0] = sent
        np.bitwise_xor(sent, self.transfers.offset, out=hashed.blocks[1])
        return hashed([self._cipher(self.transfers.peer, number, plane)])

    def _chosen_pads(self, number: int, plane: int, chosen: Labels) -> Labels:
        """The pads (n, 2), two of each chosen key (n, 2), in a buffer as those of `_both_pads`."""
        hashed = self._hash_of(1, len(chosen))
        hashed.blocks[0] = chosen
        pads: Labels = hashed([self._cipher(self.transfers.me, number, plane)])[0]
        return pads

    def _hash_of(self, keys: int, count: int) -> TweakedHash:
        """The hash of so many keys of each of n elements, whose numbers are the tweaks. They are
        one batch (PPMF-CNV-010).
        """
        if (keys, count) not in self._hashes:
            tweaks = np.arange(count, dtype=np.uint64)
            self._hashes[keys, count] = TweakedHash(np.tile(tweaks, (keys, 1)), count)
        return self._hashes[keys, count]

    def _cipher(self, chooser: Role, number: int, plane: int) -> CipherContext:
        """The permutation of a plane's only batch."""
        return self.transfers.keys.cipher(f"conversion/to-{chooser}", number, plane, 0)

    def _weighed(self, numbers: Words) -> Words:
        """The sum (n,) of numbers (t, n), each times the weight of its bit."""
        total = np.zeros(numbers.shape[1], dtype=np.uint64)
        for weight, row in zip(self._code.weights, numbers, strict=True):
            total += np.uint64(weight) * row
        return total

    def _payload(self, corrections: Words) -> Bytes:
        """The bytes of corrections, one after the other (PPMF-CNV-007)."""
        payload = np.empty((*corrections.shape, self._size), dtype=np.uint8)
        put_low_bytes(corrections, payload)
        return payload.reshape(-1)

    def _corrections(self, payload: Bulk, sender: Role, bits: Bits) -> Words:
        """The corrections (rows, n) in a payload; raises EncodingError if it is not as long as is
        due (PPMF-CNV-007).
        """
        planes, count = bits.shape
        due = payload_bytes(sender, count, planes, self.transfers.ring_bits)
        check_length(payload, due, "transfer payload")
        return words_of_low_bytes(payload, (due // (self._size * count), count), self._size)


def _negated_where(bits: Bits, values: Words) -> Words:
    """The values, negated where the bit is 1."""
    return np.where(bits.astype(bool), np.negative(values), values)


def _byte_width(ring_bits: int) -> int:
    return (ring_bits + 7) // 8
