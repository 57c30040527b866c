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

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache, partial
from itertools import groupby

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Bits, Bytes, Labels, Words, items
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.hashing import MAX_CALLS, BatchKeys, PadHash
from ppmf_secure.primitives.shares import (
    SharedWords,
    check_length,
    chunks,
    from_bits,
    overlapping_words,
    put_low_bytes,
    weights,
)
from ppmf_secure.primitives.workers import Answer, Call, ask
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import Bulk, TransferPayload

AHEAD = 8
"""The most chunks of which a server sends corrections before it waits for the peer's, so that both
compute at the same time, and what waits on the way takes a bounded part of the memory."""

RANGE_BYTES = 8 << 20
"""The bytes of payload from which on some chunks are enough for a task of a worker. Products of
fewer than two such ranges are not divided: they would not be worth asking for."""


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

    @property
    def shape(self) -> tuple[int, int, int]:
        """The elements, the length of a vector, the width of a word."""
        count, length = self.vectors.shape
        return count, length, self.words.width


@dataclass(frozen=True, slots=True, repr=False)
class Hashing:
    """What a server's pads are made with, beside the keys of transfers."""

    me: Role
    ring_bits: int
    keys: BatchKeys

    @classmethod
    def of(cls, transfers: Transfers) -> Hashing:
        """That of an epoch."""
        return cls(transfers.me, transfers.ring_bits, transfers.keys)


@dataclass(frozen=True, slots=True, repr=False)
class Sending:
    """What a server needs to make a chunk's corrections, as the sender.

    bits (width, n), keys (width, n, 2): its share of the words, and its keys of choice 0.
    vectors (n, length): its shares. signed: whether the words are.
    """

    bits: Bits
    keys: Labels
    offset: Labels
    vectors: Words
    site: Site
    signed: bool


@dataclass(frozen=True, slots=True, repr=False)
class Choosing:
    """What a server needs to take a chunk's corrections, as the chooser.

    bits (width, n), keys (width, n, 2): its share of the words, and the keys that it chose.
    length: that of a vector. payload: the peer's, of the right length. signed: as above.
    """

    bits: Bits
    keys: Labels
    length: int
    payload: Bytes
    site: Site
    signed: bool


@dataclass(frozen=True, slots=True, repr=False)
class _Piece:
    """A chunk of a product: its factors, and this server's share of it (n, length), to which is
    added what is known of it.
    """

    factors: Factors
    share: Words

    def sending(self, *, signed: bool) -> Sending:
        """What its corrections are made of."""
        words, vectors, site = self.factors.words, self.factors.vectors, self.factors.site
        return Sending(words.bits, words.sender_keys, words.offset, vectors, site, signed)

    def choosing(self, payload: Bulk, *, signed: bool) -> Choosing:
        """What the peer's corrections are taken with."""
        words, length = self.factors.words, self.share.shape[1]
        received = np.frombuffer(payload, dtype=np.uint8)
        return Choosing(words.bits, words.chosen_keys, length, received, self.factors.site, signed)


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

    Workers, if the server has any, compute large products by ranges of chunks (PPMF-WRK-006).
    """
    products = [
        from_bits(pair.words.bits, signed=signed)[:, np.newaxis] * pair.vectors for pair in pairs
    ]
    pieces = [
        _Piece(pair.piece(number, part), product[part])
        for pair, product in zip(pairs, products, strict=True)
        for number, part in enumerate(chunks(pair.words.count))
    ]
    sizes = [payload_bytes(*piece.factors.shape, transfers.ring_bits) for piece in pieces]
    workers = transfers.workers if sum(sizes) >= 2 * RANGE_BYTES else None
    if workers is None:
        ranges, ahead, at_once = [slice(at, at + 1) for at in range(len(pieces))], AHEAD, 1
    else:
        ranges, ahead, at_once = list(_ranges(sizes)), 1, workers.count + 1
    hashing = Hashing.of(transfers)
    making: deque[Answer] = deque()
    taking: deque[tuple[slice, Answer]] = deque()
    for at in range(len(ranges) + ahead):
        for some in ranges[at + len(making) : at + at_once]:
            sending = [piece.sending(signed=signed) for piece in pieces[some]]
            making.append(ask(workers, Call(corrections, (hashing, sending))))
        if at < len(ranges):
            made = making.popleft().get()
            for piece, (payload, as_sender) in zip(pieces[ranges[at]], made, strict=True):
                yield Send(transfers.peer, TransferPayload(payload.data))
                piece.share[...] += as_sender
        if at >= ahead:
            some, choosing = ranges[at - ahead], []
            for piece, size in zip(pieces[some], sizes[some], strict=True):
                message = yield from receive(transfers.peer, TransferPayload)
                check_length(message.payload, size, "transfer payload")
                choosing.append(piece.choosing(message.payload, signed=signed))
            taking.append((some, ask(workers, Call(taken, (hashing, choosing)))))
        while taking and (len(taking) >= at_once or at == len(ranges) + ahead - 1):
            some, answer = taking.popleft()
            for piece, as_chooser in zip(pieces[some], answer.get(), strict=True):
                piece.share[...] += as_chooser
    return products


def to_arithmetic(transfers: Transfers, words: SharedWords, site: Site) -> Program[Words]:
    """This server's arithmetic shares (n,) of signed words: their products with the number 1.

    With y_CSP = 1 and y_RecSys = 0 only CSP's transfers are needed (PPMF-BIT-002). Workers would
    not be worth asking: a pad masks one number here.
    """
    share = np.zeros((words.count, 1), dtype=np.uint64)
    hashing = Hashing.of(transfers)
    for number, part in enumerate(chunks(words.count)):
        ones = np.ones((part.stop - part.start, 1), dtype=np.uint64)
        piece = _Piece(Factors(words.take(part), ones, site.within(number)), share[part])
        if transfers.me == CSP:
            sending = piece.sending(signed=True)
            ((payload, as_sender),) = corrections(hashing, [sending])
            yield Send(transfers.peer, TransferPayload(payload.data))
            share[part] = from_bits(sending.bits, signed=True)[:, None] + as_sender
        else:
            message = yield from receive(transfers.peer, TransferPayload)
            due = payload_bytes(*piece.factors.shape, transfers.ring_bits)
            check_length(message.payload, due, "transfer payload")
            choosing = piece.choosing(message.payload, signed=True)
            (share[part],) = taken(hashing, [choosing])
    return share[:, 0]


def corrections(hashing: Hashing, some: Sequence[Sending]) -> list[tuple[Bytes, Words]]:
    """For each of some chunks the corrections that this server sends, and its share (n, length) of
    the term in which it sends (PPMF-BIT-004, -005).
    """
    return [_corrections(hashing, each) for each in some]


def taken(hashing: Hashing, some: Sequence[Choosing]) -> list[Words]:
    """For each of some chunks this server's share (n, length) of the term in which it chooses, from
    the peer's corrections (PPMF-BIT-004, -005).
    """
    return [_taken(hashing, each) for each in some]


def _ranges(sizes: Sequence[int]) -> Iterator[slice]:
    """The chunks with payloads of these sizes in ranges, each but the last as short as RANGE_BYTES
    allow.
    """
    first = size = 0
    for number, each in enumerate(sizes, 1):
        size += each
        if size >= RANGE_BYTES or number == len(sizes):
            yield slice(first, number)
            first, size = number, 0


def payload_bytes(elements: int, length: int, width: int, ring_bits: int) -> int:
    """The bytes of a payload: a correction for each bit of a word and entry of its vector
    (PPMF-BIT-005).
    """
    return elements * length * sum(_byte_width(bit, ring_bits) for bit in range(width))


def _corrections(hashing: Hashing, chunk: Sending) -> tuple[Bytes, Words]:
    count, length = chunk.vectors.shape
    width = len(chunk.bits)
    payload = np.empty(payload_bytes(count, length, width, hashing.ring_bits), dtype=np.uint8)
    targets = [
        (bits, payload[part].reshape(-1, count, length, size))
        for bits, part, size in _sections(count * length, width, hashing.ring_bits)
    ]
    pads_of = cache(partial(PadHash, _blocks(length), kinds=2))
    share = np.empty((count, length), dtype=np.uint64)
    ciphers_of = _ciphers(hashing, chunk.site, hashing.me.peer, width, chunk.vectors.shape)
    for rows, ciphers in zip(_batches(count, length), ciphers_of, strict=True):
        size = rows.stop - rows.start
        bits, keys, pads = chunk.bits[:, rows], chunk.keys[:, rows], pads_of(size)
        offset = np.tile(chunk.offset, (size, 1))
        y = _even_rows(size, length)
        y[:, :length] = chunk.vectors[rows]
        y = _by_block(y)
        corrections = y * _signs(bits)[:, np.newaxis]
        total = np.zeros_like(y)
        for bit, weight in enumerate(weights(width, signed=chunk.signed)):
            pads.keys[0] = keys[bit]
            np.bitwise_xor(pads.keys[0], offset, out=pads.keys[1])
            zero, one = pads(ciphers[bit])
            correction = corrections[bit]
            correction += zero
            correction -= one
            zero *= weight
            total -= zero
        sent = _by_row(corrections, length)
        for which, target in targets:
            put_low_bytes(sent[which], target[:, rows])
        share[rows] = _by_row(total, length)
    return payload, share


def _taken(hashing: Hashing, chunk: Choosing) -> Words:
    (width, count), length = chunk.bits.shape, chunk.length
    sources = []
    for which, part, size in _sections(count * length, width, hashing.ring_bits):
        shape = (which.stop - which.start, count, length)
        sources.append((which, overlapping_words(chunk.payload.data, part.start, shape, size)))
    pads_of = cache(partial(PadHash, _blocks(length)))
    share = np.empty((count, length), dtype=np.uint64)
    ciphers_of = _ciphers(hashing, chunk.site, hashing.me, width, share.shape)
    for rows, ciphers in zip(_batches(count, length), ciphers_of, strict=True):
        size = rows.stop - rows.start
        bits, keys, pads = chunk.bits[:, rows], chunk.keys[:, rows], pads_of(size)
        got = _even_rows(width, size, length)
        for which, sent in sources:
            got[which, :, :length] = sent[:, rows]
        corrections = _by_block(got)
        corrections *= _twice(bits)[:, np.newaxis]
        total = np.zeros_like(corrections[0])
        for bit, weight in enumerate(weights(width, signed=chunk.signed)):
            pads.keys[0] = keys[bit]
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
    hashing: Hashing, site: Site, chooser: Role, width: int, shape: tuple[int, ...]
) -> list[list[CipherContext]]:
    """The permutations of a chunk's batches, of each one for every bit (PPMF-BIT-003, -008).

    shape: that of the chunk's vectors. To make them in one go is faster than one at a time between
    other things, by a third.
    """
    purpose = f"{site.purpose}/to-{chooser}"
    return [
        [hashing.keys.cipher(purpose, *site.indices, bit, batch) for bit in range(width)]
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
