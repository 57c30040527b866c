# SPDX-License-Identifier: Apache-2.0
"""The time of the line between the servers: bytes, rounds, and waiting for answers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.network import Network, bandwidth, latency
from ppmf_costs.tally import Tally
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.session.transcript import read
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP
from tests.support.derived_numbers import rounds
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy

LATTICE = cipher_suite("rlwe-8192")
MOVIELENS = PublicSize.numbered(943, 1682)
ITERATED = ("products", "steps", "updates")


def tally(params: Parameters, size: PublicSize = MOVIELENS) -> Tally:
    return count_run(params, size, LATTICE)


def test_an_iteration_takes_the_rounds_of_chapter_4() -> None:
    few, more = (tally(Parameters(iterations=count)).rounds for count in (4, 5))
    assert sum(more[phase] - few[phase] for phase in ITERATED) == rounds()


@pytest.mark.parametrize(
    "change",
    [{}, {"inner_steps": 1}, {"l1": Fraction(1)}, {"step_rule": "count"}, {"bias": False}],
)
def test_the_rounds_of_a_whole_run_are_about_those_of_a_transcript(
    change: dict[str, object], tmp_path: Path
) -> None:
    """How often RecSys, having sent something, comes to wait for CSP; halves may count or not."""
    params = replace(Parameters(rank=2, iterations=2), **change)  # type: ignore[arg-type]
    ratings = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 3): 1})
    run_toy(ratings, params, ideal_suite(), transcripts=tmp_path)
    records = read(tmp_path / "recsys" / "recsys.cborseq")
    ways = [record.direction for record in records if record.peer == CSP]
    counted = sum(pair == ("sent", "received") for pair in pairwise(ways))
    predicted = sum(tally(params, PublicSize.numbered(3, 4)).rounds.values())
    assert abs(counted - predicted) <= 2


def test_bytes_of_the_busier_direction_divided_by_the_bandwidth() -> None:
    found = tally(Parameters())
    sent = {phase: found.sent[CSP, phase] for phase in ITERATED}
    for phase, seconds in Network(8e6, 0.0).seconds(found).items():
        assert seconds == found.link[phase] / 1e6
    assert found.link["updates"] >= sent["updates"], "CSP sends more"
    assert sum(found.link.values()) <= sum(found.sent.values())


def test_latency_counts_for_rounds_and_for_what_is_awaited() -> None:
    found = tally(Parameters())
    near, far = (Network(None, each).seconds(found) for each in (0.01, 0.02))
    for phase, seconds in near.items():
        assert seconds == pytest.approx(0.01 * (found.rounds[phase] + found.windows[phase]))
        assert far[phase] == pytest.approx(2 * seconds)
    wide = Network(1e3, 0.01).seconds(found)
    assert wide["set-up"] == pytest.approx(
        8 * found.link["set-up"] / 1e3 + 0.01 * found.rounds["set-up"]
    ), "on a slow line nobody waits for answers"


def test_quantities_with_their_units() -> None:
    assert bandwidth("1Gbit") == bandwidth("1000 Mbit/s") == 1e9
    assert bandwidth("0.5kbit") == 500
    assert latency("20ms") == latency("0.02 s") == pytest.approx(0.02)
    assert latency("0ms") == 0
