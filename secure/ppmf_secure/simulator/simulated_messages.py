# SPDX-License-Identifier: GPL-3.0-or-later
"""The simulated messages to a server in an epoch, each drawn from its ideal distribution.

Their order and lengths are those of `protocols.message_plan`, which follow from the leakage. For
each message this is what is drawn, and why it may stand for the real one, given all that the server
knows (chapter 6, "The simulators" and "The proof"):

- *Masked bits* are uniform. The real mask is a keystream of AES-256 under a key that follows from a
  seed, which only CSP can open. It is pseudorandom.
- *Seals*, to RecSys, are of zeros. HPKE hides what it seals. To CSP they are fresh seals, to its
  own key, of uniform seeds and of consents, which it can make itself. As a user's seed is uniform,
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

from collections.abc import Iterator, Mapping

import numpy as np

from ppmf_secure.primitives.base_transfers import POINT_BYTES, candidates, first_point
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import OwnerKey
from ppmf_secure.primitives.sealing import KEY_BYTES
from ppmf_secure.protocols.admission import write_rows
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
from ppmf_secure.protocols.upload import (
    PAYLOAD_BYTES,
    SEED_BYTES,
    consent,
    seal_upload,
    upload_bytes,
)
from ppmf_secure.simulator.leakage import Leakage
from ppmf_secure.simulator.simulated_answers import simulated_answer
from ppmf_spec import wire
from ppmf_spec.roles import RECSYS, Role

Messages = Iterator[wire.Message | None]


class SimulatedMessages:
    """The simulated messages to the server `me` in one epoch, made while it runs (PPMF-SEC-002).

    own: the server's key pair for products, once it has made one. Encryptions to the server are
        under this key, and seals to CSP under that of the session.
    """

    def __init__(
        self,
        me: Role,
        leakage: Leakage,
        epoch: int,
        coins: Coins,
        consent_keys: Mapping[str, bytes],
    ) -> None:
        self.own: OwnerKey | None = None
        self._me = me
        self._leakage = leakage
        self._epoch = epoch
        self._coins = coins
        self._consent_keys = consent_keys
        # the peer's key, kept to encrypt zeros
        self._products = fitted_scheme(leakage.session, leakage.suite).generate(coins)
        self.server_key = wire.ServerKey(leakage.session.suite, self._products.public)

    def messages(self, names: bytes, decision: bytes) -> Messages:
        """All messages, in order; None says that no further upload will come.

        names: those of the checkpoints that the peer held, joined. decision: the digest of closing
        and admission.
        """
        plan = MessagePlan.of(
            self._leakage.session,
            self._leakage.suite,
            epoch=self._epoch,
            done=self._leakage.done(self._epoch),
            present=tuple(self._leakage.serials),
        )
        for operation in plan.operations():
            due = [each for each in operation.messages() if each.receiver is self._me]
            match operation:
                case NameCheckpoints():
                    yield wire.Resume(self._epoch - 1, names, decision)
                case TakeUploads() if self._me is RECSYS:
                    yield from self._uploads()
                    yield self._admission()
                case GiveEncryptedRows():
                    yield from self._encrypted_rows(operation)
                case _:
                    yield from (self._draw(operation, each) for each in due)

    def _draw(self, operation: Operation, due: PlannedMessage) -> wire.Message:
        """One message, of a type that is always drawn in the same way."""
        match due.kind:
            case wire.Closing:
                return self._closing()
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
        session, zeros = self._leakage.session, bytes(PAYLOAD_BYTES)
        for user, serial in self._leakage.came:
            masked = self._coins.bytes(upload_bytes(session))
            yield wire.Upload(user, serial, masked, self._seal(user, zeros))
        if len(self._leakage.serials) < len(session.users):
            yield None

    def _closing(self) -> wire.Closing:
        """Who is present, and serials and seals to CSP: with the right consent of those who are
        admitted, and none of the others.
        """
        session, serials = self._leakage.session, self._leakage.serials
        admitted, seals = set(self._leakage.admitted_rows), b""
        for row, serial in serials.items():
            user = session.users[row]
            right = consent(self._consent_keys[user], session, user, serial)
            approval = right if row in admitted else bytes(len(right))
            seals += serial.to_bytes(8, "little")
            seals += self._seal(user, self._coins.bytes(SEED_BYTES) + approval)
        return wire.Closing(write_rows(serials, len(session.users)), seals)

    def _admission(self) -> wire.Admission:
        """Whom CSP admits."""
        rows, count = self._leakage.admitted_rows, len(self._leakage.session.users)
        return wire.Admission(write_rows(rows, count))

    def _seal(self, user: str, payload: bytes) -> bytes:
        return seal_upload(self._leakage.session, user, payload, self._coins.bytes(KEY_BYTES))

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
