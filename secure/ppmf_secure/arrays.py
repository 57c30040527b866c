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
