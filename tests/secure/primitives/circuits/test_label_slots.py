# SPDX-License-Identifier: Apache-2.0
"""Where labels are kept: nothing is overwritten that is still read, and no more slots are taken."""

from __future__ import annotations

import pytest
from hypothesis import given

from ppmf_secure.primitives.circuits.label_slots import ScheduledGate, schedule
from ppmf_secure.primitives.circuits.netlist import (
    CONSTANT_ONE,
    CONSTANT_ZERO,
    Builder,
    Circuit,
    Gate,
    Kind,
)
from ppmf_secure.primitives.circuits.training_circuits import update
from ppmf_spec.parameters import Regulariser
from tests.support.random_circuits import Drawn, circuits


def live_at_most(circuit: Circuit) -> int:
    """The most gates whose wires are needed at one time: while a gate is computed, its own too."""
    first = circuit.input_count
    kept = {wire for word in circuit.outputs.values() for wire in word}
    last = {wire: at for at, gate in enumerate(circuit.gates) for wire in gate[1:]}
    end = len(circuit.gates)
    until = {wire: end if wire in kept else last[wire] for wire in range(first, first + end)}
    return max(
        (sum(first + at >= w and until[w] >= at for w in until) for at in range(end)), default=0
    )


def follow(circuit: Circuit) -> None:
    """Every gate reads the wires it is said to read, and finds the outputs at the end."""
    found = schedule(circuit)
    inputs = circuit.input_count
    held: dict[int, int] = {wire: wire for wire in range(inputs)}
    for at, (gate, scheduled) in enumerate(zip(circuit.gates, found.gates, strict=True)):
        assert scheduled.kind is gate.kind
        assert held[scheduled.left] == gate.left
        assert held[scheduled.right] == gate.right
        assert scheduled.out not in (scheduled.left, scheduled.right)
        assert inputs <= scheduled.out < inputs + found.slots
        held[scheduled.out] = inputs + at
    held |= {CONSTANT_ZERO: CONSTANT_ZERO, CONSTANT_ONE: CONSTANT_ONE}
    assert {name: tuple(held[p] for p in word) for name, word in found.outputs.items()} == dict(
        circuit.outputs
    )
    assert found.slots == live_at_most(circuit)


@given(circuits())
def test_random_circuits_find_their_wires_in_as_few_slots_as_can_be(drawn: Drawn) -> None:
    follow(drawn.circuit)


@pytest.mark.parametrize("prox", [None, "elastic-net"])
def test_the_update_circuit(prox: Regulariser | None) -> None:
    follow(update(width=21, drop=9, frac_bits=6, box_bits=1, prox=prox, tau_bits=4, theta_bits=0))


def test_a_chain_takes_two_slots_in_turn() -> None:
    b = Builder()
    x, y = b.input("x", 2)
    word = b.and_(x, y)
    for _ in range(2):
        word = b.and_(b.xor(word, y), x)
    b.output("out", [word])
    circuit = b.build()
    assert [gate.kind for gate in circuit.gates] == [Kind.AND, *[Kind.XOR, Kind.AND] * 2]
    assert circuit.gates[1] == Gate(Kind.XOR, 1, 2)
    found = schedule(circuit)
    assert found.gates == (
        ScheduledGate(Kind.AND, 0, 1, 2),
        ScheduledGate(Kind.XOR, 1, 2, 3),
        ScheduledGate(Kind.AND, 0, 3, 2),
        ScheduledGate(Kind.XOR, 1, 2, 3),
        ScheduledGate(Kind.AND, 0, 3, 2),
    )
    assert found.slots == 2
    assert found.outputs == {"out": (2,)}
