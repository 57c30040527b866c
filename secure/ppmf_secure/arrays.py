# SPDX-License-Identifier: GPL-3.0-or-later
"""The arrays that secrets lie in, a type each. All are little-endian, as on the wire."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Words = NDArray[np.uint64]
"""Elements of the ring Z_2^64: values, and additive shares of values."""

Labels = NDArray[np.uint64]
"""Blocks of 128 bits, (..., 2): wire labels, keys of transfers, and their offset."""

Bits = NDArray[np.uint8]
"""Bits, one a byte: XOR shares of words, choices of transfers."""

Bytes = NDArray[np.uint8]
"""Bytes: seeds, and bits that are packed."""
