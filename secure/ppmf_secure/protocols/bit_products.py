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

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Labels, Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.hashing import MAX_CALLS, expand
from ppmf_secure.primitives.shares import SharedWords, check_length, chunks, from_bits, weights
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import Bulk, TransferPayload


def times_vectors(
    transfers: Transfers, words: SharedWords, vectors: Words, site: Site, *, signed: bool
) -> Program[Words]:
    """This server's shares (n, length) of the products of n words with vectors (PPMF-BIT-001).

    words: its shares of the words. vectors (n, length): its shares of the vectors.
    signed: whether the words are signed.
    """
    product = from_bits(words.bits, signed=signed)[:, None] * vectors
    for number, part in enumerate(chunks(words.count)):
        here = site.within(number)
        some = words.take(part)
        payload, as_sender = _make_corrections(transfers, some, vectors[part], here, signed=signed)
        yield Send(transfers.peer, TransferPayload(payload))
        message = yield from receive(transfers.peer, TransferPayload)
        length = vectors.shape[1]
        as_chooser = _apply_corrections(
            transfers, some, length, message.payload, here, signed=signed
        )
        product[part] += as_sender + as_chooser
    return product


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
) -> tuple[bytes, Words]:
    """The corrections that this server sends, and its share of the term in which it sends
    (PPMF-BIT-004, -005).
    """
    corrections = []
    share = np.zeros_like(vectors)
    for bit, weight in enumerate(weights(words.width, signed=signed)):
        ciphers = _ciphers(transfers, site, transfers.peer, bit, vectors.shape)
        zero = _pads(ciphers, words.sender_keys[bit], vectors.shape[1])
        one = _pads(ciphers, words.sender_keys[bit] ^ words.offset, vectors.shape[1])
        mine = words.bits[bit].astype(bool)[:, None]
        correlation = np.where(mine, np.negative(vectors), vectors)
        size = _byte_width(bit, transfers.ring_bits)
        corrections.append(_low_bytes(zero + correlation - one, size))
        share -= weight * zero
    return b"".join(corrections), share


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
    shape = (words.count, length)
    due = payload_bytes(words.count, length, words.width, transfers.ring_bits)
    check_length(payload, due, "transfer payload")
    share = np.zeros(shape, dtype=np.uint64)
    start = 0
    for bit, weight in enumerate(weights(words.width, signed=signed)):
        ciphers = _ciphers(transfers, site, transfers.me, bit, shape)
        pad = _pads(ciphers, words.chosen_keys[bit], length)
        size = _byte_width(bit, transfers.ring_bits)
        stop = start + words.count * length * size
        correction = _from_low_bytes(payload[start:stop], shape, size)
        start = stop
        share += weight * (pad + words.bits[bit].astype(np.uint64)[:, None] * correction)
    return share


def _ciphers(
    transfers: Transfers, site: Site, chooser: Role, bit: int, shape: tuple[int, ...]
) -> list[CipherContext]:
    """The permutations of the batches of a chunk's rows, in order (PPMF-BIT-003, -007)."""
    rows, length = shape
    return [
        transfers.keys.cipher(f"{site.purpose}/to-{chooser}", *site.indices, bit, batch)
        for batch in range(-(-rows // rows_of_a_batch(length)))
    ]


def rows_of_a_batch(length: int) -> int:
    """A row has two keys, and `length` words of pad for each key (PPMF-BIT-007)."""
    return MAX_CALLS // (2 * _blocks(length))


def _blocks(length: int) -> int:
    return (length + 1) // 2


def _pads(ciphers: list[CipherContext], keys: Labels, length: int) -> Words:
    """The pads (n, length) of keys (n, 2)."""
    blocks = _blocks(length)
    pads = expand(ciphers, keys, blocks, rows_of_a_batch(length))
    return pads.reshape(-1, 2 * blocks)[:, :length]


def _byte_width(bit: int, ring_bits: int) -> int:
    """The bytes of a correction for a bit of weight 2^bit, of which ring_bits - bit bits matter
    (PPMF-BIT-005).
    """
    return (ring_bits - bit + 7) // 8


def _low_bytes(values: Words, size: int) -> bytes:
    little = np.ascontiguousarray(values, dtype="<u8").view(np.uint8)
    return little.reshape(*values.shape, 8)[..., :size].tobytes()


def _from_low_bytes(data: Bulk, shape: tuple[int, ...], size: int) -> Words:
    little = np.zeros((*shape, 8), dtype=np.uint8)
    little[..., :size] = np.frombuffer(data, dtype=np.uint8).reshape(*shape, size)
    return little.view("<u8").reshape(shape).astype(np.uint64, copy=False)
