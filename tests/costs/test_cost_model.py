# SPDX-License-Identifier: Apache-2.0
"""The cost model: bytes to the last one, and estimates of seconds and memory; no time is judged."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf.bench.run_sizes import FULL, RunSize
from ppmf_costs.counts import PHASES, PublicSize, count_run
from ppmf_costs.unit_costs import (
    KEYED,
    REFERENCES,
    SHIPPED,
    Sample,
    UnitCosts,
    fit,
    non_negative_least_squares,
)
from ppmf_secure.protocols.operations import PlannedMessage
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.transcript import read
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, USERS
from ppmf_spec.wire import OutputShare
from tests.support.lengths import message_lengths
from tests.support.parameter_sets import OTHER_STEP_RULES
from tests.support.predicted_runs import UNIT_COST, by_party, primitives, unit_costs
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy
from tests.support.trained_run import Run

Capture = pytest.CaptureFixture[str]
SUITE, LATTICE = "paillier-512-insecure", "rlwe-64-insecure"
RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
VARIANTS: Mapping[str, Parameters] = {
    "defaults": Parameters(rank=2, iterations=2),
    "no bias": Parameters(rank=1, iterations=2, bias=False),
    **OTHER_STEP_RULES,
    "l1": Parameters(rank=2, iterations=1, l1=Fraction(1, 2)),
    "inner steps": Parameters(rank=1, iterations=2, inner_steps=2),
    "binary": Parameters(
        rank=2,
        iterations=1,
        regulariser="binary-elastic-net",
        ridge=Fraction(1),
        l1=Fraction(1),
        curvature_shift=-1,
    ),
}


# -- bytes -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("variant", "name"), [*((variant, SUITE) for variant in VARIANTS), ("defaults", LATTICE)]
)
def test_every_byte_of_a_real_run_is_predicted(variant: str, name: str, tmp_path: Path) -> None:
    params = VARIANTS[variant]
    run_toy(RATINGS, params, cipher_suite(name), transcripts=tmp_path)
    sent: Counter[str] = Counter()
    for party in ("users", "recsys", "csp"):
        records = read(tmp_path / party / f"{party}.cborseq")
        sent[party] = sum(len(one.message) for one in records if one.direction == "sent")
    assert (
        by_party(
            count_run(params, PublicSize.of(RATINGS.users, RATINGS.n_items), cipher_suite(name))
        )
        == sent
    )


def test_bytes_are_predicted_in_the_phase_they_are_sent_in(trained: Run) -> None:
    report = json.loads((trained.out / "report.json").read_text())
    params = Parameters.from_toml(trained.params)
    size = PublicSize.numbered(report["users"], report["items"])  # as long as the ids of this run
    measured = {
        (one["party"], one["phase"]): one["bytes_sent"]
        for one in report["measures"]
        if one["bytes_sent"]
    }
    expected = dict(count_run(params, size, cipher_suite(SUITE)).sent)
    del measured["users", "upload"], expected[USERS, "upload"]
    assert measured == expected


@pytest.mark.parametrize(
    ("users", "items", "params"),
    [
        (943, 1682, Parameters(iterations=3)),
        (5000, 300, Parameters(rank=3, iterations=2, l1=Fraction(1, 4))),
        (100, 9000, Parameters(rank=2, iterations=2, bias=False)),
    ],
)
def test_two_readings_of_the_plan_agree_at_large_sizes(
    users: int, items: int, params: Parameters
) -> None:
    names = [tuple(str(number) for number in range(1, count + 1)) for count in (users, items)]
    expected: Counter[str] = Counter()
    for sender, _, _, length in message_lengths(params, names[0], names[1], "paillier-3072"):
        expected[sender] += length
    tally = count_run(params, PublicSize.numbered(users, items), cipher_suite("paillier-3072"))
    assert by_party(tally) == expected


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=5, unique=True))
def test_ids_count_in_utf8(ids: list[str]) -> None:
    encodable = [name.encode("utf-8", "replace").decode() for name in ids]
    assert PublicSize.of(encodable, 1).id_bytes == [len(name.encode()) for name in encodable]


def test_a_message_with_a_wrong_number_of_fields_is_an_error() -> None:
    with pytest.raises(ValueError, match="zip"):
        PlannedMessage(CSP, RECSYS, OutputShare, (1, 2)).encoded(0, 0)


# -- seconds and memory ----------------------------------------------------------------------------


def made_up_costs() -> UnitCosts:
    """Unit costs of all that a training with the defaults takes."""
    tally = count_run(VARIANTS["defaults"], PublicSize.numbered(3, 4), cipher_suite(SUITE))
    return unit_costs(primitives(tally, SUITE), UNIT_COST, 'a "machine"')


@pytest.mark.parametrize("dimension", ["users", "items", "rank", "iterations"])
def test_estimates_never_fall_as_a_dimension_grows(dimension: str) -> None:
    costs = made_up_costs()
    last = (0.0, 0.0, 0)
    for factor in (1, 2, 3, 7):
        value = {"users": 30, "items": 20, "rank": 2, "iterations": 2}
        value[dimension] *= factor
        params = Parameters(rank=value["rank"], iterations=value["iterations"])
        tally = count_run(
            params, PublicSize.numbered(value["users"], value["items"]), cipher_suite(SUITE)
        )
        found = costs.estimate(tally, SUITE)
        now = (found.total, found.memory, sum(tally.sent.values()))
        assert all(new >= old for new, old in zip(now, last, strict=True))
        assert now[0] > last[0]
        assert now[2] > last[2]
        last = now


def test_a_calibration_of_one_suite_keeps_the_others() -> None:
    old = UnitCosts(
        "old", {"starts/a": 1, "starts/b": 2, "pads": 3}, {"starts/a": 4, "starts/b": 5}
    )
    new = UnitCosts("new", {"starts/b": 6, "gates": 7}, {"starts/b": 8})
    found = new.with_suites_of(old)
    assert found.machine == "new"
    assert found.seconds == {"starts/a": 1, "starts/b": 6, "gates": 7}
    assert found.memory == {"starts/a": 4, "starts/b": 8}
    assert set(found.suites) == {"a", "b"}


def timed_alone(suite: str, speed: float = 1.0) -> UnitCosts:
    """The references as unit costs of a suite, on a machine that is slower by this factor."""
    family = suite.partition("-")[0]
    seconds = {
        f"{name.partition('/')[0]}/{suite}" if "/" in name else name: speed * value
        for name, value in REFERENCES.items()
        if "/" not in name or name.endswith(f"/{family}")
    }
    return UnitCosts("another", seconds, dict.fromkeys(seconds, 1.0))


def sample_of(costs: UnitCosts, suite: str, params: Parameters, users: int, items: int) -> Sample:
    """What a run would have measured if these were the costs."""
    tally = count_run(params, PublicSize.numbered(users, items), cipher_suite(suite))
    estimate = costs.estimate(tally, suite)
    return Sample(suite, tally, estimate.seconds, estimate.memory)


def test_a_fit_recovers_the_costs_behind_the_samples() -> None:
    hidden = timed_alone(SUITE, 3.0)
    samples = [
        sample_of(hidden, SUITE, params, users + number, items)
        for number, params in enumerate(VARIANTS.values())
        for users, items in ((9, 5), (4, 30), (40, 8))
    ]
    found = fit(samples, "here")
    for name, value in found.seconds.items():
        assert value == pytest.approx(hidden.seconds[name], rel=1e-6)
    for sample in samples:
        again = found.estimate(sample.tally, SUITE)
        assert again.memory == pytest.approx(sample.memory, rel=1e-3)


@pytest.mark.parametrize("seed", range(3))
def test_what_the_calibrations_runs_do_not_separate_stays_in_proportion(seed: int) -> None:
    """Phases scatter by a tenth, and every cost is another one than its reference. Least squares
    alone gave some terms nothing, and were off by half at the sizes that people ask for.
    """
    source = np.random.default_rng(seed)
    suite = "rlwe-8192"
    alone = timed_alone(suite, 1.7)
    hidden = replace(
        alone, seconds={name: v * source.uniform(0.6, 1.5) for name, v in alone.seconds.items()}
    )

    def noted(size: RunSize) -> Sample:
        exact = sample_of(hidden, suite, size.params, size.users, size.items)
        seconds = {name: v * source.uniform(0.9, 1.1) for name, v in exact.seconds.items()}
        return replace(exact, seconds=seconds)

    found = fit([noted(size) for size in FULL.calibration[0]], "here")
    for name in ("gates", "pads", "transfers", "he_terms/rlwe-8192", "he_answers/rlwe-8192"):
        assert 0.3 < found.seconds[name] / hidden.seconds[name] < 3
    for size in FULL.checks[0]:
        due = sample_of(hidden, suite, size.params, size.users, size.items)
        estimated = found.estimate(due.tally, suite).total
        assert estimated == pytest.approx(sum(due.seconds.values()), rel=0.15)


def test_what_no_run_of_a_suite_has_costs_what_its_reference_does() -> None:
    params, compact = VARIANTS["no bias"], f"compact_terms/{LATTICE}"
    found = fit([sample_of(timed_alone(LATTICE, 2.0), LATTICE, params, 9, 5)], "here")
    assert found.seconds[compact] == pytest.approx(2 * REFERENCES["compact_terms/rlwe"])
    assert not any("paillier" in name for name in found.seconds)


def test_every_primitive_has_a_reference() -> None:
    for suite in ("rlwe-8192", "paillier-3072"):
        tally = count_run(Parameters(), PublicSize.numbered(60, 40), cipher_suite(suite))
        seconds = {
            name for (phase, name), amount in tally.work.items() if amount and phase in PHASES
        }
        family = suite.partition("-")[0]
        named = {f"{name}/{family}" if name in KEYED else name for name in seconds}
        assert named <= set(REFERENCES)


@given(st.integers(1, 6), st.integers(1, 12), st.integers(0, 2**32 - 1))
def test_non_negative_least_squares_end_at_the_minimum(columns: int, rows: int, seed: int) -> None:
    source = np.random.default_rng(seed)
    a, b = source.normal(size=(rows, columns)), source.normal(size=rows)
    a[:, 0] = 0
    x = non_negative_least_squares(a, b)
    downhill = a.T @ (b - a @ x)
    assert x[0] == 0
    assert (x >= 0).all()
    assert (downhill < 1e-4).all()
    assert np.abs(downhill[x > 1e-9]).max(initial=0.0) < 1e-4


def test_unit_costs_are_written_and_read(tmp_path: Path) -> None:
    path = tmp_path / "costs.toml"
    costs = made_up_costs()
    costs.write(path)
    assert UnitCosts.read(path) == costs
    assert costs.suites == (SUITE,)


@pytest.mark.parametrize("text", ["", "machine = 1\n", "[seconds]\na = 'b'\n", "x", "seconds = 1"])
def test_a_malformed_file_of_unit_costs_is_refused(text: str, tmp_path: Path) -> None:
    path = tmp_path / "costs.toml"
    path.write_text(text)
    with pytest.raises(ParametersError, match="costs.toml: not a file of unit costs"):
        UnitCosts.read(path)


def test_the_shipped_costs_are_positive_and_grow_with_the_size() -> None:
    shipped = UnitCosts.read(SHIPPED)
    assert min((*shipped.seconds.values(), *shipped.memory.values())) >= 0
    for name in shipped.suites:
        small, large = (
            shipped.estimate(
                count_run(Parameters(), PublicSize.numbered(*size), cipher_suite(name)), name
            )
            for size in ((100, 80), (200, 160))
        )
        assert 0 < small.total < large.total
        assert 0 < small.memory < large.memory
        assert set(small.seconds) == set(PHASES)


# -- the command -----------------------------------------------------------------------------------


def test_a_suite_without_costs_has_no_estimate() -> None:
    tally = count_run(VARIANTS["defaults"], PublicSize.numbered(3, 4), cipher_suite(SUITE))
    with pytest.raises(ParametersError, match="were not measured"):
        replace(made_up_costs(), seconds={}).estimate(tally, SUITE)
