# SPDX-License-Identifier: Apache-2.0
"""The runs of rank 2 and 3: that they cover what they are for, and that V depends on all of it."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest

from ppmf_conformance.adapters import values
from ppmf_spec.errors import PpmfError
from ppmf_spec.parameters import Parameters
from tools.vectors import ranked_runs
from tools.vectors.whole_runs import output

KINDS = ranked_runs.KINDS
DEFAULTS = Parameters()
NUMBERS = ("frac_bits", "step_bits", "step_guard_bits", "box_bits", "rating_frac_bits")
IN_LENGTHS = {"box_bits", "rating_frac_bits", "ring_bits"}
"""Parameters that say how long messages are, and no more where nothing saturates."""


def params_of(name: str) -> Parameters:
    return values.parameters(KINDS[name].parameters)


@pytest.mark.req("PPMF-CON-023")
def test_every_rule_and_regulariser_runs_with_and_without_biases() -> None:
    found = {
        (one.step_rule, one.regulariser, bool(one.l1), one.bias) for one in map(params_of, KINDS)
    }
    forms = [("elastic-net", False), ("elastic-net", True), ("binary-elastic-net", True)]
    wanted = product(("lipschitz", "count"), forms, (True, False))
    assert found == {(rule, *form, bias) for rule, form, bias in wanted}


@pytest.mark.parametrize("name", KINDS)
def test_no_number_of_a_run_is_its_default(name: str) -> None:
    params = params_of(name)
    scales = [*NUMBERS, "curvature_shift", "damping", "ridge", "inertia", "rating_offset"]
    same = [one for one in scales if getattr(params, one) == getattr(DEFAULTS, one)]
    assert same == []
    assert params.rank > 1 < min(params.inner_steps, params.iterations)
    assert len({getattr(params, one) for one in NUMBERS}) == len(NUMBERS)


@pytest.mark.parametrize("name", KINDS)
def test_v_depends_on_every_parameter(name: str) -> None:
    kind = KINDS[name]
    given = ranked_runs.given_of(name, kind)
    right = output(given)
    found = []
    for parameter in kind.parameters:
        other = {one: value for one, value in kind.parameters.items() if one != parameter}
        if parameter == "rank" or parameter.startswith("rating_m"):
            continue
        try:
            changed: Any = output({**given, "session": {**given["session"], "parameters": other}})
        except PpmfError:
            continue
        if changed == right:
            found.append(parameter)
    alike = {"inner_steps"} if kind.parameters["inner_steps"] == "2" else set()
    if kind.parameters.get("step_rule") == "count":  # the guard bits of a count are zeros
        alike |= {"step_guard_bits", "step_bits"}
    assert set(found) - alike - IN_LENGTHS == set()


def test_a_run_saturates_and_others_do_not() -> None:
    found = {}
    for name, kind in KINDS.items():
        params = params_of(name)
        edge = 1 << (params.box_bits + params.frac_bits)
        words = output(ranked_runs.given_of(name, kind))["factors"]
        flat = [int(word) for row in words for word in row]
        found[name] = sum(word in (-edge, edge - 1) for word in flat)
        assert 3 * flat.count(0) < 2 * len(flat)
    assert found.pop("plain-count") > 0
    assert set(found.values()) == {0}
