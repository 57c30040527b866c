# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server holds during training: its shares of the model, of the steps, of the ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ppmf_secure.primitives.shares import SharedWords, Words
from ppmf_secure.protocols.ratings_product import Product
from ppmf_secure.protocols.shared_circuits import Labels
from ppmf_secure.protocols.transfers import Pair
from ppmf_secure.session.session import Session


@dataclass(frozen=True, slots=True, repr=False)
class Side:
    """One side of the factorisation: D trainable numbers for each of n rows.

    Elements stand coordinate-major: number k of row i is element k n + i; the bias, if any, last.

    share (D, n): this server's arithmetic share, at scale f.
    words: the same numbers as XOR-shared words; None while they are the public start.
    public (D, n): the public start, known to both; None from the first half-step on.
    """

    name: str
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
    thresholds: Labels


@dataclass(frozen=True, slots=True, repr=False)
class RowSums:
    """This server's shares of what a row's ratings sum to, weighted with nothing: (n,) each.

    count: how many; total: their sum, at scale fr.
    """

    count: Words
    total: Words


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """One server in the middle of one epoch.

    lineage names the epoch in checkpoints; products, sums: by the name of the side that is updated
    with them.
    """

    session: Session
    pair: Pair
    lineage: bytes
    products: Mapping[str, Product]
    sums: Mapping[str, RowSums]

    def of_csp(self, value: int) -> np.uint64:
        """This server's share of a public constant: all of it at CSP."""
        return np.uint64(value % (1 << 64) if self.pair.garbles else 0)
