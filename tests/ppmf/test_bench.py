# SPDX-License-Identifier: Apache-2.0
"""`ppmf bench`: that it measures, compares and keeps what it says; no time is judged."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ppmf import main
from ppmf.bench import comparison, measured_runs, plots, scaling, spu
from ppmf.bench.measured_runs import Measured
from ppmf.bench.run_sizes import FULL, QUICK, RunSize
from ppmf.bench.spu import Entry
from ppmf_costs.counts import PHASES, PublicSize, count_run
from ppmf_costs.unit_costs import KEYED, UnitCosts
from ppmf_reference import fixed
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.transport.recorded_ends import Measure, Progress
from ppmf_spec.errors import EncodingError, ParametersError, PeerError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import Role
from tests.support.trained_run import TEST_KEYS

Capture = pytest.CaptureFixture[str]
SUITE = TEST_KEYS[1]
SCRIPT = Path(__file__).parents[2] / "benchmarks" / "spu_cheetah.py"

# Stands for the script: answers what it was asked, or misbehaves where the rank says so.
FAKE = """
import json, sys, time
request = json.load(sys.stdin)
if request["rank"] == 22:
    sys.exit(3)
if request["rank"] == 33:
    time.sleep(600)
entry = lambda name: {
    "part": name, "seconds": 1.5, "bytes_sent": 10, "largest_difference": 0.25}
print(json.dumps({"spu": "0", "protocol": "CHEETAH", "field": "FM64",
                  "parts": [entry("set-up"), *map(entry, request["parts"])]}))
"""


@pytest.fixture
def fake_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    monkeypatch.setattr(spu, "SCRIPT", script)


UNIT_COST = 1e-6


def pretended(ratings: Ratings, params: Parameters, suite: str, *_: object) -> Measured:
    """A run by a clock that a linear cost model explains exactly."""
    tally = count_run(params, PublicSize.of(ratings.users, ratings.n_items), cipher_suite(suite))
    names = {f"{name}/{suite}" if name in KEYED else name for _, name in tally.work}
    costs = dict.fromkeys([*names, f"starts/{suite}"], UNIT_COST)
    estimate = UnitCosts("", costs, dict.fromkeys(costs, 1.0)).estimate(tally, suite)
    return Measured(
        ratings,
        params,
        suite,
        fixed.train(ratings, params),
        estimate.seconds,
        {(str(party), phase): count for (party, phase), count in tally.sent.items()},
        round(estimate.memory),
    )


@pytest.fixture
def no_training(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Runs are pretended, on made-up ratings."""
    monkeypatch.setenv("PPMF_OFFLINE", "1")
    monkeypatch.setenv("PPMF_DATA", "")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(measured_runs, "measure", pretended)


def command(out: Path, *more: str) -> list[str]:
    return ["bench", "--quick", "--out", str(out), *TEST_KEYS, *more]


# -- one run ---------------------------------------------------------------------------------------


def test_a_measured_run_is_a_real_one() -> None:
    point = RunSize(4, 3, 1, 1)
    ratings = measured_runs.made_up(point.users, point.items, point.params)
    assert (ratings.n_users, ratings.n_items) == (4, 3)
    seen: list[Progress] = []
    measured = measured_runs.measure(ratings, point.params, SUITE, seen.append)
    assert measured.profiles == fixed.train(ratings, point.params)
    assert dict(measured.tally.sent) == {k: v for k, v in measured.sent.items() if v}
    assert set(measured.seconds) == set(PHASES)
    assert measured.memory > 1 << 20
    assert seen
    assert measured.json()["bytes_sent"] == measured.bytes_sent == sum(measured.sent.values())


def test_what_a_run_raises_is_raised_here() -> None:
    ratings = measured_runs.made_up(4, 3, Parameters(rank=1))
    with pytest.raises(ParametersError, match="no-such-suite"):
        measured_runs.measure(ratings, Parameters(rank=1), "no-such-suite")


def test_seconds_of_a_phase_are_the_servers_mean_and_the_rest_is_start() -> None:
    measures = tuple(
        Measure(Role(party), phase, seconds, 0, 0)
        for party, phase, seconds in (
            ("users", "upload", 50.0),
            ("recsys", "keys", 1.0),
            ("csp", "keys", 3.0),
            ("recsys", "products", 4.0),
            ("csp", "products", 2.0),
            ("recsys", "output", 1.0),
        )
    )
    found = measured_runs.by_phase(measures, 10.0)
    assert found == {"start": 6.5, "products": 3.0, "output": 0.5}


# -- slopes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("exponent", [0.0, 0.5, 1.0, 2.0])
def test_the_slope_of_a_power_is_its_exponent(exponent: float) -> None:
    factors = (1, 2, 4, 8)
    values = [7.0 * factor**exponent for factor in factors]
    assert scaling.slope(factors, values) == pytest.approx(exponent)


def test_every_dimension_grows_alone_and_the_base_runs_once() -> None:
    seen: Counter[RunSize] = Counter()

    def run(point: RunSize) -> Measured:
        seen[point] += 1
        return pretended(
            measured_runs.made_up(point.users, point.items, point.params), point.params, SUITE
        )

    base = RunSize(6, 5, 1, 2)
    series = scaling.measure(base, (1, 2), run)
    assert [one.dimension for one in series] == ["users", "items", "rank", "iterations"]
    assert seen == Counter(
        [base, RunSize(12, 5, 1, 2), RunSize(6, 10, 1, 2), RunSize(6, 5, 2, 2), RunSize(6, 5, 1, 4)]
    )
    last = series[-1].json()
    assert last["dimension"] == "iterations"
    assert series[-1].slope("set-up seconds") == pytest.approx(0.0, abs=0.01)


# -- SPU -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("fake_script")
def test_spu_is_asked_part_by_part_and_what_takes_too_long_is_stopped() -> None:
    python = Path(sys.executable)
    about, entries = spu.measure(python, RunSize(5, 4, 1, 2), ["product", "clamp"], 60)
    assert about == {"spu": "0", "protocol": "CHEETAH", "field": "FM64"}
    assert [entry.part for entry in entries] == ["set-up", "product", "clamp"]
    assert entries[1] == Entry("product", 1.5, 10, 0.25, 60)
    about, entries = spu.measure(python, RunSize(5, 4, 33, 2), ["product"], 0.2)
    assert entries == [Entry("product", None, None, None, 0.2)]
    assert entries[0].json()["stopped_after"] == 0.2
    with pytest.raises(PeerError, match="exit status 3"):
        spu.measure(python, RunSize(5, 4, 22, 2), ["product"], 60)


def test_spu_is_installed_once_into_a_place_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "spu" / "bin" / "python"
    commands: list[list[str]] = []

    def fails(command: list[str], reason: str = "") -> str:
        commands.append(command)
        return reason

    monkeypatch.setattr(spu, "environment", lambda: python)
    monkeypatch.setattr(spu, "_fails", fails)
    assert spu.install() == python
    venv, pip = commands
    assert venv[1:] == ["-m", "venv", "--clear", str(tmp_path / "spu")]
    assert (pip[0], pip[-1]) == (str(python), spu.REQUIREMENT)
    commands.clear()
    python.parent.mkdir(parents=True)
    python.touch()
    assert spu.install() == python
    assert [command[1] for command in commands] == ["-c"]
    monkeypatch.setattr(spu, "_fails", lambda command: "no such wheel")
    with pytest.raises(PeerError, match="could not be installed .* no such wheel"):
        spu.install()


def test_without_the_source_tree_there_is_no_comparison(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spu, "SCRIPT", tmp_path / "nowhere.py")
    with pytest.raises(EncodingError, match="needs the source tree"):
        spu.measure(Path(sys.executable), RunSize(5, 4, 1, 2), ["product"], 60)


def test_ratios_compare_half_step_with_half_step() -> None:
    run = pretended(
        measured_runs.made_up(6, 5, QUICK.base.params), Parameters(rank=1, iterations=2), SUITE
    )
    run = replace(run, seconds={"products": 6.0, "updates": 8.0, "steps": 2.0})
    entries = [
        Entry("product W Phi", 30.0, 5, 0.0, 60),
        Entry("product R Y", 10.0, 2, 0.0, 60),
        Entry("iteration", None, None, None, 60),
    ]
    products, iteration = comparison.half_steps(run, entries)
    assert (products.seconds, products.spu_seconds, products.ratio) == (2.0, 40.0, 20.0)
    assert products.spu_bytes == 7
    assert iteration.at_least
    assert (iteration.seconds, iteration.spu_seconds) == (8.0, 60)
    assert not list(comparison.whole(run, entries))
    whole = [Entry("set-up", 1.0, 3, 0.0, 60), Entry("training", 31.0, 4, 0.0, 60)]
    trained, iterated = comparison.whole(run, whole)
    assert (trained.seconds, trained.ratio) == (16.0, 2.0)
    assert (iterated.seconds, iterated.spu_seconds) == (16.0, 31.0)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The stand-alone script, as a module: it imports nothing of SPU until it runs a party."""
    specification = importlib.util.spec_from_file_location("spu_cheetah", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["spu_cheetah"] = module
    specification.loader.exec_module(module)
    return module


def test_what_runs_on_spu_is_palm(script: ModuleType) -> None:
    random = np.random.default_rng(5)
    n, m, rank = 7, 6, 2
    W = (random.random((n, m)) < 0.5).astype(np.int64)
    R = W * random.integers(-5, 5, (n, m))
    U, V = (random.uniform(-1, 1, (rows, rank + 1)) for rows in (n, m))
    new_users, new_items = script.iteration(W, R, U, V, rank, np)
    expected = palm(W, R / 2, U, V, rank, script)
    np.testing.assert_allclose(new_users, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        new_items, palm(W.T, R.T / 2, V, expected, rank, script), rtol=0, atol=1e-12
    )


def palm(W: Any, ratings: Any, x: Any, y: Any, rank: int, script: ModuleType) -> Any:
    """A half-step, rating by rating."""
    moved = np.empty_like(x)
    for i, row in enumerate(x):
        gradient = script.RIDGE * row
        curvature = np.zeros(rank + 1)
        for j in np.flatnonzero(W[i]):
            factors = y[j, :rank]
            error = row[:rank] @ factors + row[rank] + y[j, rank] - ratings[i, j]
            gradient = gradient + error * np.append(factors, 1.0)
            curvature += [factors @ factors] * rank + [1.0]
        moved[i] = row - gradient / (curvature + script.DAMPING)
    return np.clip(moved, -2.0, 2.0 - 2.0**-12)


def test_a_bad_request_is_refused(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="parts are"):
        script.Request.read('{"users": 1, "items": 1, "rank": 1, "parts": ["all"]}')
    with pytest.raises(ValueError, match="at least 1"):
        script.Request.read('{"users": 0, "items": 1, "rank": 1}')


# -- the command -----------------------------------------------------------------------------------


@pytest.mark.usefixtures("no_training", "fake_script")
def test_everything_in_one_command(tmp_path: Path, capsys: Capture) -> None:
    arguments = command(tmp_path, "--rank", "1", "--iterations", "3", "--spu", sys.executable)
    assert main.main([*arguments, "--only", "training", "--only", "spu"]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "equals it bit for bit" in shown
    assert "not extrapolated" in shown or "EXTRAPOLATED" in shown
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["format"] == "ppmf-bench/1"
    assert results["training"][0]["equal"] is True
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
def test_scaling_and_the_papers_size(tmp_path: Path, capsys: Capture) -> None:
    assert main.main(command(tmp_path, "--only", "scaling", "--only", "paper")) == 0
    results = json.loads((tmp_path / "results.json").read_text())
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
def test_a_wrong_result_fails(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(ratings: Ratings, params: Parameters, suite: str, *_: object) -> Measured:
        run = pretended(ratings, params, suite)
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
    exact = dict.fromkeys(all_names(), UNIT_COST)
    UnitCosts("here", exact, dict.fromkeys(exact, 1.0)).write(costs)
    check = command(tmp_path, "--check-estimate", "--costs", str(costs))
    assert main.main(check) == 0
    assert "All estimates hold" in capsys.readouterr().out
    UnitCosts("here", dict.fromkeys(exact, 2e-6), dict.fromkeys(exact, 1.0)).write(costs)
    assert main.main(check) == 1
    assert "off by more than a quarter" in capsys.readouterr().out
    estimates = json.loads((tmp_path / "results.json").read_text())["estimates"]
    assert [one["holds"] for one in estimates] == [False]
    assert estimates[0]["estimated_bytes_sent"] == estimates[0]["bytes_sent"]


def all_names() -> list[str]:
    tally = count_run(QUICK.base.params, PublicSize.numbered(6, 5), cipher_suite(SUITE))
    more = count_run(
        Parameters(rank=2, iterations=2), PublicSize.numbered(6, 5), cipher_suite(SUITE)
    )
    names = {name for _, name in (*tally.work, *more.work)}
    return [f"{name}/{SUITE}" if name in KEYED else name for name in sorted(names)]


def test_a_programme_takes_the_sizes_given() -> None:
    changed = FULL.with_training(None, 7, None, 2)
    assert changed.training == replace(FULL.training, items=7, iterations=2)
    assert changed.of("rlwe-8192") == changed.training
    assert changed.of("paillier-3072") == FULL.small


def test_figures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        plots.ratios(tmp_path / name, {"products": 20.0, "clamps": 3.0})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
