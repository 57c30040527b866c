# SPDX-License-Identifier: Apache-2.0
"""`ppmf bench`: its parts, the results that it writes, and its exit status; no time is judged."""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from ppmf import main
from ppmf.bench import measured_runs, service
from ppmf.bench.measured_runs import Measured
from ppmf.bench.run_sizes import QUICK
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from tests.support.command_line import Capture
from tests.support.predicted_runs import UNIT_COST, predicted, primitives, unit_costs
from tests.support.trained_run import TEST_KEYS

SUITE = TEST_KEYS[1]


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs are predicted, on made-up ratings."""
    monkeypatch.setenv("PPMF_OFFLINE", "1")
    monkeypatch.setenv("PPMF_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(measured_runs, "measure", predicted)


def command(out: Path, *more: str, suite: str = SUITE) -> list[str]:
    keys = ["--suite", suite, "--insecure-test-keys"]
    return ["bench", "--quick", "--out", str(out), *keys, *more]


@pytest.mark.usefixtures("no_training", "fake_script")
def test_bench_measures_compares_and_plots_in_one_command(tmp_path: Path, capsys: Capture) -> None:
    """SPU is compared with a lattice suite's training, with the parameters of version 1."""
    sizes = ["--rank", "1", "--iterations", "3", "--spu", sys.executable]
    arguments = command(tmp_path, *sizes, suite="rlwe-64-insecure")
    assert main.main([*arguments, "--only", "training", "--only", "spu"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "equals it bit for bit" in shown
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["format"] == "ppmf-bench/1"
    assert [run["equal"] for run in results["training"]] == [True, True]
    assert [run["parameters"]["inner_steps"] for run in results["training"]] == [2, 1]
    assert [part["part"] for part in results["spu"]["parts"]] == [
        "set-up",
        "product",
        "clamp",
        "iteration",
    ]
    assert [one["work"] for one in results["compared"]] == ["clamps of a half-step", "an iteration"]
    assert (tmp_path / "ratios.svg").read_text().startswith("<?xml")
    assert (tmp_path / "phases.svg").is_file()


@pytest.mark.usefixtures("no_training")
def test_bench_measures_scaling_and_the_papers_size(tmp_path: Path, capsys: Capture) -> None:
    assert main.main(command(tmp_path, "--only", "scaling", "--only", "paper")) == 0
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["paper"]["defaults"]["equal"]
    assert results["paper"]["here"]["equal"]
    assert [one["dimension"] for one in results["scaling"]["series"]] == [
        "users",
        "items",
        "rank",
        "iterations",
    ]
    assert results["paper"]["reported"] == {"hours": 29, "gigabytes": 1330, "cores": 32}
    assert "slope of" in capsys.readouterr().out
    assert (tmp_path / "scaling.svg").is_file()


@pytest.mark.usefixtures("no_training")
def test_bench_reads_what_train_reads(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "r.txt"
    lines = [f"{user};{item};{1 + (user * item) % 5}" for user in range(12) for item in range(9)]
    path.write_text("".join(f"{line}\n" for line in [*lines, "3;4;2.2"]))
    given = ["--data", str(path), "--only", "training", "--columns", "user=0,item=1,rating=2"]
    policies = ["--separator", ";", "--duplicates", "last", "--round"]
    assert main.main(command(tmp_path / "out", *given, *policies)) == 0
    said = capsys.readouterr()
    assert "108 ratings by 12 users of 9 items" in said.out
    assert "1 of 108 ratings are rounded" in said.err
    assert main.main(command(tmp_path / "out", *given)) == 2
    assert f"{path}:109: the user rates the item twice" in capsys.readouterr().err


@pytest.mark.usefixtures("no_training")
def test_a_result_that_differs_from_the_oracle_fails_the_command(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(ratings: Ratings, params: Parameters, suite: str, *_: object) -> Measured:
        run = predicted(ratings, params, suite)
        spoilt = replace(run.profiles, factors=run.profiles.factors + 1)
        return replace(run, profiles=spoilt)

    monkeypatch.setattr(measured_runs, "measure", wrong)
    assert main.main(command(tmp_path, "--only", "training")) == 1
    assert "DIFFERS" in capsys.readouterr().out


@pytest.mark.usefixtures("no_training")
def test_estimates_are_checked_against_runs(tmp_path: Path, capsys: Capture) -> None:
    costs = tmp_path / "costs.toml"
    calibrate = command(tmp_path, "--calibrate", "--check-estimate", "--costs", str(costs))
    assert main.main(calibrate) in (0, 1)  # two toy runs do not determine a model
    found = UnitCosts.read(costs)
    assert found.suites == (SUITE,)
    exact = unit_costs(all_primitives(), 1.0)
    exact.write(costs)
    check = command(tmp_path, "--check-estimate", "--costs", str(costs))
    assert main.main(check) == 0
    assert "All estimates hold" in capsys.readouterr().out
    replace(exact, seconds=dict.fromkeys(exact.seconds, 2 * UNIT_COST)).write(costs)
    assert main.main(check) == 1
    assert "off by more than a quarter" in capsys.readouterr().out
    estimates = json.loads((tmp_path / "results.json").read_text())["estimates"]
    assert [one["holds"] for one in estimates] == [False]
    assert estimates[0]["estimated_bytes_sent"] == estimates[0]["bytes_sent"]


def all_primitives() -> set[str]:
    """Those of the two trainings that are measured."""
    sizes = (QUICK.base.params, Parameters(rank=2, iterations=2))
    tallies = [
        count_run(params, PublicSize.numbered(6, 5), cipher_suite(SUITE)) for params in sizes
    ]
    return {name for tally in tallies for name in primitives(tally, SUITE)}


def test_what_a_process_has_used_and_what_tls_costs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "_TLS_BYTES", 1 << 22)
    per_byte, cipher = service.tls_cost()
    assert per_byte > 0
    assert cipher.startswith("TLS_")
    used = service.Used.by(os.getpid())
    assert used.seconds > 0
    assert used.memory > 1 << 20


@pytest.mark.slow
@pytest.mark.usefixtures("no_training")
def test_bench_measures_two_servers_and_many_uploads(tmp_path: Path, capsys: Capture) -> None:
    """The servers are real; what stands beside them is predicted, and so is not equal."""
    assert main.main(command(tmp_path, "--only", "service")) in (0, 1)
    found = json.loads((tmp_path / "results.json").read_text())["service"]
    trained, loaded = found["training"], found["load"]
    assert trained["users"] == QUICK.training[0].users
    assert trained["seconds"] > 0
    assert set(trained["engine_cpu_seconds"]) == {"recsys", "csp"}
    assert 0 < trained["tls_share_of_cpu"] < 1
    assert loaded["users"] == QUICK.load.users
    assert loaded["requests"] > QUICK.load.users
    assert (loaded["lost"], loaded["twice"]) == (0, 0)
    assert "upload at once" in capsys.readouterr().out
