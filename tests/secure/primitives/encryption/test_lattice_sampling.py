# SPDX-License-Identifier: Apache-2.0
"""What lattice encryption draws: bounds, distributions at fixed seeds, and the expanded seed."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.lattice.params import LARGE_PRIMES
from ppmf_secure.primitives.encryption.lattice.sampling import binomial, flood, ternary, uniform
from tests.support.chi_square import deviates

SEED = bytes(range(32))


def _expand(primes: tuple[int, ...], count: int) -> NDArray[np.int32]:
    out = np.empty((len(primes), count), dtype=np.int32)
    uniform(SEED, primes, out)
    return out


@pytest.mark.req("PPMF-RLW-002")
@pytest.mark.parametrize("primes", [LARGE_PRIMES[:3], (1_431_655_777, 2_147_483_647, 5)])
def test_the_expansion_of_a_seed_word_by_word(primes: tuple[int, ...]) -> None:
    """With a modulus a little above 2^32 / 3, a third of the words is drawn anew, and again."""
    count = 101
    stream = Coins(SEED)

    def draw() -> int:
        return int.from_bytes(stream.bytes(4), "little")

    words = [[draw() for _ in range(count)] for _ in primes]
    late = [(i, j) for i in range(len(primes)) for j in range(count)]
    while late := [(i, j) for i, j in late if words[i][j] >= 2**32 // primes[i] * primes[i]]:
        for i, j in late:
            words[i][j] = draw()
    expected = [
        [word % p - (p - 1) // 2 for word in row] for row, p in zip(words, primes, strict=True)
    ]
    assert _expand(primes, count).tolist() == expected


def test_uniform_residues_are_uniform() -> None:
    for row, prime in zip(_expand(LARGE_PRIMES, 1 << 16), LARGE_PRIMES, strict=True):
        half = (prime - 1) // 2
        assert -half <= row.min() < -half + 500
        assert half - 500 < row.max() <= half
        edges = np.linspace(-half, half + 1, 65).astype(np.int64)
        counts, _ = np.histogram(row, edges)
        assert not deviates(counts, np.diff(edges) / prime)


@pytest.mark.req("PPMF-RLW-004", "PPMF-RLW-008")
def test_ternary_is_uniform_on_three_values() -> None:
    drawn = ternary(Coins.seeded("ternary"), (3, 40_000))
    assert drawn.dtype == np.int8
    for row in drawn:
        assert not deviates(np.bincount(row + 1, minlength=3))


@pytest.mark.req("PPMF-RLW-002")
def test_what_is_not_below_the_bound_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 255, and at the largest multiple of a prime, and not one below; again and again."""
    stream = bytearray([254, 255, 0, 255, 4, 255, 253, 255, 5])

    def draw(coins: Coins, count: int) -> NDArray[np.uint8]:
        drawn = np.array(stream[:count], dtype=np.uint8)
        del stream[:count]
        return drawn

    monkeypatch.setattr(Coins, "draw", draw)
    assert ternary(Coins.seeded(""), (4,)).tolist() == [1, 0, -1, 0]
    assert stream == bytes([255, 5])
    limit = 2**32 // 7 * 7
    words = [limit - 1, limit, limit, 3]
    stream[:] = b"".join(word.to_bytes(4, "little") for word in words)
    out = np.empty((1, 2), dtype=np.int32)
    uniform(SEED, (7,), out)
    assert out.tolist() == [[3, 0]]


@pytest.mark.req("PPMF-RLW-005")
def test_errors_are_centred_binomial() -> None:
    drawn = binomial(Coins.seeded("errors"), (2, 200_000)).astype(np.int64)
    assert np.abs(drawn).max() <= 21
    probabilities = np.array([comb(42, at) / 2**42 for at in range(43)])
    for row in drawn:
        counts = np.bincount(row + 21, minlength=43)
        middle = slice(21 - 11, 21 + 12)
        rest = np.array([counts[:10].sum(), *counts[middle], counts[33:].sum()])
        tails = probabilities[:10].sum(), probabilities[33:].sum()
        assert not deviates(rest, np.array([tails[0], *probabilities[middle], tails[1]]))


@pytest.mark.req("PPMF-RLW-005")
@pytest.mark.parametrize(
    ("word", "error"),
    [
        (0, 0),
        (2**64 - 1, 0),
        (2**21 - 1, 21),
        ((2**21 - 1) << 32, -21),
        (2**32 - 2**21, 0),
        ((2**11 - 1) << 53, 0),
        (1 << 20 | 0b1011 << 32, -2),
    ],
)
def test_an_error_counts_the_bits_of_a_word(
    word: int, error: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Coins, "words", lambda self, shape: np.full(shape, word, np.uint64))
    assert binomial(Coins.seeded(""), (3,)).tolist() == [error] * 3


@pytest.mark.req("PPMF-RLW-009")
@pytest.mark.parametrize("bits", [1, 23, 24, 25, 143])
def test_a_flood_is_uniform_below_its_bound(bits: int) -> None:
    limbs = flood(Coins.seeded(f"flood/{bits}"), bits, 20_000)
    assert limbs.shape == (-(-bits // 24), 20_000)
    for number, limb in enumerate(limbs):
        width = min(24, bits - 24 * number)
        assert limb.max() < 2**width
        top = (limb.astype(np.int64) >> max(0, width - 6)).astype(np.int64)
        cells = 1 << min(width, 6)
        assert not deviates(np.bincount(top, minlength=cells))
