# SPDX-License-Identifier: GPL-3.0-or-later
"""Transposition of bit matrices, 128 x n to n x 128, in operations on whole arrays.

The transfer extension makes 128 long columns and reads them row by row. A block of 64 x 64 bits is
transposed by the recursion [[A, B], [C, D]] -> [[A', C'], [B', D']], which swaps the quarters off
the diagonal and goes on inside each quarter (Warren, *Hacker's Delight*, 2nd ed., section 7-3). On
words of 64 bits these are six rounds of a masked swap; each round is done for all blocks at once.
"""

from __future__ import annotations

import numpy as np

from ppmf_secure.arrays import Labels, Words

_ROUNDS = (
    (32, 0x00000000FFFFFFFF),
    (16, 0x0000FFFF0000FFFF),
    (8, 0x00FF00FF00FF00FF),
    (4, 0x0F0F0F0F0F0F0F0F),
    (2, 0x3333333333333333),
    (1, 0x5555555555555555),
)
"""For each round the side of the quarters that are swapped, and the mask of the low halves."""

_LINE = 8
"""The words in a line of the cache."""


def row_buffer(words: int) -> Words:
    """An uninitialised matrix (128, words) whose rows begin an odd number of cache lines apart.

    Were rows 2^k bytes apart, a column would use one set of the cache only. With this padding the
    last step of `transpose` is up to six times faster. Where `words` fill an odd number of lines,
    there are no gaps between rows, and numpy goes over many rows in one loop.
    """
    lines = -(-words // _LINE) | 1
    return np.empty((128, lines * _LINE), dtype="<u8")[:, :words]


def transpose(rows: Words, out: Labels) -> None:
    """Write the transpose of a bit matrix (128, 64 w) to `out`, a row of 128 bits for each column.

    rows (128, w): bit j of word k of row i is bit (i, 64 k + j) of the matrix. It is overwritten.
    out (64 w, 2): bit i of word h of row r becomes bit (64 h + i, r) of the matrix.
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
    transposed = out.reshape(width, 64, 2)
    for half in (0, 1):
        transposed[:, :, half] = rows[64 * half : 64 * half + 64].T
