# SPDX-License-Identifier: GPL-3.0-or-later
"""The messages to a server in an epoch, each drawn from its ideal distribution.

Their order and lengths are those of `protocols.message_plan`, which follow from the leakage. Why
each may stand for the real message, given all that the server knows:

- *masked rows*: uniform words. SHAKE-256 of a seed that only CSP can open is pseudorandom.
- *sealed seeds*, to RecSys: seals of zeros to a key that is made here. HPKE hides what it seals
  (gap Diffie-Hellman on X25519, HKDF a random oracle). To CSP: fresh seals of uniform seeds to its
  own key; a user's seed is uniform, so this is exact.
- *server key*: fresh keys, as the peer's are. Exact.
- *encrypted rows, base request*: fresh encryptions of zeros under these keys. RLWE or DCR.
- *base answer*: a fresh encryption, under the server's own key, of uniform seeds. Exact: of each
  pair one seed is sent, and both are uniform.
- *columns*: uniform bits. The server has one seed of each pair; AES-128 in counter mode under the
  other is pseudorandom.
- *corrections*: uniform bytes. The server has one key of each transfer; the pads under the other,
  which is that key xor the peer's offset, are pseudorandom (TCCR).
- *garbled tables*: uniform blocks. The server has one label of each wire; of each table both halves
  contain the hash of the other one (TCCR). Evaluation makes active labels of them, and colours:
  they are distributed as in a real run, since a real table is, to the evaluator, no different.
- *answers*: see `answers`. RLWE in a lattice suite, statistical.
- *resume*: the names of the checkpoints that the leakage says the peer held.
- *output share*: zeros, in whose place `views` puts the share that opens the colours to V.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ppmf_secure.primitives.base_transfers import SEED_BYTES, TRANSFERS, choose
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import OwnerKey
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.sealing import KEY_BYTES, SealingKey
from ppmf_secure.protocols.message_plan import MessagePlan
from ppmf_secure.protocols.operations import (
    GiveEncryptedRows,
    MultiplyRatings,
    NameCheckpoints,
    Operation,
    PlannedMessage,
    TakeUploads,
)
from ppmf_secure.protocols.upload import SEED_BYTES as SEALED_SEED_BYTES
from ppmf_secure.protocols.upload import seal_seed
from ppmf_secure.simulator.leakage import Leakage
from ppmf_secure.simulator.simulated_answers import simulated_answer
from ppmf_spec import wire
from ppmf_spec.roles import RECSYS, Role

Messages = Iterator[wire.Message]


class SimulatedMessages:
    """The messages to server `me` in one epoch, made while it runs (PPMF-SEC-002).

    `own` is its key pair for products, once it has made it; its other public keys are `heard` when
    it sends them. What is encrypted here to the server is encrypted under these.
    """

    def __init__(self, me: Role, leakage: Leakage, epoch: int, coins: Coins) -> None:
        self.own: OwnerKey | None = None
        self._seal_key = self._transfer_key = b""
        self._me = me
        self._leakage = leakage
        self._epoch = epoch
        self._coins = coins
        # the peer's keys, kept to encrypt zeros
        self._products = leakage.suite.products.generate(coins)
        self._transfers = SecretKey.generate(leakage.suite.transfer_bits, coins)
        modulus = self._transfers.public.to_bytes()
        name = leakage.session.suite
        self.server_key = wire.ServerKey(name, self._products.public, modulus)

    def observe(self, message: wire.Message) -> None:
        """The server has sent this."""
        match message:
            case wire.UserKey(key=key):
                self._seal_key = key
            case wire.ServerKey(transfer_key=key):
                self._transfer_key = key

    def messages(self, names: bytes) -> Messages:
        """All, in order; `names` are those of the checkpoints that the peer held, joined."""
        plan = MessagePlan.of(
            self._leakage.session,
            self._leakage.suite,
            epoch=self._epoch,
            done=self._leakage.done(self._epoch),
        )
        for operation in plan.operations():
            due = [each for each in operation.messages() if each.receiver is self._me]
            match operation:
                case NameCheckpoints():
                    yield wire.Resume(names)
                case TakeUploads() if self._me is RECSYS:
                    yield from self._uploads()
                case GiveEncryptedRows():
                    yield from self._encrypted_rows(operation, due)
                case _:
                    yield from (self._draw(operation, each) for each in due)

    def _draw(self, operation: Operation, due: PlannedMessage) -> wire.Message:
        """A message of which there is one way to be drawn."""
        match due.kind:
            case wire.SealedSeeds:
                return self._sealed_seeds()
            case wire.ServerKey:
                return self.server_key
            case wire.BaseRequest:
                no_choices = np.zeros(TRANSFERS, dtype=np.uint8)
                return wire.BaseRequest(choose(self._transfers, no_choices, self._coins))
            case wire.BaseAnswer:
                return self._base_answer()
            case wire.ProductAnswer:
                assert isinstance(operation, MultiplyRatings)
                return self._answer(operation)
            case wire.TransferColumns:
                return wire.TransferColumns(self._coins.bytes(due.length))
            case wire.TransferPayload:
                return wire.TransferPayload(self._coins.bytes(due.length))
            case wire.GarbledTables:
                return wire.GarbledTables(self._coins.bytes(due.length))
            case wire.OutputShare:
                return wire.OutputShare(bytes(due.length))
        raise AssertionError(f"no server receives {due.kind.name} here")

    # -- from the users ----------------------------------------------------------------------------

    def _uploads(self) -> Messages:
        """To RecSys, from all users, in the order in which they came."""
        key, session = SealingKey.generate(self._coins).public, self._leakage.session
        for user in self._leakage.uploads or session.users:
            masked = self._coins.bytes(16 * len(session.items))
            yield wire.Upload(user, masked, self._seal(user, bytes(SEALED_SEED_BYTES), key))

    def _sealed_seeds(self) -> wire.SealedSeeds:
        """To CSP, under the key that it gave to the users."""
        sealed = b""
        for user in self._leakage.session.users:
            sealed += self._seal(user, self._coins.bytes(SEALED_SEED_BYTES), self._seal_key)
        return wire.SealedSeeds(sealed)

    def _seal(self, user: str, seed: bytes, key: bytes) -> bytes:
        return seal_seed(self._leakage.session, user, key, seed, self._coins.bytes(KEY_BYTES))

    # -- from the peer -----------------------------------------------------------------------------

    def _encrypted_rows(self, operation: GiveEncryptedRows, due: list[PlannedMessage]) -> Messages:
        """Encryptions of zeros, batch by batch."""
        layout = operation.orientation.layout
        zeros = np.zeros((layout.rows, sum(layout.blocks)), dtype=np.uint64)
        rows = self._products.encrypt_rows(zeros, layout, self._coins)
        for each in due:
            _, first, length = each.sizes
            batch = b"".join(next(rows) for _ in range(length // operation.row_bytes))
            yield wire.EncryptedRows(operation.orientation.packing, first, batch)

    def _base_answer(self) -> wire.BaseAnswer:
        key = PublicKey.parse(self._transfer_key, 8 * len(self._transfer_key))
        slots = (key.bits - 1) // (8 * SEED_BYTES)
        counts = [min(slots, TRANSFERS - first) for first in range(0, TRANSFERS, slots)]
        seeds = (self._coins.below(1 << 8 * SEED_BYTES * count) for count in counts)
        return wire.BaseAnswer(key.write(key.encrypt(some, self._coins) for some in seeds))

    def _answer(self, operation: MultiplyRatings) -> wire.ProductAnswer:
        assert self.own is not None, "a server sends its keys before it multiplies"
        here, products = operation.orientation, self._leakage.suite.products
        return wire.ProductAnswer(
            simulated_answer(products, self.own, here.layout, here.uses, self._coins)
        )
