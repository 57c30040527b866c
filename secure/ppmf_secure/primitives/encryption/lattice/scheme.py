# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over RLWE: `rlwe-8192` (chapter 4, "Products in a lattice suite").

Q sends Enc_Q(M_Q), for its share M_Q of M, several rows to a ciphertext if they are short
(`layout`). A group of rows is (c0, c1), where c1 = a is uniform, from a public seed, and
c0 = -a s + e + round(q M_Q / 2^k). Of c0 only the coefficients in use are sent. W, R, and the
pieces of rows that are longer than N have secrets s of their own and the same a, so that one c1
serves them all. P adds round(q M_P / 2^k) to c0, once. For a row x of X, lifted to
[-2^(k-1), 2^(k-1)), P computes

    c1 = sum of p_c(y) c1_c over the groups c + a u + e2,
    c0 = sum of x_j c0_j over the rows j + b u + e1 + flood + round(q rho / 2^k),

where (b, a) is Q's public key, with a b for each secret, and u, e1, e2 are fresh. P rounds both to
the kept primes, and sends c1 and the wanted coefficients of c0. Q decrypts q v / 2^k + err,
v = (x M + rho) mod 2^k. That v always comes out exactly is proved in `params` (the budget),
`rounding` and `ring` (the arithmetic). What each side learns:

- P sees Q's public key and Enc_Q(M_Q): RLWE samples under the ternary secrets of Q, which are
  pseudorandom under RLWE with modulus q, one secret after the other: who has samples under one can
  make those under the others. (Each a comes from AES in counter mode under a public seed, which is
  taken for a random choice, as is usual.)
- Q knows its secrets, e and M_Q. For each wanted coefficient it sees, before the rounding, the
  decryption c0 + c1 s. By the flood this is within 2^-41, for all answers under its key together,
  of round(q v / 2^k) plus a flood with v uniform, whatever X, M_P, u, e1 and e2 are. This is
  statistical and needs no assumption (`params`). Q also sees c1, which a u + e2 makes pseudorandom
  under RLWE with a ternary secret u that Q does not know. There is one fresh u for each row of X,
  all with the same a; they are replaced one at a time (chapter 6, "The proof", game G_7). Every c0
  of the row is a function of this c1 and a decryption. The coefficients of c0 that are not wanted
  carry no flood and never leave P: they would show products of X with other rows than those that
  are wanted. The rounding to the kept primes comes last; as a function of what Q may see, it
  reveals nothing more.

Malformed bytes are refused. A well-formed ciphertext under another key cannot be told from one
under Q's, and decrypts to noise.
"""

from __future__ import annotations

from collections.abc import Sequence

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import (
    FittedScheme,
    Layout,
    ProductScheme,
    Uses,
)
from ppmf_secure.primitives.encryption.lattice.layout import (
    AnswerShape,
    LatticeContext,
    is_compact,
    stored_residues,
)
from ppmf_secure.primitives.encryption.lattice.owner import RlweOwner
from ppmf_secure.primitives.encryption.lattice.params import STANDARD, TOY, Lattice, chosen
from ppmf_secure.primitives.encryption.lattice.peer import RlwePeer
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.workers import Workers
from ppmf_spec.errors import ParametersError


class RlweScheme(ProductScheme):
    """The product over RLWE with the primes of one lattice; only that of `rlwe-8192` is secure.

    keep_most: see `params.chosen`.
    """

    def __init__(self, lattice: Lattice, *, keep_most: bool = False) -> None:
        self.lattice = lattice
        self._keep_most = keep_most
        self.secure = lattice == STANDARD
        self.name = f"rlwe-{lattice.degree}" + ("" if self.secure else "-insecure")

    def fit(self, layouts: Sequence[Layout]) -> FittedRlwe:
        """The scheme with as many primes and secrets as the matrices need (PPMF-RLW-007, -017)."""
        return FittedRlwe(chosen(self.lattice, layouts, keep_most=self._keep_most), layouts)


class FittedRlwe(FittedScheme):
    """The product over RLWE for the matrices of one session."""

    def __init__(self, lattice: Lattice, layouts: Sequence[Layout]) -> None:
        self.context = LatticeContext(lattice, layouts)

    @property
    def lattice(self) -> Lattice:
        """The lattice."""
        return self.context.lattice

    @property
    def key_bytes(self) -> int:
        """The bytes of a seed, and for each secret of the residues of b modulo each prime."""
        return self.context.public_bytes()

    def generate(self, coins: Coins, workers: Workers | None = None) -> RlweOwner:
        """A fresh key pair, from `coins` alone."""
        return RlweOwner(self.context, coins, workers)

    def peer(self, public: bytes, workers: Workers | None = None, room: Room = MEMORY) -> RlwePeer:
        """The peer's view of the other server's key, once it is checked."""
        return RlwePeer(self.context, public, workers, room)

    def group_sizes(self, layout: Layout) -> tuple[int, int, int]:
        """For each group the bytes of a seed, and of the residues of its rows modulo each prime."""
        packing = self.context.packing(layout)
        count = packing.groups
        ends = (slice(0, 1), slice(count - 1, count))
        each, last = (self.context.group_bytes(packing, groups) for groups in ends)
        return count, each, last

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The bytes of the residues of all c1 and of the wanted c0, modulo each kept prime."""
        return self.context.answer_bytes(layout, uses)

    def answer_terms(self, layout: Layout, uses: Uses) -> int:
        """The products of residues in all sums of c1 and c0."""
        packing = self.context.packing(layout)
        first, *seconds = AnswerShape.of(packing.degree, layout, uses).counts
        terms = first * packing.groups + sum(seconds) * packing.rows
        return terms * len(self.lattice.primes)

    def stored_bytes(self, layout: Layout) -> int:
        """The bytes of the residues of all c1, in full, and of the c0 in use."""
        count = stored_residues(self.context.packing(layout))
        return count * len(self.lattice.primes) * (3 if self.is_compact(layout) else 4)

    @property
    def shared(self) -> bool:
        """By groups, it is."""
        return True

    def sums_bytes(self, layout: Layout, uses: Uses) -> int:
        """The bytes of all sums, four for each and each prime."""
        count = sum(AnswerShape.of(self.lattice.degree, layout, uses).counts)
        return 4 * count * len(self.lattice.primes)

    @property
    def in_files(self) -> bool:
        """Block by block, it can."""
        return True

    def is_compact(self, layout: Layout) -> bool:
        """Whether the matrix is large."""
        return is_compact(self.lattice, self.context.packing(layout))


_SCHEMES = {s.name: s for s in map(RlweScheme, (STANDARD, TOY))}


def rlwe_scheme(name: str) -> RlweScheme:
    """The scheme of that name. Raises ParametersError, which lists the names, on any other."""
    if name not in _SCHEMES:
        raise ParametersError(f"no lattice scheme {name!r}: choose from {', '.join(_SCHEMES)}")
    return _SCHEMES[name]
