# SPDX-License-Identifier: Apache-2.0
"""Trainings that are not run but predicted, with unit costs that the tests choose."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ppmf.bench.measured_runs import Measured
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import KEYED, UnitCosts
from ppmf_reference import fixed
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

UNIT_COST = 1e-6
"""Seconds that every primitive takes once."""


def unit_costs(names: Iterable[str], memory: float, machine: str = "here") -> UnitCosts:
    """Unit costs by which each of the primitives takes a little time, and `memory` bytes."""
    costs = dict.fromkeys(names, UNIT_COST)
    return UnitCosts(machine, costs, dict.fromkeys(costs, memory))


def primitives(tally: Tally, suite: str) -> list[str]:
    """The names of unit costs that the work in a tally needs."""
    names = {primitive for _, primitive in tally.work}
    return sorted(f"{name}/{suite}" if name in KEYED else name for name in names)


def predicted(ratings: Ratings, params: Parameters, suite: str, *_: object) -> Measured:
    """A run whose seconds and memory a linear cost model explains exactly."""
    tally = count_run(params, PublicSize.of(ratings.users, ratings.n_items), cipher_suite(suite))
    costs = unit_costs([*primitives(tally, suite), f"starts/{suite}"], 1.0)
    estimate = costs.estimate(tally, suite)
    return Measured(
        ratings,
        params,
        suite,
        fixed.train(ratings, params),
        estimate.seconds,
        {(str(party), phase): count for (party, phase), count in tally.sent.items()},
        round(estimate.memory),
    )


def by_party(tally: Tally) -> Counter[str]:
    """The bytes that each party sends."""
    sent: Counter[str] = Counter()
    for (party, _), count in tally.sent.items():
        sent[party] += count
    return sent
