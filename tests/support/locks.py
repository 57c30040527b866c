# SPDX-License-Identifier: Apache-2.0
"""The lock files and what pyproject.toml asks for, as requirements."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-browser.lock")
"""What the program needs, every extra included; all that tests, checks and docs need; and what the
tests in a browser need beside that.
"""


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


def runtime() -> list[Requirement]:
    """What the program needs with every extra; the locks and `make install` have all of it."""
    table = project()["project"]
    extras = [entry for name in table["optional-dependencies"] for entry in extra(name)]
    return [Requirement(entry) for entry in table["dependencies"]] + extras


def extra(name: str) -> list[Requirement]:
    """The requirements of an extra, those of the extras that it includes among them."""
    table = project()["project"]
    found: list[Requirement] = []
    for entry in map(Requirement, table["optional-dependencies"][name]):
        if entry.name == table["name"]:
            found += [each for included in sorted(entry.extras) for each in extra(included)]
        else:
            found.append(entry)
    return found


def group(name: str) -> list[Requirement]:
    """The requirements of a dependency group, the groups that it includes among them."""
    found: list[Requirement] = []
    for entry in project()["dependency-groups"][name]:
        found += group(entry["include-group"]) if isinstance(entry, dict) else [Requirement(entry)]
    return found
