# SPDX-License-Identifier: Apache-2.0
"""The circuits of a run, from its public sizes: how many AND gates, how wide their words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.protocols.half_step import proximal, update_circuit
from ppmf_secure.protocols.shared_circuits import EVALUATOR_INPUT
from ppmf_secure.protocols.step_sizes import count_circuit, lipschitz_circuit
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters


@dataclass(frozen=True, slots=True)
class Shape:
    """What a circuit costs an element.

    share_bits: the width of the shares that go in, each bit one transfer. gates: AND gates.
    widths: of the words that come out.
    """

    share_bits: int
    gates: int
    widths: dict[str, int]

    @property
    def thresholds(self) -> tuple[int, int]:
        """The widths of tau and theta, 0 for what is not made."""
        return self.widths.get("tau", 0), self.widths.get("theta", 0)

    @classmethod
    def of(cls, circuit: Circuit) -> Shape:
        """The shape of a netlist."""
        widths = {name: len(wires) for name, wires in circuit.outputs.items()}
        return cls(circuit.inputs[EVALUATOR_INPUT], circuit.and_count, widths)


@cache
def steps(params: Parameters, terms: int, *, counts: bool, factors: bool) -> Shape:
    """The reciprocal of a row over at most `terms` ratings.

    counts: from the number of ratings (rule `count`, and the biases), else from q2. factors: with
    the thresholds of the factors' prox, if it has any; from q2 always so.
    """
    if counts:
        return Shape.of(count_circuit(params, terms, factors=factors))
    return Shape.of(lipschitz_circuit(params, terms))


@cache
def update(params: Parameters, users: int, items: int, thresholds: tuple[int, int] | None) -> Shape:
    """The new word of an element; thresholds: the widths of tau and theta, None without a prox."""
    tau_bits, theta_bits = thresholds or (0, 0)
    width = bounds(params, users, items).z_bits
    prox = None if thresholds is None else proximal(params)
    return Shape.of(update_circuit(params, width, prox, tau_bits, theta_bits))
