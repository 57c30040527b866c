# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over ring learning with errors: `rlwe-8192` (chapter 4).

Q sends Enc_Q(M): row j as (c0_j, c1_j) with c1_j = a_j uniform, from a public seed, and
c0_j = -a_j s + e_j + round(q M_j / 2^64), several such pairs when a row is longer than N, and of
c0_j the used coefficients only. P answers for a row x of X, lifted to [-2^63, 2^63),

    c1 = sum of x_j c1_j + a u + e2,
    c0 = sum of x_j c0_j + b u + e1 + flood + round(q rho / 2^64),

(b, a) being Q's public key, u, e1, e2 fresh; then rounds both to the four kept primes and sends c1
and the coefficients of c0 that are wanted. Q decrypts q v / 2^64 + err, v = (x M + rho) mod 2^64.
That v comes out exactly, always, is proved in `params` (the budget), `rounding` (the roundings) and
`ring` (the arithmetic). What each side learns:

- P sees Q's public key and Enc_Q(M): RLWE samples under Q's ternary secret s, pseudorandom by RLWE
  with modulus q (and AES-CTR under a public key standing for a random choice of each a, as usual).
- Q knows s, e and M. Before the rounding it sees the decryption c0 + c1 s of each wanted
  coefficient, which by the flood is within 2^-40, for all answers under its key, that is of an
  epoch, of round(q v / 2^64) plus a flood, v uniform, whatever X is, even given u, e1 and e2:
  statistical (`params`, also on several epochs). And it sees c1, which a u + e2 makes
  pseudorandom by RLWE with a ternary secret u that it does not know: one fresh u for each row of X
  and piece, all with the same a, so a hybrid argument over that many samples, one at a time. c0 is
  a function of the two. The coefficients of c0 that are not wanted would carry no flood: they never
  leave P. The rounding to the kept primes comes last, is a function of what was hidden already, and
  so reveals nothing more.

Malformed bytes are refused; which key a well-formed ciphertext is under cannot be told: a wrong one
decrypts to noise.
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
    """Ring learning with errors over one lattice; `rlwe-8192` is the one with security."""

    def __init__(self, lattice: Lattice) -> None:
        self.lattice = lattice
        self.secure = lattice == STANDARD
        self.name = f"rlwe-{lattice.degree}" + ("" if self.secure else "-insecure")
        self._context = LatticeContext(lattice)

    @property
    def key_bytes(self) -> int:
        """A seed, and the residues of b modulo each prime."""
        return self._context.public_bytes()

    def generate(self, coins: Coins) -> RlweOwner:
        """A fresh key pair, from `coins` alone."""
        return RlweOwner(self._context, coins)

    def peer(self, public: bytes) -> RlwePeer:
        """Check and take in the other server's key."""
        return RlwePeer(self._context, public)

    def check(self, layout: Layout) -> None:
        """Refuse a layout beyond the budget of noise and floods; see `params`."""
        Budget.of(self.lattice, layout)

    def row_bytes(self, layout: Layout) -> int:
        """A seed, and the residues of the columns modulo each prime."""
        return self._context.row_bytes(layout)

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The residues of all c1 and of the wanted c0, modulo each kept prime."""
        return self._context.answer_bytes(layout, uses)


_SCHEMES = {s.name: s for s in map(RlweScheme, (STANDARD, TOY))}


def rlwe_scheme(name: str) -> RlweScheme:
    """The suite of that name; ParametersError on an unknown one, naming those there are."""
    if name not in _SCHEMES:
        raise ParametersError(f"no lattice scheme {name!r}: choose from {', '.join(_SCHEMES)}")
    return _SCHEMES[name]
