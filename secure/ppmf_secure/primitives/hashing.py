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
correlation robustness alone, which it implies. That AES-128 under every batch key is an ideal
permutation is the assumption (chapter 6, "Assumptions, step by step").

*Every batch has a key of its own*, because a guess at an offset is tested against all calls under
one key at once. A run makes 2^28 calls and more under one offset, so that one fixed key would leave
100 bits of security or less. A batch has at most `MAX_CALLS` = 2^14 calls, under a key that no
other batch has. This leaves 114 bits, and 113 for CSP's offset, whose lowest bit is known (Guo,
Katz, Wang, Weng and Yu, "Better concrete security for half-gates garbling (in the multi-instance
setting)", CRYPTO 2020; chapter 6, "How many bits of security"). Batch keys are derived from public
numbers alone: they need not be secret, only distinct.

A block is a row of two words, the low one first. A tweak goes into the low word.
"""

from __future__ import annotations

import hashlib

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from ppmf_secure.arrays import Labels, Words

MAX_CALLS = 1 << 14
"""The most calls of the hash under one key. A call hashes one block under one tweak."""

_SPARE = 2  # words: `update_into` asks for room for 15 bytes more than it writes


class BatchKeys:
    """The public AES keys of an epoch, one for each batch of calls of the hash.

    session: the id of the session. epoch: its number in the run.
    """

    def __init__(self, session: bytes, epoch: int) -> None:
        self._prefix = b"ppmf/v2/batch-key/" + _field(session) + _number(epoch)

    def key(self, purpose: str, *indices: int) -> bytes:
        """The 16 bytes of a batch's key, from SHA-256 of all that names the batch (PPMF-HSH-002).

        Every field is preceded by its length and the indices by their number, so that batches of
        different purposes or indices never hash the same text. Indices are in [0, 2^64).
        """
        text = self._prefix + _field(purpose.encode()) + _number(len(indices))
        return hashlib.sha256(text + b"".join(map(_number, indices))).digest()[:16]

    def cipher(self, purpose: str, *indices: int) -> CipherContext:
        """The permutation pi of a batch: AES-128 under its key, block by block."""
        return Cipher(algorithms.AES(self.key(purpose, *indices)), modes.ECB()).encryptor()


class TweakedHash:
    """The hash under a fixed list of tweaks, in buffers that are reused from call to call.

    tweaks (n,): the tweak of each block. The caller writes blocks to `blocks` (n, 2) and then calls
    the object; `blocks` then holds their hashes (PPMF-HSH-001).
    """

    def __init__(self, tweaks: Words) -> None:
        check_calls(tweaks.size)
        self._tweaks = np.zeros((tweaks.size, 2), dtype=np.uint64)
        self._tweaks[:, 0] = tweaks
        self._inner, self._outer = _buffer(tweaks.size), _buffer(tweaks.size)
        self.blocks = _blocks(self._outer)

    def __call__(self, cipher: CipherContext) -> Labels:
        """Replace the `blocks` by their hashes under this cipher, and return them."""
        inner = permute(cipher, self.blocks, self._inner)
        np.bitwise_xor(inner, self._tweaks, out=self.blocks)
        permute(cipher, self.blocks, self._outer)
        return np.bitwise_xor(self.blocks, inner, out=self.blocks)


def hash_blocks(cipher: CipherContext, x: Labels, first_tweak: int) -> Labels:
    """The hashes of blocks x (n, 2), block r under the tweak first_tweak + r; n <= MAX_CALLS.

    A caller who hashes more than once under one key must see to it that the tweaks differ, and that
    all calls together are at most MAX_CALLS (PPMF-HSH-001).
    """
    tweaked = TweakedHash(np.arange(first_tweak, first_tweak + len(x), dtype=np.uint64))
    tweaked.blocks[:] = x
    return tweaked(cipher)


def expand(cipher: CipherContext, x: Labels, blocks: int) -> Labels:
    """Several hashes of each block of x (n, 2), as (n, blocks, 2); n blocks <= MAX_CALLS.

    Number j of block r is H(x_r, r blocks + j). The inner pi(x_r) is computed once for each r
    (PPMF-HSH-005).
    """
    count = len(x) * blocks
    check_calls(count)
    inner = permute(cipher, np.ascontiguousarray(x), _buffer(len(x)))
    # As one item of 16 bytes a block is repeated by one copy; the complex numbers are never used.
    spread = np.repeat(inner.view(np.complex128), blocks, axis=0).view(np.uint64)
    tweaked = spread.copy()
    tweaked[:, 0] ^= np.arange(count, dtype=np.uint64)
    hashed = permute(cipher, tweaked, _buffer(count))
    hashed ^= spread
    return hashed.reshape(len(x), blocks, 2)


def check_calls(count: int) -> None:
    """Raise ValueError if a batch is too large for one key, which is a mistake of the caller
    (PPMF-HSH-003).
    """
    if count > MAX_CALLS:
        raise ValueError(f"{count} calls of the hash under one key: at most {MAX_CALLS}")


def permute(cipher: CipherContext, blocks: Labels, buffer: Words) -> Labels:
    """The images under pi of contiguous blocks (n, 2), written to a `_buffer(n)`: a view of it.

    The blocks may lie in that same view, since each is encrypted by itself.
    """
    cipher.update_into(blocks.reshape(-1).view(np.uint8).data, buffer.view(np.uint8).data)
    return _blocks(buffer)


def _buffer(blocks: int) -> Words:
    return np.empty(2 * blocks + _SPARE, dtype=np.uint64)


def _blocks(buffer: Words) -> Labels:
    """The part of a buffer that holds blocks, as (n, 2)."""
    return buffer[:-_SPARE].reshape(-1, 2)


def _number(value: int) -> bytes:
    return value.to_bytes(8, "little")


def _field(data: bytes) -> bytes:
    return _number(len(data)) + data
