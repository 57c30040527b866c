# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SIM300 - capitals are the mathematics' symbols here, not constants
"""The circuit `update` is the integer words of chapter 2, for every input.

Two proofs make the whole. The *netlist*, as it is garbled, equals saturate(prox(Z)) for all shares
and thresholds, Z being the sum of the shares mod 2^width, signed, shifted right: it is compared
with the functions of `ppmf_spec.words`, run on symbols, in one piece (adder, prox and clamp).
The *sum* of shares of a + 2^(drop-1) mod 2^64, cut to the circuit's width, gives for Z the integer
round_half_up(a / 2^drop), if the ring holds a: the half is added to one of the shares, not by the
circuit. `test_no_overflow_proved` shows that the ring and the widths do hold everything.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import z3

from ppmf_reference import fixed
from ppmf_secure.primitives.circuits.netlist import Circuit
from ppmf_secure.protocols import half_step
from ppmf_spec import words
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from tests.support.formal import Exact, prove, symbolically
from tests.support.formal_circuits import outputs, variables, with_other_gate
from tests.support.parameter_sets import version_1

PLAIN = version_1()
LASSO = replace(PLAIN, l1=Fraction(3))
BINARY = replace(LASSO, regulariser="binary-elastic-net")
WIDTH = bounds(PLAIN, 943, 1682).z_bits
DROP = 2 * PLAIN.frac_bits + PLAIN.step_bits


def circuit_of(params: Parameters, width: int) -> Circuit:
    """The run's own circuit of the factors."""
    tau, theta = params.max_tau.bit_length(), params.max_theta.bit_length()
    return half_step.update_circuit(params, width, half_step.proximal(params), tau, theta)


def new_word(params: Parameters, Z: Exact, inputs: dict[str, z3.BitVecRef]) -> Exact:
    """Chapter 2's words: what the reference makes of Z."""
    names = [name for name in ("tau", "theta") if name in inputs]
    thresholds = [Exact.unsigned(inputs[name]) for name in names]
    if params.regulariser == "binary-elastic-net":
        Z = symbolically(words.prox_binary, Z, *thresholds, params.frac_bits)
    elif thresholds:
        Z = symbolically(words.prox_elastic_net, Z, *thresholds)
    return saturated(params, Z)


def saturated(params: Parameters, Z: Exact) -> Exact:
    word: Exact = symbolically(words.saturate, Z, params.box_bits, params.frac_bits)
    return word


def without_dead_zone(params: Parameters, Z: Exact, inputs: dict[str, z3.BitVecRef]) -> Exact:
    """The soft threshold as ELBMF's published code has it: z -+ tau by the sign of z alone."""
    tau = Exact.unsigned(inputs["tau"])
    return saturated(params, (Z - tau).chosen((Z > 0).term, Z + tau))


def tie_to_one(params: Parameters, Z: Exact, inputs: dict[str, z3.BitVecRef]) -> Exact:
    """The binary prox with its jump one unit lower: a tie goes to the branch of 1."""
    tau, theta = Exact.unsigned(inputs["tau"]), Exact.unsigned(inputs["theta"])
    low = symbolically(words.soft, Z, tau)
    one = 1 << params.frac_bits
    high = one + symbolically(words.soft, Z + 2 * theta - one, tau)
    return saturated(params, low.chosen((Z < (one >> 1) - theta).term, high))


def unsaturated(params: Parameters, Z: Exact, inputs: dict[str, z3.BitVecRef]) -> Exact:
    """Saturation with an upper end of one more than the word holds: it wraps."""
    return Z.chosen((Z <= 1 << (params.box_bits + params.frac_bits)).term, saturated(params, Z))


MUTANT = {PLAIN: unsaturated, LASSO: without_dead_zone, BINARY: tie_to_one}


@pytest.mark.req("PPMF-CIR-004", "PPMF-FIX-002", "PPMF-FIX-032", "PPMF-FIX-033", "PPMF-FIX-034")
@pytest.mark.parametrize("width", [WIDTH, 64])
@pytest.mark.parametrize("params", MUTANT, ids=["no prox", "elastic-net", "binary-elastic-net"])
def test_netlist_is_prox_and_saturation_of_the_sum(params: Parameters, width: int) -> None:
    """The widths: what ML-100K needs, and the whole ring. Besides the words' mutant, a bad gate."""
    circuit = circuit_of(params, width)
    inputs = variables(circuit)
    Z = Exact(inputs["share0"] + inputs["share1"]) >> DROP
    given = []
    if "theta" in inputs:
        given.append((Exact.unsigned(inputs["theta"]) < 1 << (params.frac_bits - 1)).term)

    def computes(netlist: Circuit, word: Exact) -> z3.BoolRef:
        return outputs(netlist, inputs)["word"] == word.low(params.word_bits)

    expected = new_word(params, Z, inputs)
    carries = [with_other_gate(circuit, gate) for gate in (0, DROP, circuit.and_count - 1)]
    prove(
        computes(circuit, expected),
        given=given,
        mutants=[
            computes(circuit, MUTANT[params](params, Z, inputs)),
            *(computes(wrong, expected) for wrong in carries),
        ],
    )


@pytest.mark.req("PPMF-CIR-004")
def test_every_and_gate_of_the_plain_netlist_matters() -> None:
    """Any one of them exchanged, the circuit is wrong for some input: nothing is proved idly."""
    circuit = circuit_of(PLAIN, WIDTH)
    inputs = variables(circuit)
    right = outputs(circuit, inputs)["word"]
    wrong = [with_other_gate(circuit, number) for number in range(circuit.and_count)]
    prove(right == right, mutants=[outputs(w, inputs)["word"] == right for w in wrong])


@pytest.mark.req("PPMF-CIR-004", "PPMF-FIX-001", "PPMF-FIX-030")
@pytest.mark.parametrize("width", [WIDTH, 64])
def test_sum_of_shares_is_rounded_half_up(width: int) -> None:
    """`a` is any integer that the width holds once the half is added; its shares are any."""
    a, share0, half = Exact(z3.BitVec("a", 66)), z3.BitVec("share0", 64), 1 << (DROP - 1)
    share1 = (a + half).low(64) - share0
    total = z3.Extract(width - 1, 0, share0) + z3.Extract(width - 1, 0, share1)
    Z = Exact(total) >> DROP
    edge = 1 << (width - 1)

    def rounded(sign: int) -> z3.BoolRef:
        return Z.equals(sign * symbolically(words.round_half_up, sign * a, 1 << DROP))

    prove(
        rounded(1),
        given=[(a + half < edge).term, (a + half >= -edge).term],
        mutants=[rounded(-1), Z.equals(a >> DROP)],  # half down; floored
    )


@pytest.mark.req("PPMF-FIX-001", "PPMF-FIX-030")
@pytest.mark.parametrize("inertia", [Fraction(0), Fraction(1, 2), 1 - Fraction(1, 2**16)])
def test_reference_rounds_half_up_once(inertia: Fraction) -> None:
    """Z of PPMF-FIX-030, from `ppmf_reference.fixed`, for any words, gradient and step at all.

    Mutants: half down; no inertia, twice, backwards; the inertia rounded on its own.
    """
    params = replace(PLAIN, inertia=inertia)
    x, p, slope, step = (
        Exact(z3.BitVec(name, n)) for name, n in (("x", 14), ("p", 14), ("G", 50), ("H", 14))
    )
    Z = symbolically(
        lambda x, p, G, H: fixed.descend([x], [p], [G], [H], params)[0], x, p, slope, step
    )

    def rounded(carried: Exact, sign: int = 1) -> z3.BoolRef:
        a = (x << DROP) + carried - step * slope
        exact: Exact = sign * symbolically(words.round_half_up, sign * a, 1 << DROP)
        return exact.equals(Z)

    A = params.inertia_int
    carried = A * (x - p)
    mutants = [rounded(carried, sign=-1), *(rounded(a * (x - p)) for a in {0, 2 * A, -A} - {A})]
    if A:
        mutants.append(rounded(symbolically(words.round_half_up, carried, 1 << DROP) << DROP))
    prove(rounded(carried), mutants=mutants)
