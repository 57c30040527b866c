# SPDX-License-Identifier: GPL-3.0-or-later
"""The oblivious transfers between the two servers, for one epoch.

CSP garbles, RecSys evaluates. Each server sends transfers under an offset of its own. CSP's offset
is the free-XOR offset of its garbled circuits, so one of its transfers *is* an input label
(chapter 4, "Oblivious transfer").
"""

from __future__ import annotations

from dataclasses import dataclass

from ppmf_secure.arrays import Bits, Labels
from ppmf_secure.effects import Program, Send, receive
from ppmf_secure.primitives.base_transfers import answer, choose, reveal
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.shares import SharedWords
from ppmf_secure.primitives.transfer_extension import (
    ExtensionChooser,
    ExtensionSender,
    fresh_offset,
    offset_bits,
)
from ppmf_spec.roles import CSP, Role
from ppmf_spec.wire import BaseAnswer, BaseRequest, TransferColumns


@dataclass(frozen=True, slots=True)
class Site:
    """Where in the run a batch of hashes stands: no two batches share a site, so none a key
    (PPMF-HSH-004, PPMF-BIT-003).
    """

    purpose: str
    indices: tuple[int, ...] = ()

    def within(self, *indices: int) -> Site:
        """A place inside this one."""
        return Site(self.purpose, (*self.indices, *indices))


@dataclass(frozen=True, slots=True, repr=False)
class Transfers:
    """One server's ends of the transfers with the other one, for one epoch.

    keys: the batch keys of the hash, the same at both servers.
    offset (2,): the 128-bit difference of the two keys of every transfer this server sends.
    sender, chooser: its ends of the two extensions.
    """

    me: Role
    keys: BatchKeys
    offset: Labels
    sender: ExtensionSender
    chooser: ExtensionChooser

    @property
    def peer(self) -> Role:
        """The other server."""
        return self.me.peer

    @property
    def garbles(self) -> bool:
        """Whether this server is the garbler: CSP is."""
        return self.me == CSP


def open_transfers(
    me: Role, session_id: bytes, epoch: int, own: SecretKey, theirs: PublicKey, coins: Coins
) -> Program[Transfers]:
    """128 base transfers each way, and the extensions they seed. Fresh coins for each epoch
    (PPMF-OTE-001 to -003).
    """
    peer = me.peer
    offset = fresh_offset(coins, odd=me == CSP)
    yield Send(peer, BaseRequest(choose(own, offset_bits(offset), coins)))
    request = yield from receive(peer, BaseRequest)
    seeds, seed_pairs = answer(theirs, request.choices, coins)
    yield Send(peer, BaseAnswer(seeds))
    answered = yield from receive(peer, BaseAnswer)
    return Transfers(
        me=me,
        keys=BatchKeys(session_id, epoch),
        offset=offset,
        sender=ExtensionSender(
            offset, reveal(own, answered.seeds), _context(session_id, epoch, sender=me)
        ),
        chooser=ExtensionChooser(seed_pairs, _context(session_id, epoch, sender=peer)),
    )


def _context(session_id: bytes, epoch: int, *, sender: Role) -> bytes:
    """What the keystreams of one direction's extension are bound to (PPMF-OTE-008)."""
    return session_id + epoch.to_bytes(8, "little") + sender.encode()


def send_transfers(transfers: Transfers, width: int, count: int) -> Program[Labels]:
    """As the sender: the keys of choice 0, (width, count, 2)."""
    message = yield from receive(transfers.peer, TransferColumns)
    return transfers.sender.extend(message.columns, width * count).reshape(width, count, 2)


def choose_transfers(transfers: Transfers, bits: Bits) -> Program[Labels]:
    """As the receiver with choice bits (width, count): the chosen keys, (width, count, 2)
    (PPMF-OTE-007).
    """
    columns, keys = transfers.chooser.extend(bits.ravel())
    yield Send(transfers.peer, TransferColumns(columns))
    return keys.reshape(*bits.shape, 2)


def share_words(transfers: Transfers, bits: Bits) -> Program[SharedWords]:
    """Give XOR-shared bits (width, count) their transfers, both ways, from the extension
    (PPMF-RES-005).
    """
    chosen = yield from choose_transfers(transfers, bits)
    sent = yield from send_transfers(transfers, *bits.shape)
    return SharedWords(bits, sent, chosen, transfers.offset)
