# SPDX-License-Identifier: Apache-2.0
"""The `ppmf` command, called in this process."""

from __future__ import annotations

import re
from typing import Any

import pytest

from ppmf import main
from tools.packages import ROOT

COMMAND_PAGE = ROOT / "docs" / "command.md"

Capture = pytest.CaptureFixture[str]


def refused(capsys: Capture, arguments: list[str], status: int = 2) -> str:
    """The one line that the command writes when it fails with that exit status."""
    capsys.readouterr()
    assert main.main(arguments) == status
    said = capsys.readouterr()
    notes = ("ppmf: the public ", "ppmf: cipher suite ")
    lines = [line for line in said.err.splitlines() if not line.startswith(notes)]
    assert len(lines) == 1, said.err
    assert "Traceback" not in said.err + said.out
    return lines[0]


def commands() -> dict[str, Any]:
    """Every command that does something, and the command itself, by its words after `ppmf`."""
    found: dict[str, Any] = {}
    for one in main.COMMANDS:
        below = getattr(one.loaded, "commands", None)
        if below is None:
            found[str(one.name)] = one.loaded
        else:
            found |= {f"{one.name} {name}": command for name, command in below.items()}
    return found


def documented(kind: str) -> set[str]:
    """The members that the page gives for a format."""
    section = COMMAND_PAGE.read_text().split(f"`ppmf-{kind}/1`")[1].split("\n\n")[1]
    return {"format", *re.findall(r"^\| `([a-z_0-9]+)` \|", section, re.MULTILINE)}
