# SPDX-License-Identifier: GPL-3.0-or-later
"""The homomorphic matrix product over Paillier (chapter 4, "Products in a Paillier suite").

Q sends Enc_Q(M), packed as `slots` says, each block of columns starting a new ciphertext. For a row
x of X and a ciphertext column c_1..c_s, P answers

    c = prod_j c_j^x_j * (1 + rho N) * z mod N^2,

rho the packed fresh masks, z a fresh uniform N-th residue. What each side learns:

- P sees M only under Q's key: DCR.
- Q decrypts the integers v + rho: within 2^-41 of rho for the whole run (`slots`). The randomness
  of c is prod_j r_j^x_j times that of z: as z is within 2^-41 of uniform in the group of N-th
  residues for the whole run (`randomisers`), so is it, whatever x. Both are statistical and need no
  assumption. So an answer is to Q a fresh encryption of a mask.

Every ciphertext from the other side is checked to lie in Z_(N^2)^*.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from gmpy2 import mpz

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import (
    EncryptedRows,
    Layout,
    OwnerKey,
    PeerKey,
    ProductScheme,
    RowIntake,
    Uses,
)
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.multiexp import FixedBases, levels
from ppmf_secure.primitives.encryption.paillier.randomisers import Randomisers
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_spec.errors import EncodingError, ParametersError

_KEPT_BYTES = 1 << 30
"""Stored powers of one encrypted matrix up to this size are kept from product to product."""

_WORD = (1 << 64) - 1


class PaillierOwner(OwnerKey):
    """Q's key pair."""

    def __init__(self, secret: SecretKey) -> None:
        self._secret = secret

    @property
    def public(self) -> bytes:
        """N, big-endian."""
        return self._secret.public.to_bytes()

    def encrypt_rows(self, matrix: Words, layout: Layout, coins: Coins) -> Iterator[bytes]:
        """Each row of the matrix as fresh ciphertexts, block after block (PPMF-AHE-008)."""
        if matrix.shape != (layout.rows, sum(layout.blocks)):
            raise ValueError("the matrix has not the layout's shape")
        secret, slots = self._secret, Slots.of(self._secret.public.bits, layout)
        spans = _matrix_spans(slots, layout)
        for row in matrix:
            yield secret.public.write(
                secret.encrypt(slots.pack(row[span].tolist()), coins) for span in spans
            )

    def decrypt(self, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        """Q's shares, by block (PPMF-AHE-010)."""
        secret, slots = self._secret, Slots.of(self._secret.public.bits, layout)
        count = _answer_ciphertexts(slots, layout, uses)
        ciphertexts = iter(secret.public.read(answer, count, "homomorphic answer"))
        shares = []
        for columns, use in zip(layout.blocks, uses, strict=True):
            share = np.empty((_length(use), columns), dtype=np.uint64)
            for row in share:
                for span in slots.spans(columns):
                    plaintext = secret.decrypt(next(ciphertexts))
                    row[span] = slots.unpack(plaintext, span.stop - span.start)
            shares.append(share)
        return shares


class PaillierRows(EncryptedRows):
    """Enc_Q(M) in P's hands, column of ciphertexts by column."""

    def __init__(
        self,
        public: PublicKey,
        randomisers: Randomisers,
        layout: Layout,
        columns: Sequence[Sequence[mpz]],
    ) -> None:
        self._public = public
        self._randomisers = randomisers
        self._layout = layout
        self._slots = Slots.of(public.bits, layout)
        self._columns = [FixedBases(column, public.square) for column in columns]
        stored = sum(levels(bases.window) for bases in self._columns) * layout.rows
        self._keep = stored * public.ciphertext_bytes <= _KEPT_BYTES

    def multiply(self, x: Words, uses: Uses, coins: Coins) -> tuple[bytes, list[Words]]:
        """The answer, row-major in each block, and P's shares -rho mod 2^64
        (PPMF-AHE-009, -010).
        """
        if x.ndim != 2 or x.shape[1] != self._layout.rows:
            raise ValueError("X has not as many columns as the encrypted matrix has rows")
        answer: list[bytes] = []
        shares: list[Words] = []
        columns = iter(self._columns)
        for width, use in zip(self._layout.blocks, uses, strict=True):
            wanted = x[use]
            if len(wanted) != _length(use):
                raise ValueError("X has not all the rows wanted")
            share = np.empty((len(wanted), width), dtype=np.uint64)
            block = [
                self._column(bases, wanted, share[:, span], coins)
                for span, bases in zip(self._slots.spans(width), columns, strict=False)
            ]
            answer.extend(self._public.write(row) for row in zip(*block, strict=True))
            shares.append(share)
        return b"".join(answer), shares

    def _column(self, bases: FixedBases, x: Words, share: Words, coins: Coins) -> list[mpz]:
        """The answers of one ciphertext column for each row of x; fills in P's shares."""
        if not len(x):
            return []
        slots, square = self._slots, self._public.square
        answers = []
        for product, row in zip(bases.products(x), share, strict=True):
            masks = [slots.mask(coins) for _ in range(len(row))]
            row[:] = [-mask & _WORD for mask in masks]
            masked = product * self._public.plain(slots.pack(masks)) % square
            answers.append(masked * self._randomisers.draw(coins) % square)
        if not self._keep:
            bases.forget()
        return answers


class PaillierPeer(PeerKey):
    """Q's public key in P's hands, with P's randomisers under it."""

    def __init__(self, public: PublicKey) -> None:
        self._public = public
        self._randomisers: dict[int, Randomisers] = {}

    def intake(self, layout: Layout) -> PaillierIntake:
        """The intake of one matrix of Q's."""
        if layout.outputs not in self._randomisers:
            self._randomisers[layout.outputs] = Randomisers(self._public, layout.outputs)
        return PaillierIntake(self._public, self._randomisers[layout.outputs], layout)


class PaillierIntake(RowIntake):
    """Checks Q's rows, ciphertext by ciphertext."""

    def __init__(self, public: PublicKey, randomisers: Randomisers, layout: Layout) -> None:
        self._public = public
        self._randomisers = randomisers
        self._layout = layout
        self._width = len(_matrix_spans(Slots.of(public.bits, layout), layout))
        self._table: list[list[mpz]] = []

    def add(self, rows: Sequence[bytes]) -> None:
        """Check and keep the next rows."""
        for row in rows:
            where = f"encrypted row {len(self._table)}"
            self._table.append(self._public.read(row, self._width, where))

    def finish(self) -> PaillierRows:
        """The matrix, column of ciphertexts by column."""
        count, layout = len(self._table), self._layout
        if count != layout.rows:
            raise EncodingError(f"encrypted matrix: {count} rows instead of {layout.rows}")
        columns = list(zip(*self._table, strict=True))
        return PaillierRows(self._public, self._randomisers, layout, columns)


class PaillierScheme(ProductScheme):
    """Paillier with a modulus of `bits` bits: 3072 for 128 bits of security (SP 800-57, table 2).

    Anything shorter is for tests, and not `secure`.
    """

    def __init__(self, bits: int) -> None:
        self.bits = bits
        self.secure = bits >= 3072
        self.name = f"paillier-{bits}" if bits >= 2048 else f"paillier-{bits}-insecure"

    @property
    def key_bytes(self) -> int:
        """The modulus."""
        return self.bits // 8

    def generate(self, coins: Coins) -> PaillierOwner:
        """A fresh key pair, from `coins` alone."""
        return PaillierOwner(SecretKey.generate(self.bits, coins))

    def peer(self, public: bytes) -> PaillierPeer:
        """Check and take in the other server's modulus."""
        return PaillierPeer(PublicKey.parse(public, self.bits))

    def check(self, layout: Layout) -> None:
        """At least one slot must fit below the modulus."""
        Slots.of(self.bits, layout)

    def row_bytes(self, layout: Layout) -> int:
        """Ciphertexts in a row times their length."""
        return len(_matrix_spans(Slots.of(self.bits, layout), layout)) * self._ciphertext_bytes

    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """Ciphertexts in an answer times their length."""
        slots = Slots.of(self.bits, layout)
        return _answer_ciphertexts(slots, layout, uses) * self._ciphertext_bytes

    @property
    def _ciphertext_bytes(self) -> int:
        return 2 * (self.bits // 8)


SCHEMES = tuple(map(PaillierScheme, (3072, 2048, 1024, 768, 512)))


def paillier_scheme(name: str) -> PaillierScheme:
    """The suite of that name; ParametersError on an unknown one, naming those there are."""
    by_name = {each.name: each for each in SCHEMES}
    if name not in by_name:
        raise ParametersError(f"no Paillier scheme {name!r}: choose from {', '.join(by_name)}")
    return by_name[name]


def _length(use: slice) -> int:
    """Rows in a slice of explicit bounds."""
    return max(0, int(use.stop) - int(use.start))


def _matrix_spans(slots: Slots, layout: Layout) -> list[slice]:
    """The matrix columns of each ciphertext of a row, all blocks."""
    spans, offset = [], 0
    for columns in layout.blocks:
        spans += [slice(offset + s.start, offset + s.stop) for s in slots.spans(columns)]
        offset += columns
    return spans


def _answer_ciphertexts(slots: Slots, layout: Layout, uses: Uses) -> int:
    return sum(
        _length(use) * len(slots.spans(columns))
        for columns, use in zip(layout.blocks, uses, strict=True)
    )
