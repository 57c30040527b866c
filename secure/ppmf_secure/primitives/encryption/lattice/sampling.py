# SPDX-License-Identifier: GPL-3.0-or-later
"""The random draws of lattice encryption: uniform residues, ternary secrets, errors, floods.

All come from `Coins` alone, and all are exact: no distribution is rounded, truncated or biased.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.lattice.params import ERROR_BOUND

Unsigned = TypeVar("Unsigned", bound=np.unsignedinteger[Any])

SEED_BYTES = 32

FLOOD_LIMB_BITS = 24
"""The bits of a limb of a flood: few enough for sums of products of limbs and residues."""

_BITS = np.uint64((1 << ERROR_BOUND) - 1)
_OTHER_BITS = np.uint64(((1 << ERROR_BOUND) - 1) << 32)


def uniform(seed: bytes, primes: tuple[int, ...], out: NDArray[np.int32]) -> None:
    """Fill out (primes, count) with the public uniform residues that a seed stands for.

    They are made from the keystream of AES-256 in counter mode under the seed, read as
    little-endian words of 32 bits: `count` words for each prime, then a new one for each that was
    not below the largest multiple of its prime, in order, as often as needed. A word w gives
    w mod p - (p - 1) / 2 (PPMF-RLW-002).
    """
    coins = Coins(seed)
    limits = np.array([[(1 << 32) // p * p] for p in primes], dtype=np.uint32)
    words = _below(limits, out.shape, lambda n: coins.draw(4 * n).view("<u4"))
    for row, word, prime in zip(out, words, primes, strict=True):
        # numpy divides by a scalar by multiplying, but takes remainders one by one
        multiple = word // np.uint32(prime)
        multiple *= np.uint32(prime)
        word -= multiple
        np.subtract(word.view(np.int32), np.int32((prime - 1) // 2), out=row)


def ternary(coins: Coins, shape: tuple[int, ...]) -> NDArray[np.int8]:
    """Numbers that are uniform on {-1, 0, 1} (PPMF-RLW-004)."""
    limit = np.array(255, dtype=np.uint8)
    drawn = _below(limit, shape, coins.draw)
    drawn -= drawn // np.uint8(3) * np.uint8(3)
    return drawn.view(np.int8) - np.int8(1)


def binomial(coins: Coins, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Errors: the sum of 21 bits less the sum of 21 others, of the halves of a word
    (PPMF-RLW-005).
    """
    w = coins.words(shape)
    plus: NDArray[np.int8] = np.bitwise_count(w & _BITS).view(np.int8)
    plus -= np.bitwise_count(w & _OTHER_BITS).view(np.int8)
    return plus.astype(np.float64)


def flood(coins: Coins, bits: int, count: int) -> NDArray[np.float64]:
    """The limbs (ceil(bits / 24), count), the lowest first, of numbers that are uniform on
    [0, 2^bits) (PPMF-RLW-009).
    """
    limbs = -(-bits // FLOOD_LIMB_BITS)
    words = coins.draw(4 * limbs * count).view("<u4").reshape(limbs, count)
    widths = [min(FLOOD_LIMB_BITS, bits - at) for at in range(0, bits, FLOOD_LIMB_BITS)]
    masks = np.array([(1 << width) - 1 for width in widths], dtype=np.uint32)
    return (words & masks[:, None]).astype(np.float64)


def _below(
    limits: NDArray[Unsigned], shape: tuple[int, ...], draw: Callable[[int], NDArray[Unsigned]]
) -> NDArray[Unsigned]:
    """Numbers that are uniform below limits, which broadcast to the shape, by rejection."""
    drawn = draw(prod(shape)).reshape(shape).astype(limits.dtype, copy=False)
    flat, bounds = drawn.reshape(-1), np.broadcast_to(limits, shape)
    late = np.flatnonzero(drawn >= limits)
    while late.size:
        flat[late] = draw(late.size)
        late = late[flat[late] >= bounds[np.unravel_index(late, shape)]]
    return drawn
