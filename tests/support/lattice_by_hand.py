# SPDX-License-Identifier: Apache-2.0
"""The lattice suites read off chapter 4 with plain integers: both roles, numbers modulo q itself.

Nothing of the protocol's code is asked. Polynomials are lists of N integers, the constant first;
their products go through one product of large integers. Every coin comes from one `Random`, seeded
by the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from random import Random

import gmpy2
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PRIMES = (
    *(2642239, 2642231, 2642203, 2642201, 2642179),
    *(2642173, 2642149, 2642147, 2642141, 2642137),
)
KEPT = PRIMES[:4]
Q, Q_KEPT = prod(PRIMES), prod(KEPT)
SEED = 32

Polynomial = list[int]
Rows = Sequence[range]
"""For each block the rows of X in its use."""


def encoding(message: int) -> int:
    """The integer nearest to q m / 2^64."""
    return (Q * message + 2**63) >> 64


def lift(word: int) -> int:
    """The word as a signed number."""
    return word - 2**64 if word >> 63 else word


def join(residues: Sequence[int], primes: Sequence[int]) -> int:
    """The number modulo the product of the primes that has these residues."""
    modulus = prod(primes)
    basis = _basis(tuple(primes))
    return sum(r * b for r, b in zip(residues, basis, strict=True)) % modulus


def _basis(primes: tuple[int, ...]) -> list[int]:
    modulus = prod(primes)
    return [modulus // p * pow(modulus // p, -1, p) for p in primes]


def product(one: Polynomial, other: Polynomial) -> Polynomial:
    """The product mod X^N + 1, over the integers."""
    degree, width = len(one), 320  # bits: one factor is below 2^214, the other short

    def packed(values: Polynomial) -> gmpy2.mpz:
        low = min(0, *values)
        up = b"".join((v - low).to_bytes(width // 8, "little") for v in values)
        return gmpy2.mpz(int.from_bytes(up, "little")) + low * ones

    ones = gmpy2.mpz(((1 << (width * degree)) - 1) // ((1 << width) - 1))
    half = 1 << (width - 1)
    total = packed(one) * packed(other) + half * (ones + (ones << (width * degree)))
    data = int(total).to_bytes(2 * degree * width // 8, "little")
    digits = [
        int.from_bytes(data[at : at + width // 8], "little") - half
        for at in range(0, len(data), width // 8)
    ]
    return [low - high for low, high in zip(digits[:degree], digits[degree:], strict=True)]


def expansion(seed: bytes, count: int, degree: int) -> list[Polynomial]:
    """PPMF-RLW-002."""
    stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()

    def words(wanted: int) -> list[int]:
        data = stream.update(bytes(4 * wanted))
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]

    size = count * degree
    found = words(len(PRIMES) * size)
    limits = [2**32 // p * p for p in PRIMES]
    late = [at for at, word in enumerate(found) if word >= limits[at // size]]
    while late:
        for at, word in zip(late, words(len(late)), strict=True):
            found[at] = word
        late = [at for at in late if found[at] >= limits[at // size]]
    basis = _basis(PRIMES)
    numbers = [
        sum(
            (found[i * size + k] - (p - 1) // 2) * b
            for i, (p, b) in enumerate(zip(PRIMES, basis, strict=True))
        )
        % Q
        for k in range(size)
    ]
    return [numbers[at : at + degree] for at in range(0, size, degree)]


def pack(numbers: Sequence[int], primes: Sequence[int] = PRIMES) -> bytes:
    """PPMF-RLW-003, of numbers modulo the product of the primes."""
    height = -(-len(numbers) // 3)
    data = b""
    for p in primes:
        residues = [number % p for number in numbers] + [0] * (3 * height - len(numbers))
        for i in range(height):
            word = residues[i] + p * residues[height + i] + p * p * residues[2 * height + i]
            data += word.to_bytes(8, "little")
    return data


def unpack(data: bytes, count: int, primes: Sequence[int] = PRIMES) -> list[int]:
    """The numbers that `pack` wrote."""
    height = -(-count // 3)
    assert len(data) == 8 * height * len(primes)
    by_prime = []
    for number, p in enumerate(primes):
        part = data[8 * height * number : 8 * height * (number + 1)]
        words = [int.from_bytes(part[at : at + 8], "little") for at in range(0, len(part), 8)]
        residues = [word // p**place % p for place in range(3) for word in words]
        assert all(word < p**3 for word in words)
        assert not any(residues[count:])
        by_prime.append(residues[:count])
    basis, modulus = _basis(tuple(primes)), prod(primes)
    return [
        sum(r * b for r, b in zip(column, basis, strict=True)) % modulus
        for column in zip(*by_prime, strict=True)
    ]


def centred(number: int, modulus: int = Q) -> int:
    """The representative nearest to 0."""
    return (number + modulus // 2) % modulus - modulus // 2


@dataclass(frozen=True)
class Shape:
    """What is public of one matrix: degree, rows, columns of the blocks, outputs, the uses."""

    degree: int
    rows: int
    blocks: tuple[int, ...]
    outputs: int
    uses: Rows

    @property
    def columns(self) -> list[tuple[int, int]]:
        """Block and column in it, column by column."""
        return [(block, at) for block, width in enumerate(self.blocks) for at in range(width)]

    @property
    def pieces(self) -> list[list[tuple[int, int]]]:
        """The same, piece by piece: the place in a piece is the coefficient."""
        columns = self.columns
        return [columns[at : at + self.degree] for at in range(0, len(columns), self.degree)]

    def asked(self, piece: int) -> list[int]:
        """The rows of X for which an answer holds c1 of a piece."""
        blocks = {block for block, _ in self.pieces[piece]}
        return sorted({row for block in blocks for row in self.uses[block]})

    def wanted(self, piece: int) -> list[tuple[int, int, int, int]]:
        """Row of X, block, column, coefficient of c0 of a piece, in the order of an answer."""
        held = list(enumerate(self.pieces[piece]))
        return [
            (row, block, at, coefficient)
            for block, use in enumerate(self.uses)
            for row in use
            for coefficient, (where, at) in held
            if where == block
        ]

    @property
    def flood_bits(self) -> int:
        """Tau of PPMF-RLW-007; the budget itself is tested where the suite is."""
        bound = 44 * self.rows * 2**62 + 21 * (2 * self.degree + 1) + 1
        return (bound - 1).bit_length() + 40 + (self.outputs - 1).bit_length()


class Coins:
    """The distributions."""

    def __init__(self, label: str) -> None:
        self.random = Random(label)

    def ternary(self, degree: int) -> Polynomial:
        return [self.random.randrange(3) - 1 for _ in range(degree)]

    def error(self, degree: int) -> Polynomial:
        bits = self.random.getrandbits
        return [bits(21).bit_count() - bits(21).bit_count() for _ in range(degree)]


class Owner:
    """Q."""

    def __init__(self, degree: int, coins: Coins) -> None:
        self.degree, self.coins, self.secret = degree, coins, coins.ternary(degree)
        seed = coins.random.randbytes(SEED)
        (a,) = expansion(seed, 1, degree)
        b = [e - v for e, v in zip(coins.error(degree), product(a, self.secret), strict=True)]
        self.public = seed + pack(b)

    def encrypt_row(self, row: Sequence[int], shape: Shape) -> bytes:
        """PPMF-RLW-006."""
        seed = self.coins.random.randbytes(SEED)
        first = expansion(seed, len(shape.pieces), self.degree)
        sent: list[int] = []
        for c1, piece in zip(first, shape.pieces, strict=True):
            errors, masked = self.coins.error(self.degree), product(c1, self.secret)
            sent += [errors[k] - masked[k] for k in range(len(piece))]
        return seed + pack([c + encoding(entry) for c, entry in zip(sent, row, strict=True)])

    def decrypt(self, answer: bytes, shape: Shape) -> dict[tuple[int, int, int], int]:
        """PPMF-RLW-011 and PPMF-RLW-012: Q's share by row of X, block, column."""
        counts = [
            (len(shape.asked(piece)) * self.degree, len(shape.wanted(piece)))
            for piece in range(len(shape.pieces))
        ]
        numbers = unpack(answer, sum(map(sum, counts)), KEPT)
        shares = {}
        for piece, (first, second) in enumerate(counts):
            c1, c0 = numbers[:first], numbers[first : first + second]
            numbers = numbers[first + second :]
            masks = {
                row: product(c1[at * self.degree : (at + 1) * self.degree], self.secret)
                for at, row in enumerate(shape.asked(piece))
            }
            for number, (row, block, column, k) in zip(c0, shape.wanted(piece), strict=True):
                phase = (number + masks[row][k]) % Q_KEPT
                shares[row, block, column] = (2**64 * phase + Q_KEPT // 2) // Q_KEPT % 2**64
        return shares


class Peer:
    """P."""

    def __init__(self, degree: int, public: bytes, coins: Coins) -> None:
        self.degree, self.coins = degree, coins
        (self.a,) = expansion(public[:SEED], 1, degree)
        self.b = unpack(public[SEED:], degree)

    def answer(
        self,
        x: Sequence[Sequence[int]],
        rows: Sequence[bytes],
        own: Sequence[Sequence[int]],
        shape: Shape,
    ) -> tuple[bytes, dict[tuple[int, int, int], int]]:
        """PPMF-RLW-008 to PPMF-RLW-011 and PPMF-RLW-014, and P's shares."""
        degree, random = self.degree, self.coins.random
        firsts = [expansion(row[:SEED], len(shape.pieces), degree) for row in rows]
        seconds = [
            [
                c + encoding(entry)
                for c, entry in zip(unpack(row[SEED:], len(mine)), mine, strict=True)
            ]
            for row, mine in zip(rows, own, strict=True)
        ]
        sent: list[int] = []
        shares = {}
        for piece in range(len(shape.pieces)):
            zeros = {}
            for row in shape.asked(piece):
                u, e2 = self.coins.ternary(degree), self.coins.error(degree)
                zeros[row] = product(self.b, u)
                total = [v + e for v, e in zip(product(self.a, u), e2, strict=True)]
                for factor, first in zip(map(lift, x[row]), firsts, strict=True):
                    total = [t + factor * c for t, c in zip(total, first[piece], strict=True)]
                sent += map(_rounded, total)
            for row, block, column, k in shape.wanted(piece):
                rho = random.getrandbits(64)
                flood = random.getrandbits(shape.flood_bits + 1) - 2**shape.flood_bits
                number = zeros[row][k] + self.coins.error(1)[0] + encoding(rho) + flood
                at = piece * degree + k
                for factor, second in zip(map(lift, x[row]), seconds, strict=True):
                    number += factor * second[at]
                sent.append(_rounded(number))
                shares[row, block, column] = -rho % 2**64
        return pack(sent, KEPT), shares


def _rounded(number: int) -> int:
    """PPMF-RLW-010, to the nearest."""
    return (2 * (number % Q) * Q_KEPT + Q) // (2 * Q) % Q_KEPT
