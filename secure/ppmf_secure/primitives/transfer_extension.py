# SPDX-License-Identifier: GPL-3.0-or-later
"""Correlated oblivious transfer by extension (chapter 4, "Extension").

*What it gives.* The sender holds an offset of 128 bits. In each transfer it gets a random key, and
the chooser, who has a choice bit, gets that key xor choice times offset:

    sender's key ^ chooser's key == choice * offset.

The sender learns nothing of the choices, and the chooser nothing of the offset.

*How* (Ishai, Kilian, Nissim and Petrank, "Extending oblivious transfers efficiently", CRYPTO 2003,
section 3). In 128 base transfers (`base_transfers`) the roles are reversed: bit o_i of the offset
has chosen seed s[i, o_i] of the pair s[i, 0], s[i, 1], which the chooser knows. With G a
pseudorandom generator and b the column of all choices, the chooser sends, for each i, the column

    u_i = G(s[i, 0]) ^ G(s[i, 1]) ^ b

and keeps t_i = G(s[i, 0]). The sender computes q_i = G(s[i, o_i]) ^ o_i u_i, which is t_i ^ o_i b.
Row j of the 128 columns is the key of transfer j: q_j at the sender, t_j = q_j ^ b_j offset at the
chooser.

*What it rests on.* The sender lacks one seed of each pair, so a pseudorandom column masks each u_i,
and the choices are hidden if G is a pseudorandom generator. Here G is AES-128 in counter mode under
the seed. Its first counter is a hash of session, epoch, direction and column, so that a guess at a
seed can be tried on one column only. That the sender lacks a seed rests on gap Diffie-Hellman, as
`base_transfers` says. The chooser gets no message of an extension: the offset is hidden by the base
transfers, without an assumption (chapter 6, "Assumptions, step by step").

*What it is for.* The keys of all transfers differ by the one offset. For garbling with free XOR
that is as it should be: the two keys are the zero label and the active label of a wire. But a raw
key must not mask a payload, since the pads of two transfers would differ by a known amount.
`protocols.bit_products` therefore hashes keys first. There, as in the garbling, the hash must be
correlation robust: H(key ^ offset) is pseudorandom for every key, although the offset never changes
(`hashing`).

Keystreams go on from call to call, and no part of one is used twice. One set of base transfers
therefore serves one `ExtensionSender` and one `ExtensionChooser`: a second pair on the same seeds
would repeat the keystreams, and reveal the exclusive or of two columns of choices.

An end can leave transfers to a worker: the worker gets an end at the same place, for these
transfers alone, and this one goes on behind them (`leave`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from copy import copy
from typing import Any, Self, cast

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from ppmf_secure.arrays import Bits, Bytes, Labels, Words
from ppmf_secure.primitives.base_transfers import TRANSFERS
from ppmf_secure.primitives.bit_transpose import row_buffer, transpose
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError

_BLOCK = 128
"""The transfers whose bits in one column fill a block of AES; counts are rounded up to it."""

_CHUNK = 129 * 512
"""Transfers handled at a time: an odd number of cache lines in a row, as `row_buffer` wants it, and
a buffer of 1 MiB, which stays in the cache of a core.
"""


def columns_bytes(count: int) -> int:
    """The length of the chooser's message for `count` transfers."""
    return TRANSFERS * _column_bytes(count)


def check_columns(columns: bytes | memoryview, count: int) -> None:
    """Check the length of the chooser's message for `count` transfers; raises EncodingError if it
    is wrong (PPMF-OTE-006).
    """
    if len(columns) != columns_bytes(count):
        raise EncodingError(
            f"OT columns for {count} transfers: {columns_bytes(count)} bytes expected, "
            f"{len(columns)} received"
        )


def fresh_offset(coins: Coins, *, odd: bool) -> Labels:
    """A random offset (2,). With `odd` its lowest bit is 1, as point-and-permute needs
    (PPMF-OTE-001).
    """
    offset = coins.words(2)
    if odd:
        offset[0] |= np.uint64(1)
    return offset


def offset_bits(offset: Labels) -> Bits:
    """The 128 bits of an offset, the lowest first: its owner's choices in the base transfers."""
    return np.unpackbits(offset.astype("<u8").view(np.uint8), bitorder="little")


class _End:
    """One end, of which a worker may be given a copy."""

    _streams: tuple[_Streams, ...]

    def here(self) -> Self:
        """An end at the same place, for the very same transfers."""
        end = copy(self)
        end._streams = tuple(streams.here() for streams in self._streams)
        return end

    def leave(self, counts: Iterable[int]) -> Self:
        """An end for the next transfers, which a worker makes: those of messages with so many each.
        This end goes on behind them (PPMF-OTE-006, PPMF-WRK-005).
        """
        end = self.here()
        size = sum(_column_bytes(count) for count in counts)
        for streams in self._streams:
            streams.skip(size)
        return end


class ExtensionSender(_End):
    """The side that holds the offset; in the base transfers it was the chooser.

    offset (2,): its bits, the lowest first, were the choices in the base transfers.
    seeds (128, 16): the seeds that they chose.
    context: public bytes that name session, epoch and direction.
    """

    def __init__(self, offset: Labels, seeds: Bytes, context: bytes) -> None:
        self._streams = (_Streams(seeds, context),)
        # a word of ones for each bit that is 1
        self._offset_columns = -offset_bits(offset).astype("<u8")[:, np.newaxis]

    def extend(self, columns: bytes | memoryview, count: int) -> Labels:
        """The keys of choice 0 (count, 2) of the next transfers, from the chooser's message.

        Raises EncodingError on a message of the wrong length, which uses up nothing of the
        keystreams (PPMF-OTE-005, -006).
        """
        check_columns(columns, count)
        width = _column_bytes(count) // 8
        received = np.frombuffer(columns, dtype="<u8").reshape(TRANSFERS, width)
        keys = np.empty((64 * width, 2), dtype=np.uint64)
        (streams,) = self._streams
        for chunk in _chunks(width):
            rows = row_buffer(chunk.stop - chunk.start)
            np.bitwise_and(received[:, chunk], self._offset_columns, out=rows)
            streams.add_to(rows)
            transpose(rows, keys[64 * chunk.start : 64 * chunk.stop])
        return keys[:count]


class ExtensionChooser(_End):
    """The side that chooses; in the base transfers it was the sender.

    seed_pairs (128, 2, 16): both seeds of each base transfer.
    context: the same public bytes as the sender's.
    """

    def __init__(self, seed_pairs: Bytes, context: bytes) -> None:
        self._streams = tuple(_Streams(seed_pairs[:, bit], context) for bit in (0, 1))

    def extend(self, choices: Bits) -> tuple[memoryview, Labels]:
        """The message to the sender, and the chosen keys (count, 2), for choices (count,).

        The message is the columns u_0, ..., u_127 one after the other. Each has one bit for a
        transfer, the lowest first, and is padded by choices of 0 to whole blocks of 128 bits:
        `columns_bytes(count)` bytes in all (PPMF-OTE-004, -005).
        """
        count = len(choices)
        chosen = _packed(choices)
        width = len(chosen)
        columns = np.empty((TRANSFERS, width), dtype="<u8")
        keys = np.empty((64 * width, 2), dtype=np.uint64)
        zero, one = self._streams
        for chunk in _chunks(width):
            rows = row_buffer(chunk.stop - chunk.start)
            rows[:] = 0
            zero.add_to(rows)
            np.bitwise_xor(rows, chosen[chunk], out=columns[:, chunk])
            one.add_to(columns[:, chunk])
            transpose(rows, keys[64 * chunk.start : 64 * chunk.stop])
        return columns.view(np.uint8).reshape(-1).data, keys[:count]

    def columns(self, choices: Bits) -> memoryview:
        """The message alone. The keys are made by another end at this place (`keys`)."""
        chosen = _packed(choices)
        columns = np.empty((TRANSFERS, len(chosen)), dtype="<u8")
        columns[:] = chosen
        for streams in self._streams:
            streams.add_to(columns)
        return columns.view(np.uint8).reshape(-1).data

    def keys(self, count: int) -> Labels:
        """The chosen keys (count, 2) alone, for the choices of the message that another end at this
        place makes (`columns`).
        """
        width = _column_bytes(count) // 8
        keys = np.empty((64 * width, 2), dtype=np.uint64)
        zero, one = self._streams
        for chunk in _chunks(width):
            rows = row_buffer(chunk.stop - chunk.start)
            rows[:] = 0
            zero.add_to(rows)
            transpose(rows, keys[64 * chunk.start : 64 * chunk.stop])
        one.skip(8 * width)
        return keys[:count]


class _Streams:
    """The keystreams of 128 seeds, AES-128 in counter mode, read together
    (PPMF-OTE-006, -008).

    position: the bytes of each that are used up, whole blocks.
    """

    def __init__(self, seeds: Bytes, context: bytes, position: int = 0) -> None:
        self._seeds, self._context, self._position = seeds, context, position
        self._ciphers: list[CipherContext] = []

    def __reduce__(self) -> tuple[Any, ...]:
        return _Streams, (self._seeds, self._context, self._position)

    def here(self) -> _Streams:
        """The same keystreams at the same place."""
        return _Streams(self._seeds, self._context, self._position)

    def skip(self, count: int) -> None:
        """Leave out so many bytes of each, whole blocks."""
        self._position += count
        self._ciphers = []

    def add_to(self, rows: Words) -> None:
        """Add, by exclusive or, the next words of each keystream to its row of (128, words)."""
        if not self._ciphers:
            self._ciphers = [
                Cipher(
                    algorithms.AES(seed.tobytes()),
                    modes.CTR(_counter(self._context, i, self._position // 16)),
                ).encryptor()
                for i, seed in enumerate(self._seeds)
            ]
        for cipher, row in zip(self._ciphers, rows.view(np.uint8), strict=True):
            # cast: the signature asks for bytes, but any writable buffer is taken
            cipher.update_into(row.data, cast(bytearray, row.data))
        self._position += 8 * rows.shape[1]


def _counter(context: bytes, column: int, blocks: int) -> bytes:
    """The counter of a column's keystream after so many blocks. The first is another for each, so
    that a guess at a seed can be tried on one column only (PPMF-OTE-008).
    """
    text = b"ppmf/v2/ot-counter/" + context + column.to_bytes(8, "little")
    first = int.from_bytes(hashlib.sha256(text).digest()[:16], "big")
    return ((first + blocks) % (1 << 128)).to_bytes(16, "big")


def _packed(choices: Bits) -> Words:
    """The words of a column of choices, padded by 0 to whole blocks (PPMF-OTE-004)."""
    packed = np.zeros(_column_bytes(len(choices)), dtype=np.uint8)
    packed[: (len(choices) + 7) // 8] = np.packbits(choices, bitorder="little")
    return packed.view("<u8")


def _column_bytes(count: int) -> int:
    """The bytes of one column: whole blocks, so that the counters of both sides stay equal."""
    return -(-count // _BLOCK) * _BLOCK // 8


def _chunks(width: int) -> list[slice]:
    """The words of a column in pieces of `_CHUNK` transfers."""
    step = _CHUNK // 64
    return [slice(start, min(start + step, width)) for start in range(0, width, step)]
