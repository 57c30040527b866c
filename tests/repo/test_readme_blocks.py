# SPDX-License-Identifier: Apache-2.0
"""The README's blocks: the walk-through runs as printed, and the others name what there is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import typer

from ppmf.main import app
from tools.packages import ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
WALK_THROUGH = re.findall(r"^```sh\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
SHOWN = [line[4:] for line in README.splitlines() if line.startswith("    ")]
COMMANDS = [
    line
    for line in [*SHOWN, *"".join(WALK_THROUGH).splitlines()]
    if re.match(r"(\.venv/bin/)?ppmf [a-z]", line)
]
"""Every call of the command in a block, whether the walk-through runs it or not."""


def test_the_walk_through_runs_as_printed(tmp_path: Path) -> None:
    """Every block in order, in an empty folder, without the network."""
    assert len(WALK_THROUGH) >= 2
    folder = Path(sys.executable).parent
    environment = os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PPMF_OFFLINE": "1"}
    done = subprocess.run(
        ["sh", "-eu", "-c", "".join(WALK_THROUGH)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    written = {path.name for path in tmp_path.iterdir()}
    assert written == {"ratings.csv", "params.toml", "mine.csv", "run", "oracle.json"}
    assert (tmp_path / "run" / "transcripts").is_dir()
    assert "checks held" in done.stdout
    assert "nearest to 50" in done.stdout


def test_the_walk_through_writes_the_transcripts_that_it_audits() -> None:
    """The limit above which `train` writes none by itself must not decide."""
    text = "".join(WALK_THROUGH)
    assert re.search(r"^ppmf train .*--transcripts full$", text, flags=re.MULTILINE)
    assert text.index("ppmf train") < text.index("ppmf audit")


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_exists(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(app)
    path = ["ppmf"]
    while words and hasattr(command, "commands"):
        path.append(words[0])
        command = command.commands[words.pop(0)]
    known = {option for each in command.params for option in (*each.opts, *each.secondary_opts)}
    ours = words[: words.index("--")] if "--" in words else words
    assert {word for word in ours if word.startswith("--")} <= known, path


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    asked = set(re.findall(r"^ {4}make ([a-z-]+)|`make ([a-z-]+)", README, flags=re.MULTILINE))
    names = {one or other for one, other in asked}
    assert names
    assert names <= targets


def test_every_extra_exists() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = set(re.findall(r"pip install '\.\[([a-z]+)\]'", README))
    assert asked
    assert asked <= set(project["optional-dependencies"])
