# SPDX-License-Identifier: GPL-3.0-or-later
"""The interface of homomorphic encryption: an integer matrix times encrypted rows.

The owner Q of a key publishes Enc_Q(M), row by row, of *its own share* M of the masked ratings.
The peer P holds an integer matrix X (its share of the other side's columns), computes Enc_Q(X M),
adds a fresh encryption of a random mask rho, and sends that. Q decrypts (X M + rho) mod 2^64: its
share; P keeps -rho mod 2^64: the other share (PPMF-AHE-002). Q knows M, its key and the randomness
of Enc_Q(M); what must stay hidden from Q is X, from P it is M. (Chapter 4,
"Homomorphic encryption: integer matrix times encrypted rows".)

The columns of M come in blocks ([W | R]: which items were rated, and the ratings), and not every
row of X is wanted against every block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins


@dataclass(frozen=True, slots=True)
class Layout:
    """The public shape of one encrypted matrix and of what will be asked of it.

    rows: the number s of encrypted rows, the terms of each sum.
    blocks: the number of columns of each block.
    outputs: the numbers decrypted under this key, in both orientations and in a whole run, for the
        union bound. A run resumed in a new epoch has new keys, and its own bound.
    """

    rows: int
    blocks: tuple[int, ...]
    outputs: int


Uses = Sequence[slice]
"""For each block, the contiguous rows of X wanted against it (an empty slice: none)."""


class OwnerKey(ABC):
    """A key pair, in the hands of its owner Q."""

    @property
    @abstractmethod
    def public(self) -> bytes:
        """The public key as it goes on the wire."""

    @abstractmethod
    def encrypt_rows(self, matrix: Words, layout: Layout, coins: Coins) -> Iterator[bytes]:
        """Encrypt a matrix (layout.rows, sum(layout.blocks)) row by row, each `row_bytes` long."""

    @abstractmethod
    def decrypt(self, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        """Q's shares of X M: for each block an array (len(uses[b]), blocks[b]) mod 2^64.

        Raises EncodingError on a wrong length, RangeError on a ciphertext outside its group.
        """


class EncryptedRows(ABC):
    """Enc_Q(M) in the hands of the peer P: checked on arrival, ready to be multiplied."""

    @abstractmethod
    def multiply(self, x: Words, uses: Uses, coins: Coins) -> tuple[bytes, list[Words]]:
        """Enc_Q(X M + rho) for x (r, layout.rows), and P's shares -rho mod 2^64 by block."""


class RowIntake(ABC):
    """Q's rows on their way in: checked and stored as they come, so that none is held twice."""

    @abstractmethod
    def add(self, rows: Sequence[bytes]) -> None:
        """Take in the next rows; EncodingError or RangeError names the first bad one."""

    @abstractmethod
    def finish(self) -> EncryptedRows:
        """All rows are in; EncodingError when they are not layout.rows."""


class PeerKey(ABC):
    """Q's public key in the hands of the peer P."""

    @abstractmethod
    def intake(self, layout: Layout) -> RowIntake:
        """Where the rows of one encrypted matrix go."""

    def rows(self, encrypted: Sequence[bytes], layout: Layout) -> EncryptedRows:
        """Take in all of Q's rows at once; see `RowIntake`."""
        intake = self.intake(layout)
        intake.add(encrypted)
        return intake.finish()


class ProductScheme(ABC):
    """The products of a cipher suite: `paillier-3072`, `rlwe-8192`, ..."""

    name: str
    secure: bool
    """False for the small keys that tests use."""

    @property
    @abstractmethod
    def key_bytes(self) -> int:
        """Length of a public key: every key of a suite is as long."""

    @abstractmethod
    def generate(self, coins: Coins) -> OwnerKey:
        """A fresh key pair."""

    @abstractmethod
    def peer(self, public: bytes) -> PeerKey:
        """Parse the other server's public key; EncodingError, RangeError."""

    @abstractmethod
    def check(self, layout: Layout) -> None:
        """ParametersError when a matrix of that shape does not fit the suite's ciphertexts."""

    @abstractmethod
    def row_bytes(self, layout: Layout) -> int:
        """Length of one encrypted row: a function of public sizes alone."""

    @abstractmethod
    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """Length of one answer: a function of public sizes alone."""


def length(use: slice) -> int:
    """Rows in a slice of explicit bounds."""
    return max(0, int(use.stop) - int(use.start))
