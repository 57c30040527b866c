# SPDX-License-Identifier: GPL-3.0-or-later
"""The one operation asked of homomorphic encryption: an integer matrix times encrypted rows.

M is a matrix of which both servers have shares, M = M_P + M_Q mod 2^k: the ratings. The owner Q of
a key publishes Enc_Q(M_Q), in groups of rows. The peer P adds its own share to what it received,
once, and so holds Enc_Q(M). It has an integer matrix X, its share of the other side's columns,
computes Enc_Q(X M), adds a fresh encryption of a random mask rho, and sends that. Q decrypts
(X M + rho) mod 2^k, which is its share; P keeps -rho mod 2^k, the other share (PPMF-AHE-002).
Q knows M_Q, its key and the randomness of Enc_Q(M_Q). X and M_P must stay hidden from Q, and M_Q
from P. (Chapter 4, "Homomorphic encryption: integer matrix times encrypted rows".)

The columns of M come in blocks. In [W | R] these are the two blocks of which items were rated, and
of the ratings. Not every row of X is wanted against every block.

A `ProductScheme` is what a cipher suite names; `fit` makes it a `FittedScheme`, which knows the
matrices of one session and all that follows from their sizes. What else depends on the scheme, such
as a simulated answer or an audit, dispatches on the class of the fitted scheme.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.room import MEMORY, Room
from ppmf_secure.primitives.workers import Workers
from ppmf_spec.errors import ParametersError


@dataclass(frozen=True, slots=True)
class Layout:
    """The public shape of one encrypted matrix, and how often it is used.

    rows: the number s of encrypted rows, which is the number of terms of each sum.
    blocks: the number of columns of each block.
    outputs: how many numbers are decrypted under one key in all, in both orientations and in a
        whole run. The statistical distances add up over these. Another epoch has another key.
    ring_bits: the width k of the ring of all shares, X and M. Arrays hold words of 64 bits, whose
        lowest k bits count.
    """

    rows: int
    blocks: tuple[int, ...]
    outputs: int
    ring_bits: int = 64

    @property
    def shape(self) -> tuple[int, int]:
        """The shape of the matrix, all blocks joined."""
        return self.rows, sum(self.blocks)

    def check(self) -> None:
        """Raise ParametersError on a layout without rows or outputs."""
        if self.rows < 1 or self.outputs < 1 or min(self.blocks, default=0) < 0:
            raise ParametersError(
                f"matrix layout: {self.rows} rows, {self.outputs} outputs: both at least 1"
            )


Uses = Sequence[slice]
"""For each block its use: the contiguous rows of X that are wanted against it, perhaps none."""


class OwnerKey(ABC):
    """A key pair, as its owner Q holds it."""

    @property
    @abstractmethod
    def public(self) -> bytes:
        """The public key as it is sent."""

    @abstractmethod
    def encrypt_rows(self, matrix: Words, layout: Layout, coins: Coins) -> Iterator[bytes]:
        """Q's share, of the layout's shape, in groups of rows, each of `group_bytes` bytes."""

    @abstractmethod
    def decrypt(self, answer: bytes, layout: Layout, uses: Uses) -> list[Words]:
        """Q's shares of X M, mod 2^k: for each block an array (rows in its use, columns).

        Raises EncodingError on a wrong length, RangeError on a ciphertext outside its group.
        """


class EncryptedRows(ABC):
    """Enc_Q(M), as the peer P holds it: checked, P's share added, and ready to be multiplied."""

    @abstractmethod
    def multiply(self, x: Words, uses: Uses, coins: Coins) -> tuple[bytes, list[Words]]:
        """Enc_Q(X M + rho) for x (r, layout.rows), and P's shares -rho mod 2^k, by block."""


class RowIntake(ABC):
    """The intake of Q's rows: each group is checked and stored as it comes; none is held twice."""

    @abstractmethod
    def add(self, groups: Sequence[bytes]) -> None:
        """Take in the next groups. EncodingError or RangeError name the first bad one."""

    @abstractmethod
    def finish(self) -> EncryptedRows:
        """The encrypted matrix, once all rows are in. Raises EncodingError if some are missing."""


class PeerKey(ABC):
    """Q's public key, as the peer P holds it."""

    @abstractmethod
    def intake(self, layout: Layout, own: Words) -> RowIntake:
        """The intake for the rows of one encrypted matrix.

        own: P's share of it, of the layout's shape, which is added (PPMF-AHE-013).
        """

    def rows(self, groups: Sequence[bytes], layout: Layout, own: Words) -> EncryptedRows:
        """The encrypted matrix from all of Q's groups at once; raises as `RowIntake` does."""
        intake = self.intake(layout, own)
        intake.add(groups)
        return intake.finish()


class FittedScheme(ABC):
    """A scheme for the product, fitted to the matrices of one session. All is public."""

    @property
    @abstractmethod
    def key_bytes(self) -> int:
        """The length of a public key, the same for every key."""

    @abstractmethod
    def generate(self, coins: Coins, workers: Workers | None = None) -> OwnerKey:
        """A fresh key pair. workers: those that are to encrypt with it, as for `peer`."""

    @abstractmethod
    def peer(self, public: bytes, workers: Workers | None = None, room: Room = MEMORY) -> PeerKey:
        """The peer's view of a public key. Raises EncodingError or RangeError if it is none.

        workers: those that are to hold the encrypted matrices, if this server has any. A scheme
            that cannot share its work does all of it here.
        room: where they lie, here or at the workers. A scheme that cannot keep them in files keeps
            them in memory (`in_files`).
        """

    @abstractmethod
    def group_sizes(self, layout: Layout) -> tuple[int, int, int]:
        """How many groups of encrypted rows there are, the length of each but the last, and that of
        the last.
        """

    def group_bytes(self, layout: Layout) -> list[int]:
        """The length of each group of encrypted rows."""
        count, each, last = self.group_sizes(layout)
        return [each] * (count - 1) + [last]

    @abstractmethod
    def answer_bytes(self, layout: Layout, uses: Uses) -> int:
        """The length of one answer."""

    @abstractmethod
    def answer_terms(self, layout: Layout, uses: Uses) -> int:
        """How many products of two numbers are added up in one answer: the work of making it."""

    @abstractmethod
    def stored_bytes(self, layout: Layout) -> int:
        """The bytes that the peer needs for an encrypted matrix."""

    @property
    def shared(self) -> bool:
        """Whether workers share the work, where there are some."""
        return False

    def sums_bytes(self, layout: Layout, uses: Uses) -> int:
        """The bytes of one worker's part of an answer; 0 where workers share nothing."""
        return 0

    @property
    def in_files(self) -> bool:
        """Whether the peer can keep its matrices in files."""
        return False

    def is_compact(self, layout: Layout) -> bool:
        """Whether the peer keeps a matrix in less room than is fastest."""
        return False


class ProductScheme(ABC):
    """A scheme for the product; a cipher suite names one, such as `paillier-3072` or `rlwe-8192`.

    name: that of its cipher suite.
    secure: whether its keys are long enough for use; False for those of tests and trials.
    """

    name: str
    secure: bool

    @abstractmethod
    def fit(self, layouts: Sequence[Layout]) -> FittedScheme:
        """The scheme for the matrices of one session, which share a key.

        Raises ParametersError if a matrix of such a shape does not fit the ciphertexts.
        """


def length(use: slice) -> int:
    """The number of rows in a slice of explicit bounds."""
    return max(0, int(use.stop) - int(use.start))
