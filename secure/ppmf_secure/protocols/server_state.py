# SPDX-License-Identifier: GPL-3.0-or-later
"""The state of a server during training: its shares of the model, the steps and the ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.primitives.shares import SharedWords
from ppmf_secure.protocols.observer import Observer, nobody
from ppmf_secure.protocols.ratings_product import RatingsProduct
from ppmf_secure.protocols.shared_circuits import WordLabels
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.session.session import Session
from ppmf_spec.roles import Side


@dataclass(frozen=True, slots=True, repr=False)
class SharedSide:
    """This server's share of one side of the model: D trainable numbers for each of n rows.

    Number k of row i is element k n + i. The bias, if there is one, is the last number.

    share (D, n): the arithmetic share, at scale f.
    previous (D, n): the same of the numbers as they were before the side's last inner step; before
    its first one, `share` itself (PPMF-FIX-036).
    words: the same numbers as Boolean-shared words; None while they are the public start.
    public (D, n): the public start, which both servers know; None once the side has been updated.
    """

    name: Side
    share: Words
    previous: Words
    words: SharedWords | None
    public: Words | None

    @property
    def rows(self) -> int:
        """The number of rows."""
        return int(self.share.shape[1])


@dataclass(frozen=True, slots=True, repr=False)
class Steps:
    """This server's share of the steps H of one kind for n rows, and their thresholds.

    words: the steps as Boolean-shared words. thresholds: the labels of `tau` and `theta`.
    """

    words: SharedWords
    thresholds: WordLabels


@dataclass(frozen=True, slots=True, repr=False)
class RowSums:
    """This server's shares of two sums for each row, (n,) each.

    count: the number of the row's ratings. total: the sum of their values, at scale fr.
    """

    count: Words
    total: Words


@dataclass(frozen=True, slots=True, repr=False)
class Server:
    """The state of one server in one epoch, but for the model.

    transfers: its ends of the oblivious transfers with the other server.
    lineage: the name of the epoch in checkpoints.
    products, sums: by the side that is updated with them.
    observer: whom the server tells its shares after each stage; nobody outside an adapter's trace.
    """

    session: Session
    transfers: Transfers
    lineage: bytes
    products: Mapping[Side, RatingsProduct]
    sums: Mapping[Side, RowSums]
    observer: Observer = nobody

    def of_csp(self, value: int) -> np.uint64:
        """This server's share of a public constant: the constant at CSP, 0 at RecSys."""
        return np.uint64(value % (1 << 64) if self.transfers.garbles else 0)
