# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of wires, as sharings of bits and as transfers (chapter 4, "Garbled circuits")."""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext
from numpy.typing import NDArray

from ppmf_secure.arrays import Words


def public_labels(cipher: CipherContext, width: int, elements: int) -> Words:
    """Active labels (width, n, 2) that both parties make for themselves, for the garbler's inputs.

    AES in counter mode under a public batch key of a purpose of its own, used for nothing else.
    Known to the evaluator, as active labels are, and independent of offset and of the values
    (PPMF-GCB-004).
    """
    counters = np.zeros((width, elements, 2), dtype="<u8")
    counters[..., 0] = np.arange(width * elements, dtype="<u8").reshape(width, elements)
    labels = np.frombuffer(cipher.update(counters.tobytes()), dtype="<u8")
    return labels.astype(np.uint64, copy=False).reshape(width, elements, 2)


def public_inputs(cipher: CipherContext, bits: NDArray[np.uint8], offset: Words) -> Words:
    """The garbler's zero labels (width, n, 2) for its own input bits (width, n): no message.

    The active label is `public_labels`, whatever the bit; the zero label makes it so
    (PPMF-GCB-004).
    """
    labels = public_labels(cipher, *bits.shape)
    return labels ^ _times(bits, offset)


def permute_bits(zero: Words) -> NDArray[np.uint8]:
    """The garbler's XOR share (width, n) of the values with zero labels (width, n, 2)."""
    return (zero[..., 0] & np.uint64(1)).astype(np.uint8)


def colours(active: Words) -> NDArray[np.uint8]:
    """The evaluator's XOR share (width, n) of the values with active labels (width, n, 2)."""
    return permute_bits(active)


def choice_keys(zero: Words, offset: Words) -> Words:
    """The labels of colour 0: L0 ^ lsb(L0) offset, shape (width, n, 2) (PPMF-GCB-008).

    The evaluator's active label is this ^ colour offset: a correlated oblivious transfer of offset
    offset with the evaluator's colour as the choice, already done (chapter 4, "Oblivious transfer").
    """
    return zero ^ _times(permute_bits(zero), offset)


def _times(bits: NDArray[np.uint8], offset: Words) -> Words:
    """The offset (2,) where a bit is 1, zero where it is 0: (..., 2)."""
    mask = np.negative(bits.astype(np.uint64))
    return np.stack([mask & offset[0], mask & offset[1]], axis=-1)
