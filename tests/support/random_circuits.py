# SPDX-License-Identifier: Apache-2.0
"""Random netlists, and the meaning of each of their bits computed apart from the netlist."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives.circuits.netlist import ONE, ZERO, Builder, Circuit

Bits = NDArray[np.uint8]
WIDTHS = {"x": 3, "y": 2}


@dataclass(frozen=True)
class Drawn:
    """A circuit with its inputs and expected outputs on all 32 assignments, as (width, 32)."""

    circuit: Circuit
    inputs: dict[str, Bits]
    outputs: dict[str, Bits]


@st.composite
def circuits(draw: st.DrawFn) -> Drawn:
    """Gates over all literals there are, constants included; outputs may be any of them."""
    builder = Builder()
    literals = [ZERO, ONE]
    truth = [np.zeros(32, dtype=np.uint8), np.ones(32, dtype=np.uint8)]
    inputs = {}
    position = 0
    for name, width in WIDTHS.items():
        literals += builder.input(name, width)
        rows = [(np.arange(32) >> (position + i) & 1).astype(np.uint8) for i in range(width)]
        truth += rows
        inputs[name] = np.array(rows)
        position += width
    for _ in range(draw(st.integers(0, 25))):
        operation = draw(st.sampled_from(["xor", "and", "or", "not"]))
        i = draw(st.integers(0, len(literals) - 1))
        j = draw(st.integers(0, len(literals) - 1))
        match operation:
            case "xor":
                literals.append(builder.xor(literals[i], literals[j]))
                truth.append(truth[i] ^ truth[j])
            case "and":
                literals.append(builder.and_(literals[i], literals[j]))
                truth.append(truth[i] & truth[j])
            case "or":
                literals.append(builder.or_(literals[i], literals[j]))
                truth.append(truth[i] | truth[j])
            case _:
                literals.append(builder.not_(literals[i]))
                truth.append(1 - truth[i])
    outputs = {}
    for name in ("p", "q"):
        chosen = draw(st.lists(st.integers(0, len(literals) - 1), min_size=1, max_size=4))
        builder.output(name, [literals[i] for i in chosen])
        outputs[name] = np.array([truth[i] for i in chosen])
    return Drawn(builder.build(), inputs, outputs)
