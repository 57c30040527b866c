# SPDX-License-Identifier: Apache-2.0
"""Checks that the randomness of an answer does not reveal the peer's matrix.

Each check is the attack that would work without the protection. An answer without a randomness of
its own is prod_j c_j^(x_j) in a Paillier suite, sum_j x_j c_j in a lattice suite, and the owner of
the key knows the c_j. Both can be solved for x.

*Paillier.* The Legendre symbol modulo a prime p of N is a character of the ciphertexts: of an
answer it would be the sum over j of x_j times that of c_j (bits, added mod 2). So for a row x, the
answers of all ciphertext columns, modulo both primes, would be a linear system over GF(2) for the
parities of x, with more equations than unknowns when there are many columns. One unknown more for
each prime lets all answers have one randomiser. A system with a rank of e less than its equations
has a solution with probability 2^-e if the symbols are fair coins. Let S be the sum of e over the
systems, R in number, that do have one: the expectation of 2^S is at most 2^R, so S >= R + 40 has a
probability of 2^-40 (Markov).

*Lattice.* c1 is sent rounded, by a factor D, so it would be within about D/2 of sum_j x_j c1_j mod
q, in each coefficient, with x_j of 64 bits; c1_j is the c1 of the group of row j times y^(-b),
which brings the row to band 0. For K = s + 2 coefficients and s rows that is a shortest vector
problem of dimension 2 s + 3, which LLL (A. Lenstra, H. Lenstra, L. Lovasz, 1982) solves when s is
small. There are 2^(64 s) choices of x, and a uniform c1 is so near to one of them with a
probability below (2^66)^s (4 D / q)^(s + 2) < 2^-160. If two rows of X had one u, the difference of
their c1 would be such a sum, of the differences of x; so differences of neighbouring rows are tried
too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import flint
import gmpy2
import numpy as np
from numpy.typing import NDArray

from ppmf_audit.finding import Finding
from ppmf_audit.opened_values import join
from ppmf_secure.primitives.encryption.interface import length
from ppmf_secure.primitives.encryption.lattice.layout import AnswerShape, LatticeContext, Packing
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES
from ppmf_secure.primitives.encryption.lattice.wire import read_residues
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_secure.protocols.ratings_product import Orientation

CERTAIN = 40
SOLVABLE = 6
"""Unknowns for which LLL takes a few milliseconds; its work grows with their fourth power."""

Symbols = NDArray[np.uint8]


@dataclass
class Characters:
    """Paillier: the linear systems of the answers to one owner, in one orientation."""

    primes: tuple[int, int]
    orientation: Orientation
    rows: list[Symbols] = field(default_factory=list)
    systems: int = 0
    solved: int = 0
    surplus: int = 0

    def learn(self, data: bytes) -> None:
        """Take in encrypted rows that the owner sent: (ciphertext columns, primes) each."""
        size = len(self._spans) * self._key.ciphertext_bytes
        self.rows += [self._symbols(data[at : at + size]) for at in range(0, len(data), size)]

    def add(self, data: bytes) -> None:
        """Solve the linear systems of an answer to these rows."""
        uses, numbers = self.orientation.uses, iter(self._symbols(data))
        answers: dict[int, list[tuple[int, Symbols]]] = {}
        for block, use in enumerate(uses):
            for row in range(use.start, use.stop):
                here = [at for at, (owner, _) in enumerate(self._spans) if owner == block]
                answers.setdefault(row, []).extend((at, next(numbers)) for at in here)
        for known in answers.values():
            self._solve(known)

    def _solve(self, known: list[tuple[int, Symbols]]) -> None:
        """The system of one row of X: an equation for each ciphertext and prime."""
        equations = [
            [*(row[column][side] for row in self.rows), 1 - side, side, symbols[side]]
            for column, symbols in known
            for side in (0, 1)
        ]
        table = np.array(equations, dtype=np.uint8)
        rank = _rank(table[:, :-1])
        self.systems += 1
        self.surplus += len(table) - rank
        if _rank(table) == rank:
            self.solved += len(table) - rank

    def finding(self) -> Finding:
        """Whether too many systems have solutions."""
        check = f"answers packing {self.orientation.packing} carry no trace of X"
        enough = self.surplus >= self.systems + CERTAIN
        seen = f"{self.systems} systems, {self.surplus} equations too many"
        found = self.solved >= self.systems + CERTAIN
        return Finding(check, not found, seen + ("" if enough else ": too few to tell"))

    @property
    def _key(self) -> PublicKey:
        return PublicKey(self.primes[0] * self.primes[1])

    @property
    def _spans(self) -> list[tuple[int, slice]]:
        """Block and columns of each ciphertext of a row."""
        layout = self.orientation.layout
        plan = Slots.of(self._key.bits, layout)
        return [(b, span) for b, width in enumerate(layout.blocks) for span in plan.spans(width)]

    def _symbols(self, data: bytes) -> Symbols:
        """The symbols of n ciphertexts modulo both primes, as bits (n, 2)."""
        size = self._key.ciphertext_bytes
        numbers = [int.from_bytes(data[at : at + size], "big") for at in range(0, len(data), size)]
        return np.array(
            [[gmpy2.legendre(c, p) < 0 for p in self.primes] for c in numbers], dtype=np.uint8
        )


def _rank(table: Symbols) -> int:
    """The rank of a table of bits over GF(2)."""
    rows = [int("".join(map(str, row)), 2) for row in table]
    rank = 0
    while rows:
        pivot = rows.pop()
        if pivot:
            rank += 1
            low = pivot & -pivot
            rows = [row ^ pivot if row & low else row for row in rows]
    return rank


@dataclass
class Combinations:
    """Lattice: whether the first components of answers, or the difference of two, are short
    combinations of the rows'.
    """

    context: LatticeContext
    orientation: Orientation
    known: list[list[int]] = field(default_factory=list)
    last: list[int] = field(default_factory=list)
    tried: int = 0
    found: int = 0

    def learn(self, first: int, data: bytes) -> None:
        """Take in encrypted groups from number `first` on: their seeds stand for their c1."""
        packing = self._packing
        at = 0
        for number in range(first, packing.groups):
            if at == len(data):
                return
            rows = packing.rows_of(slice(number, number + 1))
            self._learn(data[at : at + SEED_BYTES], length(rows))
            at += self.context.group_bytes(packing, slice(number, number + 1))

    def _learn(self, seed: bytes, rows: int) -> None:
        """The first coefficients of y^(-b) times c1, for each row b of a group."""
        packing, primes = self._packing, self.context.lattice.primes
        whole = self.context.expand([seed])[:, 0].astype(np.int64)
        for row in range(rows):
            at = row * packing.band
            turned = np.concatenate([whole[:, at:], -whole[:, :at]], axis=1)
            self.known.append(join(turned[:, : packing.rows + 2], primes))

    def add(self, data: bytes) -> None:
        """Try to solve the rows of an answer, and their differences; one solved is a leak."""
        if len(self.known) > SOLVABLE:
            return
        lattice, packing = self.context.lattice, self._packing
        shape = AnswerShape.of(lattice.degree, self.orientation.layout, self.orientation.uses)
        # all of a field are residues: those of the continuation are zeros
        total = 3 * (len(data) // (8 * lattice.kept))
        sent = read_residues([data], total, lattice.kept_primes, ["answer"])[:, 0]
        for row in range(len(shape.rows)):
            at = row * lattice.degree
            here = sent[:, at : at + packing.rows + 2].astype(np.int64)
            first = join(here, lattice.kept_primes)
            self._try(first)
            if self.last:
                self._try([one - other for one, other in zip(first, self.last, strict=True)])
            self.last = first

    def _try(self, first: Sequence[int]) -> None:
        self.tried += 1
        self.found += self._short(self.known, first)

    @property
    def _packing(self) -> Packing:
        return self.context.packing(self.orientation.layout)

    def _short(self, known: Sequence[Sequence[int]], answer: Sequence[int]) -> bool:
        """Whether LLL finds x (see the module); the unit of all coordinates is about D / 2^64."""
        lattice = self.context.lattice
        q, drop = lattice.modulus, lattice.modulus // lattice.kept_modulus
        s, taken = len(known), len(answer)
        unit = max(1, drop >> 64)
        scale = max(1, (1 << 64) // drop)
        table = [
            [scale * c for c in row] + [unit * (i == j) for j in range(s)] + [0]
            for i, row in enumerate(known)
        ]
        mark = unit << 63
        table.append([scale * drop * c for c in answer] + [0] * s + [mark])
        table += [
            [scale * q * (i == k) for k in range(taken)] + [0] * (s + 1) for i in range(taken)
        ]
        reduced = flint.fmpz_mat(table).lll()
        limit = (4 * mark) ** 2 * (taken + s + 1)
        return any(
            int(row[-1]) and sum(int(value) ** 2 for value in row) <= limit
            for row in reduced.tolist()
        )

    def finding(self) -> Finding:
        """Whether any row was solved for."""
        check = f"answers packing {self.orientation.packing} carry no trace of X"
        seen = f"{self.found} of {self.tried} rows solved for"
        return Finding(check, not self.found, seen + ("" if self.tried else ": too few to tell"))
