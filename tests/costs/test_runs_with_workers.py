# SPDX-License-Identifier: Apache-2.0
"""The estimate of runs with workers: what is divided, and what is not."""

from __future__ import annotations

from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import UnitCosts
from ppmf_costs.workers import WORKER_MEMORY, WorkersEstimate, with_workers
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters

COSTS = UnitCosts.read()
LATTICE, PAILLIER = "rlwe-8192", "paillier-3072"


@cache
def tally_of(users: int, items: int, suite: str = LATTICE) -> Tally:
    return count_run(
        Parameters(rank=2, iterations=2), PublicSize.numbered(users, items), cipher_suite(suite)
    )


@settings(max_examples=40, deadline=None)
@given(
    size=st.sampled_from([(1, 1), (9, 700), (700, 9), (943, 1682)]),
    few=st.integers(1, 500),
    more=st.integers(1, 500),
)
def test_a_worker_takes_less_the_more_there_are_and_nothing_is_lost(
    size: tuple[int, int], few: int, more: int
) -> None:
    tally = tally_of(*size)
    whole = COSTS.estimate(tally, LATTICE)
    one, other = (with_workers(COSTS, tally, LATTICE, count) for count in (few, few + more))
    assert other.worker.seconds < one.worker.seconds
    assert other.worker.memory < one.worker.memory
    assert other.carried < one.carried
    for each in (one, other):
        work = each.server.seconds + each.count * each.worker.seconds
        assert work >= whole.total
        assert each.total == pytest.approx(each.server.seconds + each.worker.seconds)
        held = each.server.memory + each.count * (each.worker.memory - WORKER_MEMORY)
        assert held == pytest.approx(whole.memory)
        assert min(each.seconds.values()) >= 0


def test_twice_as_many_workers_halve_what_each_does_and_holds() -> None:
    tally = tally_of(943, 1682)
    one, two, four = (with_workers(COSTS, tally, LATTICE, count) for count in (1, 2, 4))

    def shard(found: WorkersEstimate) -> float:
        return found.worker.memory - WORKER_MEMORY

    assert shard(one) == pytest.approx(2 * shard(two)) == pytest.approx(4 * shard(four))
    assert 2 * two.worker.seconds < 4 * four.worker.seconds < 1.5 * one.worker.seconds


def test_a_suite_whose_products_are_not_shared_leaves_them_to_the_server() -> None:
    tally = tally_of(9, 8, PAILLIER)
    found = with_workers(COSTS, tally, PAILLIER, 4)
    whole = COSTS.estimate(tally, PAILLIER)
    assert (found.server.memory, found.worker.memory) == (whole.memory, WORKER_MEMORY)
    assert found.server.seconds >= whole.total - 4 * found.worker.seconds
    assert found.worker.seconds < 0.01 * whole.total
