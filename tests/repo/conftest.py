# SPDX-License-Identifier: Apache-2.0
"""The wheel of the project, built once for the tests that look into it or install it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tools.packages import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    (built,) = folder.glob("ppmf-*.whl")
    return built
