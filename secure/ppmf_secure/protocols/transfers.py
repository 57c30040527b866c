# SPDX-License-Identifier: GPL-3.0-or-later
"""The oblivious transfers between the two servers in one epoch (chapter 4, "Oblivious transfer").

CSP garbles, RecSys evaluates. Each server sends transfers under an offset of its own. CSP's offset
is also the offset of its garbled circuits, so that the keys of its transfers are labels of input
wires.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from ppmf_secure.arrays import Bits, Labels
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.base_transfers import BaseChooser, BaseSender
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.shares import SharedWords
from ppmf_secure.primitives.transfer_extension import (
    ExtensionChooser,
    ExtensionSender,
    fresh_offset,
    offset_bits,
)
from ppmf_secure.primitives.workers import Workers
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import BaseAnswer, BaseRequest, TransferColumns


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
    return transfers.sender.extend(message.columns, width * count).reshape(width, count, 2)


def choose_transfers(transfers: Transfers, bits: Bits) -> Program[Labels]:
    """The chosen keys (width, count, 2) of transfers in which this server chooses with these bits
    (width, count) (PPMF-OTE-007).
    """
    columns, keys = transfers.chooser.extend(bits.ravel())
    yield Send(transfers.peer, TransferColumns(columns))
    return keys.reshape(*bits.shape, 2)


def share_words(transfers: Transfers, bits: Bits) -> Program[SharedWords]:
    """The words with these Boolean shares (width, count), with new transfers in both directions
    (PPMF-RES-005).
    """
    chosen = yield from choose_transfers(transfers, bits)
    sent = yield from send_transfers(transfers, *bits.shape)
    return SharedWords(bits, sent, chosen, transfers.offset)
