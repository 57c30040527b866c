# SPDX-License-Identifier: Apache-2.0
"""`ppmf demo`: it passes on a faultless run, and fails when any of its claims does."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ppmf import main
from ppmf.demo import checks
from ppmf_reference import certified, fixed
from ppmf_reference.real import Undecided
from ppmf_secure.transport import processes
from ppmf_secure.transport.recorded_ends import Measure
from ppmf_spec import profiles, ratings
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP
from tests.support.command_line import Capture
from tests.support.trained_run import TEST_KEYS, Run

Change = Callable[[ItemProfiles], ItemProfiles]
SMALL = ["--users", "12", "--items", "10", "--rank", "2", "--iterations", "2", *TEST_KEYS]
SYNTHETIC = {"PPMF_OFFLINE": "1", "PPMF_DATA": ""}


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No ratings but the made-up ones."""
    for name, value in SYNTHETIC.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def in_place_of_training(
    monkeypatch: pytest.MonkeyPatch, recorded: Path, change: Change = lambda published: published
) -> None:
    """Instead of a secure training: the oracle's result, changed, and another run's transcripts."""

    def train(
        training: Ratings, params: Parameters, *, transcripts: Path, **_: object
    ) -> processes.RunResult:
        shutil.copytree(recorded, transcripts, dirs_exist_ok=True)
        measures = (Measure(CSP, "keys", 1.5, 2_000, 30),)
        return processes.RunResult(change(fixed.train(training, params)), measures)

    monkeypatch.setattr(processes, "train", train)


@pytest.mark.usefixtures("offline")
def test_the_demo_with_real_parties(capsys: Capture, tmp_path: Path) -> None:
    assert main.main(["demo", *SMALL, "--out", str(tmp_path / "kept")]) == 0
    out = capsys.readouterr().out
    assert "SYNTHETIC" in out
    assert "These ratings are synthetic" in out
    assert "All 4 checks held" in out
    assert "FAILED" not in out
    assert "biases of users and items alone" in out
    assert len(list((tmp_path / "kept" / "transcripts").iterdir())) == 3
    assert len(profiles.read(tmp_path / "kept" / "item_profiles.json").items) == 10


@pytest.mark.usefixtures("offline")
def test_one_wrong_bit_fails_the_demo(
    trained: Run, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def one_bit(published: ItemProfiles) -> ItemProfiles:
        factors = published.factors.copy()
        factors[0, 0] ^= 1
        return replace(published, factors=factors)

    in_place_of_training(monkeypatch, trained.out / "transcripts", one_bit)
    assert main.main(["demo", *SMALL]) == 1
    out = capsys.readouterr().out
    assert "1 of 4 checks FAILED" in out
    assert "1 of 30 numbers differ" in out


@pytest.mark.usefixtures("offline")
def test_a_bad_transcript_fails_the_demo(
    trained: Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    spoiled = tmp_path / "spoiled"
    shutil.copytree(trained.out / "transcripts", spoiled)
    data = (spoiled / "csp/csp.cborseq").read_bytes()
    (spoiled / "csp/csp.cborseq").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    in_place_of_training(monkeypatch, spoiled)
    assert main.main(["demo", *SMALL]) == 1
    assert "failed: received is what was sent" in " ".join(capsys.readouterr().out.split())


def spoilt_table(folder: Path) -> Path:
    """Ratings that the demo takes only with options: other names, a pair twice, a fifth."""
    lines = [f"{user};{item};{1 + (user * item) % 5}" for user in range(12) for item in range(10)]
    lines = ["wer;was;wie", *lines, "3;4;2.2", "3;5;1"]
    path = folder / "r.txt"
    path.write_text("".join(f"{line}\n" for line in lines))
    return path


OF_SPOILT = [
    *("--columns", "user=wer,item=was,rating=wie", "--separator", ";", "--duplicates", "last"),
    "--round",
]


@pytest.mark.usefixtures("offline")
def test_the_demo_reads_what_train_reads(
    trained: Run, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = spoilt_table(tmp_path)
    in_place_of_training(monkeypatch, trained.out / "transcripts")
    command = ["demo", *SMALL, "--data", str(path)]
    assert main.main([*command, *OF_SPOILT]) in (0, 1)  # the transcripts are another run's
    said = capsys.readouterr()
    assert "120 ratings by 12 users of 10 items" in said.out
    assert "2 of 122 ratings are left out" in said.err
    assert "1 of 120 ratings are rounded" in said.err
    assert main.main([*command, *OF_SPOILT[:4], "--round"]) == 2
    assert f"{path}:122: the user rates the item twice" in capsys.readouterr().err
    assert main.main([*command, *OF_SPOILT[:-1]]) == 2
    assert f"{path}:122: the rating is not on the grid" in capsys.readouterr().err
    assert main.main([*command, *OF_SPOILT[2:]]) == 2
    assert "none of them a usual name" in capsys.readouterr().err


@pytest.mark.usefixtures("offline")
@pytest.mark.parametrize("option", [["--columns", "user=a"], ["--separator", "tab"]])
def test_columns_need_a_file_of_the_users_own(option: list[str], capsys: Capture) -> None:
    assert main.main(["demo", *SMALL, *option]) == 2
    assert "name it by --data or PPMF_DATA" in capsys.readouterr().err


@pytest.mark.usefixtures("offline")
def test_a_slice_too_small_to_hold_out_is_refused(capsys: Capture) -> None:
    assert main.main(["demo", *SMALL[4:], "--users", "1", "--items", "1"]) == 2
    assert "error (range): the slice has" in capsys.readouterr().err


def test_predictions_must_beat_the_mean_once_enough_are_held_out() -> None:
    errors = checks.Errors(private=1.1, als=0.9, biases=0.95, mean=1.0)
    assert not checks.useful(errors, checks.ENOUGH).ok
    assert checks.useful(errors, checks.ENOUGH - 1).ok
    assert checks.useful(replace(errors, private=0.95), checks.ENOUGH).ok


def test_a_wide_or_undecided_enclosure_fails_the_check_of_distance(trained: Run) -> None:
    params = Parameters.from_toml(trained.params)
    training = ratings.quantise(ratings.read(trained.ratings), params)
    published = fixed.train(training, params)
    enclosure = certified.train(training, params)
    assert checks.distance(published, enclosure).ok
    assert not checks.distance(published, certified.enclose(training, params, 40)).ok
    undecided = Undecided(1, "items", 0, 0)
    assert not checks.distance(published, replace(enclosure, undecided=(undecided,))).ok


def test_equality_compares_every_public_field(trained: Run) -> None:
    one = profiles.read(trained.out / "item_profiles.json")
    assert checks.equality(one, one).ok
    assert one.bias is not None
    other = replace(one, bias=one.bias + np.eye(1, len(one.bias), 3, dtype=np.int64)[0])
    assert checks.equality(one, other).detail == "1 of 24 numbers differ"
    other = replace(one, ridge=one.ridge + 1)
    assert checks.equality(one, other).detail == "public fields differ"
    assert checks.equality(one, replace(one, bias=None)).detail == "the shapes differ"
