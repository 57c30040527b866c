# SPDX-License-Identifier: Apache-2.0
"""The page "From tests and code to requirements": the trace and the vectors, read backwards."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from ppmf_docs.tables import table

ROOT = Path(__file__).parents[2]


@cache
def requirements_by_file(what: str) -> dict[str, list[str]]:
    """The requirements of each file. what: "tests" or "code", a column of the trace."""
    trace = json.loads((ROOT / "spec" / "trace.json").read_text(encoding="utf-8"))
    found: dict[str, list[str]] = {}
    for requirement, traced in trace.items():
        for file in dict.fromkeys(place.partition("::")[0] for place in traced.get(what, ())):
            found.setdefault(file, []).append(requirement)
    return dict(sorted(found.items()))


def name(file: str) -> str:
    """How the boxes of requirements call a file: a test's file name, a module's dotted name."""
    path = Path(file)
    return path.name if path.parts[0] == "tests" else ".".join(path.with_suffix("").parts[1:])


@cache
def anchors() -> dict[str, str]:
    """The anchor of each file's row, by the file's name; the first of several that share it."""
    found: dict[str, str] = {}
    for what in ("tests", "code"):
        for file in requirements_by_file(what):
            found.setdefault(name(file), _anchor(file))
    return found


def tests() -> str:
    """Test files, and the requirements that each names."""
    return _table("test file", requirements_by_file("tests"))


def code() -> str:
    """Modules, and the requirements that each says it meets."""
    return _table("module", requirements_by_file("code"))


def _table(heading: str, found: dict[str, list[str]]) -> str:
    rows = ([f"[{file}]{{#{_anchor(file)}}}", _list(ids)] for file, ids in found.items())
    return table([heading, "requirements"], rows)


def _list(requirements: Iterable[str]) -> str:
    return ", ".join(requirements)


def _anchor(file: str) -> str:
    return "trace-" + re.sub(r"[^a-z0-9]+", "-", file.removesuffix(".py").lower()).strip("-")
