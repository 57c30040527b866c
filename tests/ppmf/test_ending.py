# SPDX-License-Identifier: Apache-2.0
"""Whatever ends a command ends all its processes: real commands, real signals."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ppmf import ending
from tests.support.trained_run import Run

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are read from /proc")

Begin = Callable[[list[str], int], tuple[subprocess.Popen[str], set[int]]]
ROLES = ("recsys", "csp")
SECONDS = 60.0
"""The patience with a busy machine."""
SOON = 15.0
"""The time in which processes without a parent must end; the run would take minutes."""


def servers(pid: int) -> set[int]:
    """The processes that `multiprocessing` started below a process, at any depth."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return set()
    found = set()
    for child in map(int, children):
        if b"--multiprocessing-fork" in command_line(child):
            found.add(child)
        found |= servers(child)
    return found


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()  # empty for a process that has ended
    except OSError:
        return b""


def until(holds: Callable[[], bool], seconds: float = SECONDS) -> bool:
    end = time.monotonic() + seconds
    while not holds():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True


@pytest.fixture
def begun(
    tmp_path: Path,
) -> Iterator[Begin]:
    """Start a command; once it has so many processes, the command and their numbers."""
    started: list[subprocess.Popen[str]] = []
    seen: set[int] = set()

    def begin(command: list[str], count: int) -> tuple[subprocess.Popen[str], set[int]]:
        process = subprocess.Popen(
            [sys.executable, "-m", "ppmf.main", *command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PPMF_OFFLINE": "1", "XDG_CACHE_HOME": str(tmp_path)},
        )
        started.append(process)
        assert until(lambda: len(servers(process.pid)) >= count or process.poll() is not None)
        time.sleep(1.0)  # so that they are at work
        found = servers(process.pid)
        seen.update(found)
        assert len(found) == count
        return process, found

    yield begin
    for process in started:
        with process:  # which closes its standard error and waits
            process.kill()
    for one in seen:
        if b"--multiprocessing-fork" in command_line(one):
            os.kill(one, signal.SIGKILL)


SUITE = ("--suite", "paillier-1024-insecure", "--insecure-test-keys")


def command_of(name: str, trained: Run, out: Path) -> list[str]:
    """A command that goes on for minutes."""
    params = out.with_suffix(".toml")
    params.write_text("rank = 4\niterations = 400\n")
    at = ("--out", str(out))
    return {
        "train": ["train", str(trained.ratings), "--params", str(params), *at],
        "demo": ["demo", "--users", "60", "--items", "60", *at],
        "bench": ["bench", "--only", "training", "--users", "60", "--items", "60", *at],
    }[name] + [*SUITE]


def ratings_arrived(out: Path) -> bool:
    """Whether the servers have gone on without the users."""
    return all((out / "checkpoints" / name / "ratings.state").is_file() for name in ROLES)


@pytest.mark.req("PPMF-RES-009")
@pytest.mark.parametrize(
    ("name", "number", "count"),
    [
        ("train", signal.SIGTERM, 2),
        pytest.param("train", signal.SIGHUP, 2, marks=pytest.mark.slow),
        ("train", signal.SIGKILL, 2),
        pytest.param("demo", signal.SIGTERM, 2, marks=pytest.mark.slow),
        ("bench", signal.SIGTERM, 3),
        pytest.param("bench", signal.SIGKILL, 3, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_all_processes_of_a_command(
    name: str,
    number: signal.Signals,
    count: int,
    begun: Begin,
    trained: Run,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    kept = ("--keep-checkpoints", "--transcripts", "none") if name == "train" else ()
    process, found = begun([*command_of(name, trained, out), *kept], count)
    if kept:
        assert until(lambda: ratings_arrived(out))
    process.send_signal(number)
    assert until(lambda: process.poll() is not None)
    assert until(lambda: not any(command_line(one) for one in found), SOON)
    assert process.stderr is not None
    said = process.stderr.read()
    if number is signal.SIGKILL:
        assert process.returncode == -number
    else:
        assert process.returncode == 128 + number
        assert said.splitlines()[-1] == f"ppmf: ended by {number.name}"
        assert "Traceback" not in said


def test_a_run_that_was_ended_can_be_resumed_and_ended_again(
    begun: Begin,
    trained: Run,
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    command = [*command_of("train", trained, out), "--keep-checkpoints", "--transcripts", "none"]
    for arguments in (command, ["resume", str(out)]):
        process, found = begun(arguments, 2)
        assert until(lambda: ratings_arrived(out))
        process.terminate()
        assert until(lambda process=process: process.poll() is not None)  # type: ignore[misc]
        assert process.returncode == 143
        assert not any(command_line(one) for one in found)
        assert process.stderr is not None
        said = process.stderr.read().splitlines()[-2:]
        assert said == [
            f"ppmf: `ppmf resume {out}` goes on from the last checkpoint",
            "ppmf: ended by SIGTERM",
        ]


def test_signals_that_are_ignored_stay_so() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # as nohup does
    watched = signal.signal(signal.SIGTERM, signal.SIG_DFL)  # coverage may have a handler here
    try:
        with ending.raised():
            os.kill(os.getpid(), signal.SIGHUP)
            with pytest.raises(ending.EndedError, match="SIGTERM"):
                os.kill(os.getpid(), signal.SIGTERM)
            os.kill(os.getpid(), signal.SIGTERM)  # not again while things are ended
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)
        signal.signal(signal.SIGTERM, watched)
