# SPDX-License-Identifier: Apache-2.0
"""The pages for operators and users: their commands exist, and the lines they quote are printed."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from ppmf import main
from ppmf.docstring_help import Deferred
from ppmf_service.api.metrics import Metrics
from ppmf_service.api.server import monitoring_app
from ppmf_service.clock import SettableClock
from ppmf_service.database import Database
from ppmf_service.measures import Measures
from tools.packages import ROOT

GUIDE = (ROOT / "docs" / "deploy.md").read_text(encoding="utf-8")
PAGES = ("deploy.md", "taking-part.md", "training.md")
SOURCES = "\n".join(
    path.read_text(encoding="utf-8")
    for top in ("service/ppmf_service", "secure/ppmf_secure", "ppmf/ppmf", "spec/ppmf_spec")
    for path in sorted((ROOT / top).rglob("*.py"))
)


def commands() -> list[tuple[str, str]]:
    """Every call of `ppmf` on the pages, in blocks and in lines, with its page."""
    found = []
    for page in PAGES:
        text = (ROOT / "docs" / page).read_text(encoding="utf-8").replace("\\\n", " ")
        lines = [line.strip() for line in text.splitlines()]
        calls = [
            line for line in lines if re.match(r"(\.venv/bin/|/opt/ppmf/bin/)?ppmf [a-z]", line)
        ]
        calls += re.findall(r"`(ppmf [a-z][^`]*)`", text)
        found += [(page, one) for one in dict.fromkeys(calls)]
    return found


@pytest.mark.parametrize(("page", "line"), commands())
def test_every_command_and_option_of_the_pages_exists(page: str, line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(main.app)
    path = ["ppmf"]
    while words and hasattr(command, "commands"):
        path.append(words[0])
        assert words[0] in command.commands, path
        command = command.commands[words.pop(0)]
        command = command.loaded if isinstance(command, Deferred) else command
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    assert {word for word in words if word.startswith("--")} <= known, path


def quoted() -> list[str]:
    """The lines of the table of symptoms that the program prints."""
    table = GUIDE[GUIDE.index("## What to do when") :]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| ")][1:]
    lines = [one for row in rows for one in re.findall("`([^`]+)`", row)]
    return [one for one in lines if len(one.split()) > 1]


@pytest.mark.parametrize("line", quoted())
def test_the_lines_of_the_guide_are_those_of_the_program(line: str) -> None:
    """Between what is left out (`...`), each piece stands in the source, in one text or several."""
    source = re.sub(r'"\s*\n\s*f?"', "", SOURCES)
    for piece in line.split("..."):
        pieces = [one for one in re.split(r"\b(?:csp|recsys)\b", piece.strip(" :")) if one.strip()]
        for one in pieces:
            text = one.strip()
            assert text in source or text == "No space left on device", text


def test_the_table_of_lines_is_not_empty() -> None:
    assert len(quoted()) > 8


def test_the_metrics_of_the_guide_are_those_of_the_server(tmp_path: Path) -> None:
    metrics = Metrics()
    database = Database.open(tmp_path / "x" / "service.sqlite", SettableClock())
    Measures(database).link(up=True)
    monitoring_app(database, metrics)
    told = set(re.findall(r"# TYPE (ppmf_[a-z_]+)", metrics.text().decode()))
    database.close()
    named = set(re.findall(r"`(ppmf_[a-z_]+)(?:\{[a-z,]*\})?`", GUIDE))
    assert len(named) >= 7
    assert named - told == set()


def test_every_file_that_the_guide_names_is_there() -> None:
    named = set(re.findall(r"`(deploy/[A-Za-z@.-]+)`", GUIDE))
    assert len(named) >= 8
    assert [name for name in sorted(named) if not (ROOT / name).is_file()] == []
    assert {f"deploy/{path.name}" for path in (ROOT / "deploy").iterdir()} - named <= {
        "deploy/Containerfile",
        "deploy/Containerfile.dockerignore",
    }
