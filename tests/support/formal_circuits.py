# SPDX-License-Identifier: Apache-2.0
"""Netlists in z3: gate by gate as they are, cut at wires, or with one gate exchanged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeAlias

import z3

from ppmf_secure.primitives.circuits.netlist import Circuit, Gate, Kind

Cut: TypeAlias = dict[int, z3.BoolRef]
"""Wires that take any value, instead of the one their gate gives them."""


def variables(circuit: Circuit) -> dict[str, z3.BitVecRef]:
    """A variable for each input word."""
    return {name: z3.BitVec(name, width) for name, width in circuit.inputs.items()}


def outputs(
    circuit: Circuit,
    inputs: Mapping[str, z3.BitVecRef],
    cut: Mapping[int, z3.BoolRef] | None = None,
) -> dict[str, z3.BitVecRef]:
    """The output words as terms: one Boolean operation for each gate."""
    cut = cut or {}
    wires: list[z3.BoolRef] = []
    for name in circuit.inputs:
        wires += [z3.Extract(i, i, inputs[name]) == 1 for i in range(circuit.inputs[name])]
    for kind, left, right in circuit.gates:
        if len(wires) in cut:
            wires.append(cut[len(wires)])
            continue
        match kind:
            case Kind.XOR:
                wires.append(z3.Xor(wires[left], wires[right]))
            case Kind.AND:
                wires.append(z3.And(wires[left], wires[right]))
            case Kind.NOT:
                wires.append(z3.Not(wires[left]))
    wires += [z3.BoolVal(True), z3.BoolVal(False)]  # CONSTANT_ONE = -2, CONSTANT_ZERO = -1
    return {name: _word([wires[w] for w in word]) for name, word in circuit.outputs.items()}


def cut_at(circuit: Circuit, *words: str) -> Cut:
    """Fresh variables for the wires of these output words; what is proved of them holds of any.

    A wire that two words share gets one variable; inputs and constants stay what they are. A wire
    that a NOT gate drives is cut before that gate, for others may read it there.
    """
    cut: Cut = {}
    for wire in sorted({wire for word in words for wire in circuit.outputs[word]}):
        driven = wire - circuit.input_count
        if driven >= 0 and circuit.gates[driven].kind is Kind.NOT:
            wire = circuit.gates[driven].left
        if wire >= circuit.input_count:
            cut[wire] = z3.Bool(f"wire{wire}")
    return cut


def with_other_gate(circuit: Circuit, number: int) -> Circuit:
    """The circuit with one wrong gate: its AND gate of this number computes XOR."""
    at = [i for i, gate in enumerate(circuit.gates) if gate.kind is Kind.AND][number]
    wrong = Gate(Kind.XOR, circuit.gates[at].left, circuit.gates[at].right)
    return replace(circuit, gates=(*circuit.gates[:at], wrong, *circuit.gates[at + 1 :]))


def _word(bits: Sequence[z3.BoolRef]) -> z3.BitVecRef:
    ones = [z3.If(bit, z3.BitVecVal(1, 1), z3.BitVecVal(0, 1)) for bit in reversed(bits)]
    return z3.Concat(*ones) if len(ones) > 1 else ones[0]
