# SPDX-License-Identifier: GPL-3.0-or-later
"""The oblivious transfers between the two servers in one epoch (chapter 4, "Oblivious transfer").

CSP garbles, RecSys evaluates. Each server sends transfers under an offset of its own. CSP's offset
is also the offset of its garbled circuits, so that the keys of its transfers are labels of input
wires.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ppmf_secure.arrays import Bits, Bytes, Labels
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.base_transfers import TRANSFERS, BaseChooser, BaseSender
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.shares import SharedWords
from ppmf_secure.primitives.transfer_extension import (
    ExtensionChooser,
    ExtensionSender,
    check_columns,
    columns_bytes,
    fresh_offset,
    offset_bits,
)
from ppmf_secure.primitives.workers import Call, Workers
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import BaseAnswer, BaseRequest, Bulk, TransferColumns

RANGE = 1 << 18
"""The transfers of a task of a worker, with 4 MiB of columns and as many of keys: a multiple of
128, so that a range begins where a block of the keystreams does."""

_DIVIDED = 2
"""The ranges from which on workers are worth asking."""


@dataclass(frozen=True, slots=True)
class Site:
    """The place in a run at which hashes are computed, as chapter 4 names it: purpose and indices.

    Different places have different batch keys, since no two have one site
    (PPMF-HSH-007, PPMF-BIT-003).
    """

    purpose: str
    indices: tuple[int, ...] = ()

    def within(self, *indices: int) -> Site:
        """A site inside this one, with more indices."""
        return Site(self.purpose, (*self.indices, *indices))


@dataclass(frozen=True, slots=True, repr=False)
class Transfers:
    """One server's ends of the transfers with the other server, in one epoch.

    ring_bits: the width of the ring, in which products are shared.
    keys: the batch keys of the hash, which are the same at both servers.
    offset (2,): the exclusive or of the two keys of every transfer that this server sends.
    sender, chooser: its ends of the two extensions.
    workers: those of this server, if it has any.
    """

    me: Role
    ring_bits: int
    keys: BatchKeys
    offset: Labels
    sender: ExtensionSender
    chooser: ExtensionChooser
    workers: Workers | None = None

    def part(self, *, sent: Sequence[int] = (), chosen: Sequence[int] = ()) -> Transfers:
        """The ends for the next messages of columns, which have so many transfers each: these
        themselves without workers. With workers, ends that can be sent to one, and these go on
        behind them, so that no part of a keystream is used by both (PPMF-OTE-006).

        sent: of messages from the peer. chosen: of those that this server sends.
        """
        if self.workers is None:
            return self
        sender, chooser = self.sender.leave(sent), self.chooser.leave(chosen)
        return replace(self, sender=sender, chooser=chooser, workers=None)

    @property
    def peer(self) -> Role:
        """The other server."""
        return self.me.peer

    @property
    def garbles(self) -> bool:
        """Whether this server is the garbler, which CSP is."""
        return self.me == CSP


def open_transfers(
    me: Role,
    session_id: bytes,
    epoch: int,
    ring_bits: int,
    coins: Coins,
    workers: Workers | None = None,
) -> Program[Transfers]:
    """The transfers of an epoch, after 128 base transfers each way, with fresh coins.

    In the base transfers roles are reversed: this server chooses for the transfers that it is going
    to send. It sends both of its messages before it waits, since neither depends on the peer's
    (PPMF-OTE-001, -010 to -013).
    """
    peer = me.peer
    ours, theirs = (_context(session_id, epoch, sender=sender) for sender in (me, peer))
    offset = fresh_offset(coins, odd=me == CSP)
    chooser = BaseChooser(offset_bits(offset), ours, coins)
    sender = BaseSender(theirs, coins)
    yield Send(peer, BaseRequest(chooser.request))
    yield Send(peer, BaseAnswer(sender.answer))
    request = yield from receive(peer, BaseRequest)
    seed_pairs = sender.seed_pairs(request.points)
    answer = yield from receive(peer, BaseAnswer)
    seeds = chooser.seeds(answer.point)
    return Transfers(
        me=me,
        ring_bits=ring_bits,
        keys=BatchKeys(session_id, epoch),
        offset=offset,
        sender=ExtensionSender(offset, seeds, ours),
        chooser=ExtensionChooser(seed_pairs, theirs),
        workers=workers,
    )


def _context(session_id: bytes, epoch: int, *, sender: Role) -> bytes:
    """The public bytes to which the seeds and the keystreams of one direction are bound
    (PPMF-OTE-008, -012).
    """
    return session_id + epoch.to_bytes(8, "little") + sender.encode()


def send_transfers(transfers: Transfers, width: int, count: int) -> Program[Labels]:
    """The keys of choice 0 (width, count, 2) of transfers in which this server sends."""
    message = yield from receive(transfers.peer, TransferColumns)
    size = width * count
    if transfers.workers is None or size < _DIVIDED * RANGE:
        keys = transfers.sender.extend(message.columns, size)
    else:
        keys = _sent_by(transfers.workers, transfers, message.columns, size)
    return keys.reshape(width, count, 2)


def choose_transfers(transfers: Transfers, bits: Bits) -> Program[Labels]:
    """The chosen keys (width, count, 2) of transfers in which this server chooses with these bits
    (width, count) (PPMF-OTE-007).
    """
    if transfers.workers is None or bits.size < _DIVIDED * RANGE:
        columns, keys = transfers.chooser.extend(bits.ravel())
    else:
        columns, keys = _chosen_by(transfers.workers, transfers, bits.ravel())
    yield Send(transfers.peer, TransferColumns(columns))
    return keys.reshape(*bits.shape, 2)


def _sent_by(workers: Workers, transfers: Transfers, columns: Bulk, size: int) -> Labels:
    """The keys of choice 0 (size, 2) from one message of columns, by workers (PPMF-WRK-006)."""
    check_columns(columns, size)
    received = np.frombuffer(columns, dtype=np.uint8).reshape(TRANSFERS, -1)
    tasks = (
        Call(sent_keys, (transfers.part(sent=[length]), received[:, here].ravel(), length))
        for length, here in _ranges(size)
    )
    return np.concatenate(list(workers.run(tasks)))


def _chosen_by(workers: Workers, transfers: Transfers, bits: Bits) -> tuple[memoryview, Labels]:
    """The columns of one message and the chosen keys (size, 2), by workers (PPMF-WRK-006)."""
    columns = np.empty((TRANSFERS, columns_bytes(bits.size) // TRANSFERS), dtype=np.uint8)
    keys = np.empty((bits.size, 2), dtype=np.uint64)
    ranges = list(_ranges(bits.size))
    tasks = (
        Call(chosen_keys, (transfers.part(chosen=[length]), bits[8 * here.start :][:length]))
        for length, here in ranges
    )
    for (length, here), (some, made) in zip(ranges, workers.run(tasks), strict=True):
        columns[:, here] = some.reshape(TRANSFERS, -1)
        keys[8 * here.start :][:length] = made
    return columns.reshape(-1).data, keys


def sent_keys(transfers: Transfers, columns: Bytes, count: int) -> Labels:
    """The keys of choice 0 of a range of transfers, made by a worker."""
    return transfers.sender.here().extend(columns.data, count)


def chosen_keys(transfers: Transfers, bits: Bits) -> tuple[Bytes, Labels]:
    """The columns and the chosen keys of a range of transfers, made by a worker."""
    columns, keys = transfers.chooser.here().extend(bits)
    return np.frombuffer(columns, dtype=np.uint8), keys


def _ranges(size: int) -> Iterator[tuple[int, slice]]:
    """The transfers of one message in ranges: how many, and their bytes of each column."""
    for first in range(0, size, RANGE):
        length = min(RANGE, size - first)
        yield length, slice(first // 8, first // 8 + columns_bytes(length) // TRANSFERS)


def share_words(transfers: Transfers, bits: Bits) -> Program[SharedWords]:
    """The words with these Boolean shares (width, count), with new transfers in both directions
    (PPMF-RES-005).
    """
    chosen = yield from choose_transfers(transfers, bits)
    sent = yield from send_transfers(transfers, *bits.shape)
    return SharedWords(bits, sent, chosen, transfers.offset)
