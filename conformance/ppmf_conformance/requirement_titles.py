# SPDX-License-Identifier: Apache-2.0
"""The titles of requirements, kept in a file because an installed suite has no chapters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from ppmf_conformance import json_text
from ppmf_spec.requirements import in_folder

FILE = "requirements.json"


@cache
def titles() -> dict[str, str]:
    """The title of every requirement that a case names."""
    found: dict[str, str] = json_text.loads((files(__package__) / FILE).read_bytes(), FILE)
    return found


def render(chapters: Path, named: Iterable[str]) -> bytes:
    """The file's content, from the chapters in a folder; KeyError for an id that is not there."""
    known = in_folder(chapters)
    lines = [
        f" {json_text.line(name)}: {json_text.line(known[name].title)}" for name in sorted(named)
    ]
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8")
