# SPDX-License-Identifier: GPL-3.0-or-later
"""Shared columns times the shared ratings (chapter 4, "The product with the ratings").

For columns Phi and masked ratings M = [W | R], both of them shared,

    Phi M = sum over p of  Phi_p M.

Server p multiplies its own Phi_p with an encryption of the whole M under the other server's key: it
received that of the other server's share once, in the set-up, and added its own share to it. What
hides each from the other is said by the scheme of the product (`primitives.encryption`).
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise

import numpy as np

from ppmf_secure.arrays import Words
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import (
    EncryptedRows,
    FittedScheme,
    Layout,
    OwnerKey,
    PeerKey,
    RowIntake,
)
from ppmf_secure.primitives.shares import check_length
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import Role, Side

BATCH_BYTES = 1 << 20
"""The bytes of encrypted rows in one message, more or less."""

SENT_AHEAD = 2
"""The messages of encrypted rows that a server sends before it waits for the peer's first: so that
it computes while these travel, and neither has more than a few waiting."""


@dataclass(frozen=True, slots=True)
class Orientation:
    """One of the two public shapes of the encrypted ratings.

    packing: the side whose rows are updated with it. For the users, the encrypted rows are the
        items, each of which packs w and r of all users.
    layout: the shape of the encrypted matrix. uses: those of its two blocks, W and R.
    """

    packing: Side
    layout: Layout
    uses: tuple[slice, slice]


@dataclass(frozen=True, slots=True, repr=False)
class RatingsProduct:
    """One server's end of the product, in one orientation.

    own_key: its key pair. own_shares: its shares of W and R. peer_rows: the ratings encrypted under
        the peer's key.
    """

    me: Role
    orientation: Orientation
    own_key: OwnerKey
    own_shares: tuple[Words, Words]
    peer_rows: EncryptedRows
    coins: Coins

    def of_shares(self, columns: Words) -> Program[tuple[Words, Words]]:
        """This server's shares of Phi W and Phi R, from its share of the columns (c, rows).

        Each result has a row for each column in its block's use (PPMF-PRD-006).
        """
        peer = self.me.peer
        layout, uses = self.orientation.layout, self.orientation.uses
        answer, kept = self.peer_rows.multiply(columns, uses, self.coins)
        yield Send(peer, wire.ProductAnswer(answer))
        message = yield from receive(peer, wire.ProductAnswer)
        given = self.own_key.decrypt(message.answer, layout, uses)
        over_w, over_r = (mask + masked for mask, masked in zip(kept, given, strict=True))
        return over_w, over_r

    def of_public(self, columns: Words) -> tuple[Words, Words]:
        """The same for columns that both servers know, those of the public start: no message
        (PPMF-PRD-007).
        """
        over_w, over_r = (
            columns[use] @ part
            for use, part in zip(self.orientation.uses, self.own_shares, strict=True)
        )
        return over_w, over_r


def set_up_products(
    me: Role,
    scheme: FittedScheme,
    own_key: OwnerKey,
    peer_key: PeerKey,
    orientations: Sequence[tuple[Orientation, tuple[Words, Words]]],
    coins: Coins,
) -> Program[list[RatingsProduct]]:
    """The products, one for each orientation, once the encrypted ratings are exchanged.

    orientations: each with this server's shares of W and R (PPMF-PRD-003).
    """
    products = []
    for orientation, own_shares in orientations:
        matrix = np.concatenate(own_shares, axis=1)
        encrypted = own_key.encrypt_rows(matrix, orientation.layout, coins)
        intake = peer_key.intake(orientation.layout, matrix)
        sizes = scheme.group_bytes(orientation.layout)
        awaited: deque[range] = deque()
        for batch in group_batches(sizes):
            rows = b"".join(next(encrypted) for _ in batch)
            yield Send(me.peer, wire.EncryptedRows(orientation.packing, batch.start, rows))
            awaited.append(batch)
            if len(awaited) > SENT_AHEAD:
                yield from _take_in(me.peer, orientation, intake, sizes, awaited.popleft())
        for batch in awaited:
            yield from _take_in(me.peer, orientation, intake, sizes, batch)
        products.append(
            RatingsProduct(me, orientation, own_key, own_shares, intake.finish(), coins)
        )
    return products


def _take_in(
    peer: Role, orientation: Orientation, intake: RowIntake, sizes: Sequence[int], batch: range
) -> Program[None]:
    """Receive and take in the groups of one message; `sizes` are the lengths of all groups."""
    message = yield from receive(peer, wire.EncryptedRows)
    where = f"encrypted rows packing {orientation.packing} from {batch.start}"
    if (message.packing, message.first) != (orientation.packing, batch.start):
        raise StateError(f"{where} were due, not {message.packing} from {message.first}")
    ends = list(accumulate((sizes[number] for number in batch), initial=0))
    check_length(message.rows, ends[-1], where)
    intake.add([message.rows[start:end] for start, end in pairwise(ends)])


def group_batches(sizes: Sequence[int]) -> Iterator[range]:
    """The numbers of the groups in each message of encrypted rows, from the length of each group
    (PPMF-PRD-003).
    """
    step = groups_of_a_batch(sizes[0])
    for first in range(0, len(sizes), step):
        yield range(first, min(first + step, len(sizes)))


def groups_of_a_batch(size: int) -> int:
    """How many groups each message of encrypted rows has, but perhaps the last; `size` is the
    length of the first.
    """
    return max(1, BATCH_BYTES // size)


def column_pairs(params: Parameters) -> list[tuple[int, int]]:
    """The pairs (k, l) whose products are columns: k a factor, l >= k a factor or the bias
    (PPMF-PRD-004).
    """
    return [(k, l) for k in range(params.rank) for l in range(k, params.row_rank)]


def column_uses(params: Parameters) -> tuple[slice, slice]:
    """The uses of the blocks W and R: which columns are wanted against each (PPMF-PRD-004).

    The columns are the factors y_1, ..., y_d, the bias, then the products of `column_pairs`. R
    takes the factors. W takes all columns, or the products alone if no bias is trained, since those
    that are linear in y are needed for the bias only.
    """
    linear, total = params.row_rank, params.row_rank + len(column_pairs(params))
    return slice(0 if params.bias else linear, total), slice(0, params.rank)


def orientations(params: Parameters, users: int, items: int) -> tuple[Orientation, Orientation]:
    """The two orientations of the ratings: packing users, then packing items
    (PPMF-PRD-002). Raises ParametersError if the ring cannot hold a run of this size.
    """
    ring_bits = bounds(params, users, items).ring_bits
    uses = column_uses(params)
    columns = sum(use.stop - use.start for use in uses)
    outputs = params.iterations * columns * (users + items)
    return (
        Orientation(Side.USERS, Layout(items, (users, users), outputs, ring_bits), uses),
        Orientation(Side.ITEMS, Layout(users, (items, items), outputs, ring_bits), uses),
    )


def fitted_scheme(session: Session, suite: CipherSuite) -> FittedScheme:
    """The suite's scheme for the ratings of a session.

    Raises ParametersError if they do not fit the suite's ciphertexts (PPMF-SES-003).
    """
    both = orientations(session.parameters, len(session.users), len(session.items))
    return suite.products.fit([orientation.layout for orientation in both])
