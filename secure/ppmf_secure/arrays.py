# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of arrays, named for what they hold, and room for them. All are little-endian, as
on the wire.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""Elements of the ring Z_2^64: values, and arithmetic shares of values."""

Labels = NDArray[np.uint64]
"""Blocks of 128 bits, (..., 2), the low word first: wire labels, keys of transfers, offsets."""

Bits = NDArray[np.uint8]
"""Bits, one in each byte: Boolean shares of words, choices of transfers."""

Bytes = NDArray[np.uint8]
"""Bytes: seeds, and packed bits."""

_ALIGNMENT = 64


def items(blocks: Labels) -> NDArray[np.complex128]:
    """A view of blocks (..., 2) as one item of 16 bytes each, which numpy copies fast.

    Nothing is computed with the complex numbers; a copy keeps all their bits.
    """
    return blocks.view(np.complex128)[..., 0]


def aligned_room(size: int) -> memoryview:
    """Uninitialised bytes that end where a line of the cache does.

    The large field of a message is its last one. If its length is a multiple of 16, as that of
    labels is, it therefore begins where arrays of labels like to begin.
    """
    room = np.empty(size + _ALIGNMENT, dtype=np.uint8)
    end = size + -(room.ctypes.data + size) % _ALIGNMENT
    return room[end - size : end].data
