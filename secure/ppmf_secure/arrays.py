# SPDX-License-Identifier: GPL-3.0-or-later
"""The types of arrays, named for what they hold. All are little-endian, as on the wire."""

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


def items(blocks: Labels) -> NDArray[np.complex128]:
    """A view of blocks (..., 2) as one item of 16 bytes each, which numpy copies fast.

    Nothing is computed with the complex numbers; a copy keeps all their bits.
    """
    return blocks.view(np.complex128)[..., 0]
