# SPDX-License-Identifier: GPL-3.0-or-later
"""Bit times vector: Boolean-shared words times shared vectors (chapter 4, "Bit times vector").

For a bit b = b_0 xor b_1 and a vector y = y_0 + y_1 (mod 2^k)

    b y = sum over p of  b_p y_p  +  b_(1-p) (1 - 2 b_p) y_p.

The first terms are local. The second are correlated transfers, as N. Gilboa's products are ("Two
party RSA key generation", CRYPTO 1999): server p sends with the correlation (1 - 2 b_p) y_p, and
the other one chooses with its b_(1-p). A word is the weighted sum of its bits. The transfer of a
bit is made once (`SharedWords`); each use of it makes fresh pads, by hashing its keys under batch
keys that serve this use alone.

The chooser lacks the other key of each transfer, so the pad over each correction is pseudorandom to
it if the hash is correlation robust (`primitives.hashing`). The sender receives nothing. (Chapter
6, "The proof", games G_6 and H_5.)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Bits, Words, items
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.hashing import MAX_CALLS, PadHash
from ppmf_secure.primitives.shares import (
    SharedWords,
    check_length,
    chunks,
    from_bits,
    overlapping_words,
    put_low_bytes,
    weights,
)
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import Bulk, TransferPayload

AHEAD = 8
"""The most chunks of which a server sends corrections before it waits for the peer's, so that both
compute at the same time, and what waits on the way takes a bounded part of the memory."""


@dataclass(frozen=True, slots=True, repr=False)
class Factors:
    """One server's shares of n words and of the vectors (n, length) that they are multiplied with.

    site: where the pads are hashed; no other product may have the same.
    """

    words: SharedWords
    vectors: Words
    site: Site

    def piece(self, number: int, part: slice) -> Factors:
        """Those of one chunk of the words."""
        return Factors(self.words.take(part), self.vectors[part], self.site.within(number))


def times_vectors(
    transfers: Transfers, words: SharedWords, vectors: Words, site: Site, *, signed: bool
) -> Program[Words]:
    """This server's shares (n, length) of the products of n words with vectors (PPMF-BIT-001).

    words: its shares of the words. vectors (n, length): its shares of the vectors.
    signed: whether the words are signed.
    """
    (product,) = yield from each_times_vectors(
        transfers, [Factors(words, vectors, site)], signed=signed
    )
    return product


def each_times_vectors(
    transfers: Transfers, pairs: Sequence[Factors], *, signed: bool
) -> Program[list[Words]]:
    """The products of several pairs of factors, none of which depends on another, one after the
    other in the messages; see `times_vectors`. They take one round together.
    """
    products = [
        from_bits(pair.words.bits, signed=signed)[:, np.newaxis] * pair.vectors for pair in pairs
    ]
    pieces = [
        (pair.piece(number, part), product[part])
        for pair, product in zip(pairs, products, strict=True)
        for number, part in enumerate(chunks(pair.words.count))
    ]
    for at in range(len(pieces) + AHEAD):
        if at < len(pieces):
            pair, share = pieces[at]
            payload, as_sender = _make_corrections(
                transfers, pair.words, pair.vectors, pair.site, signed=signed
            )
            yield Send(transfers.peer, TransferPayload(payload))
            share += as_sender
        if at >= AHEAD:
            pair, share = pieces[at - AHEAD]
            message = yield from receive(transfers.peer, TransferPayload)
            share += _apply_corrections(
                transfers, pair.words, share.shape[1], message.payload, pair.site, signed=signed
            )
    return products


def to_arithmetic(transfers: Transfers, words: SharedWords, site: Site) -> Program[Words]:
    """This server's arithmetic shares (n,) of signed words: their products with the number 1.

    With y_CSP = 1 and y_RecSys = 0 only CSP's transfers are needed (PPMF-BIT-002).
    """
    share = np.zeros((words.count, 1), dtype=np.uint64)
    for number, part in enumerate(chunks(words.count)):
        here = site.within(number)
        some = words.take(part)
        if transfers.me == CSP:
            one = np.ones((some.count, 1), dtype=np.uint64)
            payload, as_sender = _make_corrections(transfers, some, one, here, signed=True)
            yield Send(transfers.peer, TransferPayload(payload))
            share[part] = from_bits(some.bits, signed=True)[:, None] + as_sender
        else:
            message = yield from receive(transfers.peer, TransferPayload)
            share[part] = _apply_corrections(transfers, some, 1, message.payload, here, signed=True)
    return share[:, 0]


def payload_bytes(elements: int, length: int, width: int, ring_bits: int) -> int:
    """The bytes of a payload: a correction for each bit of a word and entry of its vector
    (PPMF-BIT-005).
    """
    return elements * length * sum(_byte_width(bit, ring_bits) for bit in range(width))


def _make_corrections(
    transfers: Transfers, words: SharedWords, vectors: Words, site: Site, *, signed: bool
) -> tuple[Bulk, Words]:
    """The corrections that this server sends, and its share of the term in which it sends
    (PPMF-BIT-004, -005).
    """
    (count, length), width = vectors.shape, words.width
    payload = np.empty(payload_bytes(count, length, width, transfers.ring_bits), dtype=np.uint8)
    targets = [
        (bits, payload[part].reshape(-1, count, length, size))
        for bits, part, size in _sections(count * length, width, transfers.ring_bits)
    ]
    pads_of = cache(partial(PadHash, _blocks(length), kinds=2))
    share = np.empty_like(vectors)
    ciphers_of = _ciphers(transfers, site, transfers.peer, width, vectors.shape)
    for rows, ciphers in zip(_batches(count, length), ciphers_of, strict=True):
        some, pads = words.take(rows), pads_of(rows.stop - rows.start)
        offset = np.tile(words.offset, (some.count, 1))
        y = _even_rows(some.count, length)
        y[:, :length] = vectors[rows]
        y = _by_block(y)
        corrections = y * _signs(some.bits)[:, np.newaxis]
        total = np.zeros_like(y)
        for bit, weight in enumerate(weights(width, signed=signed)):
            pads.keys[0] = some.sender_keys[bit]
            np.bitwise_xor(pads.keys[0], offset, out=pads.keys[1])
            zero, one = pads(ciphers[bit])
            correction = corrections[bit]
            correction += zero
            correction -= one
            zero *= weight
            total -= zero
        sent = _by_row(corrections, length)
        for bits, target in targets:
            put_low_bytes(sent[bits], target[:, rows])
        share[rows] = _by_row(total, length)
    return payload.data, share


def _apply_corrections(
    transfers: Transfers,
    words: SharedWords,
    length: int,
    payload: Bulk,
    site: Site,
    *,
    signed: bool,
) -> Words:
    """This server's share of the term in which it chooses, from the peer's corrections
    (PPMF-BIT-004, -005).
    """
    count, width = words.count, words.width
    due = payload_bytes(count, length, width, transfers.ring_bits)
    check_length(payload, due, "transfer payload")
    sources = []
    for bits, part, size in _sections(count * length, width, transfers.ring_bits):
        shape = (bits.stop - bits.start, count, length)
        sources.append((bits, overlapping_words(payload, part.start, shape, size)))
    pads_of = cache(partial(PadHash, _blocks(length)))
    share = np.empty((count, length), dtype=np.uint64)
    ciphers_of = _ciphers(transfers, site, transfers.me, width, share.shape)
    for rows, ciphers in zip(_batches(count, length), ciphers_of, strict=True):
        some, pads = words.take(rows), pads_of(rows.stop - rows.start)
        got = _even_rows(width, some.count, length)
        for bits, sent in sources:
            got[bits, :, :length] = sent[:, rows]
        corrections = _by_block(got)
        corrections *= _twice(some.bits)[:, np.newaxis]
        total = np.zeros_like(corrections[0])
        for bit, weight in enumerate(weights(width, signed=signed)):
            pads.keys[0] = some.chosen_keys[bit]
            (pad,) = pads(ciphers[bit])
            pad += corrections[bit]
            pad *= weight
            total += pad
        share[rows] = _by_row(total, length)
    return share


def _sections(entries: int, width: int, ring_bits: int) -> Iterator[tuple[slice, slice, int]]:
    """The parts of a payload of so many entries a bit whose corrections have one size: the bits,
    the bytes of the payload, the bytes of a correction (PPMF-BIT-005).
    """
    start = 0
    for size, group in groupby(range(width), lambda bit: _byte_width(bit, ring_bits)):
        bits = list(group)
        stop = start + len(bits) * entries * size
        yield slice(bits[0], bits[-1] + 1), slice(start, stop), size
        start = stop


def _batches(count: int, length: int) -> Iterator[slice]:
    """The elements of each batch of a chunk (PPMF-BIT-008)."""
    step = rows_of_a_batch(length)
    for first in range(0, count, step):
        yield slice(first, min(first + step, count))


def _ciphers(
    transfers: Transfers, site: Site, chooser: Role, width: int, shape: tuple[int, ...]
) -> list[list[CipherContext]]:
    """The permutations of a chunk's batches, of each one for every bit (PPMF-BIT-003, -008).

    shape: that of the chunk's vectors. To make them in one go is faster than one at a time between
    other things, by a third.
    """
    purpose = f"{site.purpose}/to-{chooser}"
    return [
        [transfers.keys.cipher(purpose, *site.indices, bit, batch) for bit in range(width)]
        for batch, _ in enumerate(_batches(*shape))
    ]


def _signs(bits: Bits) -> Words:
    """1 for a bit 0, -1 for a bit 1, twice each as `_twice` says."""
    return 1 - 2 * _twice(bits)


def _twice(bits: Bits) -> Words:
    """Every bit as a word, for both words of a block: (..., 2)."""
    return np.repeat(bits.astype(np.uint64), 2).reshape(*bits.shape, 2)


def _even_rows(*shape: int) -> Words:
    """Room for vectors (..., n, length), with a word more where the length is odd; not set."""
    *outer, length = shape
    return np.empty((*outer, 2 * _blocks(length)), dtype=np.uint64)


def _by_block(rows: Words) -> Words:
    """Vectors (..., n, 2 blocks) as pads lie: (..., blocks, n, 2)."""
    *outer, count, length = rows.shape
    found = np.empty((*outer, length // 2, count, 2), dtype=np.uint64)
    items(found)[:] = items(rows.reshape(*outer, count, -1, 2)).swapaxes(-1, -2)
    return found


def _by_row(blocks: Words, length: int) -> Words:
    """The vectors (..., n, length) that lie as pads do: (..., blocks, n, 2)."""
    *outer, number, count, _ = blocks.shape
    found = np.empty((*outer, count, number, 2), dtype=np.uint64)
    items(found)[:] = items(blocks).swapaxes(-1, -2)
    return found.reshape(*outer, count, -1)[..., :length]


def rows_of_a_batch(length: int) -> int:
    """A row has two keys, and `length` words of pad for each key (PPMF-BIT-008)."""
    return MAX_CALLS // (2 * _blocks(length))


def _blocks(length: int) -> int:
    return (length + 1) // 2


def _byte_width(bit: int, ring_bits: int) -> int:
    """The bytes of a correction for a bit of weight 2^bit, of which ring_bits - bit bits matter
    (PPMF-BIT-005).
    """
    return (ring_bits - bit + 7) // 8
