# SPDX-License-Identifier: GPL-3.0-or-later
"""The labels of wires, as sharings of bits and as transfers (chapter 4, "Garbled circuits").

A wire's label for the value 0 is its zero label L0, that for 1 is L0 ^ offset. The *active* label
is that of the wire's value. The *colour* of a label is its lowest bit, and the *permute bit* of a
wire is the colour of its zero label. Since the lowest bit of the offset is 1, the colour of the
active label is the wire's value xor the permute bit. The garbler knows the permute bit, the
evaluator the colour: together they are a Boolean sharing of the value, without a message.

The labels of a word are an array (width, n, 2), the lowest bit first.
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives.ciphers import CipherContext

from ppmf_secure.arrays import Bits, Labels, items
from ppmf_secure.primitives.hashing import images_of_numbers


def public_labels(cipher: CipherContext, width: int, elements: int) -> Labels:
    """The active labels (width, n, 2) of the garbler's inputs, which both servers compute.

    They are the keystream of AES in counter mode under a public batch key that serves nothing else.
    They depend neither on the offset nor on the values (PPMF-GCB-004).
    """
    return images_of_numbers(cipher, width * elements).reshape(width, elements, 2)


def public_inputs(cipher: CipherContext, bits: Bits, offset: Labels) -> Labels:
    """The zero labels (width, n, 2) of the garbler's own input bits (width, n), without a message.

    They are chosen so that the active label is that of `public_labels`, whatever the bit
    (PPMF-GCB-004).
    """
    labels = public_labels(cipher, *bits.shape)
    labels ^= _times(bits, offset)
    return labels


def permute_bits(zero: Labels) -> Bits:
    """The permute bits (width, n) of zero labels (width, n, 2): the garbler's Boolean share."""
    return (zero[..., 0] & np.uint64(1)).astype(np.uint8)


def colours(active: Labels) -> Bits:
    """The colours (width, n) of active labels (width, n, 2): the evaluator's Boolean share."""
    return permute_bits(active)


def choice_keys(zero: Labels, offset: Labels) -> Labels:
    """The labels of colour 0 (width, n, 2): the zero label, xor the offset if its colour is 1
    (PPMF-GCB-008).

    The evaluator's active label is this label xor colour times offset. So each output wire is a
    correlated oblivious transfer that is already done: this is the garbler's key of choice 0, and
    the evaluator's colour is the choice.
    """
    return zero ^ _times(permute_bits(zero), offset)


def _times(bits: Bits, offset: Labels) -> Labels:
    """The products (..., 2) of bits and the offset (2,)."""
    values = np.stack([np.zeros_like(offset), offset])
    products = np.empty((*bits.shape, 2), dtype=np.uint64)
    np.take(items(values), bits, out=items(products), mode="clip")  # "raise" would make a copy
    return products
