# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over RLWE: `rlwe-8192` (chapter 4, "Products in a lattice suite").

Q sends Enc_Q(M_Q), for its share M_Q of M. Row j is (c0_j, c1_j), where c1_j = a_j is uniform,
from a public seed, and c0_j = -a_j s + e_j + round(q M_Qj / 2^64). A row that is longer than N has
several such pairs, and of c0_j only the coefficients in use are sent. P adds round(q M_Pj / 2^64)
to c0_j, once. For a row x of X, lifted to [-2^63, 2^63), P computes

    c1 = sum of x_j c1_j + a u + e2,
    c0 = sum of x_j c0_j + b u + e1 + flood + round(q rho / 2^64),

where (b, a) is Q's public key and u, e1, e2 are fresh. P rounds both to the four kept primes, and
sends c1 and the wanted coefficients of c0. Q decrypts q v / 2^64 + err, v = (x M + rho) mod 2^64.
That v always comes out exactly is proved in `params` (the budget), `rounding` and `ring` (the
arithmetic). What each side learns:

- P sees Q's public key and Enc_Q(M): RLWE samples under the ternary secret s of Q, which are
  pseudorandom under RLWE with modulus q. (Each a comes from AES in counter mode under a public
  seed, which is taken for a random choice, as is usual.)
- Q knows s, e and M_Q. For each wanted coefficient it sees, before the rounding, the decryption
  c0 + c1 s. By the flood this is within 2^-41, for all answers under its key together, of
  round(q v / 2^64) plus a flood with v uniform, whatever X, M_P, u, e1 and e2 are. This is
  statistical and needs no assumption (`params`). Q also sees c1, which a u + e2 makes
  pseudorandom under RLWE with a ternary secret u that Q does not know. There is one fresh u for each row of X and piece,
  all with the same a; they are replaced one at a time (chapter 6, "The proof", game G_7). c0 is a
  function of these two. The coefficients of c0 that are not wanted carry no flood and never leave
  P. The rounding to the kept primes comes last; as a function of what Q may see, it reveals nothing
  more.

Malformed bytes are refused. A well-formed ciphertext under another key cannot be told from one
under Q's, and decrypts to noise.
"""

from __future__ import annotations

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, ProductScheme, Uses
from ppmf_secure.primitives.encryption.lattice.layout import LatticeContext
from ppmf_secure.primitives.encryption.lattice.owner import RlweOwner
from ppmf_secure.primitives.encryption.lattice.params import STANDARD, TOY, Budget, Lattice
from ppmf_secure.primitives.encryption.lattice.peer import RlwePeer
from ppmf_spec.errors import ParametersError


class RlweScheme(ProductScheme):
    """The product over RLWE in one lattice; only that of `rlwe-8192` is secure."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.secure = lattice == STANDARD
        self.name = f"rlwe-{lattice.degree}" + ("" if self.secure else "-insecure")
        self._context = LatticeContext(lattice)

    @property
    def key_bytes(self) -> int:
        """The bytes of a seed, and of the residues of b modulo each prime."""
        return self._context.public_bytes()

    def generate(self, coins: Coins) -> RlweOwner:
        """A fresh key pair, from `coins` alone."""
        return RlweOwner(self._context, coins)

    def peer(self, public: bytes) -> RlwePeer:
        """The peer's view of the other server's key, once it is checked."""
        return RlwePeer(self._context, public)

    def check(self, layout: Layout) -> None:
        """Raise ParametersError if the matrix is out of the `Budget`."""
        Budget.of(self.lattice, layout)

    def row_bytes(self, layout: Layout) -> int:
        """The bytes of a seed, and of the residues of the columns modulo each prime."""
        return self._context.row_bytes(layout)

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The bytes of the residues of all c1 and of the wanted c0, modulo each kept prime."""
        return self._context.answer_bytes(layout, uses)


_SCHEMES = {s.name: s for s in map(RlweScheme, (STANDARD, TOY))}


def rlwe_scheme(name: str) -> RlweScheme:
    """The scheme of that name. Raises ParametersError, which lists the names, on any other."""
    if name not in _SCHEMES:
        raise ParametersError(f"no lattice scheme {name!r}: choose from {', '.join(_SCHEMES)}")
    return _SCHEMES[name]
