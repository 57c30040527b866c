# SPDX-License-Identifier: Apache-2.0
"""Every message of a run and its length, predicted from public sizes by chapters 4 and 5.

Nothing of the protocol's code is asked: sizes come from the parameters, numbers of AND gates from
the netlists that chapter 4 shows. The one thing taken from the session is its public content.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, prod

from ppmf_spec import netlists
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from tests.support.lattice_by_hand import PRIMES

RECSYS, CSP, USERS = "recsys", "csp", "users"
BOTH = ((RECSYS, CSP), (CSP, RECSYS))
CHUNK = 4096
LATTICE = {"rlwe-8192": 8192, "rlwe-64-insecure": 64}
"""The degrees of the lattice suites."""
POINT = 33
"""Bytes of a point of P-256."""

Line = tuple[str, str, str, int]
"""Sender, receiver, name and length in bytes of a message."""
Field = int | str | bytes
"""An integer or a text as it is sent, or bytes, of which zeros stand for any."""


def message_lengths(
    params: Parameters,
    users: tuple[str, ...],
    items: tuple[str, ...],
    suite: str,
    *,
    epoch: int = 0,
    held: int = 0,
    done: int = 0,
) -> list[Line]:
    """The whole of an epoch; the order within each pair of parties is that of sending.

    In a later epoch each server holds the names of `held` checkpoints, and the run goes on after
    `done` iterations.
    """
    sizes = Sizes(params, len(users), len(items), suite)
    numbers: dict[tuple[str, str], int] = {}
    lines = []
    beginning = resumption(epoch, held) if epoch else uploads(sizes, users)
    for sender, receiver, name, fields in (*beginning, *messages(sizes, done)):
        number = 0 if sender == "users" else numbers.get((sender, receiver), 0)
        numbers[sender, receiver] = number + 1
        header = 1 + _head(len(name)) + 34 + _head(epoch) + _head(number)
        lines.append((sender, receiver, name, header + len(name) + sum(map(_encoded, fields))))
    return lines


def _head(value: int) -> int:
    """Bytes of CBOR's head for a length or an integer."""
    return 1 + sum(value >= limit for limit in (24, 1 << 8)) + 2 * (value >= 1 << 16)


def _encoded(value: Field) -> int:
    if isinstance(value, int):
        return _head(value)
    size = len(value.encode() if isinstance(value, str) else value)
    return _head(size) + size


@dataclass(frozen=True)
class Sizes:
    """The public sizes of a run, and what follows from them."""

    params: Parameters
    users: int
    items: int
    suite: str

    @property
    def modulus(self) -> int:
        """Bytes of a modulus of a Paillier suite."""
        return int(self.suite.split("-")[1]) // 8

    @property
    def product_key(self) -> int:
        """Bytes of the public key of products."""
        if self.suite in LATTICE:
            degree = LATTICE[self.suite]
            secrets = 2 * -(-max(self.users, self.items) // degree)
            return 32 + 8 * self.moduli[0] * secrets * -(-degree // 3)
        return 16 if self.suite == "ideal" else self.modulus

    @property
    def planes(self) -> int:
        """The bits of an entry: whether it is rated, and the code."""
        p, size = self.params, 1 << self.params.rating_frac_bits
        low = ceil((p.rating_min - p.rating_offset) * size)
        high = floor((p.rating_max - p.rating_offset) * size)
        return 1 + (high - low).bit_length()

    @property
    def masked(self) -> int:
        """Bytes of a user's masked bits."""
        return -(-self.planes * self.items // 8)

    @property
    def ring(self) -> int:
        """k of PPMF-PAR-027."""
        return bounds(self.params, self.users, self.items).ring_bits

    def rows(self, side: str) -> int:
        return self.users if side == "users" else self.items

    @property
    def wanted(self) -> tuple[int, int]:
        """The columns used against W, and against R."""
        d, D = self.params.rank, self.params.row_rank
        pairs = sum(D - k for k in range(d))
        return pairs + (D if self.params.bias else 0), d

    @cached_property
    def moduli(self) -> tuple[int, int]:
        """L and l' of PPMF-RLW-017."""
        outputs = self.params.iterations * sum(self.wanted) * (self.users + self.items)
        degree, k = LATTICE[self.suite], self.ring
        for l in range(2, 11):
            for kept in range(1, l):
                q, q_kept = prod(PRIMES[:l]), prod(PRIMES[:kept])
                for terms in (self.users, self.items):
                    B = 22 * terms * 2 ** (k - 1) + 21 * (2 * degree + 1) + 1
                    tau = (B - 1).bit_length() + 40 + (outputs - 1).bit_length()
                    # both sides times 2 q q' 2^(k + 41)
                    spent = 2 * (B + 2**tau) * q_kept + (degree + 2) * q
                    if spent << (k + 41) >= 2 * q * q_kept * (2**40 - 1):
                        break
                else:
                    return l, kept
        raise AssertionError("the suite does not hold this")

    def group(self, packing: str) -> int:
        """The rows of a group."""
        group = 1
        if self.suite in LATTICE:
            degree, width = LATTICE[self.suite], self.rows(packing)
            while group < 128 and 2 * group * width <= degree:
                group *= 2
        return group

    def group_bytes(self, packing: str) -> list[int]:
        """The bytes of every group of encrypted rows."""
        total = self.items if packing == "users" else self.users
        if self.suite == "ideal":
            return [16 * self.rows(packing)] * total
        if self.suite in LATTICE:
            group = self.group(packing)
            rows = [min(group, total - first) for first in range(0, total, group)]
            numbers = [2 * some * self.rows(packing) for some in rows]
            return [32 + 8 * self.moduli[0] * -(-count // 3) for count in numbers]
        return [2 * self.ciphertexts(packing) * 2 * self.modulus] * total

    def answer_bytes(self, packing: str) -> int:
        if self.suite == "ideal":
            return 8 * sum(self.wanted) * self.rows(packing)
        if self.suite in LATTICE:
            return 8 * self.moduli[1] * -(-self.lattice_numbers(packing) // 3)
        return sum(self.wanted) * self.ciphertexts(packing) * 2 * self.modulus

    def ciphertexts(self, packing: str) -> int:
        terms = self.items if packing == "users" else self.users
        outputs = self.params.iterations * sum(self.wanted) * (self.users + self.items)
        slot = 2 * self.ring + 43 + (terms - 1).bit_length() + (outputs - 1).bit_length()
        return -(-self.rows(packing) // ((8 * self.modulus - 1) // slot))

    def lattice_numbers(self, packing: str) -> int:
        """Those of an answer: c1 for each of the columns that are wanted, and all of c0."""
        degree, width = LATTICE[self.suite], self.rows(packing)
        over_w, over_r = self.wanted
        # all columns are wanted by W with biases; without, W's products come after R's factors
        both = over_w if self.params.bias else over_w + over_r
        return both * degree + (over_w + over_r) * width

    def step(self, side: str, kind: str) -> tuple[int, int, dict[str, int]]:
        """Input bits, AND gates, output widths of the circuit that makes steps of `side`."""
        p, terms = self.params, self.rows("items" if side == "users" else "users")
        f, g, s = p.frac_bits, p.step_guard_bits, p.curvature_shift
        drop = 0
        if kind == "lipschitz":
            drop = 2 * f - g + s
            largest = (terms * p.rank << 2 * (p.box_bits + f)) + (p.damping << (2 * f + s))
        else:
            shift = g - s if kind == "count" else g - min(s, 0)
            largest = (terms << shift) + (p.damping << g)
        weights: dict[str, int] = {}
        if kind != "bias" and (p.l1 or p.regulariser == "binary-elastic-net"):
            weights["tau"] = p.l1_int
        if kind != "bias" and p.regulariser == "binary-elastic-net":
            weights["theta"] = p.ridge_int
        q = p.step_bits
        made = netlists.reciprocal(
            largest.bit_length(), drop, q + g, p.damping << g, weights, f + q + 1
        )
        widths = {name: len(word) for name, word in made.outputs.items()}
        return largest.bit_length(), len(made.ands()), widths

    def update(self, thresholds: dict[str, int], *, prox: bool) -> tuple[int, int]:
        """Input bits and AND gates of the circuit of new words."""
        p = self.params
        width = bounds(p, self.users, self.items).z_bits
        made = netlists.update(
            width,
            2 * p.frac_bits + p.step_bits,
            p.frac_bits,
            p.box_bits,
            p.regulariser if prox else None,
            thresholds.get("tau", 0),
            thresholds.get("theta", 0),
        )
        return width, len(made.ands())


Message = tuple[str, str, str, tuple[Field, ...]]


def uploads(sizes: Sizes, users: tuple[str, ...]) -> Iterator[Message]:
    """What is sent before the servers are alone."""
    for user in users:
        yield USERS, RECSYS, "upload", (user, 1, bytes(sizes.masked), bytes(112))
    bits = bytes(-(-len(users) // 8))
    yield RECSYS, CSP, "closing", (bits, bytes(len(users) * 120))
    yield CSP, RECSYS, "admission", (bits,)


def resumption(epoch: int, held: int) -> Iterator[Message]:
    """What a later epoch begins with."""
    for way in BOTH:
        yield *way, "resume", (epoch - 1, bytes(40 * held), bytes(32))


def messages(sizes: Sizes, done: int) -> Iterator[Message]:
    """All that the servers send from their keys on."""
    params = sizes.params
    for way in BOTH:
        yield *way, "server-key", (sizes.suite, bytes(sizes.product_key))
        yield *way, "base-request", (bytes(128 * 2 * POINT),)
        yield *way, "base-answer", (bytes(POINT),)
    yield from conversion(sizes)
    for way in BOTH:
        for packing in ("users", "items"):
            groups = sizes.group_bytes(packing)
            step = max(1, (1 << 20) // groups[0])
            for first in range(0, len(groups), step):
                rows = bytes(sum(groups[first : first + step]))
                yield *way, "encrypted-rows", (packing, first, rows)
        for side in ("users", "items") if done else ():
            transfers = params.word_bits * params.row_rank * sizes.rows(side)
            yield *way, "transfer-columns", (columns(transfers),)
    for side in ("users", "items"):
        if params.step_rule == "count":
            yield from _steps(sizes, side, "count")
        if params.bias:
            yield from _steps(sizes, side, "bias")
    for number in range(2 * done, 2 * params.iterations):
        yield from half_step(sizes, number)
    bits = params.word_bits * params.row_rank * sizes.items
    yield CSP, RECSYS, "output-share", (bytes((bits + 7) // 8),)


def conversion(sizes: Sizes) -> Iterator[Message]:
    """What turns the users' bits into shares."""
    entries, size = sizes.users * sizes.items, -(-sizes.ring // 8)
    chunks = [min(CHUNK, entries - first) for first in range(0, entries, CHUNK)]
    theirs = [columns(sizes.planes * count) for count in chunks]
    for data in theirs[:32]:
        yield RECSYS, CSP, "transfer-columns", (data,)
    for number, count in enumerate(chunks):
        yield RECSYS, CSP, "transfer-payload", (bytes(size * count),)
        if number + 32 < len(chunks):
            yield RECSYS, CSP, "transfer-columns", (theirs[number + 32],)
        yield CSP, RECSYS, "transfer-columns", (columns(count),)
        yield CSP, RECSYS, "transfer-payload", (bytes((sizes.planes + 1) * size * count),)


def half_step(sizes: Sizes, number: int) -> Iterator[Message]:
    """What a half-step of that number takes."""
    params = sizes.params
    d, D, w = params.rank, params.row_rank, params.word_bits
    side, fixed = ("users", "items") if number % 2 == 0 else ("items", "users")
    rows = sizes.rows(side)
    if number:
        for k in range(d):
            yield from products(sizes.rows(fixed), D - k, w, sizes.ring)
        for way in BOTH:
            yield *way, "product-answer", (bytes(sizes.answer_bytes(side)),)
    if params.step_rule == "lipschitz":
        yield from _steps(sizes, side, "lipschitz")
    _, _, widths = sizes.step(side, params.step_rule)
    prox = params.regulariser == "binary-elastic-net" or params.l1 > 0
    for inner in range(params.inner_steps):
        if number > 1 or inner:
            yield from products(D * rows, D, w, sizes.ring)
        yield from products(rows, d, widths["step"], sizes.ring)
        if params.bias:
            yield from products(rows, 1, sizes.step(side, "bias")[2]["step"], sizes.ring)
        if prox:
            yield from garbled(d * rows, *sizes.update(widths, prox=True))
        if params.bias or not prox:
            elements = rows if prox else D * rows
            yield from garbled(elements, *sizes.update({}, prox=False))
        if number < 2 * params.iterations - 1 or inner < params.inner_steps - 1:
            yield CSP, RECSYS, "transfer-columns", (columns(w * D * rows),)
            yield from products(D * rows, 1, w, sizes.ring, ways=BOTH[1:])


def _steps(sizes: Sizes, side: str, kind: str) -> Iterator[Message]:
    width, ands, widths = sizes.step(side, kind)
    rows = sizes.rows(side)
    yield from garbled(rows, width, ands)
    yield CSP, RECSYS, "transfer-columns", (columns(widths["step"] * rows),)


def garbled(elements: int, width: int, ands: int) -> Iterator[Message]:
    """A circuit for so many elements."""
    for first in range(0, elements, CHUNK):
        some = min(CHUNK, elements - first)
        yield RECSYS, CSP, "transfer-columns", (columns(width * some),)
        yield CSP, RECSYS, "garbled-tables", (bytes(32 * ands * some),)


def products(
    elements: int, length: int, width: int, ring: int, *, ways: tuple[tuple[str, str], ...] = BOTH
) -> Iterator[Message]:
    """Bit times vector for so many elements."""
    for first in range(0, elements, CHUNK):
        some = min(CHUNK, elements - first)
        payload = some * length * sum((ring - bit + 7) // 8 for bit in range(width))
        for way in ways:
            yield *way, "transfer-payload", (bytes(payload),)


def columns(transfers: int) -> bytes:
    """The columns of so many transfers."""
    return bytes(2048 * -(-transfers // 128))
