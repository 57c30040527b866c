# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a server during training: its shares of the model, of the steps, of the ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.shares import SharedWords
from ppmf_secure.protocols.ratings_product import RatingsProduct
from ppmf_secure.protocols.shared_circuits import WordLabels
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.session.session import Session
from ppmf_spec.roles import Side


@dataclass(frozen=True, slots=True, repr=False)
class SharedSide:
    """One side of the factorisation: D trainable numbers for each of n rows.

    Elements stand coordinate-major: number k of row i is element k n + i; the bias, if any, last.

    share (D, n): this server's arithmetic share, at scale f.
    words: the same numbers as XOR-shared words; None while they are the public start.
    public (D, n): the public start, known to both; None from the first half-step on.
    """

    name: Side
    share: Words
    words: SharedWords | None
    public: Words | None

    @property
    def rows(self) -> int:
        return int(self.share.shape[1])


@dataclass(frozen=True, slots=True, repr=False)
class Steps:
    """The steps H of one kind for n rows, XOR-shared, and their thresholds as wire labels."""

    words: SharedWords
    thresholds: WordLabels


@dataclass(frozen=True, slots=True, repr=False)
class RowSums:
    """This server's shares of two totals per row, (n,) each.

    count: the number of the row's ratings; total: the sum of their values, at scale fr.
    """

    count: Words
    total: Words


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """One server in the middle of one epoch.

    transfers: what it shares with the other server for its oblivious transfers.
    lineage: the name of the epoch in checkpoints.
    products, sums: by the side that is updated with them.
    """

    session: Session
    transfers: Transfers
    lineage: bytes
    products: Mapping[Side, RatingsProduct]
    sums: Mapping[Side, RowSums]

    def of_csp(self, value: int) -> np.uint64:
        """This server's share of a public constant: all of it at CSP."""
        return np.uint64(value % (1 << 64) if self.transfers.garbles else 0)
