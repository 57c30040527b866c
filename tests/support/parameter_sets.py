# SPDX-License-Identifier: Apache-2.0
"""The choices among parameter sets, and small sets of them for tests that go through every kind."""

from __future__ import annotations

from typing import get_args

from ppmf_spec.parameters import Parameters, Regulariser
from ppmf_spec.step_rules import StepRuleName

REGULARISERS: tuple[Regulariser, ...] = get_args(Regulariser)
STEP_RULES: tuple[StepRuleName, ...] = get_args(StepRuleName)

OTHER_STEP_RULES: dict[str, Parameters] = {
    "count": Parameters(rank=2, iterations=2, step_rule="count", curvature_shift=3, damping=32),
}
"""Of each step rule but the default one, a set under which the rows of small runs move."""
