# SPDX-License-Identifier: Apache-2.0
"""The circuits of the steps: as wide as the public bound asks, and the specification's integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from ppmf_reference import fixed
from ppmf_secure.primitives.shares import from_bits
from ppmf_secure.protocols.server_state import Server
from ppmf_secure.protocols.step_sizes import BIAS_RULE, factor_rule
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec import words
from ppmf_spec.bounds import largest_denominator
from ppmf_spec.parameters import Parameters
from tests.support.ideal import ideal_suite
from tests.support.parameter_sets import OTHER_STEP_RULES, STEP_RULES
from tests.support.ratings import ratings_of
from tests.support.sessions import session_of
from tests.support.toy_runs import run_toy
from tests.support.two_servers import ideal_transfers, run_both

PLAIN = Parameters(rank=2, frac_bits=8, step_bits=8, step_guard_bits=2, damping=3, bias=False)
SETS = [replace(PLAIN, curvature_shift=s, step_guard_bits=g) for s, g in ((0, 2), (2, 3), (-3, 2))]
COUNTS = [replace(params, step_rule="count") for params in SETS]
WITH_L1 = replace(PLAIN, l1=Fraction(1, 2))
BINARY = replace(PLAIN, l1=Fraction(1, 2), ridge=Fraction(1), regulariser="binary-elastic-net")


def test_small_runs_are_made_under_every_step_rule() -> None:
    under = [Parameters().step_rule, *(params.step_rule for params in OTHER_STEP_RULES.values())]
    assert sorted(under) == sorted(STEP_RULES)


@pytest.mark.req("PPMF-STP-001", "PPMF-PAR-018")
@pytest.mark.parametrize("terms", [1, 5, 300])
@pytest.mark.parametrize("params", [*SETS, *COUNTS])
def test_circuits_are_as_wide_as_the_largest_denominator(params: Parameters, terms: int) -> None:
    circuit = factor_rule(params).circuit(params, terms)
    width = largest_denominator(params, terms).bit_length()
    assert circuit.inputs == {"share0": width, "share1": width}


@pytest.mark.req("PPMF-STP-001")
def test_the_circuit_of_the_biases_knows_no_positive_shift() -> None:
    for shift, lift in ((2, 3), (-1, 4)):
        params = replace(PLAIN, step_guard_bits=3, curvature_shift=shift)
        circuit = BIAS_RULE.circuit(params, 20)
        assert circuit.inputs["share0"] == ((20 << lift) + (3 << 3)).bit_length()
        assert set(circuit.outputs) == {"step"}


@pytest.mark.req("PPMF-STP-002")
def test_thresholds_are_those_the_prox_asks_for() -> None:
    for params, thresholds in ((PLAIN, set()), (WITH_L1, {"tau"}), (BINARY, {"tau", "theta"})):
        assert set(factor_rule(params).circuit(params, 4).outputs) == {"step"} | thresholds


def server_of(transfers: Transfers, params: Parameters) -> Server:
    session = session_of(params, ("1",), ("1",), "ideal", bytes(16))
    return Server(session, transfers, bytes(32), {}, {})


def thresholds_of(halves: tuple[np.ndarray, np.ndarray]) -> list[int]:
    """The words of labels: 0 at the garbler, active at the evaluator."""
    bits = (halves[0] != halves[1]).any(axis=2).astype(np.uint8)
    found: list[int] = from_bits(bits, signed=False).tolist()
    return found


@pytest.mark.req("PPMF-STP-001", "PPMF-STP-002", "PPMF-FIX-023", "PPMF-FIX-024", "PPMF-FIX-025")
@pytest.mark.parametrize("params", [*SETS, *COUNTS, WITH_L1, BINARY])
def test_steps_and_thresholds_are_the_specifications(params: Parameters) -> None:
    f, q, g = params.frac_bits, params.step_bits, params.step_guard_bits
    s, terms = params.curvature_shift, 300
    site, both = Site("test"), ideal_transfers("steps")
    servers = [server_of(transfers, params) for transfers in both]
    largest = terms if params.step_rule == "count" else terms * 2 << 2 * (1 + f)
    values = np.array([0, 1, 3, largest // 3, largest], dtype=np.uint64)
    mine = np.arange(5, dtype=np.uint64) * np.uint64(2**61 + 12345)
    programs = [
        factor_rule(params).make(server, share, terms, site)
        for server, share in zip(servers, (mine, values - mine), strict=True)
    ]
    if params.step_rule == "count":
        curvatures = [int(value) << (g - s) for value in values]
    else:
        curvatures = [int(value) >> (2 * f - g + s) for value in values]
    ours, theirs = run_both(*programs)
    steps = [words.reciprocal(curvature, q, g, params.damping) for curvature in curvatures]
    assert from_bits(ours.words.bits ^ theirs.words.bits, signed=False).tolist() == steps
    weights = {"tau": params.l1_int, "theta": params.ridge_int}
    for name, zero in ours.thresholds.items():
        found = thresholds_of((zero, theirs.thresholds[name]))
        assert found == [words.threshold(step, weights[name], f, q) for step in steps]


def test_the_same_circuit_is_built_once() -> None:
    rule = factor_rule(PLAIN)
    assert rule.circuit(PLAIN, 9) is rule.circuit(PLAIN, 9)


@pytest.mark.req("PPMF-HST-003", "PPMF-FIX-024")
def test_a_step_may_use_its_highest_bit() -> None:
    """With c0 = 3 a row of one rating has the bias's step 2^11, of as many bits as the longest."""
    params = Parameters(rank=1, iterations=2, damping=3, ridge=Fraction(0))
    one_each = ratings_of(2, 2, {(0, 0): 4, (1, 1): -3})
    bias_steps = [
        step.bias for state in fixed.iterate(one_each, params) for step in state.half_step.steps
    ]
    assert set(bias_steps) == {2**11}
    assert params.max_step.bit_length() == 12
    assert run_toy(one_each, params, ideal_suite()) == fixed.train(one_each, params)
