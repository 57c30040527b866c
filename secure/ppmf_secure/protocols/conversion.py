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
are busy then, and what a server has to remember does not grow with the ratings.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Bits, Bytes, Labels, Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.hashing import TweakedHash
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.shares import check_length, chunks, low_bytes, words_of_low_bytes
from ppmf_secure.protocols.transfers import Transfers, choose_transfers, send_transfers
from ppmf_secure.session.checkpoint import RatingBits, RatingShares
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import Bulk, TransferPayload

AHEAD = 32
"""By how many chunks RecSys' columns are ahead of its corrections (PPMF-CNV-004)."""


def convert(
    transfers: Transfers, bits: RatingBits, items: int, code: RatingCode
) -> Program[RatingShares]:
    """This server's arithmetic shares (users, items) of w and r, from its share of the bits.

    What comes out depends on the coins of both servers in this epoch, and fits nothing of another
    epoch (PPMF-CNV-001 to -004, -009).
    """
    users = bits.planes.shape[1]
    shares = np.empty((2, users * items), dtype=np.uint64)
    parts = list(chunks(users * items))
    begun: deque[_Begun] = deque()
    work = Conversion(transfers, code)
    begin, finish = (
        (_begin_at_csp, _finish_at_csp)
        if transfers.garbles
        else (_begin_at_recsys, _finish_at_recsys)
    )
    for number in range(len(parts) + AHEAD):
        if 0 <= number - AHEAD < len(parts):
            part = parts[number - AHEAD]
            shares[:, part] = yield from finish(work, begun.popleft())
        if number < len(parts):
            some = _bits(bits.planes, items, parts[number])
            begun.append((yield from begin(work, number, some)))
    return RatingShares(*shares.reshape(2, users, items))


def payload_bytes(sender: Role, elements: int, planes: int, ring_bits: int) -> int:
    """The bytes of a server's corrections for a chunk: at CSP one for each plane and one more for
    plane 0, at RecSys that one alone (PPMF-CNV-007).
    """
    return elements * (planes + 1 if sender == CSP else 1) * _byte_width(ring_bits)


@dataclass(frozen=True, slots=True, repr=False)
class _Begun:
    """What a server remembers of a chunk of n elements until it ends.

    bits (p, n), chosen (p, n, 2): its bits, and the keys that they chose; at CSP of plane 0 alone.
    shares (2, n): at CSP, its shares of w and r without what RecSys' corrections bring.
    """

    number: int
    bits: Bits
    chosen: Labels
    shares: Words | None = None


def _begin_at_recsys(work: Conversion, number: int, bits: Bits) -> Program[_Begun]:
    chosen = yield from choose_transfers(work.transfers, bits)
    return _Begun(number, bits, chosen)


def _begin_at_csp(work: Conversion, number: int, bits: Bits) -> Program[_Begun]:
    transfers = work.transfers
    sent = yield from send_transfers(transfers, *bits.shape)
    chosen = yield from choose_transfers(transfers, bits[:1])
    payload, shares = work.corrections_of_csp(number, bits, sent)
    yield Send(transfers.peer, TransferPayload(payload))
    return _Begun(number, bits[:1], chosen, shares)


def _finish_at_recsys(work: Conversion, begun: _Begun) -> Program[Words]:
    transfers = work.transfers
    sent = yield from send_transfers(transfers, 1, begun.bits.shape[1])
    message = yield from receive(transfers.peer, TransferPayload)
    payload, shares = work.corrections_of_recsys(
        begun.number, begun.bits, begun.chosen, sent, message.payload
    )
    yield Send(transfers.peer, TransferPayload(payload))
    return shares


def _finish_at_csp(work: Conversion, begun: _Begun) -> Program[Words]:
    message = yield from receive(work.transfers.peer, TransferPayload)
    assert begun.shares is not None, "made at the beginning"
    begun.shares[1] += work.rest_at_csp(begun.number, begun.bits, begun.chosen, message.payload)
    return begun.shares


class Conversion:
    """What one server computes for a chunk of n elements, in buffers that are used again."""

    def __init__(self, transfers: Transfers, code: RatingCode) -> None:
        self.transfers = transfers
        self._code = code
        self._size = _byte_width(transfers.ring_bits)
        self._hashes: dict[tuple[int, int], TweakedHash] = {}

    def corrections_of_csp(self, number: int, bits: Bits, sent: Labels) -> tuple[bytes, Words]:
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
        return low_bytes(corrections, self._size), shares

    def corrections_of_recsys(
        self, number: int, bits: Bits, chosen: Labels, sent: Labels, payload: Bulk
    ) -> tuple[bytes, Words]:
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
        return low_bytes(correction, self._size), np.stack([numbers[0], rating])

    def rest_at_csp(self, number: int, bits: Bits, chosen: Labels, payload: Bulk) -> Words:
        """What RecSys' corrections bring to CSP's shares (n,) of r (PPMF-CNV-006).

        bits (1, n): CSP's bits of plane 0. chosen (1, n, 2): the keys that they chose.
        """
        (correction,) = self._corrections(payload, self.transfers.peer, bits)
        rest: Words = self._chosen_pads(number, 0, chosen[0])[:, 0] + bits[0] * correction
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


def _bits(planes: Bytes, items: int, part: slice) -> Bits:
    """The bits (1 + t, n) of a chunk; element i m + j is item j of user i (PPMF-CNV-001)."""
    first, last = part.start // items, (part.stop - 1) // items
    at = part.start - first * items
    if first == last:
        here = planes[:, first, at // 8 : (at + part.stop - part.start + 7) // 8]
        bits = np.unpackbits(here, axis=1, bitorder="little")
        at %= 8
    else:
        rows = planes[:, first : last + 1]
        bits = np.unpackbits(rows, axis=2, count=items, bitorder="little").reshape(len(planes), -1)
    return bits[:, at : at + part.stop - part.start]


def _byte_width(ring_bits: int) -> int:
    return (ring_bits + 7) // 8
