# SPDX-License-Identifier: Apache-2.0
"""The operations `rlwe.*`, read off chapters 4 and 7 with plain integers alone.

Polynomials are lists of N integers modulo q, the constant first, multiplied term by term. Residues
stand as chapter 7 has them: a list for each prime. See f_fix_from_prose.py for what this is about.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import prod
from typing import Any

from tests.independent_reading.parameters_from_prose import RefusedError

Members = dict[str, Any]
Answer = tuple[Members, Members]
Polynomial = list[int]
Residues = list[list[int]]

DEGREES = {"rlwe-8192": 8192, "rlwe-64-insecure": 64}
SEED = 32


def is_prime(number: int) -> bool:
    return number > 1 and all(number % d for d in range(2, int(number**0.5) + 1))


def largest_primes(count: int) -> list[int]:
    """PPMF-RLW-001: the largest below 2^(64/3) that are 1 mod 256, in descending order."""
    top = next(p for p in range(2_642_246, 0, -1) if p**3 < 2**64)
    candidates = range(top - (top - 1) % 256, 0, -256)
    found = (number for number in candidates if is_prime(number))
    return [next(found) for _ in range(count)]


PRIMES = largest_primes(10)


# AES-256 (FIPS 197) on one block, and its counter mode.


def times_x(byte: int) -> int:
    return (byte << 1 ^ (0x11B if byte & 0x80 else 0)) & 0xFF


def field_product(a: int, b: int) -> int:
    total = 0
    while b:
        total ^= a if b & 1 else 0
        a, b = times_x(a), b >> 1
    return total


def substitution() -> list[int]:
    box = []
    for byte in range(256):
        inverse = next((n for n in range(256) if field_product(byte, n) == 1), 0)
        turned = [(inverse << by | inverse >> (8 - by)) & 0xFF for by in range(5)]
        box.append(turned[0] ^ turned[1] ^ turned[2] ^ turned[3] ^ turned[4] ^ 0x63)
    return box


BOX = substitution()
DOUBLES = [times_x(byte) for byte in range(256)]


def round_keys(key: bytes) -> list[bytes]:
    words = [key[at : at + 4] for at in range(0, 32, 4)]
    constant = 1
    for number in range(8, 60):
        last = words[-1]
        if number % 8 == 0:
            last = bytes(BOX[byte] for byte in last[1:] + last[:1])
            last = bytes([last[0] ^ constant]) + last[1:]
            constant = times_x(constant)
        elif number % 8 == 4:
            last = bytes(BOX[byte] for byte in last)
        words.append(bytes(a ^ b for a, b in zip(words[number - 8], last, strict=True)))
    return [b"".join(words[at : at + 4]) for at in range(0, 60, 4)]


def aes(keys: Sequence[bytes], block: bytes) -> bytes:
    state = [a ^ b for a, b in zip(block, keys[0], strict=True)]
    for number, key in enumerate(keys[1:], start=1):
        # byte row + 4 column of the state goes to the column `row` places to the left
        state = [BOX[state[(at + 4 * (at % 4)) % 16]] for at in range(16)]
        if number < len(keys) - 1:
            mixed = []
            for at in range(0, 16, 4):
                a = state[at : at + 4]
                whole = a[0] ^ a[1] ^ a[2] ^ a[3]
                mixed += [a[i] ^ whole ^ DOUBLES[a[i] ^ a[(i + 1) % 4]] for i in range(4)]
            state = mixed
        state = [a ^ b for a, b in zip(state, key, strict=True)]
    return bytes(state)


class Keystream:
    """AES-256 in counter mode from a counter of zeros, as words of 4 bytes."""

    def __init__(self, seed: bytes) -> None:
        self.keys = round_keys(seed)
        self.counter = 0
        self.rest: list[int] = []

    def word(self) -> int:
        if not self.rest:
            block = aes(self.keys, self.counter.to_bytes(16, "big"))
            self.counter += 1
            self.rest = [int.from_bytes(block[at : at + 4], "little") for at in (12, 8, 4, 0)]
        return self.rest.pop()


@dataclass(frozen=True)
class Lattice:
    """The numbers of a session: degree, the ring's k, the primes of q, and those of q'."""

    degree: int
    ring: int
    primes: list[int]
    kept: list[int]

    @property
    def q(self) -> int:
        return prod(self.primes)

    @property
    def q_kept(self) -> int:
        return prod(self.kept)


@dataclass(frozen=True)
class Matrix:
    rows: int
    columns: int
    outputs: int
    secrets: int


def degree_of(suite: str) -> int:
    if suite not in DEGREES:
        raise RefusedError("parameters", f"no lattice suite {suite[:40]!r}")
    return DEGREES[suite]


def lattice_of(given: Members) -> Lattice:
    table = given["lattice"]
    some, kept = PRIMES[: int(table["primes"])], PRIMES[: int(table["kept"])]
    return Lattice(degree_of(table["suite"]), int(table["ring"]), some, kept)


def matrix_of(given: Members) -> Matrix:
    return Matrix(**{name: int(value) for name, value in given["matrix"].items()})


def integers(value: Any) -> Any:
    return [integers(entry) for entry in value] if isinstance(value, list) else int(value)


def residues(numbers: Iterable[int], primes: Sequence[int]) -> Residues:
    listed = list(numbers)
    return [[number % p for number in listed] for p in primes]


def joined(table: Residues, primes: Sequence[int]) -> list[int]:
    """The numbers in [0, q) that have these residues."""
    q = prod(primes)
    basis = [q // p * pow(q // p, -1, p) for p in primes]
    return [
        sum(r * b for r, b in zip(column, basis, strict=True)) % q
        for column in zip(*table, strict=True)
    ]


# Chapter 4, section by section.


def bound_and_flood(degree: int, ring: int, rows: int, outputs: int) -> tuple[int, int]:
    """B and gamma of PPMF-RLW-007."""
    B = 22 * rows * (1 << (ring - 1)) + 21 * (2 * degree + 1) + 1
    return B, 40 + logarithm(B * outputs)


def logarithm(number: int) -> int:
    """The least a with 2^a >= number."""
    return next(a for a in range(400) if 2**a >= number)


def satisfies(degree: int, ring: int, rows: int, outputs: int, some: int, kept: int) -> bool:
    B, gamma = bound_and_flood(degree, ring, rows, outputs)
    left = Fraction(B + 2**gamma, prod(PRIMES[:some]))
    left += Fraction(degree + 2, 2 * prod(PRIMES[:kept]))
    return left < Fraction(1, 2 ** (ring + 1)) * (1 - Fraction(1, 2**40))


def moduli(degree: int, ring: int, matrices: list[list[int]]) -> tuple[int, int]:
    """The numbers of primes l and l' of PPMF-RLW-017."""
    for some in range(2, 11):
        for kept in range(1, some):
            if all(satisfies(degree, ring, J, O, some, kept) for J, O in matrices):
                return some, kept
    raise RefusedError("parameters", "the matrices satisfy no budget")


def expansion(
    seed: bytes, degree: int, primes: Sequence[int]
) -> tuple[Residues, list[tuple[int, int]]]:
    """PPMF-RLW-002: residues by prime; prime and coefficient of every refused word, in order."""
    stream = Keystream(seed)
    found = [[stream.word() for _ in range(degree)] for _ in primes]

    def is_refused(prime: int, place: int) -> bool:
        p = primes[prime]
        return found[prime][place] >= 2**32 // p * p

    refused = [
        (prime, place)
        for prime in range(len(primes))
        for place in range(degree)
        if is_refused(prime, place)
    ]
    all_refused = [*refused]
    while refused:
        for prime, place in refused:
            found[prime][place] = stream.word()
        refused = [(prime, place) for prime, place in refused if is_refused(prime, place)]
        all_refused += refused
    residues_of_words = [
        [(word - (p - 1) // 2) % p for word in row] for row, p in zip(found, primes, strict=True)
    ]
    return residues_of_words, all_refused


def uniform(seed: str, lattice: Lattice) -> Polynomial:
    found, _ = expansion(bytes.fromhex(seed), lattice.degree, lattice.primes)
    return joined(found, lattice.primes)


def packed(table: Residues, primes: Sequence[int]) -> bytes:
    """PPMF-RLW-003."""
    data = b""
    for row, p in zip(table, primes, strict=True):
        height = (len(row) + 2) // 3
        r = row + [0] * (3 * height - len(row))
        for i in range(height):
            word = r[i] + p * r[height + i] + p**2 * r[2 * height + i]
            data += word.to_bytes(8, "little")
    return data


def unpacked(data: bytes, count: int, primes: Sequence[int], what: str) -> Residues:
    """PPMF-RLW-003 backwards, with the refusals of PPMF-RLW-013."""
    height = (count + 2) // 3
    if len(data) != 8 * height * len(primes):
        raise RefusedError("encoding", f"{what}: {len(data)} bytes")
    found = []
    for number, p in enumerate(primes):
        part = data[8 * height * number : 8 * height * (number + 1)]
        words = [int.from_bytes(part[at : at + 8], "little") for at in range(0, 8 * height, 8)]
        if any(word >= p**3 for word in words):
            raise RefusedError("range", f"{what}: a representative that is not below {p}")
        row = [word // p**place % p for place in range(3) for word in words]
        if any(row[count:]):
            raise RefusedError("range", f"{what}: a continuation that is not 0")
        found.append(row[:count])
    return found


def encoding(message: int, lattice: Lattice) -> int:
    """The integer nearest to q m / 2^k."""
    k = lattice.ring
    return (lattice.q * message + (1 << (k - 1))) // (1 << k)


def rows_of_a_group(columns: int, degree: int) -> int:
    """The rows of a group, g of PPMF-RLW-015."""
    g = 1
    while g < 128 and 2 * g * columns <= degree:
        g *= 2
    return g


def place(row: int, block: int, column: int, columns: int, degree: int) -> list[int]:
    """Group, piece, coefficient and secret of a column (PPMF-RLW-015)."""
    g = rows_of_a_group(columns, degree)
    piece = column // degree
    return [row // g, piece, row % g * degree // g + column % degree, 2 * piece + block]


def coefficient(one: Polynomial, other: Polynomial, at: int) -> int:
    """A coefficient of the product modulo X^N + 1."""
    N = len(one)
    return sum(one[i] * (other[at - i] if i <= at else -other[N + at - i]) for i in range(N))


def product(one: Polynomial, other: Polynomial) -> Polynomial:
    return [coefficient(one, other, at) for at in range(len(one))]


def public_key(
    lattice: Lattice, seed: str, secrets: list[Polynomial], errors: list[Polynomial]
) -> bytes:
    """PPMF-RLW-004."""
    a, data = uniform(seed, lattice), bytes.fromhex(seed)
    for s, e in zip(secrets, errors, strict=True):
        b = [e[i] - v for i, v in enumerate(product(a, s))]
        data += packed(residues(b, lattice.primes), lattice.primes)
    return data


def columns_of(matrix: Matrix) -> list[tuple[int, int]]:
    """Block and column of the numbers of a row, in order."""
    return [(block, column) for block in (0, 1) for column in range(matrix.columns)]


def groups_of(matrix: Matrix, degree: int) -> list[range]:
    g = rows_of_a_group(matrix.columns, degree)
    return [range(at, min(at + g, matrix.rows)) for at in range(0, matrix.rows, g)]


def lifted(x: int, k: int) -> int:
    """The representative in [-2^(k-1), 2^(k-1))."""
    return (x + (1 << (k - 1))) % (1 << k) - (1 << (k - 1))


def numbers_of_groups(groups: list[str], matrix: Matrix, lattice: Lattice) -> list[list[int]]:
    """The numbers of c_0 as they came, row by row (PPMF-RLW-006, -013)."""
    found: list[list[int]] = []
    width = 2 * matrix.columns
    for number, rows in enumerate(groups_of(matrix, lattice.degree)):
        what, data = f"group {number}", bytes.fromhex(groups[number])
        due = SEED + 8 * len(lattice.primes) * ((len(rows) * width + 2) // 3)
        if len(data) != due:
            raise RefusedError("encoding", f"{what}: {len(data)} bytes, not {due}")
        table = unpacked(data[SEED:], len(rows) * width, lattice.primes, what)
        numbers = joined(table, lattice.primes)
        found += [numbers[at : at + width] for at in range(0, len(numbers), width)]
    return found


def folded(
    groups: list[str], own: list[list[int]], matrix: Matrix, lattice: Lattice
) -> list[list[int]]:
    """PPMF-RLW-014."""
    return [
        [number + encoding(entry, lattice) for number, entry in zip(row, mine, strict=True)]
        for row, mine in zip(numbers_of_groups(groups, matrix, lattice), own, strict=True)
    ]


def weight(x: list[int], rows: range, columns: int, lattice: Lattice) -> Polynomial:
    """p_c of PPMF-RLW-008: the sum of x_(cg+b) y^(-b), y^(-b) being -y^(g-b)."""
    g = rows_of_a_group(columns, lattice.degree)
    found = [0] * lattice.degree
    for b, row in enumerate(rows):
        value = lifted(x[row], lattice.ring)
        if b == 0:
            found[0] = value
        else:
            found[(g - b) * (lattice.degree // g)] = -value
    return found


def rounded(number: int, lattice: Lattice) -> int:
    """PPMF-RLW-010: the integer nearest to c q' / q."""
    q = lattice.q
    return (2 * (number % q) * lattice.q_kept + q) // (2 * q)


def decoded(number: int, lattice: Lattice) -> int:
    """PPMF-RLW-012: the integer nearest to 2^k y / q', mod 2^k."""
    q = lattice.q_kept
    return (2 * (1 << lattice.ring) * (number % q) + q) // (2 * q) % (1 << lattice.ring)


def asked_rows(uses: list[list[int]]) -> list[int]:
    """The rows of X in the use of a block."""
    return sorted({row for first, end in uses for row in range(first, end)})


# Chapter 7, operation by operation.


def op_moduli(given: Members) -> Answer:
    degree, ring = degree_of(given["suite"]), int(given["ring"])
    matrices = integers(given["matrices"])
    some, kept = moduli(degree, ring, matrices)
    pairs = [bound_and_flood(degree, ring, *matrix) for matrix in matrices]
    bounds, floods = [B for B, _ in pairs], [gamma for _, gamma in pairs]
    return {"primes": some, "kept": kept, "bounds": bounds, "floods": floods}, {}


def op_expand(given: Members) -> Answer:
    lattice = lattice_of(given)
    found, refused = expansion(bytes.fromhex(given["seed"]), lattice.degree, lattice.primes)
    places = integers(given["places"])
    return {"residues": [[row[at] for at in places] for row in found]}, {"refused": refused}


def op_pack(given: Members) -> Answer:
    return {"bytes": packed(integers(given["residues"]), lattice_of(given).primes).hex()}, {}


def op_unpack(given: Members) -> Answer:
    data, count = bytes.fromhex(given["bytes"]), int(given["count"])
    return {"residues": unpacked(data, count, lattice_of(given).primes, "bytes")}, {}


def op_encode(given: Members) -> Answer:
    lattice = lattice_of(given)
    found = [encoding(message, lattice) for message in integers(given["messages"])]
    return {"residues": residues(found, lattice.primes)}, {}


def op_place(given: Members) -> Answer:
    degree, columns = degree_of(given["suite"]), int(given["columns"])
    g, rows = rows_of_a_group(columns, degree), int(given["rows"])
    places = [
        place(row, block, column, columns, degree)
        for row, block, column in integers(given["entries"])
    ]
    return {"size": g, "groups": -(-rows // g), "places": places}, {}


def op_times(given: Members) -> Answer:
    lattice = lattice_of(given)
    polynomial = joined(integers(given["polynomial"]), lattice.primes)
    found = product(polynomial, integers(given["ternary"]))
    return {"residues": residues(found, lattice.primes)}, {}


def op_key(given: Members) -> Answer:
    secrets, errors = integers(given["secrets"]), integers(given["errors"])
    return {"public": public_key(lattice_of(given), given["seed"], secrets, errors).hex()}, {}


def op_encrypt(given: Members) -> Answer:
    lattice, matrix = lattice_of(given), matrix_of(given)
    secrets = integers(given["secrets"])
    entries, errors = integers(given["entries"]), integers(given["errors"])
    groups, bare = [], []
    for seed, rows in zip(given["seeds"], groups_of(matrix, lattice.degree), strict=True):
        c1, numbers = uniform(seed, lattice), []
        for row in rows:
            for at, (block, column) in enumerate(columns_of(matrix)):
                _, _, k, secret = place(row, block, column, matrix.columns, lattice.degree)
                number = errors[row][at] - coefficient(c1, secrets[secret], k)
                bare.append(number)
                numbers.append(number + encoding(entries[row][at], lattice))
        groups.append(seed + packed(residues(numbers, lattice.primes), lattice.primes).hex())
    return {"groups": groups}, {"bare": residues(bare, lattice.primes)}


def op_fold(given: Members) -> Answer:
    lattice = lattice_of(given)
    found = folded(given["groups"], integers(given["own"]), matrix_of(given), lattice)
    return {"residues": residues((n for row in found for n in row), lattice.primes)}, {}


def op_answer(given: Members) -> Answer:
    lattice, matrix = lattice_of(given), matrix_of(given)
    N, size = lattice.degree, 8 * len(lattice.primes) * ((lattice.degree + 2) // 3)
    public = bytes.fromhex(given["public"])
    if len(public) != SEED + matrix.secrets * size:
        raise RefusedError("encoding", f"public key: {len(public)} bytes")
    parts = [public[at : at + size] for at in range(SEED, len(public), size)]
    tables = [unpacked(part, N, lattice.primes, "public key") for part in parts]
    b = [joined(table, lattice.primes) for table in tables]
    a = uniform(public[:SEED].hex(), lattice)
    c0 = folded(given["groups"], integers(given["own"]), matrix, lattice)
    c1 = [uniform(group[: 2 * SEED], lattice) for group in given["groups"]]
    x, uses = integers(given["x"]), integers(given["uses"])
    u, e2 = integers(given["u"]), integers(given["e2"])
    masks, e1, floods = (integers(given[name]) for name in ("masks", "e1", "floods"))
    sums: list[int] = []
    first: list[int] = []
    asked = asked_rows(uses)
    for number, row in enumerate(asked):
        total = [0] * N
        for one, rows in zip(c1, groups_of(matrix, N), strict=True):
            term = product(one, weight(x[row], rows, matrix.columns, lattice))
            total = [v + w for v, w in zip(total, term, strict=True)]
        hidden = product(a, u[number])
        sums += total
        first += [v + w + e for v, w, e in zip(total, hidden, e2[number], strict=True)]
    numbers = []
    for block, (start, end) in enumerate(uses):
        for row in range(start, end):
            at, entries = row - start, [lifted(entry, lattice.ring) for entry in x[row]]
            for h in range(matrix.columns):
                secret = place(0, block, h, matrix.columns, N)[3]
                whole = block * matrix.columns + h
                number = sum(entry * c0[j][whole] for j, entry in enumerate(entries))
                number += coefficient(b[secret], u[asked.index(row)], h % N)
                number += e1[block][at][h] + encoding(masks[block][at][h], lattice)
                numbers.append(number + floods[block][at][h])
    sent = [rounded(number, lattice) for number in first + numbers]
    shares = [[[-rho % (1 << lattice.ring) for rho in row] for row in block] for block in masks]
    out = {"answer": packed(residues(sent, lattice.kept), lattice.kept).hex(), "shares": shares}
    steps = {"sums": sums, "first": first, "numbers": numbers}
    return out, {name: residues(value, lattice.primes) for name, value in steps.items()}


def op_round(given: Members) -> Answer:
    lattice = lattice_of(given)
    numbers = joined(integers(given["residues"]), lattice.primes)
    return {"residues": residues([rounded(n, lattice) for n in numbers], lattice.kept)}, {}


def op_decode(given: Members) -> Answer:
    lattice = lattice_of(given)
    numbers = joined(integers(given["residues"]), lattice.kept)
    return {"messages": [decoded(number, lattice) for number in numbers]}, {}


def op_decrypt(given: Members) -> Answer:
    lattice, matrix = lattice_of(given), matrix_of(given)
    N, secrets, uses = lattice.degree, integers(given["secrets"]), integers(given["uses"])
    asked, v = asked_rows(uses), matrix.columns
    count = len(asked) * N + v * sum(end - start for start, end in uses)
    data = bytes.fromhex(given["answer"])
    numbers = joined(unpacked(data, count, lattice.kept, "answer"), lattice.kept)
    c1 = {row: numbers[at * N : (at + 1) * N] for at, row in enumerate(asked)}
    rest = iter(numbers[len(asked) * N :])
    phases: list[int] = []
    shares: list[list[list[int]]] = [[], []]
    for block, (start, end) in enumerate(uses):
        for row in range(start, end):
            here = []
            for h in range(v):
                secret = secrets[place(0, block, h, v, N)[3]]
                here.append(next(rest) + coefficient(c1[row], secret, h % N))
            phases += here
            shares[block].append([decoded(y, lattice) for y in here])
    return {"shares": shares}, {"phases": residues(phases, lattice.kept)}


OPERATIONS: dict[str, Callable[[Members], Answer]] = {
    "rlwe.moduli": op_moduli,
    "rlwe.expand": op_expand,
    "rlwe.pack": op_pack,
    "rlwe.unpack": op_unpack,
    "rlwe.encode": op_encode,
    "rlwe.place": op_place,
    "rlwe.times": op_times,
    "rlwe.key": op_key,
    "rlwe.encrypt": op_encrypt,
    "rlwe.fold": op_fold,
    "rlwe.answer": op_answer,
    "rlwe.round": op_round,
    "rlwe.decode": op_decode,
    "rlwe.decrypt": op_decrypt,
}
