# SPDX-License-Identifier: GPL-3.0-or-later
"""Correlated oblivious transfer by extension (chapter 4, "Extension"), semi-honest.

The sender holds one offset offset of 128 bits. For each transfer it gets a random key
k, and the chooser, with a choice bit b of its own, gets k ^ b offset: the invariant

    sender's key ^ chooser's key == choice * offset.

The sender learns nothing of b, the chooser nothing of offset.

The construction is that of Ishai, Kilian, Nissim and Petrank ("Extending oblivious transfers
efficiently", CRYPTO 2003, section 3). The roles are reversed in 128 base transfers
(`base_transfers`): bit i of offset chose seed
s[i, delta_i] of the chooser's pair s[i, 0], s[i, 1]. With G a pseudo-random generator and b the
column of all choices, the chooser sends, for each i, the column

    u_i = G(s[i, 0]) ^ G(s[i, 1]) ^ b

and keeps t_i = G(s[i, 0]). The sender computes q_i = G(s[i, delta_i]) ^ delta_i u_i, which is
t_i ^ delta_i b. Read by rows, q = t ^ b offset: row j is the key of transfer j.

Its assumptions. Choices: the sender lacks one seed of each pair, so each u_i is masked by a
pseudo-random column: G being a PRG is all it takes (here AES-128 in counter mode, the seed being
the key, and the first counter a hash of session, epoch, direction and column, so that a guess at a
seed can be tried on one column only). Delta: the chooser gets no message, so offset is as hidden as
the base transfers leave it.

Its use. The pairs are *raw*: all of them share offset. That is what free-XOR garbling wants:
sender's key and chooser's key are a wire's zero label and active label as they stand. A payload
must not be masked with a raw key, though: the pads of two transfers would differ by a known amount.
`protocols.bit_products` hashes keys first, and there, as in the garbling, the assumption on the
hash enters: correlation robustness, H(tweak, k ^ offset) pseudo-random for any k although offset
never changes.

Streams stay open from one call to the next, so no part of a keystream is ever used twice. One set
of base transfers serves one sender and one chooser object, for the life of both: a second pair of
objects on the same seeds would repeat the keystreams, and reveal the XOR of two choice vectors.
"""

from __future__ import annotations

import hashlib
from typing import cast

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from ppmf_secure.arrays import Bits, Bytes, Words
from ppmf_secure.primitives.base_transfers import TRANSFERS
from ppmf_secure.primitives.bit_transpose import row_buffer, transpose
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError

_BLOCK = 128
"""Transfers whose bits of one column fill one block of AES: what a call's count is rounded to."""

_CHUNK = 1 << 16
"""Transfers handled at a time: a buffer of 1 MiB, which stays in a core's cache."""

_ZEROS = bytes(_CHUNK // 8)


def columns_bytes(count: int) -> int:
    """Length of the chooser's message for `count` transfers: a function of `count` alone."""
    return TRANSFERS * _column_bytes(count)


def fresh_offset(coins: Coins, *, odd: bool) -> Words:
    """A random offset (2,); with `odd` its lowest bit is 1, as point-and-permute needs
    (PPMF-OTE-001).
    """
    offset = coins.words(2)
    if odd:
        offset[0] |= np.uint64(1)
    return offset


def offset_bits(offset: Words) -> Bits:
    """The 128 bits of an offset, lowest first: the sender's choices in the base transfers."""
    return np.unpackbits(offset.astype("<u8").view(np.uint8), bitorder="little")


class ExtensionSender:
    """The side that holds the offset, and was the chooser of the base transfers.

    offset: (2,), its bits lowest first the choices. seeds: (128, 16), the seeds they chose. context:
    public, names session, epoch and direction.
    """

    def __init__(self, offset: Words, seeds: Bytes, context: bytes) -> None:
        self._streams = _Streams(seeds, context)
        self._offset_columns = -offset_bits(offset).astype("<u8")[
            :, np.newaxis
        ]  # all ones where set

    def extend(self, columns: bytes, count: int) -> Words:
        """The keys (count, 2) of the next `count` transfers, from the chooser's message.

        A message of the wrong length is an EncodingError, and uses up nothing of the streams
        (PPMF-OTE-005, -006).
        """
        if len(columns) != columns_bytes(count):
            raise EncodingError(
                f"OT columns for {count} transfers: {columns_bytes(count)} bytes expected, "
                f"{len(columns)} received"
            )
        width = _column_bytes(count) // 8
        received = np.frombuffer(columns, dtype="<u8").reshape(TRANSFERS, width)
        keys = np.empty((64 * width, 2), dtype=np.uint64)
        for chunk in _chunks(width):
            masked = received[:, chunk] & self._offset_columns
            rows = self._streams.next(masked.shape[1])
            rows ^= masked
            transpose(rows, keys[64 * chunk.start : 64 * chunk.stop])
        return keys[:count]


class ExtensionChooser:
    """The side that chooses, and was the sender of the base transfers.

    seed_pairs: (128, 2, 16), both seeds of each base transfer. context: the sender's.
    """

    def __init__(self, seed_pairs: Bytes, context: bytes) -> None:
        self._zero = _Streams(seed_pairs[:, 0], context)
        self._one = _Streams(seed_pairs[:, 1], context)

    def extend(self, choices: Bits) -> tuple[bytes, Words]:
        """The message, `columns_bytes(count)` long, and the keys (count, 2) for choices (count,).

        The message is the columns u_0, ..., u_127 one after the other, each of one bit a transfer,
        lowest first, padded by choices of 0 to a whole number of 128-bit blocks
        (PPMF-OTE-004, -005).
        """
        count = len(choices)
        width = _column_bytes(count) // 8
        packed = np.zeros(8 * width, dtype=np.uint8)
        packed[: (count + 7) // 8] = np.packbits(choices, bitorder="little")
        chosen = packed.view("<u8")
        columns = np.empty((TRANSFERS, width), dtype="<u8")
        keys = np.empty((64 * width, 2), dtype=np.uint64)
        for chunk in _chunks(width):
            rows = self._zero.next(chunk.stop - chunk.start)
            column = self._one.next(chunk.stop - chunk.start)
            column ^= rows
            np.bitwise_xor(column, chosen[chunk], out=columns[:, chunk])
            transpose(rows, keys[64 * chunk.start : 64 * chunk.stop])
        return columns.tobytes(), keys[:count]


class _Streams:
    """G of 128 seeds: as many keystreams of AES-128-CTR, read side by side (PPMF-OTE-006, -008)."""

    def __init__(self, seeds: Bytes, context: bytes) -> None:
        self._ciphers = [
            Cipher(
                algorithms.AES(seed.tobytes()), modes.CTR(_first_counter(context, i))
            ).encryptor()
            for i, seed in enumerate(seeds)
        ]

    def next(self, words: int) -> Words:
        """The next `words` words of every stream, as a matrix (128, words) for `transpose`."""
        rows = row_buffer(words)
        zeros = memoryview(_ZEROS)[: 8 * words]
        for cipher, row in zip(self._ciphers, rows, strict=True):
            # cast: cryptography's signature says bytes where any writable buffer will do
            cipher.update_into(zeros, cast(bytearray, row.view(np.uint8).data))
        return rows


def _first_counter(context: bytes, column: int) -> bytes:
    """Where a keystream begins: in a place of its own, so that no guess serves two columns
    (PPMF-OTE-008).
    """
    text = b"ppmf/v1/ot-counter/" + context + column.to_bytes(8, "little")
    return hashlib.sha256(text).digest()[:16]


def _column_bytes(count: int) -> int:
    """Bytes of one column: whole blocks, so that both sides' counters keep step."""
    return -(-count // _BLOCK) * _BLOCK // 8


def _chunks(width: int) -> list[slice]:
    """The columns' words, cut into pieces of `_CHUNK` transfers."""
    step = _CHUNK // 64
    return [slice(start, min(start + step, width)) for start in range(0, width, step)]
