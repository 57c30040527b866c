# SPDX-License-Identifier: Apache-2.0
"""Requirements' titles and sentences, in a file because an installed suite has no chapters."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from ppmf_conformance import json_text
from ppmf_spec.requirements import in_folder

FILE = "requirements.json"


@cache
def _read() -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = json_text.loads(
        (files(__package__) / FILE).read_bytes(), FILE
    )
    return found


def titles() -> dict[str, str]:
    """The title of every requirement that a case names."""
    return {name: one["title"] for name, one in _read().items()}


def sentences() -> dict[str, str]:
    """The text of every requirement that a case names, as its chapter writes it."""
    return {name: one["text"] for name, one in _read().items()}


def render(chapters: Path, named: Iterable[str]) -> bytes:
    """The file's content, from the chapters in a folder; KeyError for an id that is not there, or
    is withdrawn.
    """
    known = {name: one for name, one in in_folder(chapters).items() if not one.withdrawn}
    lines = []
    for name in sorted(named):
        one = {"title": known[name].title, "text": known[name].text}
        lines.append(f" {json_text.line(name)}: {json_text.line(one)}")
    return ("{\n" + ",\n".join(lines) + "\n}\n").encode("utf-8")
