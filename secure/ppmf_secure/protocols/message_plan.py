# SPDX-License-Identifier: GPL-3.0-or-later
"""The message plan: a walk through an epoch with public sizes alone.

`operations` yields what the servers do, in the order in which they do it (PPMF-RUN-003); each
operation knows the messages that it takes, with their routes and lengths. Nothing else in the
project lists them: the simulator draws its messages along this walk, the cost model counts them and
the work beside them, and transports bound what they accept by it (`limits`).
(tests/support/lengths.py is an independent reading of chapters 4 and 5, which it is held against.)

The order of an operation's messages holds for each direction; how the two directions interleave is
not part of it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

from ppmf_secure.driver import Limits
from ppmf_secure.primitives.base_transfers import SEED_BYTES, TRANSFERS
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.sealing import KEY_BYTES
from ppmf_secure.primitives.shares import chunks
from ppmf_secure.primitives.transfer_extension import columns_bytes
from ppmf_secure.protocols.bit_products import payload_bytes
from ppmf_secure.protocols.half_step import proximal, update_circuit
from ppmf_secure.protocols.ratings_product import (
    Orientation,
    orientations,
    row_batches,
)
from ppmf_secure.protocols.resumption import NAME_BYTES
from ppmf_secure.protocols.shared_circuits import EVALUATOR_INPUT
from ppmf_secure.protocols.step_sizes import BIAS_RULE, StepRule, factor_rule
from ppmf_secure.protocols.upload import SEALED_BYTES
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, SIDES, USERS, Role, Side

BOTH_WAYS = ((RECSYS, CSP), (CSP, RECSYS))


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is due: its route and type, and what public sizes say of its fields.

    sizes: in wire order, the length in bytes of a field of bytes or text, and the value of an
        integer.
    """

    sender: Role
    receiver: Role
    kind: type[wire.Message]
    sizes: tuple[int, ...]

    @property
    def length(self) -> int:
        """The bytes of its only field of bytes."""
        (length,) = self.sizes
        return length

    def encoded(self, epoch: int, number: int) -> int:
        """The bytes of the whole message, by the rules of canonical CBOR (PPMF-WIR-001, -002)."""
        header = 1 + _string(len(self.kind.name)) + _string(wire.SESSION_BYTES)
        size = header + _head(epoch) + _head(number)
        for kind, value in zip(wire.FIELD_TYPES[self.kind.name], self.sizes, strict=True):
            size += _head(value) if kind is int else _string(value)
        return size


@dataclass(frozen=True, slots=True)
class Size:
    """The public size of a run. Of the users only the lengths of their ids in UTF-8 matter."""

    id_bytes: Sequence[int]
    items: int

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.id_bytes)

    @classmethod
    def of(cls, user_ids: Sequence[str], items: int) -> Size:
        """The size of a run with these users."""
        return cls([len(user.encode()) for user in user_ids], items)

    @classmethod
    def numbered(cls, users: int, items: int) -> Size:
        """The size of a run whose users are called 1, 2, 3, ..."""
        return cls([len(str(number)) for number in range(1, users + 1)], items)


# -- the operations --------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Operation:
    """Something that the parties do, in a phase of the run, with the messages that it takes."""

    phase: str

    def messages(self) -> Iterator[Due]:
        """Its messages, in order for each direction."""
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class GiveSealKey(Operation):
    """CSP gives the users the key to which they seal."""

    def messages(self) -> Iterator[Due]:
        """One, for all users."""
        yield Due(CSP, USERS, wire.UserKey, (KEY_BYTES,))


@dataclass(frozen=True, slots=True)
class TakeUploads(Operation):
    """Every user uploads, in any order, and RecSys passes the seals on."""

    size: Size

    def messages(self) -> Iterator[Due]:
        """The uploads in the order of the user list, then the seals."""
        for length in self.size.id_bytes:
            sizes = (length, 16 * self.size.items, SEALED_BYTES)
            yield Due(USERS, RECSYS, wire.Upload, sizes)
        yield Due(RECSYS, CSP, wire.SealedSeeds, (self.size.users * SEALED_BYTES,))


@dataclass(frozen=True, slots=True)
class NameCheckpoints(Operation):
    """Each server of a later epoch names its checkpoints; held: how many RecSys and CSP have."""

    held: tuple[int, int]

    def messages(self) -> Iterator[Due]:
        """One each way, RecSys' first."""
        for way, count in zip(BOTH_WAYS, self.held, strict=True):
            yield Due(*way, wire.Resume, (NAME_BYTES * count,))


@dataclass(frozen=True, slots=True)
class GiveServerKeys(Operation):
    """The servers exchange their public keys."""

    suite: CipherSuite

    def messages(self) -> Iterator[Due]:
        """One each way."""
        sizes = (
            len(self.suite.name),
            self.suite.products.key_bytes,
            self.suite.transfer_bits // 8,
        )
        for way in BOTH_WAYS:
            yield Due(*way, wire.ServerKey, sizes)


@dataclass(frozen=True, slots=True)
class GiveEncryptedRows(Operation):
    """The servers exchange the encryptions of their shares of the ratings, in one orientation."""

    suite: CipherSuite
    orientation: Orientation

    @property
    def row_bytes(self) -> int:
        """The length of one encrypted row."""
        return self.suite.products.row_bytes(self.orientation.layout)

    def messages(self) -> Iterator[Due]:
        """A message a batch of rows, each way."""
        for batch in row_batches(self.suite.products, self.orientation.layout):
            sizes = (len(self.orientation.packing), batch.start, self.row_bytes * len(batch))
            for way in BOTH_WAYS:
                yield Due(*way, wire.EncryptedRows, sizes)


@dataclass(frozen=True, slots=True)
class TransferBases(Operation):
    """The base transfers, each way."""

    suite: CipherSuite

    def messages(self) -> Iterator[Due]:
        """A request and an answer, each way."""
        ciphertext = 2 * (self.suite.transfer_bits // 8)
        seeds = (self.suite.transfer_bits - 1) // (8 * SEED_BYTES)
        for way in BOTH_WAYS:
            yield Due(*way, wire.BaseRequest, (TRANSFERS * ciphertext,))
        for way in BOTH_WAYS:
            yield Due(*way, wire.BaseAnswer, (-(-TRANSFERS // seeds) * ciphertext,))


@dataclass(frozen=True, slots=True)
class RestoreWords(Operation):
    """The Boolean shares of one side, from a checkpoint, get transfers in both directions."""

    bits: int

    def messages(self) -> Iterator[Due]:
        """Columns each way."""
        for way in BOTH_WAYS:
            yield Due(*way, wire.TransferColumns, (columns_bytes(self.bits),))


@dataclass(frozen=True, slots=True)
class RunCircuit(Operation):
    """A garbled circuit on shares, for a number of elements."""

    circuit: Circuit
    elements: int

    @property
    def input_bits(self) -> int:
        """The bits of an element that the evaluator chooses with."""
        return self.circuit.inputs[EVALUATOR_INPUT]

    def messages(self) -> Iterator[Due]:
        """A chunk: columns of the evaluator's transfers, then tables."""
        for part in chunks(self.elements):
            count = part.stop - part.start
            columns = columns_bytes(self.input_bits * count)
            yield Due(RECSYS, CSP, wire.TransferColumns, (columns,))
            tables = 32 * self.circuit.and_count * count
            yield Due(CSP, RECSYS, wire.GarbledTables, (tables,))


@dataclass(frozen=True, slots=True)
class ShareOutputs(Operation):
    """Output labels, `bits` in all, become XOR-shared words with transfers in both directions."""

    bits: int

    def messages(self) -> Iterator[Due]:
        """Columns of CSP's choices; the other direction's transfers are the labels."""
        yield Due(CSP, RECSYS, wire.TransferColumns, (columns_bytes(self.bits),))


@dataclass(frozen=True, slots=True)
class MultiplyBits(Operation):
    """Words of `width` bits times vectors, for a number of elements; `ways`: who sends to whom."""

    elements: int
    length: int
    width: int
    ways: tuple[tuple[Role, Role], ...] = BOTH_WAYS

    def messages(self) -> Iterator[Due]:
        """A payload a chunk and way."""
        for part in chunks(self.elements):
            payload = payload_bytes(part.stop - part.start, self.length, self.width)
            for way in self.ways:
                yield Due(*way, wire.TransferPayload, (payload,))


@dataclass(frozen=True, slots=True)
class MultiplyRatings(Operation):
    """The columns of the fixed side times the ratings, for the updated side.

    public: the fixed side is the public start, so the product is local.
    """

    suite: CipherSuite
    orientation: Orientation
    public: bool

    def messages(self) -> Iterator[Due]:
        """An answer each way, but for the public start."""
        layout, uses = self.orientation.layout, self.orientation.uses
        for way in () if self.public else BOTH_WAYS:
            answer = self.suite.products.answer_bytes(layout, uses)
            yield Due(*way, wire.ProductAnswer, (answer,))


@dataclass(frozen=True, slots=True)
class OpenOutput(Operation):
    """CSP's share of V's bits goes to RecSys."""

    bits: int

    def messages(self) -> Iterator[Due]:
        """One, the last of a run."""
        yield Due(CSP, RECSYS, wire.OutputShare, ((self.bits + 7) // 8,))


# -- the walk --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MessagePlan:
    """An epoch of a run of these public sizes.

    epoch: 0 begins with the uploads, a later one with the names of checkpoints.
    held: how many checkpoints RecSys and CSP name then. done: after how many iterations it goes on.
    """

    params: Parameters
    size: Size
    suite: CipherSuite
    epoch: int = 0
    held: tuple[int, int] = (0, 0)
    done: int = 0

    @classmethod
    def of(
        cls,
        session: Session,
        suite: CipherSuite,
        *,
        epoch: int = 0,
        held: tuple[int, int] = (0, 0),
        done: int = 0,
    ) -> MessagePlan:
        """The plan of an epoch of a session."""
        size = Size.of(session.users, len(session.items))
        return cls(session.parameters, size, suite, epoch, held, done)

    def operations(self) -> Iterator[Operation]:
        """All that is done in the epoch, in order.

        Raises ParametersError when a run of this size would not be correct under these parameters
        or does not fit this cipher suite.
        """
        if self.epoch:
            yield NameCheckpoints("set-up", self.held)
        else:
            yield GiveSealKey("keys")
            yield TakeUploads("upload", self.size)
        yield from self._set_up()
        for number in range(2 * self.done, 2 * self.params.iterations):
            yield from self._half_step(number)
        yield OpenOutput("output", self._word_bits(Side.ITEMS))

    def messages(self) -> Iterator[Due]:
        """All messages of the epoch, in order for each direction."""
        for operation in self.operations():
            yield from operation.messages()

    @cached_property
    def orientations(self) -> dict[Side, Orientation]:
        """The two public shapes of the encrypted ratings, by the side that they pack."""
        found = orientations(self.params, self.size.users, self.size.items)
        return {orientation.packing: orientation for orientation in found}

    def rows(self, side: Side) -> int:
        """How many rows a side has."""
        return self.size.users if side is Side.USERS else self.size.items

    def _set_up(self) -> Iterator[Operation]:
        yield GiveServerKeys("set-up", self.suite)
        for side in SIDES:
            yield GiveEncryptedRows("set-up", self.suite, self.orientations[side])
        yield TransferBases("set-up", self.suite)
        for side in SIDES if self.done else ():
            yield RestoreWords("set-up", self._word_bits(side))
        for side in SIDES:
            if factor_rule(self.params).made_once:
                yield from self._steps("set-up", side, factor_rule(self.params))
            if self.params.bias:
                yield from self._steps("set-up", side, BIAS_RULE)

    def _half_step(self, number: int) -> Iterator[Operation]:
        updated = SIDES[number % 2]
        public = number == 0
        if not public:
            for k in range(self.params.rank):
                yield MultiplyBits(
                    "products",
                    self.rows(updated.other),
                    self.params.row_rank - k,
                    self.params.word_bits,
                )
        yield MultiplyRatings("products", self.suite, self.orientations[updated], public)
        if not factor_rule(self.params).made_once:
            yield from self._steps("steps", updated, factor_rule(self.params))
        for inner in range(self.params.inner_steps):
            yield from self._inner_step(updated, public=number < 2 and inner == 0)
            if number < 2 * self.params.iterations - 1 or inner < self.params.inner_steps - 1:
                yield ShareOutputs("updates", self._word_bits(updated))
                elements = self.params.row_rank * self.rows(updated)
                to_recsys = BOTH_WAYS[1:]
                yield MultiplyBits("updates", elements, 1, self.params.word_bits, to_recsys)

    def _inner_step(self, side: Side, *, public: bool) -> Iterator[Operation]:
        params, rows = self.params, self.rows(side)
        if not public:
            yield MultiplyBits("updates", params.row_rank * rows, params.row_rank, params.word_bits)
        steps = self._step_circuit(side, factor_rule(params))
        yield MultiplyBits("updates", rows, params.rank, len(steps.outputs["step"]))
        if params.bias:
            biases = self._step_circuit(side, BIAS_RULE)
            yield MultiplyBits("updates", rows, 1, len(biases.outputs["step"]))
        prox = proximal(params)
        plain = update_circuit(params, self._z_bits, None, 0, 0)
        if prox is None:
            yield RunCircuit("updates", plain, params.row_rank * rows)
            return
        tau, theta = (len(steps.outputs.get(name, ())) for name in ("tau", "theta"))
        moved = update_circuit(params, self._z_bits, prox, tau, theta)
        yield RunCircuit("updates", moved, params.rank * rows)
        if params.bias:
            yield RunCircuit("updates", plain, rows)

    def _steps(self, phase: str, side: Side, rule: StepRule) -> Iterator[Operation]:
        circuit = self._step_circuit(side, rule)
        yield RunCircuit(phase, circuit, self.rows(side))
        yield ShareOutputs(phase, len(circuit.outputs["step"]) * self.rows(side))

    def _step_circuit(self, side: Side, rule: StepRule) -> Circuit:
        return rule.circuit(self.params, self.rows(side.other))

    @cached_property
    def _z_bits(self) -> int:
        return bounds(self.params, self.size.users, self.size.items).z_bits

    def _word_bits(self, side: Side) -> int:
        """The bits of a side's words."""
        return self.params.word_bits * self.params.row_rank * self.rows(side)


def limits(session: Session, suite: CipherSuite, epoch: int) -> Limits:
    """The most bytes that one message of an epoch can have, by sender and receiver.

    In a later epoch it is not known how many checkpoints the peer holds, nor where the run goes on:
    the limit allows one of every iteration and epoch, and every half-step.
    """
    most = session.parameters.iterations * epoch
    found: Counter[tuple[Role, Role]] = Counter()
    numbered = (1 << 64) - 1
    for done in (0, 1) if epoch else (0,):
        plan = MessagePlan.of(session, suite, epoch=epoch, held=(most, most), done=done)
        for due in plan.messages():
            way = due.sender, due.receiver
            found[way] = max(found[way], due.encoded(epoch, numbered))
    return dict(found)


def _head(value: int) -> int:
    """The bytes of a CBOR head that carries `value` (RFC 8949, section 3)."""
    for size, limit in ((1, 24), (2, 1 << 8), (3, 1 << 16), (5, 1 << 32)):
        if value < limit:
            return size
    return 9


def _string(length: int) -> int:
    return _head(length) + length
