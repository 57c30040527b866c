# SPDX-License-Identifier: Apache-2.0
"""The packages of the distribution: the only list of them, read from pyproject.toml.

The list is that of the wheel. tests/repo/test_layout.py compares the other lists in pyproject.toml
with it; tests and tools read it here.
"""

from __future__ import annotations

import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

FOLDERS: tuple[str, ...] = tuple(
    tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["hatch"]["build"][
        "targets"
    ]["wheel"]["packages"]
)
"""Each package as a folder below the root: `spec/ppmf_spec`."""

TOP_OF: dict[str, str] = {Path(folder).name: Path(folder).parts[0] for folder in FOLDERS}
"""By a package's name, its top-level folder."""

PACKAGES: tuple[str, ...] = tuple(TOP_OF)
"""The names of the packages."""
