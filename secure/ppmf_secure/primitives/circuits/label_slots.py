# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the labels of a circuit's wires are kept while it is garbled or evaluated.

A label buffer of 4,096 elements has 64 KiB. A gate's is taken from the wires that no later gate
reads, so that what is live fits a core's cache and nothing is allocated between gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ppmf_secure.primitives.circuits.netlist import CONSTANT_ONE, CONSTANT_ZERO, Circuit, Kind


@dataclass(frozen=True, slots=True)
class ScheduledGate:
    """A gate with the places of its labels: the input wires, then reusable slots."""

    kind: Kind
    left: int
    right: int
    out: int


@dataclass(frozen=True)
class Schedule:
    """The gates of a circuit in order, with as few label buffers as their lifetimes allow."""

    gates: tuple[ScheduledGate, ...]
    slots: int
    outputs: Mapping[str, tuple[int, ...]]


def schedule(circuit: Circuit) -> Schedule:
    """Give each gate a slot that no wire still needed occupies; outputs keep theirs."""
    inputs = circuit.input_count
    last_use = {wire: index for index, gate in enumerate(circuit.gates) for wire in gate[1:]}
    kept = {wire for word in circuit.outputs.values() for wire in word}
    place = {wire: wire for wire in range(inputs)} | {
        constant: constant for constant in (CONSTANT_ZERO, CONSTANT_ONE)
    }
    free: list[int] = []
    slots = 0
    gates: list[ScheduledGate] = []
    for index, (kind, left, right) in enumerate(circuit.gates):
        if not free:
            free.append(inputs + slots)
            slots += 1
        # Taken before the inputs' slots are freed: no gate writes where it still reads.
        out = place[inputs + index] = free.pop()
        gates.append(ScheduledGate(kind, place[left], place[right], out))
        free += [
            place[wire]
            for wire in {left, right}
            if wire >= inputs and last_use[wire] == index and wire not in kept
        ]
    outputs = {name: tuple(place[w] for w in word) for name, word in circuit.outputs.items()}
    return Schedule(tuple(gates), slots, outputs)
