# SPDX-License-Identifier: GPL-3.0-or-later
"""The hash of garbling and oblivious transfer, and its keys (chapter 4, "The hash").

With pi the permutation AES-128 under a *public* key, the hash of a 128-bit block x under tweak i is

    H(x, i) = pi(pi(x) ^ i) ^ pi(x),

the construction TMMO of Guo, Katz, Wang and Yu ("Efficient and secure multiparty computation from
fixed-key block ciphers", IEEE S&P 2020, section 7.4): tweakable circular correlation robust (TCCR)
when pi is an ideal permutation. That is the property half gates need (Zahur, Rosulek and Evans,
"Two halves make a whole", EUROCRYPT 2015), where the offset is both hashed and encrypted; it
implies the weaker one that turns correlated into independent oblivious transfers.

Why a key of its own for every batch. What is left of the offset's 128 bits falls with the number of
calls made under one key: a guess at the offset is tested against all of them at once. A run makes
2^28 calls and more under one offset, so one fixed key would leave 100 bits or less; in a batch of
at most `MAX_CALLS` = 2^14 calls, under a key that no other batch has, 114 remain, and 113 of CSP's
offset, whose lowest bit is known (the argument for re-keying of Guo, Katz, Wang, Weng and Yu,
"Better concrete security for half-gates garbling (in the multi-instance setting)", CRYPTO 2020).
Batch keys are derived from public numbers alone: they need not be secret, only distinct.

A block is a row of two uint64 words, low word first, little-endian; a tweak goes into the low word.
"""

from __future__ import annotations

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from ppmf_secure.arrays import Words

MAX_CALLS = 1 << 14
"""Calls of the hash under one key: every (block, tweak) pair hashed counts as one."""

_SPARE = 2  # words: `update_into` wants room for 15 bytes more than it writes


class BatchKeys:
    """Public AES keys, one for each batch of hash calls of a run.

    session: the run's id; epoch: counts the fresh starts after interruptions (chapter 4).
    """

    def __init__(self, session: bytes, epoch: int) -> None:
        self._prefix = b"ppmf/v1/batch-key/" + _field(session) + _number(epoch)

    def key(self, purpose: str, *indices: int) -> bytes:
        """The 16 bytes of a batch's key: SHA-256 of all that names the batch, cut (PPMF-HSH-002).

        Every field is preceded by its length and the indices by their number, so two batches of
        different purposes or different indices never hash the same text. Indices are in [0, 2^64).
        """
        text = self._prefix + _field(purpose.encode()) + _number(len(indices))
        return hashlib.sha256(text + b"".join(map(_number, indices))).digest()[:16]

    def cipher(self, purpose: str, *indices: int) -> CipherContext:
        """AES-128 under that key, block by block: the permutation pi of one batch."""
        return Cipher(algorithms.AES(self.key(purpose, *indices)), modes.ECB()).encryptor()


class TweakedHash:
    """H over a fixed list of tweaks, in place, in buffers that are reused from call to call.

    tweaks: (n,) the tweak of each block. Write the blocks to `blocks` (n, 2), then call: that same
    array then holds their hashes (PPMF-HSH-001).
    """

    def __init__(self, tweaks: Words) -> None:
        check_calls(tweaks.size)
        self._tweaks = np.zeros((tweaks.size, 2), dtype=np.uint64)
        self._tweaks[:, 0] = tweaks
        self._inner, self._outer = _buffer(tweaks.size), _buffer(tweaks.size)
        self.blocks = _blocks(self._outer)

    def __call__(self, cipher: CipherContext) -> Words:
        """Replace `blocks` by their hashes, and return it."""
        inner = permute(cipher, self.blocks, self._inner)
        np.bitwise_xor(inner, self._tweaks, out=self.blocks)
        permute(cipher, self.blocks, self._outer)
        return np.bitwise_xor(self.blocks, inner, out=self.blocks)


def hash_blocks(
    cipher: CipherContext, x: Words, first_tweak: int, out: Words | None = None
) -> Words:
    """H of the rows of x (n, 2), row r under the tweak first_tweak + r; n <= MAX_CALLS.

    Who calls twice under one key sees to it that the tweaks differ and that the calls of both
    together are at most MAX_CALLS (PPMF-HSH-001).
    """
    tweaked = TweakedHash(np.arange(first_tweak, first_tweak + len(x), dtype=np.uint64))
    tweaked.blocks[:] = x
    hashed = tweaked(cipher)
    if out is None:
        return hashed
    out[:] = hashed
    return out


def expand(cipher: CipherContext, x: Words, blocks: int) -> Words:
    """`blocks` hashes of each row of x (n, 2), as (n, blocks, 2); n blocks <= MAX_CALLS.

    Block j of row r is H(x_r, r blocks + j). The inner pi(x_r) is computed once a row
    (PPMF-HSH-005).
    """
    count = len(x) * blocks
    check_calls(count)
    inner = permute(cipher, np.ascontiguousarray(x), _buffer(len(x)))
    # As 16-byte items a block is repeated by one copy; no arithmetic touches the complex numbers.
    spread = np.repeat(inner.view(np.complex128), blocks, axis=0).view(np.uint64)
    tweaked = spread.copy()
    tweaked[:, 0] ^= np.arange(count, dtype=np.uint64)
    hashed = permute(cipher, tweaked, _buffer(count))
    hashed ^= spread
    return hashed.reshape(len(x), blocks, 2)


def check_calls(count: int) -> None:
    """Stop a batch that is too large for one key: a mistake of the calling code, never of input
    (PPMF-HSH-003).
    """
    if count > MAX_CALLS:
        raise ValueError(f"{count} calls of the hash under one key: at most {MAX_CALLS}")


def permute(cipher: CipherContext, blocks: Words, buffer: Words) -> Words:
    """Apply pi to contiguous blocks (n, 2), writing to a `_buffer(n)`; the view (n, 2) of it.

    `blocks` may be that same view: encryption block by block works in place.
    """
    cipher.update_into(blocks.reshape(-1).view(np.uint8).data, buffer.view(np.uint8).data)
    return _blocks(buffer)


def _buffer(blocks: int) -> Words:
    return np.empty(2 * blocks + _SPARE, dtype=np.uint64)


def _blocks(buffer: Words) -> Words:
    """The part of a buffer that holds blocks, as (n, 2)."""
    return buffer[:-_SPARE].reshape(-1, 2)


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _field(data: bytes) -> bytes:
    return _number(len(data)) + data
