# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server holds together with the other server for one epoch, and their transfers.

CSP garbles, RecSys evaluates. Each sends oblivious transfers under an offset of its own: CSP's is
the free-XOR offset of its garbled circuits, which is why one of its transfers *is* an input label.
(PROTOCOL.md, section 5 B and 5 C.)
"""

from __future__ import annotations

from dataclasses import dataclass

from ppmf_secure.effects import CSP, RECSYS, Program, Send, receive
from ppmf_secure.primitives.base_transfers import answer, choose, reveal
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.hashing import BatchKeys
from ppmf_secure.primitives.shares import Bits, SharedWords, Words
from ppmf_secure.primitives.transfer_extension import (
    ExtensionReceiver,
    ExtensionSender,
    delta_bits,
    fresh_delta,
)
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
class Pair:
    """One server's half of the correlation between the two, for one epoch.

    offset (2,): the 128-bit difference of the two keys of every transfer this server sends.
    """

    me: str
    keys: BatchKeys
    offset: Words
    sender: ExtensionSender
    receiver: ExtensionReceiver

    @property
    def peer(self) -> str:
        return RECSYS if self.garbles else CSP

    @property
    def garbles(self) -> bool:
        return self.me == CSP


def open_pair(
    me: str, session_id: bytes, epoch: int, own: SecretKey, theirs: PublicKey, coins: Coins
) -> Program[Pair]:
    """128 base transfers each way, and the extensions they seed. Fresh coins for each epoch
    (PPMF-OTE-001 to -003).
    """
    peer = RECSYS if me == CSP else CSP
    offset = fresh_delta(coins, odd=me == CSP)
    yield Send(peer, BaseRequest(choose(own, delta_bits(offset), coins)))
    request = yield from receive(peer, BaseRequest)
    seeds, seed_pairs = answer(theirs, request.choices, coins)
    yield Send(peer, BaseAnswer(seeds))
    answered = yield from receive(peer, BaseAnswer)
    return Pair(
        me=me,
        keys=BatchKeys(session_id, epoch),
        offset=offset,
        sender=ExtensionSender(
            offset, reveal(own, answered.seeds), _context(session_id, epoch, sender=me)
        ),
        receiver=ExtensionReceiver(seed_pairs, _context(session_id, epoch, sender=peer)),
    )


def _context(session_id: bytes, epoch: int, *, sender: str) -> bytes:
    """What the keystreams of one direction's extension are bound to (PPMF-OTE-008)."""
    return session_id + epoch.to_bytes(8, "little") + sender.encode()


def send_transfers(pair: Pair, width: int, count: int) -> Program[Words]:
    """As the sender: the keys of choice 0, (width, count, 2)."""
    message = yield from receive(pair.peer, TransferColumns)
    return pair.sender.extend(message.columns, width * count).reshape(width, count, 2)


def choose_transfers(pair: Pair, bits: Bits) -> Program[Words]:
    """As the receiver with choice bits (width, count): the chosen keys, (width, count, 2)
    (PPMF-OTE-007).
    """
    columns, keys = pair.receiver.extend(bits.ravel())
    yield Send(pair.peer, TransferColumns(columns))
    return keys.reshape(*bits.shape, 2)


def share_words(pair: Pair, bits: Bits) -> Program[SharedWords]:
    """Give XOR-shared bits (width, count) their transfers, both ways, from the extension
    (PPMF-RES-005).
    """
    chosen = yield from choose_transfers(pair, bits)
    sent = yield from send_transfers(pair, *bits.shape)
    return SharedWords(bits, sent, chosen, pair.offset)
