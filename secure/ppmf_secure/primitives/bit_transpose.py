# SPDX-License-Identifier: GPL-3.0-or-later
"""Transposition of bit matrices, 128 x n to n x 128, in whole-array operations.

An OT extension makes 128 long columns and reads them by rows. A 64 x 64 block of bits is turned by
the recursion [[A, B], [C, D]] -> [[A', C'], [B', D']]: swap the off-diagonal quarters, then do the
same inside each quarter (Warren, *Hacker's Delight*, 2nd ed., section 7-3). On 64-bit words that is
six rounds of a masked swap, each done here for all blocks at once (SWAR: SIMD within a register).
"""

from __future__ import annotations

import numpy as np

from ppmf_secure.arrays import Words

_ROUNDS = (
    (32, 0x00000000FFFFFFFF),
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
"""Side of the quarters swapped in each round, and the mask of the low halves of each word."""

_LINE = 8
"""Words of a cache line."""


def row_buffer(words: int) -> Words:
    """An uninitialised matrix (128, words) whose rows start an odd number of cache lines apart.

    Reading down a column of rows 2^k bytes apart would use one set of the cache only: padded like
    this, the last step of `transpose` is up to six times faster.
    """
    lines = -(-words // _LINE) | 1
    return np.empty((128, lines * _LINE), dtype="<u8")[:, :words]


def transpose(rows: Words, out: Words) -> None:
    """Write the transpose of a bit matrix (128, 64 w) to `out`, one row of 128 bits a line.

    rows: (128, w); bit j of word k of row i is the matrix's bit (i, 64 k + j). Overwritten.
    out: (64 w, 2); bit i of word h of line r becomes the matrix's bit (64 h + i, r).
    """
    width = rows.shape[1]
    scratch = np.empty((64, width), dtype=rows.dtype)
    for side, mask in _ROUNDS:
        pairs = rows.reshape(64 // side, 2, side, width)
        upper, lower = pairs[:, 0], pairs[:, 1]
        swap = scratch.reshape(upper.shape)
        # swap = upper's high halves ^ lower's low halves, exchanged in place by xor
        np.right_shift(upper, np.uint64(side), out=swap)
        swap ^= lower
        swap &= np.uint64(mask)
        lower ^= swap
        swap <<= np.uint64(side)
        upper ^= swap
    lines = out.reshape(width, 64, 2)
    for half in (0, 1):
        lines[:, :, half] = rows[64 * half : 64 * half + 64].T
