# SPDX-License-Identifier: Apache-2.0
"""The lattice suites read off chapter 4 with plain integers: both roles, numbers modulo q itself.

Nothing of the protocol's code is asked. Polynomials are lists of N integers, the constant first;
their products go through one product of large integers. Every coin comes from one `Random`, seeded
by the test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from math import prod
from random import Random

import gmpy2
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

PRIMES = (
    *(2641921, 2641153, 2639873, 2638849, 2636033),
    *(2634241, 2633473, 2626817, 2626049, 2624513),
)
SEED = 32

Polynomial = list[int]
Rows = tuple[range, range]
"""For W and for R the rows of X in its use."""


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


def expansion(seed: bytes, degree: int, primes: Sequence[int] = PRIMES) -> Polynomial:
    """PPMF-RLW-002."""
    stream = Cipher(algorithms.AES(seed), modes.CTR(bytes(16))).encryptor()

    def words(wanted: int) -> list[int]:
        data = stream.update(bytes(4 * wanted))
        return [int.from_bytes(data[at : at + 4], "little") for at in range(0, len(data), 4)]

    found = words(len(primes) * degree)
    limits = [2**32 // p * p for p in primes]
    late = [at for at, word in enumerate(found) if word >= limits[at // degree]]
    while late:
        for at, word in zip(late, words(len(late)), strict=True):
            found[at] = word
        late = [at for at in late if found[at] >= limits[at // degree]]
    return [
        join([found[i * degree + k] - (p - 1) // 2 for i, p in enumerate(primes)], primes)
        for k in range(degree)
    ]


def pack(numbers: Sequence[int], primes: Sequence[int]) -> bytes:
    """PPMF-RLW-003, of numbers modulo the product of the primes."""
    height = -(-len(numbers) // 3)
    data = b""
    for p in primes:
        residues = [number % p for number in numbers] + [0] * (3 * height - len(numbers))
        for i in range(height):
            word = residues[i] + p * residues[height + i] + p * p * residues[2 * height + i]
            data += word.to_bytes(8, "little")
    return data


def unpack(data: bytes, count: int, primes: Sequence[int]) -> list[int]:
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


def centred(number: int, modulus: int) -> int:
    """The representative nearest to 0."""
    return (number + modulus // 2) % modulus - modulus // 2


@dataclass(frozen=True)
class Shape:
    """What is public of one matrix: degree, rows, columns of each of the two blocks, outputs, the
    uses, and k.
    """

    degree: int
    rows: int
    width: int
    outputs: int
    uses: Rows
    ring: int = 64

    @property
    def secrets(self) -> int:
        """S of PPMF-RLW-004."""
        return 2 * -(-self.width // self.degree)

    @property
    def group(self) -> int:
        """The rows of a group by PPMF-RLW-015."""
        fitting = [2**power for power in range(8) if 2**power * self.width <= self.degree]
        return max(fitting, default=1)

    def rows_of(self, group: int) -> range:
        """The rows of a group."""
        return range(group * self.group, min((group + 1) * self.group, self.rows))

    @property
    def groups(self) -> int:
        return -(-self.rows // self.group)

    def place(self, row: int, column: int) -> tuple[int, int]:
        """Piece and coefficient of a column of a row."""
        band = row % self.group * (self.degree // self.group)
        return column // self.degree, band + column % self.degree

    @property
    def asked(self) -> list[int]:
        """The rows of X for which an answer holds c1."""
        return sorted({row for use in self.uses for row in use})

    @property
    def wanted(self) -> list[tuple[int, int, int]]:
        """Block, row of X, and column of each number of c0, in the order of an answer."""
        return [
            (block, row, column)
            for block, use in enumerate(self.uses)
            for row in use
            for column in range(self.width)
        ]

    @property
    def noise(self) -> int:
        """B of PPMF-RLW-007."""
        return 22 * self.rows * (1 << (self.ring - 1)) + 21 * (2 * self.degree + 1) + 1

    @property
    def flood_bits(self) -> int:
        """Gamma of PPMF-RLW-007."""
        bits = 40
        while 2**bits < self.noise * self.outputs * 2**40:
            bits += 1
        return bits

    @cached_property
    def moduli(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """The primes of q and of q' by PPMF-RLW-017, if this is the only matrix."""
        for some in range(2, len(PRIMES) + 1):
            for kept in range(1, some):
                q, q_kept = prod(PRIMES[:some]), prod(PRIMES[:kept])
                spent = Fraction(self.noise + 2**self.flood_bits, q)
                spent += Fraction(self.degree + 2, 2 * q_kept)
                if spent < Fraction(1, 2 ** (self.ring + 1)) * (1 - Fraction(1, 2**40)):
                    return PRIMES[:some], PRIMES[:kept]
        raise AssertionError("no lattice holds this")

    @property
    def primes(self) -> tuple[int, ...]:
        return self.moduli[0]

    @property
    def kept(self) -> tuple[int, ...]:
        return self.moduli[1]

    @property
    def q(self) -> int:
        return prod(self.primes)

    @property
    def q_kept(self) -> int:
        return prod(self.kept)

    def encoding(self, message: int) -> int:
        """The integer nearest to q m / 2^k, for the lowest k bits of a word."""
        lowest = message % (1 << self.ring)
        return (self.q * lowest + (1 << (self.ring - 1))) >> self.ring

    def lift(self, word: int) -> int:
        """The lowest k bits of a word as a signed number."""
        return (word + (1 << (self.ring - 1))) % (1 << self.ring) - (1 << (self.ring - 1))

    def rounded(self, number: int) -> int:
        """PPMF-RLW-010, to the nearest."""
        return (2 * (number % self.q) * self.q_kept + self.q) // (2 * self.q) % self.q_kept


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

    def __init__(self, shape: Shape, coins: Coins) -> None:
        degree = self.degree = shape.degree
        self.coins = coins
        self.secrets = [coins.ternary(degree) for _ in range(shape.secrets)]
        seed = coins.random.randbytes(SEED)
        a = expansion(seed, degree, shape.primes)
        self.public = seed
        for secret in self.secrets:
            b = [e - v for e, v in zip(coins.error(degree), product(a, secret), strict=True)]
            self.public += pack(b, shape.primes)

    def encrypt(self, matrix: Sequence[Sequence[int]], shape: Shape) -> list[bytes]:
        """PPMF-RLW-006: the groups of [W | R]."""
        found = []
        for group in range(shape.groups):
            seed = self.coins.random.randbytes(SEED)
            c1 = expansion(seed, self.degree, shape.primes)
            masked = [product(c1, secret) for secret in self.secrets]
            errors = [self.coins.error(self.degree) for _ in self.secrets]
            sent = []
            for row in shape.rows_of(group):
                for block in (0, 1):
                    for column in range(shape.width):
                        piece, k = shape.place(row, column)
                        secret = 2 * piece + block
                        entry = matrix[row][block * shape.width + column]
                        bare = errors[secret][k] - masked[secret][k]
                        sent.append(bare + shape.encoding(entry))
            found.append(seed + pack(sent, shape.primes))
        return found

    def decrypt(self, answer: bytes, shape: Shape) -> dict[tuple[int, int, int], int]:
        """PPMF-RLW-011 and PPMF-RLW-012: Q's share by row of X, block, column."""
        degree, first = self.degree, len(shape.asked) * self.degree
        numbers = unpack(answer, first + len(shape.wanted), shape.kept)
        masks = {
            row: [product(numbers[at * degree : (at + 1) * degree], s) for s in self.secrets]
            for at, row in enumerate(shape.asked)
        }
        shares = {}
        for number, (block, row, column) in zip(numbers[first:], shape.wanted, strict=True):
            mask = masks[row][2 * (column // degree) + block][column % degree]
            scaled = 2**shape.ring * ((number + mask) % shape.q_kept)
            nearest = (scaled + shape.q_kept // 2) // shape.q_kept
            shares[row, block, column] = nearest % 2**shape.ring
        return shares


class Peer:
    """P."""

    def __init__(self, shape: Shape, public: bytes, coins: Coins) -> None:
        self.degree, self.coins = shape.degree, coins
        self.a = expansion(public[:SEED], self.degree, shape.primes)
        size = (len(public) - SEED) // shape.secrets
        self.b = [
            unpack(public[at : at + size], self.degree, shape.primes)
            for at in range(SEED, len(public), size)
        ]

    def answer(
        self,
        x: Sequence[Sequence[int]],
        groups: Sequence[bytes],
        own: Sequence[Sequence[int]],
        shape: Shape,
    ) -> tuple[bytes, dict[tuple[int, int, int], int]]:
        """PPMF-RLW-008 to PPMF-RLW-011 and PPMF-RLW-014, and P's shares."""
        random, total = self.coins.random, 2 * shape.width
        firsts = [expansion(group[:SEED], self.degree, shape.primes) for group in groups]
        seconds: list[list[int]] = []
        for number, group in enumerate(groups):
            rows = shape.rows_of(number)
            numbers = unpack(group[SEED:], len(rows) * total, shape.primes)
            for at, row in enumerate(rows):
                mine = map(shape.encoding, own[row])
                theirs = numbers[at * total : (at + 1) * total]
                seconds.append([c + entry for c, entry in zip(theirs, mine, strict=True)])
        sent: list[int] = []
        zeros: dict[int, list[Polynomial]] = {}
        for row in shape.asked:
            u, e2 = self.coins.ternary(self.degree), self.coins.error(self.degree)
            zeros[row] = [product(b, u) for b in self.b]
            c1 = [v + e for v, e in zip(product(self.a, u), e2, strict=True)]
            for number, first in enumerate(firsts):
                factor = self._factor(x[row], number, shape)
                c1 = [v + w for v, w in zip(c1, product(first, factor), strict=True)]
            sent += map(shape.rounded, c1)
        shares = {}
        for block, row, column in shape.wanted:
            rho = random.getrandbits(shape.ring)
            flood = random.getrandbits(shape.flood_bits + 1) - 2**shape.flood_bits
            zero = zeros[row][2 * (column // self.degree) + block][column % self.degree]
            number = zero + self.coins.error(1)[0] + shape.encoding(rho) + flood
            for entry, second in zip(map(shape.lift, x[row]), seconds, strict=True):
                number += entry * second[block * shape.width + column]
            sent.append(shape.rounded(number))
            shares[row, block, column] = -rho % 2**shape.ring
        return pack(sent, shape.kept), shares

    def _factor(self, x: Sequence[int], group: int, shape: Shape) -> Polynomial:
        """p_c of PPMF-RLW-008, with all its N coefficients."""
        factor = [0] * self.degree
        for band, row in enumerate(shape.rows_of(group)):
            place = (shape.group - band) * (self.degree // shape.group)
            x_j = shape.lift(x[row])
            # y^(-b) is -y^(g - b), and y^g = X^N is -1
            factor[place % self.degree] = x_j if place == self.degree else -x_j
        return factor
