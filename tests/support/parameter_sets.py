# SPDX-License-Identifier: Apache-2.0
"""The choices among parameter sets, and small sets of them for tests that go through every kind."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, get_args

from ppmf_spec.parameters import Parameters, Regulariser
from ppmf_spec.step_rules import StepRuleName

REGULARISERS: tuple[Regulariser, ...] = get_args(Regulariser)
STEP_RULES: tuple[StepRuleName, ...] = get_args(StepRuleName)

VERSION_1: dict[str, Any] = {
    "iterations": 20,
    "inner_steps": 1,
    "frac_bits": 12,
    "step_bits": 16,
    "curvature_shift": 0,
    "inertia": Fraction(0),
    "ring_bits": 64,
}
"""The values that version 1 had as defaults, where the defaults are others now."""


def version_1(**changes: Any) -> Parameters:
    """The default set of version 1, but for these changes: for tests whose numbers rest on it."""
    return Parameters(**{**VERSION_1, **changes})


OTHER_STEP_RULES: dict[str, Parameters] = {
    "count": Parameters(rank=2, iterations=2, step_rule="count", curvature_shift=3, damping=32),
}
"""Of each step rule but the default one, a set under which the rows of small runs move."""
