# SPDX-License-Identifier: GPL-3.0-or-later
"""The matrix product of the protocol: shared columns times the shared, secret ratings.

For columns Phi and masked ratings M = [W | R], both shared,

    Phi M = sum over p of  Phi_p M_p  +  Phi_p M_(1-p):

the first terms are local; for the second, p multiplies its own Phi_p with the encryption of the
other's M_(1-p), which was handed over once, at set-up. (Chapter 4, "The product with the ratings".)
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import (
    EncryptedRows,
    Layout,
    OwnerKey,
    PeerKey,
    ProductScheme,
)
from ppmf_secure.primitives.shares import check_length
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import Role, Side

BATCH_BYTES = 1 << 20
"""About how many bytes of encrypted rows travel in one message."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """One way round of the ratings: `packing` names the side whose rows are updated with it.

    For packing "users" the encrypted rows are the items, each packing [w | r] of all users.
    """

    packing: Side
    layout: Layout
    uses: tuple[slice, slice]


@dataclass(frozen=True, slots=True, repr=False)
class RatingsProduct:
    """One server's end of the product, in one orientation."""

    me: Role
    orientation: Orientation
    own_key: OwnerKey
    own_shares: tuple[Words, Words]
    peer_rows: EncryptedRows
    coins: Coins

    def of_shares(self, columns: Words) -> Program[tuple[Words, Words]]:
        """Shares of (Phi W, Phi R) for shared columns (c, rows): each (its uses, width)
        (PPMF-PRD-006).
        """
        peer = self.me.peer
        layout, uses = self.orientation.layout, self.orientation.uses
        answer, kept = self.peer_rows.multiply(columns, uses, self.coins)
        yield Send(peer, wire.ProductAnswer(answer))
        local = self.of_public(columns)
        message = yield from receive(peer, wire.ProductAnswer)
        given = self.own_key.decrypt(message.answer, layout, uses)
        over_w, over_r = (
            here + mask + masked for here, mask, masked in zip(local, kept, given, strict=True)
        )
        return over_w, over_r

    def of_public(self, columns: Words) -> tuple[Words, Words]:
        """The same for columns both servers know (the public start): no message at all
        (PPMF-PRD-007).
        """
        over_w, over_r = (
            columns[use] @ part
            for use, part in zip(self.orientation.uses, self.own_shares, strict=True)
        )
        return over_w, over_r


def set_up_products(
    me: Role,
    scheme: ProductScheme,
    own_key: OwnerKey,
    peer_key: PeerKey,
    orientations: Sequence[tuple[Orientation, tuple[Words, Words]]],
    coins: Coins,
) -> Program[list[RatingsProduct]]:
    """Hand over the encryptions of one's own share, in each orientation; take in the peer's.

    Batch by batch in turn, so that neither server has more than a batch of the other's waiting
    (PPMF-PRD-003).
    """
    peer = me.peer
    products = []
    for orientation, own_shares in orientations:
        layout = orientation.layout
        size = scheme.row_bytes(layout)
        encrypted = own_key.encrypt_rows(np.concatenate(own_shares, axis=1), layout, coins)
        intake = peer_key.intake(layout)
        for batch in row_batches(scheme, layout):
            rows = b"".join(next(encrypted) for _ in batch)
            yield Send(peer, wire.EncryptedRows(orientation.packing, batch.start, rows))
            message = yield from receive(peer, wire.EncryptedRows)
            where = f"encrypted rows packing {orientation.packing} from {batch.start}"
            if (message.packing, message.first) != (orientation.packing, batch.start):
                raise StateError(f"{where} were due, not {message.packing} from {message.first}")
            check_length(message.rows, size * len(batch), where)
            intake.add([message.rows[at : at + size] for at in range(0, len(message.rows), size)])
        products.append(
            RatingsProduct(me, orientation, own_key, own_shares, intake.finish(), coins)
        )
    return products


def row_batches(scheme: ProductScheme, layout: Layout) -> Iterator[range]:
    """The rows that travel in one message each (PPMF-PRD-003)."""
    step = max(1, BATCH_BYTES // scheme.row_bytes(layout))
    for first in range(0, layout.rows, step):
        yield range(first, min(first + step, layout.rows))


def column_pairs(params: Parameters) -> list[tuple[int, int]]:
    """The products (k, l), k a factor, l >= k a factor or the bias, in the order of the columns
    (PPMF-PRD-004).
    """
    return [(k, l) for k in range(params.rank) for l in range(k, params.row_rank)]


def column_uses(params: Parameters) -> tuple[slice, slice]:
    """Which columns are wanted against W, and which against R (PPMF-PRD-004).

    The columns are y_1..y_d, the bias, then `column_pairs`. R takes the factors. W takes all, but
    none of the linear ones when no bias is trained: they belong to the constant.
    """
    linear, total = params.row_rank, params.row_rank + len(column_pairs(params))
    return slice(0 if params.bias else linear, total), slice(0, params.rank)


def orientations(params: Parameters, users: int, items: int) -> tuple[Orientation, Orientation]:
    """The two public shapes of the encrypted ratings: packing users, packing items
    (PPMF-PRD-002).
    """
    uses = column_uses(params)
    columns = sum(use.stop - use.start for use in uses)
    outputs = params.iterations * columns * (users + items)
    return (
        Orientation(Side.USERS, Layout(items, (users, users), outputs), uses),
        Orientation(Side.ITEMS, Layout(users, (items, items), outputs), uses),
    )


def check_session(session: Session, suite: CipherSuite) -> None:
    """ParametersError when a session of this size does not fit the suite's ciphertexts
    (PPMF-SES-003).
    """
    sizes = len(session.users), len(session.items)
    for orientation in orientations(session.parameters, *sizes):
        suite.products.check(orientation.layout)
