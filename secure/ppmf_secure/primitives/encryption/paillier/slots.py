# SPDX-License-Identifier: GPL-3.0-or-later
"""Slots: several ring elements in one Paillier plaintext (chapter 4, "Products in a Paillier
suite").

A plaintext consists of slots of equal width. In a ring of k bits a slot of Enc(M) holds the sum of
both servers' entries, in [0, 2^(k+1)). A slot of an answer holds v + rho, where v is the sum of s
products x_j M_j over the integers, and rho is P's mask. With a = ceil(log2 s) and
o = ceil(log2 outputs):

- v <= s (2^k - 1) (2^(k+1) - 2) < 2^(2k + 1 + a).
- rho is uniform in [0, 2^(2k + 1 + a + 41 + o)). Whatever v is, v + rho is within 2^-(41 + o) of
  rho, in statistical distance. All answers under one key together are within 2^-41 of masks alone,
  and beyond that say nothing of X. This needs no assumption (chapter 6, "The statistical budget").
- v + rho < 2^(2k + 1 + a) + 2^(2k + 42 + a + o) < 2^(2k + 43 + a + o) = 2^width, so no slot runs
  into another.
- count * width < bits of N, so the packed plaintext is below 2^(bits - 1) <= N and does not wrap.

As 2^k divides the range of the mask, rho mod 2^k is uniform, and so is Q's share (v + rho) mod 2^k.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, Uses, length
from ppmf_spec.errors import ParametersError

STATISTICAL_BITS = 41
"""All masks under a key are within 2^-41 of ideal ones, as are all randomisers: 2^-40 together."""


@dataclass(frozen=True, slots=True)
class Slots:
    """The slots of a plaintext: `count` of them, of `width` bits each, the lowest first.

    ring_bits: the width k of the ring, whose elements they hold.
    """

    width: int
    count: int
    ring_bits: int = 64

    @classmethod
    def of(cls, modulus_bits: int, layout: Layout) -> Slots:
        """The slots for one matrix, a function of public sizes alone (PPMF-AHE-007).

        Raises ParametersError on a layout without rows or outputs, and if no slot fits.
        """
        layout.check()
        mask_bits = (
            term_bits(layout.ring_bits)
            + (layout.rows - 1).bit_length()
            + STATISTICAL_BITS
            + (layout.outputs - 1).bit_length()
        )
        count = (modulus_bits - 1) // (mask_bits + 1)
        if count < 1:
            raise ParametersError(
                f"Paillier modulus: {modulus_bits} bits hold no slot of {mask_bits + 1} bits"
            )
        return cls(mask_bits + 1, count, layout.ring_bits)

    def spans(self, columns: int) -> list[slice]:
        """The columns of each ciphertext of a block; the last may have fewer (PPMF-AHE-008)."""
        return [
            slice(start, min(start + self.count, columns))
            for start in range(0, columns, self.count)
        ]

    def mask(self, coins: Coins) -> int:
        """A mask rho that is uniform in [0, 2^(width - 1)) (PPMF-AHE-010)."""
        return coins.below(1 << (self.width - 1))

    def pack(self, values: Iterable[int]) -> int:
        """The plaintext with these values, each below 2^width, in its lowest slots."""
        return sum(value << (self.width * slot) for slot, value in enumerate(values))

    def unpack(self, plaintext: int, used: int) -> list[int]:
        """The contents of the lowest `used` slots, mod 2^k."""
        ring = (1 << self.ring_bits) - 1
        return [plaintext >> (self.width * slot) & ring for slot in range(used)]


def term_bits(ring_bits: int) -> int:
    """The bits of a product of a ring element and the sum of two."""
    return 2 * ring_bits + 1


def matrix_spans(slots: Slots, layout: Layout) -> list[slice]:
    """The columns of the matrix in each ciphertext of a row, block after block."""
    spans, first = [], 0
    for columns in layout.blocks:
        spans += [slice(first + s.start, first + s.stop) for s in slots.spans(columns)]
        first += columns
    return spans


def answer_ciphertexts(slots: Slots, layout: Layout, uses: Uses) -> int:
    """The number of ciphertexts in an answer."""
    return sum(
        length(use) * -(-columns // slots.count)
        for columns, use in zip(layout.blocks, uses, strict=True)
    )
