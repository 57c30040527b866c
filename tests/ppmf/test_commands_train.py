# SPDX-License-Identifier: Apache-2.0
"""`ppmf train`: what it asks of the training, what it writes, and what it refuses."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from ppmf import main
from ppmf.commands import train
from ppmf_reference import fixed
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.transcript import read
from ppmf_secure.transport import processes
from ppmf_spec import ratings
from ppmf_spec.errors import PeerError
from ppmf_spec.parameters import Parameters
from tests.support.command_line import Capture, refused
from tests.support.trained_run import TEST_KEYS, Run


def test_the_report_holds_the_costs_and_nothing_secret(trained: Run) -> None:
    report = json.loads((trained.out / "report.json").read_text())
    assert report["format"] == "ppmf-run-report/1"
    assert (report["users"], report["items"], report["epoch"]) == (9, 8, 0)
    assert report["suite"] == TEST_KEYS[1]
    assert report["secure"] is False
    assert report["parameters"] == Parameters(rank=2, iterations=2).as_dict()
    assert {one["party"] for one in report["measures"]} == {"users", "recsys", "csp"}
    sent = sum(one["bytes_sent"] for one in report["measures"])
    received = sum(one["bytes_received"] for one in report["measures"])
    assert sent == received > 0
    count = len(ratings.read(trained.ratings))
    numbers = [value for value in report.values() if isinstance(value, int)]
    assert count not in numbers


def test_a_folder_in_use_is_kept_unless_forced(
    trained: Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_: object, **__: object) -> processes.RunResult:
        raise PeerError("recsys: csp disappeared")

    monkeypatch.setattr(processes, "train", gone)
    (tmp_path / "item_profiles.json").write_text("old")
    (tmp_path / "mine.txt").write_text("mine")
    command = [
        "train",
        str(trained.ratings),
        "--params",
        str(trained.params),
        "--out",
        str(tmp_path),
    ]
    assert "is not empty; --force" in refused(capsys, command)
    assert (tmp_path / "item_profiles.json").read_text() == "old"
    assert refused(capsys, [*command, "--force"]) == "ppmf: error (peer): recsys: csp disappeared"
    assert (tmp_path / "item_profiles.json").read_text() == "old"
    assert (tmp_path / "mine.txt").read_text() == "mine"


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_results_are_replaced_when_a_training_has_succeeded_and_not_before(
    trained: Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also where the training fails after it has recorded messages."""
    shutil.copytree(trained.out, tmp_path / "run")
    before = contents(tmp_path / "run")
    real = processes.train

    def broken(*given: Any, transcripts: Path, **by: Any) -> processes.RunResult:
        real(*given, transcripts=transcripts, **by)
        raise PeerError("recsys: csp disappeared")

    other = tmp_path / "other.toml"
    other.write_text("rank = 1\niterations = 1\n")
    command = ["train", str(trained.ratings), "--params", str(other), *TEST_KEYS, "--force"]
    command += ["--out", str(tmp_path / "run"), "--transcripts", "full"]
    with monkeypatch.context() as patch:
        patch.setattr(processes, "train", broken)
        assert main.main(command) == 2
    assert "ppmf: error (peer): recsys: csp disappeared" in capsys.readouterr().err
    left = contents(tmp_path / "run")
    names = [f"{name}/{name}.cborseq" for name in ("users", "recsys", "csp")]
    names.append("signed-session.cbor")
    unfinished = {left.pop(f"transcripts/unfinished/{name}") for name in names}
    assert left == before
    assert main.main(command) == 0
    after = contents(tmp_path / "run")
    assert set(after) == set(before)
    assert not {name for name in after if after[name] == before[name]}
    assert unfinished.isdisjoint(after.values())
    assert main.main([*command, "--transcripts", "none"]) == 0
    assert set(contents(tmp_path / "run")) == {"item_profiles.json", "report.json"}


class Asked:
    """In place of `processes.train`: F_fix, and what the secure training was asked for."""

    def __init__(self) -> None:
        self.by: dict[str, object] = {}

    def __call__(
        self, training: ratings.Ratings, params: Parameters, **by: object
    ) -> processes.RunResult:
        self.by = by
        return processes.RunResult(fixed.train(training, params), ())


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Asked:
    found = Asked()
    monkeypatch.setattr(processes, "train", found)
    return found


@pytest.fixture
def command(trained: Run, tmp_path: Path) -> list[str]:
    out = str(tmp_path / "out")
    return ["train", str(trained.ratings), "--params", str(trained.params), "--out", out]


@pytest.mark.req("PPMF-AHE-014")
def test_train_and_demo_take_the_lattice_suite_where_it_holds_the_size(
    trained: Run, tmp_path: Path, asked: Asked, capsys: Capture
) -> None:
    assert main.main(["train", str(trained.ratings), "--out", str(tmp_path / "run")]) == 0
    assert asked.by["suite"] == "rlwe-8192"
    assert asked.by["checkpoints"] is None
    assert "cipher suite rlwe-8192: the fastest" in capsys.readouterr().err
    for command in ("train", "demo"):
        main.main([command, "--help"])
        shown = " ".join(capsys.readouterr().out.split())
        assert "[default: auto]" in shown
        assert all(name in shown for name in ("rlwe-8192", "paillier-3072", "paillier-2048"))


@pytest.mark.req("PPMF-RES-011")
def test_transcripts_are_recorded_only_on_request(
    command: list[str], tmp_path: Path, asked: Asked
) -> None:
    folder = tmp_path / "out" / "transcripts"
    assert main.main(command) == 0
    assert asked.by["transcripts"] is None
    assert not folder.exists()
    assert main.main([*command, "--force", "--transcripts", "full"]) == 0
    assert asked.by["transcripts"] == folder / "unfinished"
    (folder / "csp").mkdir(mode=0o700)
    (folder / "csp/csp.cborseq").write_bytes(b"of the run before")
    assert main.main([*command, "--force", "--transcripts", "none"]) == 0
    assert asked.by["transcripts"] is None
    assert not folder.exists()


def test_the_size_of_transcripts_is_predicted(trained: Run) -> None:
    """To the byte, but for what each record carries about its message."""
    params = Parameters.from_toml(trained.params)
    training = ratings.quantise(ratings.read(trained.ratings), params)
    sent = train.predicted(training, params, cipher_suite(TEST_KEYS[1])).sent.total()
    files = list((trained.out / "transcripts").rglob("*.cborseq"))
    records = sum(len(list(read(path))) for path in files)
    written = sum(path.stat().st_size for path in files)
    assert 2 * sent < written <= 2 * sent + 24 * records


@pytest.mark.parametrize("suite", ["paillier-512-insecure", "paillier-1024-insecure"])
def test_insecure_suites_need_the_option_for_test_keys(
    suite: str, trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    command = ["train", str(trained.ratings), "--out", str(tmp_path / "out"), "--suite", suite]
    line = refused(capsys, command)
    assert line.startswith("ppmf: error (parameters): ")
    assert "--insecure-test-keys" in line


def test_an_unknown_suite_is_refused_with_the_list_of_suites(
    trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    command = ["train", str(trained.ratings), "--out", str(tmp_path), "--suite", "paillier-3"]
    assert "paillier-3072, paillier-2048" in refused(capsys, command)
