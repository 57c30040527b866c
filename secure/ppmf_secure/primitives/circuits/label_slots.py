# SPDX-License-Identifier: GPL-3.0-or-later
"""The buffers in which the labels of a circuit's wires lie while it is garbled or evaluated.

The buffer of one wire has 64 KiB for 4,096 elements. A gate writes to the buffer of a wire that no
later gate reads, so that all buffers in use fit the cache of a core and none is allocated between
gates.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from ppmf_secure.primitives.circuits.netlist import CONSTANT_ONE, CONSTANT_ZERO, Circuit, Gate, Kind


@dataclass(frozen=True, slots=True)
class ScheduledGate:
    """A gate, with the buffers of the labels that it reads and writes.

    Buffers are numbered: first the input wires, which are only read, then the slots.
    """

    kind: Kind
    left: int
    right: int
    out: int


@dataclass(frozen=True)
class Schedule:
    """The gates of a circuit in order, in as few slots as the lifetimes of the wires allow.

    slots: their number. outputs: for each output word the buffers of its bits.
    """

    gates: tuple[ScheduledGate, ...]
    slots: int
    outputs: Mapping[str, tuple[int, ...]]


def schedule(circuit: Circuit) -> Schedule:
    """The schedule of a circuit: each gate gets a slot whose wire is not needed any more.

    The slots of outputs are not used again. A circuit that was scheduled lately is looked up.
    """
    return _scheduled(circuit.input_count, circuit.gates, tuple(circuit.outputs.items()))


@lru_cache(maxsize=16)
def _scheduled(
    inputs: int, circuit: tuple[Gate, ...], outputs: tuple[tuple[str, tuple[int, ...]], ...]
) -> Schedule:
    last_use = {wire: index for index, gate in enumerate(circuit) for wire in gate[1:]}
    kept = {wire for _, word in outputs for wire in word}
    place = {wire: wire for wire in range(inputs)} | {
        constant: constant for constant in (CONSTANT_ZERO, CONSTANT_ONE)
    }
    free: list[int] = []
    slots = 0
    gates: list[ScheduledGate] = []
    for index, (kind, left, right) in enumerate(circuit):
        if not free:
            free.append(inputs + slots)
            slots += 1
        # The slot is taken before those of the inputs are freed: no gate writes where it reads.
        out = place[inputs + index] = free.pop()
        gates.append(ScheduledGate(kind, place[left], place[right], out))
        free += [
            place[wire]
            for wire in {left, right}
            if wire >= inputs and last_use[wire] == index and wire not in kept
        ]
    places = {name: tuple(place[wire] for wire in word) for name, word in outputs}
    return Schedule(tuple(gates), slots, places)
