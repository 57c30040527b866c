# SPDX-License-Identifier: Apache-2.0
"""What every test shares: hypothesis profiles, readable arrays in failures, one trained run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.support.trained_run import Run

# `ci` finds the same examples on every machine; `dev` looks for new ones; neither times anything.
settings.register_profile(
    "ci", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("dev", settings.get_profile("ci"), derandomize=False)
settings.register_profile("quick", settings.get_profile("ci"), max_examples=10)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))

np.set_printoptions(threshold=200, linewidth=100, suppress=True)

BROWSER = Path(__file__).parent / "browser"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the tests in a browser, whose driver is not installed, unless they are named."""
    if collection_path != BROWSER:
        return None
    named = [(config.invocation_params.dir / one.partition("::")[0]) for one in config.args]
    return None if any(BROWSER in (path, *path.parents) for path in named) else True


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One real run of the command, for all who need results."""
    from tests.support.trained_run import train_in  # only they need the whole command

    return train_in(tmp_path_factory.mktemp("trained"))
