# SPDX-License-Identifier: Apache-2.0
"""The README's blocks: what can be run is run as printed, and the others name what there is.

Run for real are the walk-through, the training that is killed and resumed, and, as slow tests, the
installations by pip from the built wheel and `make demo` with the options that are shown. Of these
blocks only names are checked: `make test`, which would run this test again, `make demo` without
options, which fetches data, and the examples whose files the reader has to bring (`my_adapter.mjs`,
`reviews.csv`, `ratings_Books.csv`). The block of Python is run by test_first_steps.py.
"""

from __future__ import annotations

import os
import re
import shlex
import signal
import subprocess
import sys
import time
import tomllib
import venv
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import typer

from ppmf import main
from ppmf.data import synthetic_ratings
from ppmf.docstring_help import Deferred
from ppmf_spec.ratings import write_csv
from tools.packages import ROOT

HERE = Path(sys.executable).parent
SERVERS = ("recsys", "csp")
README = (ROOT / "README.md").read_text(encoding="utf-8")
WALK_THROUGH = re.findall(r"^```sh\n(.*?)^```$", README, flags=re.MULTILINE | re.DOTALL)
SHOWN = [line[4:] for line in README.splitlines() if line.startswith("    ")]
COMMANDS = [
    line
    for line in [*SHOWN, *"".join(WALK_THROUGH).splitlines()]
    if re.match(r"(\.venv/bin/)?ppmf [a-z]", line)
]
"""Every call of the command in a block, whether the walk-through runs it or not."""


def environment(folder: Path) -> dict[str, str]:
    """The variables with which the programs of that folder are found first, and no data fetched."""
    return os.environ | {"PATH": f"{folder}:{os.environ['PATH']}", "PPMF_OFFLINE": "1"}


def shell(text: str, cwd: Path, folder: Path = HERE) -> str:
    """What a shell prints for these lines; the first that fails fails the test."""
    done = subprocess.run(
        ["sh", "-eu", "-c", text],
        cwd=cwd,
        env=environment(folder),
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
    )
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


def walk_through(cwd: Path, folder: Path = HERE) -> None:
    """Run every block of it in order, in an empty folder."""
    assert len(WALK_THROUGH) >= 2
    said = shell("".join(WALK_THROUGH), cwd, folder)
    written = {path.name for path in cwd.iterdir()}
    assert written == {"ratings.csv", "params.toml", "mine.csv", "run", "oracle.json"}
    assert (cwd / "run" / "transcripts").is_dir()
    assert "checks held" in said
    assert "nearest to 50" in said


def test_the_walk_through_runs_as_printed(tmp_path: Path) -> None:
    walk_through(tmp_path)


def test_a_training_that_is_killed_is_resumed_as_printed(tmp_path: Path) -> None:
    """The files of the walk-through, with more iterations, so that there is time to kill it."""
    train, resume = next(
        (one, other)
        for one, other in pairwise(SHOWN)
        if one.startswith("ppmf train") and other.startswith("ppmf resume")
    )
    out = tmp_path / resume.split()[-1]
    shell(WALK_THROUGH[0] + "sed -i.bak 's/^iterations.*/iterations = 8/' params.toml\n", tmp_path)
    with subprocess.Popen(
        ["sh", "-c", f"exec {train}"],
        cwd=tmp_path,
        env=environment(HERE),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as running:
        both = [out / "checkpoints" / name / "model-1.state" for name in SERVERS]
        while running.poll() is None and not all(path.exists() for path in both):
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    assert not (out / "item_profiles.json").exists()
    shell(resume, tmp_path)
    assert not (out / "checkpoints").exists()
    oracle = next(line for line in WALK_THROUGH[1].splitlines() if line.startswith("ppmf oracle"))
    shell(f"{oracle}\ncmp oracle.json {out / 'item_profiles.json'}", tmp_path)


@pytest.mark.slow
def test_what_pip_installs_does_as_the_block_says(wheel: Path, tmp_path: Path) -> None:
    """Each line of the block in turn, in a fresh environment, from the wheel; asks the index."""
    lines = [line.partition("#")[0] for line in SHOWN if line.startswith("pip install")]
    extras = [re.fullmatch(r"pip install '?\.(\[\w+\])?'? *", line) for line in lines]
    assert [found[1] for found in extras if found] == [
        None, "[secure]", "[frames]", "[plots]", "[all]",
    ]  # fmt: skip
    venv.create(tmp_path / "fresh", with_pip=True)
    folder = tmp_path / "fresh" / "bin"
    cwd = tmp_path / "cwd"
    cwd.mkdir()

    def install(what: str) -> None:
        shell(f"pip install -q --disable-pip-version-check {what}", cwd, folder)

    install(str(wheel))
    oracle = "python -m ppmf_conformance.adapters.oracle"
    said = shell(f"ppmf conformance run --only 'prox/*' -- {oracle}", cwd, folder)
    assert " pass" in said
    assert "fail" not in said
    shell("! ppmf train --help", cwd, folder)
    install(f"'{wheel}[secure]'")
    walk_through(cwd, folder)
    shell("! python -c 'import narwhals'", cwd, folder)
    install(f"'{wheel}[frames]' pandas")
    (block,) = re.findall(r"```python\n(.*?)```", README, re.S)
    (cwd / "five.py").write_text(block.replace("user=17", "user=1"), encoding="utf-8")
    assert "Recommendation(item=" in shell("python five.py", cwd, folder)
    install(f"'{wheel}[plots]'")
    shell("python -c 'import matplotlib'", cwd, folder)
    install(f"'{wheel}[all]'")
    shell("python -c 'import sympy, ppmf_spec.objective'\npip check", cwd, folder)


@pytest.mark.slow
@pytest.mark.skipif(
    not (ROOT / ".venv" / ".runtime").exists(), reason="make would set up an environment first"
)
def test_the_demo_runs_with_the_options_that_are_shown(tmp_path: Path) -> None:
    """`make demo ARGS="..."` as printed, on a file that is made up."""
    (shown,) = re.findall(r'`(make demo\s+ARGS="--data [^"]+")`', README)
    write_csv(tmp_path / "ratings.csv", synthetic_ratings.ratings(90, 70))
    line = shown.replace("path/to/ratings.csv", str(tmp_path / "ratings.csv"))
    said = shell(line.replace('50"', '50 --suite rlwe-8192"'), ROOT)
    assert re.search(r"^All \d checks held", said, re.M)


def test_the_walk_through_writes_the_transcripts_that_it_audits() -> None:
    """The limit above which `train` writes none by itself must not decide."""
    text = "".join(WALK_THROUGH)
    assert re.search(r"^ppmf train .*--transcripts full$", text, flags=re.MULTILINE)
    assert text.index("ppmf train") < text.index("ppmf audit")


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_and_option_exists(line: str) -> None:
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(main.app)
    path = ["ppmf"]
    while words and hasattr(command, "commands"):
        path.append(words[0])
        command = command.commands[words.pop(0)]
        command = command.loaded if isinstance(command, Deferred) else command
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
