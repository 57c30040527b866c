# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated messages to a server in an epoch, each drawn from its ideal distribution.

Their order and lengths are those of `protocols.message_plan`, which follow from the leakage. For
each message this is what is drawn, and why it may stand for the real one, given all that the server
knows (chapter 6, "The simulators" and "The proof"):

- *Masked rows* are uniform words. The real mask is SHAKE-256 of a seed that only CSP can open,
  which is pseudorandom.
- *Sealed seeds*, to RecSys, are seals of zeros to a key that is made here. HPKE hides what it
  seals. To CSP they are fresh seals of uniform seeds to its own key. As a user's seed is uniform,
  this is exact.
- *Server keys* are fresh keys, as the peer's are. This is exact.
- *Encrypted rows* are fresh encryptions of zeros under these keys: RLWE or DCR.
- *Base requests* and *base answers* are uniform points of P-256. The real ones are such points too,
  whatever the offset is, so this is exact.
- *Columns* are uniform bits. The server has one seed of each pair. The other is the hash of a
  number that it would have to compute by solving gap Diffie-Hellman, and AES-128 in counter mode
  under that seed is a pseudorandom mask.
- *Corrections* are uniform bytes. The server has one key of each transfer. The pads under the
  other, which is that key xor the peer's offset, are pseudorandom (TCCR).
- *Garbled tables* are uniform blocks. The server has one label of each wire, and both halves of
  each table contain the hash of a label that it lacks (TCCR). Evaluated, they give active labels
  and colours, by the same function as in a real run.
- *Answers* are those of `simulated_answers`: statistical, and RLWE in a lattice suite.
- *Resume* has the number of the epoch before, and the names of the checkpoints that the peer held,
  by the leakage.
- *The output share* is zeros. `views` replaces it by the share that opens the colours to V.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ppmf_secure.primitives.base_transfers import POINT_BYTES, candidates, first_point
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import OwnerKey
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
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.protocols.upload import SEED_BYTES as SEALED_SEED_BYTES
from ppmf_secure.protocols.upload import seal_seed
from ppmf_secure.simulator.leakage import Leakage
from ppmf_secure.simulator.simulated_answers import simulated_answer
from ppmf_spec import wire
from ppmf_spec.roles import RECSYS, Role

Messages = Iterator[wire.Message]


class SimulatedMessages:
    """The simulated messages to the server `me` in one epoch, made while it runs (PPMF-SEC-002).

    own: the server's key pair for products, once it has made one. The key for its seals is known
        from the message in which it sends it (`observe`). Encryptions to the server are under these
        keys.
    """

    def __init__(self, me: Role, leakage: Leakage, epoch: int, coins: Coins) -> None:
        self.own: OwnerKey | None = None
        self._seal_key = b""
        self._me = me
        self._leakage = leakage
        self._epoch = epoch
        self._coins = coins
        # the peer's key, kept to encrypt zeros
        self._products = fitted_scheme(leakage.session, leakage.suite).generate(coins)
        self.server_key = wire.ServerKey(leakage.session.suite, self._products.public)

    def observe(self, message: wire.Message) -> None:
        """Take note of a message that the server sends: it may contain a key."""
        if isinstance(message, wire.UserKey):
            self._seal_key = message.key

    def messages(self, names: bytes) -> Messages:
        """All messages, in order. `names`: those of the checkpoints that the peer held, joined."""
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
                    yield wire.Resume(self._epoch - 1, names)
                case TakeUploads() if self._me is RECSYS:
                    yield from self._uploads()
                case GiveEncryptedRows():
                    yield from self._encrypted_rows(operation)
                case _:
                    yield from (self._draw(operation, each) for each in due)

    def _draw(self, operation: Operation, due: PlannedMessage) -> wire.Message:
        """One message, of a type that is always drawn in the same way."""
        match due.kind:
            case wire.SealedSeeds:
                return self._sealed_seeds()
            case wire.ServerKey:
                return self.server_key
            case wire.BaseRequest:
                return wire.BaseRequest(self._points(due.length))
            case wire.BaseAnswer:
                return wire.BaseAnswer(self._points(due.length))
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
        """The uploads to RecSys, in the order in which the real ones came."""
        key, session = SealingKey.generate(self._coins).public, self._leakage.session
        for user in self._leakage.uploads or session.users:
            masked = self._coins.bytes(16 * len(session.items))
            yield wire.Upload(user, masked, self._seal(user, bytes(SEALED_SEED_BYTES), key))

    def _sealed_seeds(self) -> wire.SealedSeeds:
        """The sealed seeds to CSP, under the key that it gave to the users."""
        sealed = b""
        for user in self._leakage.session.users:
            sealed += self._seal(user, self._coins.bytes(SEALED_SEED_BYTES), self._seal_key)
        return wire.SealedSeeds(sealed)

    def _seal(self, user: str, seed: bytes, key: bytes) -> bytes:
        return seal_seed(self._leakage.session, user, key, seed, self._coins.bytes(KEY_BYTES))

    # -- from the peer -----------------------------------------------------------------------------

    def _encrypted_rows(self, operation: GiveEncryptedRows) -> Messages:
        """The messages of encrypted rows: encryptions of zeros, batch by batch."""
        layout = operation.orientation.layout
        zeros = np.zeros(layout.shape, dtype=np.uint64)
        groups = self._products.encrypt_rows(zeros, layout, self._coins)
        for batch in operation.batches:
            rows = b"".join(next(groups) for _ in batch)
            yield wire.EncryptedRows(operation.orientation.packing, batch.start, rows)

    def _points(self, length: int) -> bytes:
        """Uniform points, `length` bytes of them."""
        count = length // POINT_BYTES
        return b"".join(first_point(candidates(self._coins)) for _ in range(count))

    def _answer(self, operation: MultiplyRatings) -> wire.ProductAnswer:
        assert self.own is not None, "a server sends its keys before it multiplies"
        shape = operation.orientation
        return wire.ProductAnswer(
            simulated_answer(operation.scheme, self.own, shape.layout, shape.uses, self._coins)
        )
