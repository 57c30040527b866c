# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SIM300 - capitals are the mathematics' symbols here, not constants
"""The circuit `reciprocal` is the integer words of chapter 2, for every input.

At the sizes of real runs the netlist that is garbled is proved in one piece, for all shares: its
step is floor(2^(q+g) / D) of the sum's kept bits, and D - c0 2^g is the reference's curvature of
whatever was shared. The thresholds are proved of any step, the netlist being cut at the step's
wires: with the first proof they are those of the row. For other parameters every small circuit of
a grid is proved whole; the widest that the domain allows is in `test_division_proved`.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import product

import pytest
import z3

from ppmf_reference import fixed
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.primitives.circuits.training_circuits import reciprocal
from ppmf_secure.protocols.step_sizes import BIAS_RULE, factor_rule
from ppmf_spec import words
from ppmf_spec.bounds import bounds, largest_denominator
from ppmf_spec.parameters import Parameters
from tests.support.formal import Exact, prove, symbolically
from tests.support.formal_circuits import cut_at, outputs, variables, with_other_gate
from tests.support.parameter_sets import version_1

F, Q, G = 12, 16, 4
PLAIN = version_1()
COUNT = replace(PLAIN, step_rule="count", curvature_shift=3, damping=32)
# Weights of many binary digits, so that a threshold is a sum of several shifted steps.
BINARY = replace(
    PLAIN, l1=Fraction(2731, 1024), ridge=Fraction(2925, 256), regulariser="binary-elastic-net"
)


def factors_circuit(params: Parameters, rows: int) -> Circuit:
    """The run's own circuit of the factors' steps (PPMF-STP-002)."""
    bounds(params, rows, rows)  # a run of this size exists
    return factor_rule(params).circuit(params, rows)


def bias_circuit(params: Parameters, rows: int) -> Circuit:
    """The run's own circuit of the biases' steps."""
    return BIAS_RULE.circuit(params, rows)


def dropped(params: Parameters) -> int:
    if params.step_rule == "count":
        return 0
    return 2 * params.frac_bits - params.step_guard_bits + params.curvature_shift


CASES = {
    "lipschitz at ML-100K": (factors_circuit(PLAIN, 1682), PLAIN, dropped(PLAIN)),
    "lipschitz at 120,000 rows": (factors_circuit(PLAIN, 120_000), PLAIN, dropped(PLAIN)),
    "count at ML-100K": (factors_circuit(COUNT, 1682), COUNT, 0),
    "biases at ML-100K": (bias_circuit(PLAIN, 1682), PLAIN, 0),
}


@pytest.mark.req("PPMF-CIR-003", "PPMF-FIX-024", "PPMF-STP-002")
@pytest.mark.parametrize(("circuit", "params", "drop"), CASES.values(), ids=CASES.keys())
def test_netlist_is_the_floored_reciprocal(circuit: Circuit, params: Parameters, drop: int) -> None:
    """For all shares whose sum keeps the promise D >= c0 2^g."""
    inputs = variables(circuit)
    D = Exact.unsigned(inputs["share0"] + inputs["share1"]) >> drop
    minimum = params.damping << G

    def computes(netlist: Circuit, step: Exact) -> z3.BoolRef:
        return Exact.unsigned(outputs(netlist, inputs)["step"]).equals(step)

    step = symbolically(words.reciprocal, D - minimum, Q, G, params.damping)
    rounded = symbolically(words.round_half_up, Exact.of(1 << (Q + G)), D)
    prove(
        computes(circuit, step),
        given=[(D >= minimum).term],
        mutants=[computes(circuit, rounded), computes(with_other_gate(circuit, drop), step)],
    )


@pytest.mark.req("PPMF-STP-001", "PPMF-FIX-022", "PPMF-FIX-023")
def test_the_bits_of_the_denominator_that_are_kept_are_the_curvature() -> None:
    """`lipschitz`: c0 is added before bits are dropped, and the floor does not mind."""
    q2, share0 = Exact.unsigned(z3.BitVec("q2", 63)), z3.BitVec("share0", 64)
    largest = largest_denominator(PLAIN, 1682)
    damped = q2 + (PLAIN.damping << 2 * F)
    width = largest.bit_length()
    share1 = damped.low(64) - share0
    total = z3.Extract(width - 1, 0, share0) + z3.Extract(width - 1, 0, share1)
    D = Exact.unsigned(total) >> dropped(PLAIN)
    curvature = symbolically(fixed.curvature, 0, q2, PLAIN)
    prove(
        (D - (PLAIN.damping << G)).equals(curvature),
        given=[(damped <= largest).term],
        mutants=[D.equals(curvature), (D - (PLAIN.damping << G)).equals(curvature + 1)],
    )


@pytest.mark.req("PPMF-CIR-003", "PPMF-FIX-001", "PPMF-FIX-025")
def test_netlist_rounds_thresholds_half_up() -> None:
    """Of every step up to the longest, whatever the rest of the circuit makes of the shares."""
    circuit = factors_circuit(BINARY, 1682)
    cut = cut_at(circuit, "step")
    assert len(cut) == circuit.widths["step"] == 13, "the step is cut on all its wires"
    found = outputs(circuit, variables(circuit), cut)
    step = Exact.unsigned(found["step"])
    for name, weight in (("tau", BINARY.l1_int), ("theta", BINARY.ridge_int)):
        threshold = symbolically(words.threshold, step, weight, F, Q)
        floored = (step * weight) >> (F + Q + 1)
        got = Exact.unsigned(found[name])
        prove(
            got.equals(threshold),
            given=[(step <= BINARY.max_step).term],
            mutants=[got.equals(floored), got.equals(threshold + 1)],
        )


@pytest.mark.req("PPMF-FIX-001", "PPMF-FIX-025")
def test_netlist_rounds_the_ties_of_thresholds_up() -> None:
    """With kappa = 3 there are ties: rounded half down, the threshold would be another."""
    params = replace(PLAIN, l1=Fraction(3))
    circuit = factors_circuit(params, 1682)
    found = outputs(circuit, variables(circuit), cut_at(circuit, "step"))
    step, tau = Exact.unsigned(found["step"]), Exact.unsigned(found["tau"])
    down = -symbolically(words.threshold, -step, params.l1_int, F, Q)
    prove(
        tau.equals(symbolically(words.threshold, step, params.l1_int, F, Q)),
        given=[(step <= params.max_step).term],
        mutants=[tau.equals(down)],
    )


SMALL = list(product((5, 8), (0, 3), (0, 1, 7, 9), (1, 3, 8)))


@pytest.mark.req("PPMF-CIR-003")
@pytest.mark.parametrize(("kept", "drop", "numerator_bits", "minimum"), SMALL)
def test_small_netlists_whole(kept: int, drop: int, numerator_bits: int, minimum: int) -> None:
    """Step and thresholds of all shares at once: nothing is cut."""
    weights = {"tau": 5, "theta": 11}
    circuit = reciprocal(
        width=kept + drop,
        drop=drop,
        numerator_bits=numerator_bits,
        minimum=minimum,
        l1_int=weights["tau"],
        ridge_int=weights["theta"],
        threshold_shift=4,
        tau=True,
        theta=True,
    )
    inputs = variables(circuit)
    D = Exact.unsigned(inputs["share0"] + inputs["share1"]) >> drop
    step = (1 << numerator_bits) // D
    found = {name: Exact.unsigned(bits) for name, bits in outputs(circuit, inputs).items()}

    def computes(step: Exact) -> z3.BoolRef:
        thresholds = (
            found[name].equals(symbolically(words.round_half_up, step * weight, 16))
            for name, weight in weights.items()
        )
        return z3.And(found["step"].equals(step), *thresholds)

    prove(computes(step), given=[(D >= minimum).term], mutants=[computes(step + 1)])
