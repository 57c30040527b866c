# SPDX-License-Identifier: Apache-2.0
"""What can be told of ciphertexts from a public key: whether they are valid, and their pieces.

A piece is what must never occur twice. Nothing here needs a secret, and nothing tells whether a
ciphertext is under the key it should be under.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from ppmf_secure.primitives.encryption.lattice.params import Lattice
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES
from ppmf_secure.primitives.encryption.lattice.scheme import RlweSuite
from ppmf_secure.primitives.encryption.lattice.wire import WORD_BYTES, read_residues, words_for
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey
from ppmf_secure.primitives.sealing import KEY_BYTES, check_key
from ppmf_secure.protocols.upload import SEALED_BYTES
from ppmf_secure.session.cipher_suites import SuiteChoice
from ppmf_secure.session.cipher_suites import suite as suite_named
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError
from ppmf_spec.roles import Side

RESIDUES_A_WORD = 3


@dataclass(slots=True)
class Uploaded:
    """The size of a run, as its uploads show it."""

    users: int = 0
    items: int = 0


class Key(Protocol):
    """A public key, in the hands of whoever reads a transcript."""

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """The pieces of a field of ciphertexts; EncodingError or RangeError when it is invalid."""


@dataclass(frozen=True, slots=True)
class PaillierCiphertexts:
    """Ciphertexts of fixed width, one after the other: each is a piece."""

    key: PublicKey

    @classmethod
    def of(cls, data: bytes) -> PaillierCiphertexts:
        """The modulus in `data`, whatever its length: it says which suite it is of."""
        return cls(PublicKey.parse(data, 8 * len(data)))

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """The ciphertexts, units modulo N^2 all."""
        size = self.key.ciphertext_bytes
        self.key.read(data, max(1, len(data) // size), where)
        yield from (data[begin : begin + size] for begin in range(0, len(data), size))


@dataclass(frozen=True, slots=True)
class Seals:
    """Sealed seeds, one after the other: each encapsulated key and what is under it is a piece."""

    @classmethod
    def of(cls, key: bytes) -> Seals:
        """What is sealed to this key, itself a good one."""
        check_key(key, "key for seals")
        return cls()

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """Both parts of every seal."""
        if not data or len(data) % SEALED_BYTES:
            raise EncodingError(f"{where}: {len(data)} bytes are no seals of {SEALED_BYTES}")
        for at in range(0, len(data), SEALED_BYTES):
            encapsulated = data[at : at + KEY_BYTES]
            yield from (check_key(encapsulated, where), data[at + KEY_BYTES : at + SEALED_BYTES])


@dataclass(frozen=True, slots=True)
class LatticeCiphertexts:
    """Rows, each a seed and residues modulo every prime; answers, residues modulo the kept ones.

    Pieces are a row's seed, which stands for its uniform half (the same seed under two messages
    would show their difference), a row's residues, and an answer's residues in lengths of N: its c1
    come first, so that each c1 of a row that fits one ciphertext is a piece.
    """

    lattice: Lattice
    size: Uploaded

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """Seeds and residues, all residues in their ranges."""
        if isinstance(message, wire.EncryptedRows):
            yield from self._rows(message, where)
        else:
            yield from self._answer(data, where)

    def _rows(self, message: wire.EncryptedRows, where: str) -> Iterator[bytes]:
        """[w | x] of the side that is packed: a row has twice as many columns."""
        columns = 2 * (self.size.users if message.packing == Side.USERS else self.size.items)
        primes = self.lattice.primes
        length = SEED_BYTES + WORD_BYTES * len(primes) * words_for(columns)
        rows = message.rows
        if not rows or len(rows) % length:
            raise EncodingError(f"{where}: {len(rows)} bytes are no rows of {length}")
        for at in range(0, len(rows), length):
            seed, rest = rows[at : at + SEED_BYTES], rows[at + SEED_BYTES : at + length]
            read_residues([rest], columns, primes, [where])
            yield from (seed, rest)

    def _answer(self, data: bytes, where: str) -> Iterator[bytes]:
        """How many residues there are is up to two more than is known here: those are zero."""
        primes, degree = self.lattice.kept_primes, self.lattice.degree
        count = RESIDUES_A_WORD * (len(data) // (WORD_BYTES * len(primes)))
        if count < degree:
            raise EncodingError(f"{where}: {len(data)} bytes are no answer")
        residues = read_residues([data], count, primes, [where])[:, 0]
        # what is left over after the last whole length belongs to the piece before it
        starts = range(0, count - degree + 1, degree)
        for start in starts:
            stop = count if start == starts[-1] else start + degree
            yield residues[:, start:stop].tobytes()


def product_key(message: wire.ServerKey, size: Uploaded, chosen: SuiteChoice | None = None) -> Key:
    """A server's key for products; a PpmfError when it is not one of the suite it names.

    `chosen` is the suite, where it is known better than by its name.
    """
    chosen = suite_named(message.suite) if chosen is None else chosen
    chosen.products.peer(message.product_key)  # whatever the suite demands of its keys
    if isinstance(chosen.products, RlweSuite):
        return LatticeCiphertexts(chosen.products.lattice, size)
    return PaillierCiphertexts.of(message.product_key)
