# SPDX-License-Identifier: Apache-2.0
"""`ppmf train --keep-checkpoints` and `ppmf resume`, after a server process was killed."""

from __future__ import annotations

import json
import multiprocessing
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ppmf import main
from ppmf.commands import train
from ppmf_audit import audit
from ppmf_secure.session.transcript import read
from ppmf_secure.transport import processes
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec import wire
from tests.support.command_line import Capture
from tests.support.trained_run import Run

KEPT_ONCE = ("closing", "admission", "ratings")
"""What each server keeps before the training, without its end `.state`."""


@dataclass(frozen=True, slots=True)
class Kill:
    """Kills the process of server `party` when it reports that phase and half-step."""

    party: str
    phase: str
    half_step: int

    def __call__(self, now: Progress) -> None:
        if (now.party, now.phase, now.done) == (self.party, self.phase, self.half_step):
            for process in multiprocessing.active_children():
                if process.name == self.party:
                    process.kill()


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> Callable[[Kill, list[str]], int]:
    """Run a command of which one server is killed; its exit status."""

    def run(kill: Kill, command: list[str]) -> int:
        @contextmanager
        def following(_: object) -> Iterator[Callable[[Progress], None]]:
            yield kill

        with monkeypatch.context() as patch:
            patch.setattr(train, "following", following)
            return main.main(command)

    return run


def training(trained: Run, out: Path, suite: str, *more: str) -> list[str]:
    command = ["train", str(trained.ratings), "--params", str(trained.params), "--out", str(out)]
    return [*command, "--suite", suite, "--insecure-test-keys", *more]


@pytest.mark.req("PPMF-RES-001", "PPMF-RES-002", "PPMF-ERR-005", "PPMF-ERR-007")
@pytest.mark.parametrize(
    ("suite", "kill"),
    [
        ("paillier-512-insecure", Kill("csp", "updates", 2)),
        ("rlwe-64-insecure", Kill("recsys", "products", 3)),
        ("rlwe-64-insecure", Kill("csp", "products", 0)),  # before the first checkpoint
    ],
)
def test_a_killed_run_is_resumed_and_its_transcripts_pass_the_audit(
    suite: str,
    kill: Kill,
    killed: Callable[[Kill, list[str]], int],
    trained: Run,
    tmp_path: Path,
    capsys: Capture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is resumed with workers and a place of the matrices that it had not before."""
    out = tmp_path / "run"
    command = training(trained, out, suite, "--transcripts", "full")
    asked: list[object] = []

    def without_workers(checkpoints: Path, *, workers: object, **by: Any) -> processes.RunResult:
        asked.append(workers)
        return resume(checkpoints, **by)

    resume = processes.resume
    monkeypatch.setattr(processes, "resume", without_workers)
    more = ["--workers", "2", "--matrices-on-disk"] if suite.startswith("rlwe") else []
    assert killed(kill, [*command, "--keep-checkpoints"]) == 2
    said = capsys.readouterr().err
    assert f"`ppmf resume {out}` goes on from the last checkpoint" in said
    assert f"error (peer): {kill.party} stopped" in said
    assert not (out / "item_profiles.json").exists()
    assert main.main(command) == 2
    assert f"an interrupted run: `ppmf resume {out}` goes on with it" in capsys.readouterr().err

    assert main.main(["resume", str(out), *more]) == 0
    assert asked == [processes.LocalWorkers(2, out / "workers") if more else None]
    expected = (trained.out / "item_profiles.json").read_bytes()
    assert (out / "item_profiles.json").read_bytes() == expected
    assert not (out / "checkpoints").exists()
    report = json.loads((out / "report.json").read_text())
    assert (report["epoch"], report["suite"], report["users"], report["items"]) == (1, suite, 9, 8)
    epochs = {wire.decode(r.message).epoch for r in read(out / "transcripts" / "csp/csp.cborseq")}
    assert epochs == {0, 1}
    assert [one for one in audit(out / "transcripts") if not one.ok] == []
    capsys.readouterr()
    assert main.main(["resume", str(out)]) == 2
    assert capsys.readouterr().err == (
        f"ppmf: error (state): {out}: nothing to resume: its run is finished\n"
    )


def test_a_run_that_records_nothing_is_resumed_without_transcripts(
    killed: Callable[[Kill, list[str]], int], trained: Run, tmp_path: Path
) -> None:
    out = tmp_path / "run"
    command = training(trained, out, "rlwe-64-insecure", "--transcripts", "none")
    assert killed(Kill("csp", "updates", 2), [*command, "--keep-checkpoints"]) == 2
    assert main.main(["resume", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == ["item_profiles.json", "report.json"]


@pytest.mark.req("PPMF-ERR-004")
def test_a_run_killed_before_the_ratings_arrived_leaves_nothing_to_resume(
    killed: Callable[[Kill, list[str]], int], trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    command = training(trained, out, "rlwe-64-insecure", "--keep-checkpoints")
    assert killed(Kill("csp", "keys", 0), command) == 2
    assert "resume" not in capsys.readouterr().err
    assert not (out / "checkpoints").exists()
    assert main.main(["resume", str(out)]) == 2
    said = capsys.readouterr().err
    assert said.startswith(
        f"ppmf: error (state): {out}: nothing to resume: it holds no checkpoints"
    )
    assert said.count("\n") == 1


def test_force_discards_an_interrupted_run_and_no_other_file(
    trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "run"
    kept = out / "checkpoints"
    names = [
        "run.cbor",
        "tags.key",
        *(f"{server}/{name}.state" for server in ("recsys", "csp") for name in KEPT_ONCE),
        "csp/model-1.state",
    ]
    for name in [*names, "recsys/mine.bin"]:
        (kept / name).parent.mkdir(parents=True, exist_ok=True)
        (kept / name).write_bytes(b"x")
    command = training(trained, out, "rlwe-64-insecure", "--transcripts", "none")
    assert main.main(command) == 2
    assert "--force discards it" in capsys.readouterr().err
    assert all((kept / name).exists() for name in names)
    assert main.main([*command, "--force"]) == 0
    assert [path.name for path in kept.rglob("*") if path.is_file()] == ["mine.bin"]


def test_a_damaged_session_file_is_reported_in_one_line(tmp_path: Path, capsys: Capture) -> None:
    kept = [f"{server}/{name}.state" for server in ("recsys", "csp") for name in KEPT_ONCE]
    for name in ("run.cbor", "tags.key", *kept):
        path = tmp_path / "checkpoints" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(bytes(32))
    assert main.main(["resume", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("ppmf: error (encoding): ")
    assert "run.cbor: damaged" in said
    assert said.count("\n") == 1
