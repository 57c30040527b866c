# SPDX-License-Identifier: Apache-2.0
"""The circuits of a run, from its public sizes: how many AND gates, how wide their words."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

from ppmf_secure import circuits
from ppmf_secure.garbled import EVALUATOR_INPUT
from ppmf_secure.halfstep import proximal
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
    def of(cls, circuit: circuits.Circuit) -> Shape:
        """The shape of a netlist."""
        widths = {name: len(wires) for name, wires in circuit.outputs.items()}
        return cls(circuit.inputs[EVALUATOR_INPUT], circuit.and_count, widths)


@cache
def steps(params: Parameters, terms: int, *, counts: bool, factors: bool) -> Shape:
    """The reciprocal of a row over at most `terms` ratings.

    counts: from the number of ratings (rule `count`, and the biases), else from q2. factors: with
    the thresholds of the factors' prox, if it has any.
    """
    f, g, s = params.frac_bits, params.step_guard_bits, params.curvature_shift
    if counts:
        drop, shift = 0, g - s if factors else g - min(s, 0)
        largest = (terms << shift) + (params.damping << g)
    else:
        drop = 2 * f - g + s
        largest = (terms * params.rank << 2 * (params.box_bits + f)) + (
            params.damping << (2 * f + s)
        )
    prox = proximal(params) if factors else None
    circuit = circuits.reciprocal(
        width=largest.bit_length(),
        drop=drop,
        numerator_bits=params.step_bits + g,
        minimum=params.damping << g,
        l1_int=params.l1_int,
        ridge_int=params.ridge_int,
        threshold_shift=f + params.step_bits + 1,
        tau=prox is not None,
        theta=prox == "binary-elastic-net",
    )
    return Shape.of(circuit)


@cache
def update(params: Parameters, users: int, items: int, thresholds: tuple[int, int] | None) -> Shape:
    """The new word of an element; thresholds: the widths of tau and theta, None without a prox."""
    tau_bits, theta_bits = thresholds or (0, 0)
    circuit = circuits.update(
        width=bounds(params, users, items).z_bits,
        drop=2 * params.frac_bits + params.step_bits,
        frac_bits=params.frac_bits,
        box_bits=params.box_bits,
        prox=None if thresholds is None else proximal(params),
        tau_bits=tau_bits,
        theta_bits=theta_bits,
    )
    return Shape.of(circuit)
