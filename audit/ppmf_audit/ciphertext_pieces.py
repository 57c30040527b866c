# SPDX-License-Identifier: Apache-2.0
"""Validity of ciphertexts under a public key, and the pieces that they consist of.

A piece is a part of a ciphertext that must never occur twice. No function of this module needs a
secret, and none can tell whether a ciphertext was made under the key that it should be under.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import singledispatch
from itertools import accumulate
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ppmf_secure.primitives.encryption.interface import FittedScheme, Layout, ProductScheme
from ppmf_secure.primitives.encryption.lattice.sampling import SEED_BYTES
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe, RlweScheme
from ppmf_secure.primitives.encryption.lattice.wire import WORD_BYTES, read_residues
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey
from ppmf_secure.primitives.encryption.paillier.scheme import PaillierScheme
from ppmf_secure.primitives.sealing import KEY_BYTES, check_key
from ppmf_secure.protocols.admission import RECORD_BYTES
from ppmf_secure.protocols.upload import SEAL_BYTES
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, RangeError, told
from ppmf_spec.roles import Side

RESIDUES_A_WORD = 3


class Key(Protocol):
    """A public key as the reader of a transcript uses it."""

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """The pieces of a field of ciphertexts; EncodingError or RangeError when it is invalid."""


@dataclass(frozen=True, slots=True)
class PaillierCiphertexts:
    """Paillier ciphertexts of fixed width, one after the other. A piece is a ciphertext mod N: it
    is r^N mod N whatever the plaintext is, and so occurs twice exactly if a randomness does.
    """

    key: PublicKey

    @classmethod
    def of(cls, data: bytes) -> PaillierCiphertexts:
        """The modulus in `data`; its length says which cipher suite it belongs to."""
        return cls(PublicKey.parse(data, 8 * len(data)))

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """The ciphertexts mod N, after a check that all are units modulo N^2."""
        count = max(1, len(data) // self.key.ciphertext_bytes)
        for ciphertext in self.key.read(data, count, where):
            yield int(ciphertext % self.key.modulus).to_bytes(self.key.bits // 8, "big")


@dataclass(frozen=True, slots=True)
class Seals:
    """Seals, one after the other; each encapsulated key and each ciphertext is a piece.

    In a closing each comes after a serial.
    """

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """Both parts of every seal."""
        size = RECORD_BYTES if isinstance(message, wire.Closing) else SEAL_BYTES
        if not data or len(data) % size:
            raise EncodingError(f"{where}: {len(data)} bytes are no seals of {size}")
        for end in range(size, len(data) + 1, size):
            sealed = data[end - SEAL_BYTES : end]
            yield from (check_key(sealed[:KEY_BYTES], where), sealed[KEY_BYTES:])


@dataclass(frozen=True, slots=True)
class LatticeCiphertexts:
    """Lattice ciphertexts: groups of rows, each a seed and residues modulo every prime, and
    answers, which are residues modulo the kept primes.

    The pieces of a group are its seed and its residues; the seed stands for the uniform half of the
    group, and the same seed under two messages would show their difference. The pieces of an answer
    are its residues in lengths of N: the c1 come first, so each c1 is a piece.
    """

    scheme: FittedRlwe
    layouts: dict[str, Layout]

    def pieces(self, message: wire.Message, data: bytes, where: str) -> Iterator[bytes]:
        """Seeds and residues, all residues in their ranges."""
        if isinstance(message, wire.EncryptedRows):
            yield from self._groups(message, where)
        else:
            yield from self._answer(data, where)

    def _groups(self, message: wire.EncryptedRows, where: str) -> Iterator[bytes]:
        """The pieces of groups of rows, from the number that the message says."""
        if message.packing not in self.layouts:
            raise EncodingError(f"{where}: no side is called {told(message.packing)}")
        layout = self.layouts[message.packing]
        primes, data, at = self.scheme.lattice.primes, message.rows, 0
        packing = self.scheme.context.packing(layout)
        lengths = self.scheme.group_bytes(layout)[message.first :]
        if not data or len(data) not in accumulate(lengths):
            raise EncodingError(f"{where}: {len(data)} bytes are no groups of {lengths[:1]}")
        for number, length in enumerate(lengths, start=message.first):
            if at == len(data):
                return
            seed, rest = data[at : at + SEED_BYTES], data[at + SEED_BYTES : at + length]
            rows = min(packing.size, packing.rows - number * packing.size)
            read_residues([rest], rows * packing.columns, primes, [where])
            yield from (seed, rest)
            at += length

    def _answer(self, data: bytes, where: str) -> Iterator[bytes]:
        """The pieces of an answer. Up to two of its residues are padding, which is zero."""
        degree, residues = self.scheme.lattice.degree, self._residues(data, where)
        count = residues.shape[1]
        # what is left over after the last whole length belongs to the piece before it
        starts = range(0, count - degree + 1, degree)
        for start in starts:
            stop = count if start == starts[-1] else start + degree
            yield residues[:, start:stop].tobytes()

    def _residues(self, data: bytes, where: str) -> NDArray[np.int32]:
        """The residues of an answer. How many primes a session keeps is not seen in its key: they
        are the most with which the answer is valid.
        """
        lattice = self.scheme.lattice
        for kept in range(len(lattice.primes) - 1, 0, -1):
            count = RESIDUES_A_WORD * (len(data) // (WORD_BYTES * kept))
            if count >= lattice.degree:
                with suppress(EncodingError, RangeError):
                    return read_residues([data], count, lattice.primes[:kept], [where])[:, 0]
        raise EncodingError(f"{where}: {len(data)} bytes are no answer")


def product_key(
    message: wire.ServerKey, session: Session, chosen: CipherSuite | None = None
) -> Key:
    """A server's key for products. Raises a PpmfError for a key that is not of the named suite.

    `chosen` is the cipher suite, where it is known better than by its name.
    """
    chosen = cipher_suite(message.suite) if chosen is None else chosen
    users, items = len(session.users), len(session.items)
    # the ring, and how often a matrix is used, say no more than how many primes a lattice has
    layouts = {
        Side.USERS.value: Layout(items, (users, users), 1),
        Side.ITEMS.value: Layout(users, (items, items), 1),
    }
    scheme = _scheme(chosen.products, message.product_key, layouts)
    scheme.peer(message.product_key)  # the scheme checks its own keys
    return _ciphertexts(scheme, message.product_key, layouts)


@singledispatch
def _scheme(products: ProductScheme, public: bytes, layouts: dict[str, Layout]) -> FittedScheme:
    """The scheme that has keys of this length."""
    return products.fit(list(layouts.values()))


@_scheme.register
def _(products: RlweScheme, public: bytes, layouts: dict[str, Layout]) -> FittedScheme:
    primes = products.lattice.primes
    for count in range(2, len(primes) + 1):
        lattice = replace(products.lattice, primes=primes[:count], kept=1)
        scheme = FittedRlwe(lattice, list(layouts.values()))
        if scheme.key_bytes == len(public):
            return scheme
    return products.fit(list(layouts.values()))


@singledispatch
def _ciphertexts(scheme: FittedScheme, public: bytes, layouts: dict[str, Layout]) -> Key:
    raise NotImplementedError(f"no ciphertexts of {type(scheme).__name__}")


@_ciphertexts.register
def _(scheme: PaillierScheme, public: bytes, layouts: dict[str, Layout]) -> Key:
    return PaillierCiphertexts.of(public)


@_ciphertexts.register
def _(scheme: FittedRlwe, public: bytes, layouts: dict[str, Layout]) -> Key:
    return LatticeCiphertexts(scheme, layouts)
