# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over Paillier (chapter 4, "Products in a Paillier suite").

Q sends Enc_Q(M_Q), for its share M_Q of M, packed as `slots` says; each block of columns begins a
new ciphertext. P multiplies each ciphertext by 1 + m N, where m is packed from the same entries of
its own share, and so adds that share. For a row x of X and a column c_1, ..., c_s of these
ciphertexts, P answers

    c = prod_j c_j^x_j * (1 + rho N) * z mod N^2,

where rho is the packed fresh masks and z a fresh N-th residue. What each side learns:

- P sees M_Q only as encrypted under Q's key, which hides it under DCR.
- Q decrypts the integers v + rho, which are within 2^-41 of rho for all answers under its key
  (`slots`). The randomness of c is prod_j r_j^x_j times that of z. As all z are within 2^-41 of
  uniform in the group of N-th residues (`randomisers`), so is this product, whatever x is. Both are
  statistical and need no assumption. So an answer is to Q a fresh encryption of a mask (chapter 6,
  "What each party sees", *Answers*).

Every ciphertext from the other side is checked to be in Z_(N^2)^*.
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
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.owner import PaillierOwner
from ppmf_secure.primitives.encryption.paillier.peer import PaillierPeer
from ppmf_secure.primitives.encryption.paillier.slots import Slots, answer_ciphertexts
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.workers import Workers
from ppmf_spec.errors import ParametersError


class PaillierScheme(ProductScheme, FittedScheme):
    """The product over Paillier with a modulus of `bits` bits, whatever the matrices.

    3072 bits are taken for 128 bits of security (NIST SP 800-57 part 1, table 2). A shorter modulus
    is not `secure`.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.secure = bits >= 3072
        self.name = f"paillier-{bits}" if bits >= 2048 else f"paillier-{bits}-insecure"

    def fit(self, layouts: Sequence[Layout]) -> PaillierScheme:
        """The scheme itself. Raises ParametersError if not one slot fits below the modulus."""
        for layout in layouts:
            Slots.of(self.bits, layout)
        return self

    @property
    def key_bytes(self) -> int:
        """The bytes of the modulus."""
        return self.bits // 8

    def generate(self, coins: Coins, workers: Workers | None = None) -> PaillierOwner:
        """A fresh key pair. Workers are not used."""
        return PaillierOwner(SecretKey.generate(self.bits, coins))

    def peer(
        self, public: bytes, workers: Workers | None = None, room: Room = MEMORY
    ) -> PaillierPeer:
        """The peer's view of the other server's modulus, once it is checked. It has no workers."""
        return PaillierPeer(PublicKey.parse(public, self.bits))

    def group_sizes(self, layout: Layout) -> tuple[int, int, int]:
        """For each row the number of its ciphertexts times their length: a group is a row."""
        each = self._row_bytes(layout)
        return layout.rows, each, each

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The number of ciphertexts in an answer times their length."""
        return self._answer_ciphertexts(layout, uses) * self._ciphertext_bytes

    def answer_terms(self, layout: Layout, uses: Uses) -> int:
        """The powers in all products of ciphertexts."""
        return self._answer_ciphertexts(layout, uses) * layout.rows

    def stored_bytes(self, layout: Layout) -> int:
        """The bytes of all ciphertexts."""
        return layout.rows * self._row_bytes(layout)

    def _row_bytes(self, layout: Layout) -> int:
        slots = Slots.of(self.bits, layout)
        return sum(-(-columns // slots.count) for columns in layout.blocks) * self._ciphertext_bytes

    def _answer_ciphertexts(self, layout: Layout, uses: Uses) -> int:
        return answer_ciphertexts(Slots.of(self.bits, layout), layout, uses)

    @property
    def _ciphertext_bytes(self) -> int:
        return 2 * (self.bits // 8)


SCHEMES = tuple(map(PaillierScheme, (3072, 2048, 1024, 768, 512)))


def paillier_scheme(name: str) -> PaillierScheme:
    """The scheme of that name. Raises ParametersError, which lists the names, on any other."""
    by_name = {each.name: each for each in SCHEMES}
    if name not in by_name:
        raise ParametersError(f"no Paillier scheme {name!r}: choose from {', '.join(by_name)}")
    return by_name[name]
