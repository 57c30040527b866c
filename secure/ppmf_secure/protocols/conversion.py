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

from ppmf_secure.arrays import Bits, Bytes, Labels, Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.hashing import MAX_CALLS, expand
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.primitives.shares import check_length, chunks, low_bytes, words_of_low_bytes
from ppmf_secure.protocols.transfers import Transfers, choose_transfers, send_transfers
from ppmf_secure.session.checkpoint import RatingBits, RatingShares
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import Bulk, TransferPayload

AHEAD = 32
"""By how many chunks RecSys' columns are ahead of its corrections (PPMF-CNV-004)."""

BATCH = MAX_CALLS // 2
"""The elements of a batch: there are two keys for a bit, of which each is hashed once
(PPMF-CNV-008).
"""


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
    csp = transfers.me == CSP
    for number in range(len(parts) + AHEAD):
        if 0 <= number - AHEAD < len(parts):
            part = parts[number - AHEAD]
            finish = _finish_at_csp if csp else _finish_at_recsys
            shares[:, part] = yield from finish(transfers, code, begun.popleft())
        if number < len(parts):
            some = _bits(bits.planes, items, parts[number])
            begin = _begin_at_csp if csp else _begin_at_recsys
            begun.append((yield from begin(transfers, code, number, some)))
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


def _begin_at_recsys(
    transfers: Transfers, _: RatingCode, number: int, bits: Bits
) -> Program[_Begun]:
    chosen = yield from choose_transfers(transfers, bits)
    return _Begun(number, bits, chosen)


def _begin_at_csp(
    transfers: Transfers, code: RatingCode, number: int, bits: Bits
) -> Program[_Begun]:
    sent = yield from send_transfers(transfers, *bits.shape)
    chosen = yield from choose_transfers(transfers, bits[:1])
    payload, shares = corrections_of_csp(transfers, code, number, bits, sent)
    yield Send(transfers.peer, TransferPayload(payload))
    return _Begun(number, bits[:1], chosen, shares)


def _finish_at_recsys(transfers: Transfers, code: RatingCode, begun: _Begun) -> Program[Words]:
    sent = yield from send_transfers(transfers, 1, begun.bits.shape[1])
    message = yield from receive(transfers.peer, TransferPayload)
    payload, shares = corrections_of_recsys(
        transfers, code, begun.number, begun.bits, begun.chosen, sent, message.payload
    )
    yield Send(transfers.peer, TransferPayload(payload))
    return shares


def _finish_at_csp(transfers: Transfers, _: RatingCode, begun: _Begun) -> Program[Words]:
    message = yield from receive(transfers.peer, TransferPayload)
    assert begun.shares is not None, "made at the beginning"
    begun.shares[1] += take_corrections(
        transfers, begun.number, begun.bits, begun.chosen, message.payload
    )
    return begun.shares


def corrections_of_csp(
    transfers: Transfers, code: RatingCode, number: int, bits: Bits, sent: Labels
) -> tuple[bytes, Words]:
    """CSP's corrections for a chunk, and its shares (2, n) of w and r but for what RecSys'
    corrections bring (PPMF-CNV-005, -007).

    bits (1 + t, n): its bits. sent (1 + t, n, 2): its keys of choice 0.
    """
    zero, one = _pads(transfers, transfers.peer, number, np.stack([sent, sent ^ transfers.offset]))
    mine = bits.astype(np.uint64)
    numbers = mine - zero[..., 0]
    value = _weighed(code, numbers[1:]) + np.uint64(code.least % (1 << 64))
    corrections = np.empty((len(bits) + 1, bits.shape[1]), dtype=np.uint64)
    np.subtract(np.uint64(1) - numbers - mine, one[..., 0], out=corrections[:-1])
    correlation = np.where(bits[0].astype(bool), np.negative(value), value)
    corrections[-1] = zero[0, :, 1] + correlation - one[0, :, 1]
    payload = low_bytes(corrections, _byte_width(transfers.ring_bits))
    return payload, np.stack([numbers[0], mine[0] * value - zero[0, :, 1]])


def corrections_of_recsys(
    transfers: Transfers,
    code: RatingCode,
    number: int,
    bits: Bits,
    chosen: Labels,
    sent: Labels,
    payload: Bulk,
) -> tuple[bytes, Words]:
    """RecSys' corrections for a chunk, and its shares (2, n) of w and r (PPMF-CNV-006).

    bits (1 + t, n): its bits. chosen (1 + t, n, 2): the keys that they chose.
    sent (1, n, 2): its keys of choice 0, for plane 0.
    """
    corrections = _corrections(payload, CSP, bits, transfers.ring_bits)
    (pads,) = _pads(transfers, transfers.me, number, chosen[None])
    mine = bits.astype(np.uint64)
    numbers = pads[..., 0] + mine * corrections[:-1]
    value = _weighed(code, numbers[1:])
    as_chooser = pads[0, :, 1] + mine[0] * corrections[-1]
    zero, one = _pads(transfers, transfers.peer, number, np.stack([sent, sent ^ transfers.offset]))
    correlation = np.where(bits[0].astype(bool), np.negative(value), value)
    correction = zero[0, :, 0] + correlation - one[0, :, 0]
    rating = mine[0] * value + as_chooser - zero[0, :, 0]
    return low_bytes(correction, _byte_width(transfers.ring_bits)), np.stack([numbers[0], rating])


def take_corrections(
    transfers: Transfers, number: int, bits: Bits, chosen: Labels, payload: Bulk
) -> Words:
    """What RecSys' corrections bring to CSP's shares (n,) of r (PPMF-CNV-006).

    bits (1, n): CSP's bits of plane 0. chosen (1, n, 2): the keys that they chose.
    """
    (correction,) = _corrections(payload, transfers.peer, bits, transfers.ring_bits)
    (pads,) = _pads(transfers, transfers.me, number, chosen[None])
    share: Words = pads[0, :, 0] + bits[0] * correction
    return share


def _weighed(code: RatingCode, numbers: Words) -> Words:
    """The sum (n,) of numbers (t, n), each times the weight of its bit."""
    total = np.zeros(numbers.shape[1], dtype=np.uint64)
    for weight, row in zip(code.weights, numbers, strict=True):
        total += np.uint64(weight) * row
    return total


def _pads(transfers: Transfers, chooser: Role, number: int, keys: Labels) -> Words:
    """The pads (s, p, n, 2), two of each key, of keys (s, p, n, 2) of p planes
    (PPMF-CNV-008).
    """
    sets, planes, count, _ = keys.shape
    pads = np.empty_like(keys)
    for batch, first in enumerate(range(0, count, BATCH)):
        some = keys[:, :, first : first + BATCH]
        ciphers = [
            transfers.keys.cipher(f"conversion/to-{chooser}", number, plane, batch)
            for plane in range(planes)
        ]
        found = expand(ciphers * sets, some.reshape(-1, 2), 1, some.shape[2])
        pads[:, :, first : first + BATCH] = found.reshape(some.shape)
    return pads


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


def _corrections(payload: Bulk, sender: Role, bits: Bits, ring_bits: int) -> Words:
    """The corrections (rows, n) in a payload; raises EncodingError if it is not as long as is due
    (PPMF-CNV-007).
    """
    planes, count = bits.shape
    check_length(payload, payload_bytes(sender, count, planes, ring_bits), "transfer payload")
    size = _byte_width(ring_bits)
    return words_of_low_bytes(payload, (len(payload) // (size * count), count), size)


def _byte_width(ring_bits: int) -> int:
    return (ring_bits + 7) // 8
