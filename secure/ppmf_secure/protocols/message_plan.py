# SPDX-License-Identifier: GPL-3.0-or-later
"""The message plan: a walk through an epoch with public sizes alone.

`MessagePlan.operations` yields what the parties do, in the order in which they do it
(PPMF-RUN-010). Nothing else in the project lists the messages of a run: the simulator draws its
messages along this walk, the cost model counts them and the work beside them, and transports bound
what they accept by it (`limits`). (tests/support/lengths.py is an independent reading of chapters 4
and 5, which this one is held against.)

The order of an operation's messages holds for each direction; how the two directions interleave is
not part of the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby

from ppmf_secure.driver import Limits
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.encryption.interface import FittedScheme
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.protocols.half_step import proximal, update_circuit
from ppmf_secure.protocols.operations import (
    BOTH_WAYS,
    ConvertBits,
    GiveEncryptedRows,
    GiveServerKeys,
    MultiplyBits,
    MultiplyRatings,
    NameCheckpoints,
    OpenOutput,
    Operation,
    PlannedMessage,
    PublicSize,
    RestoreWords,
    RunBaseTransfers,
    RunCircuit,
    ShareOutputs,
    TakeUploads,
)
from ppmf_secure.protocols.ratings_product import Orientation, orientations
from ppmf_secure.protocols.resumption import MOST_CHECKPOINTS
from ppmf_secure.protocols.step_sizes import BIAS_RULE, StepRule, factor_rule
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.session import Session
from ppmf_spec.bounds import Bounds, bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, SIDES, Role, Side
from ppmf_spec.wire import Message, Upload


@dataclass(frozen=True)
class MessagePlan:
    """The plan of one epoch of a run.

    epoch: its number. Epoch 0 begins with the uploads, a later one with the names of checkpoints.
    held: how many checkpoints RecSys and CSP name then.
    done: after how many iterations the epoch goes on; 0 is the public start.
    present: the rows of the users who are present, or None for all of them.
    """

    params: Parameters
    size: PublicSize
    suite: CipherSuite
    epoch: int = 0
    held: tuple[int, int] = (0, 0)
    done: int = 0
    present: tuple[int, ...] | None = None

    @classmethod
    def of(
        cls,
        session: Session,
        suite: CipherSuite,
        *,
        epoch: int = 0,
        held: tuple[int, int] = (0, 0),
        done: int = 0,
        present: tuple[int, ...] | None = None,
    ) -> MessagePlan:
        """The plan of an epoch of a session."""
        size = PublicSize.of(session.users, len(session.items))
        return cls(session.parameters, size, suite, epoch, held, done, present)

    def operations(self) -> Iterator[Operation]:
        """All operations of the epoch, in order.

        Raises ParametersError if a run of this size would not be correct under these parameters or
        does not fit this cipher suite.
        """
        if self.epoch:
            yield NameCheckpoints("set-up", self.epoch - 1, self.held)
        else:
            yield TakeUploads("upload", self.size, RatingCode.of(self.params), self.present)
        yield from self._set_up()
        for number in range(2 * self.done, 2 * self.params.iterations):
            yield from self._half_step(number)
        yield OpenOutput("output", self._word_bits(Side.ITEMS))

    def messages(self) -> Iterator[PlannedMessage]:
        """All messages of the epoch, in order for each direction."""
        for operation in self.operations():
            yield from operation.messages()

    @cached_property
    def orientations(self) -> dict[Side, Orientation]:
        """The two public shapes of the encrypted ratings, by the side that they pack."""
        found = orientations(self.params, self.size.users, self.size.items)
        return {orientation.packing: orientation for orientation in found}

    @cached_property
    def scheme(self) -> FittedScheme:
        """The suite's scheme for these shapes. Raises ParametersError if they do not fit it."""
        shapes = self.orientations.values()
        return self.suite.products.fit([orientation.layout for orientation in shapes])

    def rows(self, side: Side) -> int:
        """The number of rows of a side."""
        return self.size.users if side is Side.USERS else self.size.items

    def _set_up(self) -> Iterator[Operation]:
        yield GiveServerKeys("set-up", self.suite, self.scheme)
        yield RunBaseTransfers("set-up")
        entries = self.size.users * self.size.items
        planes = 1 + RatingCode.of(self.params).bits
        yield ConvertBits("set-up", entries, planes, self._bounds.ring_bits)
        for side in SIDES:
            yield GiveEncryptedRows("set-up", self.scheme, self.orientations[side])
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
                rows, length = self.rows(updated.other), self.params.row_rank - k
                yield self._multiply("products", rows, length, self.params.word_bits)
        yield MultiplyRatings("products", self.scheme, self.orientations[updated], public)
        if not factor_rule(self.params).made_once:
            yield from self._steps("steps", updated, factor_rule(self.params))
        for inner in range(self.params.inner_steps):
            yield from self._inner_step(updated, public=number < 2 and inner == 0)
            if number < 2 * self.params.iterations - 1 or inner < self.params.inner_steps - 1:
                yield ShareOutputs("updates", self._word_bits(updated))
                elements = self.params.row_rank * self.rows(updated)
                to_arithmetic = self._multiply("updates", elements, 1, self.params.word_bits)
                yield replace(to_arithmetic, ways=BOTH_WAYS[1:])

    def _inner_step(self, side: Side, *, public: bool) -> Iterator[Operation]:
        params, rows = self.params, self.rows(side)
        if not public:
            elements = params.row_rank * rows
            yield self._multiply("updates", elements, params.row_rank, params.word_bits)
        steps = self._step_circuit(side, factor_rule(params))
        yield self._multiply("updates", rows, params.rank, len(steps.outputs["step"]))
        if params.bias:
            biases = self._step_circuit(side, BIAS_RULE)
            yield self._multiply("updates", rows, 1, len(biases.outputs["step"]))
        prox = proximal(params)
        plain = update_circuit(params, self._bounds.z_bits, None, 0, 0)
        if prox is None:
            yield RunCircuit("updates", plain, params.row_rank * rows)
            return
        tau, theta = (len(steps.outputs.get(name, ())) for name in ("tau", "theta"))
        moved = update_circuit(params, self._bounds.z_bits, prox, tau, theta)
        yield RunCircuit("updates", moved, params.rank * rows)
        if params.bias:
            yield RunCircuit("updates", plain, rows)

    def _steps(self, phase: str, side: Side, rule: StepRule) -> Iterator[Operation]:
        circuit = self._step_circuit(side, rule)
        yield RunCircuit(phase, circuit, self.rows(side))
        yield ShareOutputs(phase, len(circuit.outputs["step"]) * self.rows(side))

    def _step_circuit(self, side: Side, rule: StepRule) -> Circuit:
        return rule.circuit(self.params, self.rows(side.other))

    def _multiply(self, phase: str, elements: int, length: int, width: int) -> MultiplyBits:
        return MultiplyBits(phase, elements, length, width, self._bounds.ring_bits)

    @cached_property
    def _bounds(self) -> Bounds:
        return bounds(self.params, self.size.users, self.size.items)

    def _word_bits(self, side: Side) -> int:
        """The number of bits of a side's words."""
        return self.params.word_bits * self.params.row_rank * self.rows(side)


def limits(session: Session, suite: CipherSuite, epoch: int) -> Limits:
    """The most bytes that a message of an epoch can have, by sender, receiver and type
    (PPMF-WIR-009).

    In a later epoch it is not known how many checkpoints the peer holds, nor from which iteration
    the run goes on. The limits allow as many as a server keeps, and all half-steps. Of an upload it
    is not known which of its user's it is. The limits allow any serial.
    """
    most = MOST_CHECKPOINTS
    found: Counter[tuple[Role, Role, type[Message]]] = Counter()
    numbered = (1 << 64) - 1
    for done in (0, 1) if epoch else (0,):
        # nor is it known which epoch the peer makes of it
        highest = numbered if epoch else 0
        plan = MessagePlan.of(session, suite, epoch=highest, held=(most, most), done=done)
        for due in (each for operation in plan.operations() for each in operation.counted()):
            if due.kind is Upload:
                due = replace(due, sizes=(due.sizes[0], numbered, *due.sizes[2:]))
            key = due.sender, due.receiver, due.kind
            found[key] = max(found[key], due.encoded(highest, numbered))
    return dict(found)


def most_ahead(session: Session, suite: CipherSuite) -> Mapping[Role, int]:
    """The most bytes, for each server, that it may have to send in an epoch while its peer waits to
    send and takes nothing (PPMF-LNK-017).

    A program has taken all messages of an operation before it begins the next one, but for products
    of bits that are made in one round. So a server is in no later operation than the next in which
    its peer sends something, and what is under way is of none before the last one of these.
    """
    found = dict.fromkeys((RECSYS, CSP), 0)
    for done in (0, 1):
        plan = MessagePlan.of(session, suite, epoch=1, held=(MOST_CHECKPOINTS,) * 2, done=done)
        under_way = dict.fromkeys(found, 0)
        for part in _rounds(plan.operations()):
            sent = {sender: sum(each.ahead(sender) for each in part) for sender in found}
            for sender, count in sent.items():
                under_way[sender] += count
                found[sender] = max(found[sender], under_way[sender])
                if sent[sender.peer]:
                    under_way[sender] = count
    return found


def _rounds(operations: Iterator[Operation]) -> Iterator[list[Operation]]:
    """The operations, those together that are made in one round."""
    for products, some in groupby(operations, key=lambda each: type(each) is MultiplyBits):
        if products:
            yield list(some)
        else:
            yield from ([each] for each in some)
