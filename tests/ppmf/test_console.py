# SPDX-License-Identifier: Apache-2.0
"""The console: times for a person, plain lines of progress, and how much is said."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.progress import Progress

from ppmf import console, main
from ppmf.console import Level
from tests.support.trained_run import Run

Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _level() -> Iterator[None]:
    yield
    console.set_level(Level.NORMAL)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034, "0.03 s"),
        (9.994, "9.99 s"),
        (9.996, "10.0 s"),
        (41.3, "41.3 s"),
        (59.96, "1 min 0 s"),
        (125, "2 min 5 s"),
        (3599.6, "1 h 0 min"),
        (3 * 3600 + 20 * 60 + 29, "3 h 20 min"),
        (33 * 3600 + 20, "33 h 0 min"),
        (47 * 3600 + 59 * 60 + 40, "2 days 0 h"),
        (52 * 3600, "2 days 4 h"),
        (1000 * 86400, "1,000 days 0 h"),
    ],
)
def test_a_time_has_the_units_that_a_person_uses(value: float, text: str) -> None:
    assert console.seconds(value) == text


@given(st.floats(0, 1e8))
def test_no_unit_is_full(value: float) -> None:
    text = console.seconds(value)
    for full in (" 60 s", "60.0 s", " 60 min", " 24 h"):
        assert full not in text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "1 s"),
        (8.4, "8 s"),
        (59.6, "1 min"),
        (125, "2 min"),
        (3 * 3600, "3 h"),
        (9e5, "10 days"),
    ],
)
def test_a_guess_has_no_more_figures_than_it_knows(value: float, text: str) -> None:
    assert console.about(value) == text


class Clock:
    """A clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def test_plain_lines_come_now_and_then_with_the_time_left(capsys: Capture) -> None:
    clock = Clock()
    shown = console.Bars(Progress(disable=True), plain=True, clock=clock)
    shown.show("csp", 0.25, 1, "set-up")  # a resumed run does not begin at 0
    for clock.now in (1, 4.9):
        shown.show("csp", 0.3, 1, "set-up")
    assert capsys.readouterr().err == ""
    clock.now = 10
    shown.show("csp", 0.5, 1, "products")
    assert capsys.readouterr().err == "ppmf: csp 50% products; 10 s passed, about 20 s left\n"
    clock.now = 14
    shown.show("csp", 0.6, 1, "products")
    assert capsys.readouterr().err == ""
    clock.now = 15
    shown.show("csp", 1, 1)
    assert capsys.readouterr().err == "ppmf: csp 100%; 15 s passed\n"


def test_the_slowest_party_says_what_is_left(capsys: Capture) -> None:
    clock = Clock()
    shown = console.Bars(Progress(disable=True), plain=True, clock=clock)
    shown.show("recsys", 0, 4)
    shown.show("csp", 0, 4)
    shown.show("users", 4, 4)
    shown.drop("users")
    shown.show("recsys", 2, 4)
    clock.now = 30
    shown.show("csp", 1, 4)
    line = capsys.readouterr().err
    assert line == "ppmf: recsys 50%; csp 25%; 30 s passed, about 2 min left\n"


def test_lines_grow_rare_in_a_long_run(capsys: Capture) -> None:
    clock = Clock()
    shown = console.Bars(Progress(disable=True), plain=True, clock=clock)
    for clock.now in range(0, 36_000, 2):
        shown.show("csp", clock.now, 36_000)
    lines = capsys.readouterr().err.count("\n")
    assert 1200 < lines < 1300  # two a minute, after the first


def test_lines_go_on_while_nothing_is_finished(capsys: Capture) -> None:
    clock = Clock()
    shown = console.Bars(Progress(disable=True), plain=True, clock=clock)
    shown.show("csp", 0, 100, "start")
    clock.now = 100
    shown.show("csp", 10, 100, "products", until=20)
    capsys.readouterr()
    for clock.now in range(101, 401):
        shown.beat()
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 10
    assert all(line.startswith("ppmf: csp 10% products; ") for line in lines)
    # At the speed so far the phase ends at 200, and later ones have not begun.
    assert [line.partition("passed, ")[2] for line in (lines[0], *lines[-5:])] == [
        "about 15 min left",
        *["about 13 min left"] * 5,
    ]


def test_a_thread_looks_for_lines_that_are_due(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "_BEAT_SECONDS", 0.001)
    beats = threading.Event()
    monkeypatch.setattr(console.Bars, "beat", lambda _: beats.set())
    with console.bars():
        assert beats.wait(timeout=60)
    assert beating() == []
    monkeypatch.setenv("TERM", "xterm")  # a dumb terminal is given lines too
    monkeypatch.setattr(console, "ERR", Console(stderr=True, force_terminal=True))
    with console.bars():
        assert beating() == []
    monkeypatch.setenv("TERM", "dumb")
    monkeypatch.setattr(console, "ERR", Console(stderr=True, force_terminal=True))
    with console.bars():
        assert len(beating()) == 1


def beating() -> list[threading.Thread]:
    """The threads that look for lines."""
    return [one for one in threading.enumerate() if "_beat" in one.name]


def test_what_is_left_is_not_told_of_a_last_phase_that_takes_longer(capsys: Capture) -> None:
    clock = Clock()
    shown = console.Bars(Progress(disable=True), plain=True, clock=clock)
    shown.show("csp", 0, 10)
    clock.now = 90
    shown.show("csp", 9, 10, "output", until=10)
    clock.now = 200
    shown.beat()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "ppmf: csp 90% output; 2 min passed, about 10 s left",
        "ppmf: csp 90% output; 3 min passed",
    ]


def test_quiet_says_nothing_but_errors(trained: Run, tmp_path: Path, capsys: Capture) -> None:
    command = ["oracle", str(trained.ratings), "--out", str(tmp_path / "V.json")]
    capsys.readouterr()
    assert main.main(["--quiet", *command]) == 0
    assert capsys.readouterr().err == ""
    assert main.main(["-q", "oracle", "nowhere.csv", "--out", "x"]) == 2
    assert "nowhere.csv" in capsys.readouterr().err
    assert main.main(["-q", "conformance", "run", "--only", "no/*", "--", "x"]) == 4
    assert "no case of that id" in capsys.readouterr().err
    assert main.main(command) == 0  # the next command is not quiet
    assert "the public user list" in capsys.readouterr().err


def test_plain_lines_are_silent_when_it_is_to_be_quiet(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "PLAIN_SECONDS", 0.0)
    monkeypatch.setattr(console, "_BEAT_SECONDS", 600.0)  # nothing comes of itself meanwhile
    for level, lines in ((Level.NORMAL, 2), (Level.QUIET, 0)):
        console.set_level(level)
        with console.iterations("F_fix", 2) as done:
            done(1)
        assert capsys.readouterr().err.count("\n") == lines


def test_verbose_says_versions_and_times(trained: Run, tmp_path: Path, capsys: Capture) -> None:
    command = ["oracle", str(trained.ratings), "--out", str(tmp_path / "V.json")]
    assert main.main(["-v", *command]) == 0
    said = capsys.readouterr().err
    assert "ppmf: python 3." in said
    assert "ratings read and checked: " in said


def test_quiet_and_verbose_exclude_each_other(capsys: Capture) -> None:
    assert main.main(["-q", "-v", "params", "check"]) == 2
    assert "exclude each other" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--quiet", "-v"])
def test_where_an_option_of_ppmf_itself_stands_is_said(option: str, capsys: Capture) -> None:
    assert main.main(["oracle", option, "a.csv", "--out", "x"]) == 2
    assert f"it stands before the command: ppmf {option} ..." in capsys.readouterr().err


# -- shell completion ------------------------------------------------------------------------------


def completed(line: str) -> list[str]:
    """What bash is offered after this line."""
    words = line.split(" ")
    found = subprocess.run(
        [str(Path(sys.executable).with_name("ppmf"))],
        env={
            **os.environ,
            "_PPMF_COMPLETE": "complete_bash",
            "COMP_WORDS": line,
            "COMP_CWORD": str(len(words) - 1),
        },
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout.split()


def test_bash_completes_commands_and_options() -> None:
    assert completed("ppmf ev") == ["evaluate"]
    found = ["run", "play", "check", "vectors", "api", "transcript"]
    assert completed("ppmf conformance ") == found
    assert completed("ppmf estimate --us") == ["--users"]


def test_the_completion_of_bash_can_be_shown_and_installed(tmp_path: Path) -> None:
    command = str(Path(sys.executable).with_name("ppmf"))
    environment = {
        **os.environ,
        "HOME": str(tmp_path),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    said = [
        subprocess.run(
            [command, option, "bash"], env=environment, capture_output=True, text=True, check=True
        ).stdout
        for option in ("--show-completion", "--install-completion")
    ]
    assert "complete -o default -F _ppmf_completion ppmf" in said[0]
    assert "bash completion installed in" in said[1]
    script = tmp_path / ".bash_completions" / "ppmf.sh"
    assert subprocess.run(["bash", "-n", str(script)], check=False).returncode == 0
    assert "ppmf" in script.read_text()
