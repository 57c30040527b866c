# SPDX-License-Identifier: Apache-2.0
"""The lock files and what pyproject.toml asks for, as requirements."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock")
"""What the program needs, and all that tests, checks and docs need."""


def entries(lock: str) -> list[Requirement]:
    """The pins of a lock, without their hashes."""
    lines = (ROOT / lock).read_text().replace("\\\n", " ").splitlines()
    return [
        Requirement(line.split(" --hash", 1)[0])
        for line in lines
        if line and not line.startswith("#")
    ]


def project() -> dict[str, Any]:
    """pyproject.toml, parsed."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


def group(name: str) -> list[Requirement]:
    """The requirements of a dependency group, the groups that it includes among them."""
    found: list[Requirement] = []
    for entry in project()["dependency-groups"][name]:
        found += group(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return found
