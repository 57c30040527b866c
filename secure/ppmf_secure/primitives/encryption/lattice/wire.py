# SPDX-License-Identifier: GPL-3.0-or-later
"""Residues as bytes, three in a little-endian word of 64 bits: 21.34 bits each.

n words carry up to 3 n residues modulo p, as representatives in [0, p). Word i is
v_i + p (v_(n+i) + p v_(2n+i)), where missing residues are 0. It fits, since p^3 < 2^64. No other
encoding of the same residues is accepted.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.encryption.lattice.ring import Residues
from ppmf_secure.primitives.shares import words_from_bytes
from ppmf_spec.errors import RangeError

WORD_BYTES = 8


def words_for(count: int) -> int:
    """The number of words that carry `count` residues."""
    return -(-count // 3)


def pack(residues: Residues | NDArray[np.int32], prime: int) -> Words:
    """The words (..., words_for(count)) of residues (..., count) of one prime (PPMF-RLW-003)."""
    count, words = residues.shape[-1], words_for(residues.shape[-1])
    planes = np.zeros((*residues.shape[:-1], 3 * words), dtype=np.int32)
    values = planes[..., :count]
    values[...] = residues
    values += (values >> 31) & np.int32(prime)
    first, second, third = np.split(planes.view(np.uint32), 3, axis=-1)
    packed: Words = third.astype(np.uint64)
    for plane in (second, first):
        packed *= np.uint64(prime)
        packed += plane
    return packed


def unpack(words: Words, count: int, prime: int) -> tuple[NDArray[np.int32], NDArray[np.bool_]]:
    """The residues (rows, count) in words (rows, words_for(count)), and which rows are malformed.

    The residues of a row that is well formed are in [0, p).
    """
    modulus, size = np.uint64(prime), words.shape[1]
    planes = np.empty((len(words), 3 * size), dtype=np.int32)
    upper = words // modulus
    planes[:, :size] = words - upper * modulus
    top = upper // modulus
    planes[:, size : 2 * size] = upper - top * modulus
    planes[:, 2 * size :] = np.minimum(top, modulus)
    bad = np.empty(len(words), dtype=np.bool_)
    np.any(planes[:, 2 * size :] >= prime, axis=1, out=bad)
    bad |= planes[:, count:].any(axis=1)
    return planes[:, :count], bad


def read_residues(
    rows: Sequence[bytes], count: int, primes: tuple[int, ...], names: Sequence[str]
) -> NDArray[np.int32]:
    """The residues (primes, rows, count), in [0, p), of some rows in bytes (PPMF-RLW-013).

    names: those of the rows, for errors. Raises EncodingError, which names the first row of a wrong
    length, or RangeError, which names the first malformed row and the first prime of it.
    """
    shape = (len(primes), words_for(count))
    words = np.stack(
        [words_from_bytes(row, shape, name) for row, name in zip(rows, names, strict=True)], axis=1
    )
    out = np.empty((len(primes), len(rows), count), dtype=np.int32)
    bad = np.empty((len(primes), len(rows)), dtype=np.bool_)
    for index, prime in enumerate(primes):
        out[index], bad[index] = unpack(words[index], count, prime)
    if bad.any():
        row = int(bad.any(axis=0).argmax())
        prime = primes[int(bad[:, row].argmax())]
        raise RangeError(f"{names[row]}: a residue is outside [0, {prime})")
    return out
