# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash of garbling and oblivious transfer, and its keys (chapter 4, "The hash").

With pi the permutation AES-128 under a *public* key, the hash of a block x of 128 bits under the
tweak i is

    H(x, i) = pi(pi(x) ^ i) ^ pi(x).

This is the construction TMMO of Guo, Katz, Wang and Yu ("Efficient and secure multiparty
computation from fixed-key block ciphers", IEEE S&P 2020, section 7.4). If pi is an ideal
permutation, it is tweakable circular correlation robust (TCCR). Half gates need this property,
since the tables contain both the hash of a label xor the offset and the offset itself (Zahur,
Rosulek and Evans, "Two halves make a whole", EUROCRYPT 2015). The products of `bit_products` need
correlation robustness alone, which it implies. That AES-128 is an ideal cipher is the assumption
(chapter 6, "The hash in the ideal-cipher model").

*Every batch has a key of its own*, because a guess at an offset is tested against all calls under
one key at once: each bit less of calls under a key is a bit more of security (chapter 6, "The hash
in the ideal-cipher model"). A batch has at most `MAX_CALLS` calls, under a key that no other batch
has. Batch keys are derived from public numbers alone: they need not be secret, only distinct.

Blocks of several batches are hashed together, in operations on whole arrays; only the encryptions
go batch by batch.

A block is a row of two words, the low one first. A tweak goes into the low word.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from functools import cache, partial
from struct import pack
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from ppmf_secure.arrays import Labels, Words, items

MAX_CALLS = 1 << 13
"""The most calls of the hash under one key (PPMF-HSH-008). A call hashes one block under one
tweak."""

_MODE = modes.ECB()
_SPARE = 2  # words: `update_into` asks for room for 15 bytes more than it writes


class BatchKeys:
    """The public AES keys of an epoch, one for each batch of calls of the hash.

    session: the id of the session. epoch: its number in the run.
    """

    def __init__(self, session: bytes, epoch: int) -> None:
        self._of = session, epoch
        self._prefix = b"ppmf/v2/batch-key/" + _field(session) + _number(epoch)
        self._begun = hashlib.sha256()
        self._outer: tuple[str, int, tuple[int, ...]] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        return BatchKeys, self._of

    def key(self, purpose: str, *indices: int) -> bytes:
        """The 16 bytes of a batch's key, from SHA-256 of all that names the batch (PPMF-HSH-002).

        Every field is preceded by its length and the indices by their number, so that batches of
        different purposes or indices never hash the same text. Indices are in [0, 2^64).
        """
        # The keys of one chunk differ in the last two indices: the text before is hashed once.
        outer, inner = (purpose, len(indices), indices[:-2]), indices[-2:]
        if outer != self._outer:
            self._begun, self._outer = hashlib.sha256(self._prefix + _text(*outer)), outer
        named = self._begun.copy()
        named.update(pack(f"<{len(inner)}Q", *inner))
        return named.digest()[:16]

    def cipher(self, purpose: str, *indices: int) -> CipherContext:
        """The permutation pi of a batch: AES-128 under its key, block by block."""
        return Cipher(algorithms.AES(self.key(purpose, *indices)), _MODE).encryptor()


class TweakedHash:
    """The hash of several blocks of each of n elements, in buffers that are reused.

    tweaks (rows, n): the tweaks of the blocks of every element.
    per_batch: how many elements a batch has, the last one possibly fewer.

    The caller writes blocks to `blocks` (rows, n, 2) and then calls the object; `blocks` then holds
    their hashes (PPMF-HSH-001).
    """

    def __init__(self, tweaks: Words, per_batch: int) -> None:
        rows, elements = tweaks.shape
        check_calls(rows * min(per_batch, elements))
        self._tweaks = np.zeros((rows, elements, 2), dtype=np.uint64)
        self._tweaks[..., 0] = tweaks
        self._inner, self._outer = _buffer(tweaks.size), _buffer(tweaks.size)
        self.blocks = _blocks(self._outer).reshape(rows, elements, 2)
        starts = range(0, elements, per_batch)
        batches = [
            [(row * elements + at, min(per_batch, elements - at)) for row in range(rows)]
            for at in starts
        ]
        self._first = _pieces(self._outer, self._inner, batches)
        self._second = _pieces(self._outer, self._outer, batches)

    @property
    def batches(self) -> int:
        """How many batches there are, each under a key of its own."""
        return len(self._first)

    def __call__(self, ciphers: Sequence[CipherContext]) -> Labels:
        """Replace the `blocks` by their hashes, each batch under its cipher, and return them."""
        _permute(ciphers, self._first)
        inner = _blocks(self._inner).reshape(self.blocks.shape)
        np.bitwise_xor(inner, self._tweaks, out=self.blocks)
        _permute(ciphers, self._second)
        return np.bitwise_xor(self.blocks, inner, out=self.blocks)


def hash_blocks(cipher: CipherContext, x: Labels, first_tweak: int) -> Labels:
    """The hashes of blocks x (n, 2), block r under the tweak first_tweak + r; n <= MAX_CALLS.

    A caller who hashes more than once under one key must see to it that the tweaks differ, and that
    all calls together are at most MAX_CALLS (PPMF-HSH-001).
    """
    tweaks = np.arange(first_tweak, first_tweak + len(x), dtype=np.uint64)
    tweaked = TweakedHash(tweaks[None], len(x))
    tweaked.blocks[0] = x
    hashed: Labels = tweaked([cipher])[0]
    return hashed


class PadHash:
    """The pads of the keys of one batch, in buffers that are reused (PPMF-HSH-005).

    blocks: the hashes of each key. rows: the keys of one kind. kinds: how many kinds have the same
    tweaks; the two keys of a transfer are of two kinds.

    The caller writes `keys` (kinds, rows, 2) and then calls the object, which returns their hashes
    (kinds, blocks, rows, 2): number j of row r is H(key, r blocks + j). The inner pi of a key is
    computed once. The caller may change what is returned.
    """

    def __init__(self, blocks: int, rows: int, *, kinds: int = 1) -> None:
        count = kinds * rows
        check_calls(count * blocks)
        keys, inner, outer = (
            np.empty(2 * count, dtype=np.uint64),
            _buffer(count),
            _buffer(count * blocks),
        )
        self.keys: Labels = keys.reshape(kinds, rows, 2)
        self._inner = _blocks(inner).reshape(kinds, 1, rows, 2)
        self._hashes = _blocks(outer).reshape(kinds, blocks, rows, 2)
        self._tweaks = np.zeros((blocks, rows, 2), dtype=np.uint64)
        self._tweaks[..., 0] = np.arange(count // kinds * blocks).reshape(rows, blocks).T
        ((self._first,),) = _pieces(keys, inner, [[(0, count)]])
        ((self._second,),) = _pieces(outer, outer, [[(0, count * blocks)]])

    def __call__(self, cipher: CipherContext) -> Labels:
        """The hashes of the `keys` under a cipher, as (kinds, blocks, rows, 2)."""
        cipher.update_into(*self._first)
        np.bitwise_xor(self._inner, self._tweaks, out=self._hashes)
        cipher.update_into(*self._second)
        return np.bitwise_xor(self._hashes, self._inner, out=self._hashes)


def expand(ciphers: Sequence[CipherContext], x: Labels, blocks: int, per_batch: int) -> Labels:
    """Several hashes of each block of x (n, 2), as (n, blocks, 2).

    x is taken in batches of `per_batch` blocks, the last one possibly of fewer, each under its
    cipher. Number j of block r of its batch is H(x_r, r blocks + j) (PPMF-HSH-005).
    """
    hashed = np.empty((len(x), blocks, 2), dtype=np.uint64)
    pads_of = cache(partial(PadHash, blocks))
    starts = range(0, len(x), per_batch)
    for cipher, batch in zip(ciphers, (slice(at, at + per_batch) for at in starts), strict=True):
        pads = pads_of(len(x[batch]))
        pads.keys[0] = x[batch]
        items(hashed)[batch] = items(pads(cipher)[0]).T
    return hashed


def images_of_numbers(cipher: CipherContext, count: int) -> Labels:
    """The images (count, 2) under a cipher of the blocks that are the numbers from 0."""
    buffer = _buffer(count)
    blocks = _blocks(buffer)
    blocks[:, 0], blocks[:, 1] = np.arange(count), 0
    _permute([cipher], _pieces(buffer, buffer, [[(0, count)]]))
    return blocks


def check_calls(count: int) -> None:
    """Raise ValueError if a batch is too large for one key, which is a mistake of the caller
    (PPMF-HSH-008).
    """
    if count > MAX_CALLS:
        raise ValueError(f"{count} calls of the hash under one key: at most {MAX_CALLS}")


def _pieces(
    source: Words, target: Words, batches: Sequence[Sequence[tuple[int, int]]]
) -> list[list[tuple[memoryview, memoryview]]]:
    """For each batch, the bytes of its runs of blocks in the source, and room for their images.

    A run is the number of its first block, and how many there are. The target is a `_buffer`; it
    may be the source, since each block is encrypted by itself.
    """
    here, there = (part.reshape(-1).view(np.uint8).data for part in (source, target))
    return [
        [
            (here[16 * at : 16 * (at + count)], there[16 * at : 16 * (at + count) + 8 * _SPARE])
            for at, count in batch
        ]
        for batch in batches
    ]


def _permute(
    ciphers: Sequence[CipherContext], batches: Sequence[Sequence[tuple[memoryview, memoryview]]]
) -> None:
    """Write the images of every batch's blocks under its cipher."""
    for cipher, pieces in zip(ciphers, batches, strict=True):
        for blocks, images in pieces:
            cipher.update_into(blocks, images)


def _buffer(blocks: int) -> Words:
    return np.empty(2 * blocks + _SPARE, dtype=np.uint64)


def _blocks(buffer: Words) -> Labels:
    """The part of a buffer that holds blocks, as (n, 2)."""
    return buffer[:-_SPARE].reshape(-1, 2)


def _text(purpose: str, count: int, first: tuple[int, ...]) -> bytes:
    """The text that names a batch, up to the last of `first`, of its `count` indices."""
    return _field(purpose.encode()) + pack(f"<{1 + len(first)}Q", count, *first)


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _field(data: bytes) -> bytes:
    return _number(len(data)) + data
