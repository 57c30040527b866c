# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server would receive in an epoch, every message drawn from its ideal distribution.

In the order of PPMF-RUN-003, with lengths that follow from the leakage. Why each may stand for the
real message, given all that the server knows:

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

from ppmf_secure.effects import CSP, RECSYS
from ppmf_secure.parties.training import SIDES, orientations
from ppmf_secure.parties.users import SEED_BYTES as SEALED_SEED_BYTES
from ppmf_secure.parties.users import seal_seed
from ppmf_secure.primitives.base_transfers import SEED_BYTES, TRANSFERS, choose
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import OwnerKey
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.sealing import KEY_BYTES, SealingKey
from ppmf_secure.primitives.shares import chunks
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.protocols.half_step import proximal, update_circuit
from ppmf_secure.protocols.ratings_product import BATCH_BYTES
from ppmf_secure.protocols.step_sizes import count_circuit, lipschitz_circuit
from ppmf_secure.simulator.answers import answer
from ppmf_secure.simulator.leakage import Leakage
from ppmf_spec import wire

Messages = Iterator[wire.Message]


class Imagined:
    """The messages to server `me` in one epoch, made while it runs (PPMF-SEC-002).

    `own` is its key pair for products, once it has made it; its other public keys are `heard` when
    it sends them. What is encrypted here to the server is encrypted under these.
    """

    def __init__(self, me: str, leakage: Leakage, epoch: int, coins: Coins) -> None:
        self.own: OwnerKey | None = None
        self._seal_key = self._transfer_key = b""
        self._me = me
        self._leakage = leakage
        self._epoch = epoch
        self._coins = coins
        session = leakage.session
        self._params = session.parameters
        self._rows = {"users": len(session.users), "items": len(session.items)}
        sizes = len(session.users), len(session.items)
        self._orientations = dict(zip(SIDES, orientations(self._params, *sizes), strict=True))
        # the peer's keys, kept to encrypt zeros
        self._products = leakage.suite.products.generate(coins)
        self._transfers = SecretKey.generate(leakage.suite.transfer_bits, coins)
        modulus = self._transfers.public.to_bytes()
        self.server_key = wire.ServerKey(session.suite, self._products.public, modulus)

    def heard(self, message: wire.Message) -> None:
        """The server has sent this."""
        match message:
            case wire.UserKey(key=key):
                self._seal_key = key
            case wire.ServerKey(transfer_key=key):
                self._transfer_key = key

    def messages(self, names: bytes) -> Messages:
        """All, in order; `names` are those of the checkpoints that the peer held, joined."""
        if self._epoch:
            yield wire.Resume(names)
        elif self._me == RECSYS:
            yield from self._uploads()
        else:
            yield self._sealed_seeds()
        yield from self._from_peer()
        yield wire.OutputShare(bytes((self._word_bits("items") + 7) // 8))

    # -- the users ---------------------------------------------------------------------------------

    def _uploads(self) -> Messages:
        """To RecSys, from all users."""
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

    # -- the peer ----------------------------------------------------------------------------------

    def _from_peer(self) -> Messages:
        """From `server-key` on, but for the output share."""
        yield self.server_key
        for orientation in self._orientations.values():
            layout = orientation.layout
            zeros = np.zeros((layout.rows, sum(layout.blocks)), dtype=np.uint64)
            rows = list(self._products.encrypt_rows(zeros, layout, self._coins))
            step = max(1, BATCH_BYTES // len(rows[0]))
            for first in range(0, layout.rows, step):
                batch = b"".join(rows[first : first + step])
                yield wire.EncryptedRows(orientation.packing, first, batch)
        no_choices = np.zeros(TRANSFERS, dtype=np.uint8)
        yield wire.BaseRequest(choose(self._transfers, no_choices, self._coins))
        yield self._base_answer()
        done = self._leakage.done(self._epoch)
        for side in SIDES if done else ():
            yield self._columns(self._word_bits(side))
        for side in SIDES:
            if self._params.step_rule == "count":
                yield from self._steps(side, factors=True)
            if self._params.bias:
                yield from self._steps(side, factors=False)
        for half_step in range(2 * done, self._leakage.session.half_steps):
            yield from self._half_step(half_step)

    def _base_answer(self) -> wire.BaseAnswer:
        key = PublicKey.parse(self._transfer_key, 8 * len(self._transfer_key))
        slots = (key.bits - 1) // (8 * SEED_BYTES)
        counts = [min(slots, TRANSFERS - first) for first in range(0, TRANSFERS, slots)]
        seeds = (self._coins.below(1 << 8 * SEED_BYTES * count) for count in counts)
        return wire.BaseAnswer(key.write(key.encrypt(some, self._coins) for some in seeds))

    def _half_step(self, half_step: int) -> Messages:
        params, rows = self._params, self._rows
        side, fixed = SIDES[half_step % 2], SIDES[1 - half_step % 2]
        if half_step:
            for k in range(params.rank):
                yield from self._payloads(rows[fixed], params.row_rank - k, params.word_bits)
            yield self._answer(side)
        if params.step_rule == "lipschitz":
            yield from self._steps(side, factors=True)
        for inner in range(params.inner_steps):
            public = half_step < 2 and inner == 0
            yield from self._inner_step(side, public=public)
            if half_step < self._leakage.session.half_steps - 1 or inner < params.inner_steps - 1:
                yield from self._shared(side)

    def _inner_step(self, side: str, *, public: bool) -> Messages:
        params, rows = self._params, self._rows[side]
        factors = self._step_circuit(side, factors=True)
        if not public:
            yield from self._payloads(params.row_rank * rows, params.row_rank, params.word_bits)
        yield from self._payloads(rows, params.rank, len(factors.outputs["step"]))
        if params.bias:
            biases = self._step_circuit(side, factors=False)
            yield from self._payloads(rows, 1, len(biases.outputs["step"]))
        z_bits, prox = self._leakage.session.bounds.z_bits, proximal(params)
        plain = update_circuit(params, z_bits, None, 0, 0)
        if prox is None:
            yield from self._circuit(plain, params.row_rank * rows)
            return
        tau, theta = (len(factors.outputs.get(name, ())) for name in ("tau", "theta"))
        moved = update_circuit(params, z_bits, prox, tau, theta)
        yield from self._circuit(moved, params.rank * rows)
        if params.bias:
            yield from self._circuit(plain, rows)

    def _steps(self, side: str, *, factors: bool) -> Messages:
        circuit = self._step_circuit(side, factors=factors)
        yield from self._circuit(circuit, self._rows[side])
        if self._me == RECSYS:
            yield self._columns(len(circuit.outputs["step"]) * self._rows[side])

    def _step_circuit(self, side: str, *, factors: bool) -> Circuit:
        terms = self._rows[SIDES[1 - SIDES.index(side)]]
        if factors and self._params.step_rule == "lipschitz":
            return lipschitz_circuit(self._params, terms)
        return count_circuit(self._params, terms, factors=factors)

    def _shared(self, side: str) -> Messages:
        """CSP chooses with the new words, and makes them arithmetic: RecSys alone receives."""
        if self._me == RECSYS:
            yield self._columns(self._word_bits(side))
            yield from self._payloads(
                self._params.row_rank * self._rows[side], 1, self._params.word_bits
            )

    def _circuit(self, circuit: Circuit, elements: int) -> Messages:
        """RecSys receives the tables, CSP the columns of RecSys' inputs."""
        for part in chunks(elements):
            count = part.stop - part.start
            if self._me == CSP:
                yield self._columns(circuit.inputs["share1"] * count)
            else:
                yield wire.GarbledTables(self._coins.bytes(32 * circuit.and_count * count))

    def _payloads(self, elements: int, length: int, width: int) -> Messages:
        a_word = sum((64 - bit + 7) // 8 for bit in range(width))
        for part in chunks(elements):
            size = (part.stop - part.start) * length * a_word
            yield wire.TransferPayload(self._coins.bytes(size))

    def _columns(self, transfers: int) -> wire.TransferColumns:
        return wire.TransferColumns(self._coins.bytes(columns_bytes(transfers)))

    def _answer(self, side: str) -> wire.ProductAnswer:
        assert self.own is not None, "a server sends its keys before it multiplies"
        here = self._orientations[side]
        products = self._leakage.suite.products
        return wire.ProductAnswer(answer(products, self.own, here.layout, here.uses, self._coins))

    def _word_bits(self, side: str) -> int:
        """The bits of a side's words."""
        return self._params.word_bits * self._params.row_rank * self._rows[side]
