# SPDX-License-Identifier: Apache-2.0
"""The parts of `ppmf bench`: measured runs, slopes, ratios, plots; no time is judged."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from ppmf.bench import comparison, measured_runs, plots, scaling
from ppmf.bench.measured_runs import Measured
from ppmf.bench.run_sizes import FULL, QUICK, RunSize
from ppmf.bench.spu import Entry
from ppmf_costs.counts import PHASES
from ppmf_reference import fixed
from ppmf_secure.transport.recorded_ends import Measure, Progress
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import Role
from tests.support.predicted_runs import predicted
from tests.support.trained_run import TEST_KEYS

SUITE = TEST_KEYS[1]


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


def test_errors_of_the_measured_process_are_raised() -> None:
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
        return predicted(
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


def test_ratios_compare_half_step_with_half_step() -> None:
    run = predicted(
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


def test_a_programme_takes_the_sizes_given() -> None:
    changed = FULL.with_training(None, 7, None, 2)
    first, second = (replace(size, items=7, iterations=2) for size in FULL.training)
    assert changed.of("rlwe-8192") == (first, second, replace(FULL.spu, items=7, iterations=2))
    assert changed.of("paillier-3072") == (FULL.small,)
    assert len(FULL.with_training(None, None, 3, None).training) == 1


def test_figures_are_the_same_bytes_each_time(tmp_path: Path) -> None:
    for name in ("a.svg", "b.svg"):
        plots.ratios(tmp_path / name, {"products": 20.0, "clamps": 3.0})
    assert (tmp_path / "a.svg").read_bytes() == (tmp_path / "b.svg").read_bytes()
