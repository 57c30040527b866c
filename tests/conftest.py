# SPDX-License-Identifier: Apache-2.0
"""What every test shares: hypothesis profiles and readable arrays in failures."""

from __future__ import annotations

import os

import numpy as np
from hypothesis import HealthCheck, settings

# `ci` finds the same examples on every machine; `dev` looks for new ones; neither times anything.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", settings.get_profile("ci"), derandomize=False)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

np.set_printoptions(threshold=200, linewidth=100, suppress=True)
