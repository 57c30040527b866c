# SPDX-License-Identifier: Apache-2.0
"""What each process of a server with workers takes, by the cost model (chapter 4, "Workers").

Work is either shared, which divides it by the number of workers, or the server's own (`counts`).
Beside it the server packs and unpacks what passes between it and its workers. A phase takes the
time of the server's own work and that of a worker's, as if neither went on while the other does;
what is left over when work is divided is not counted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ppmf_costs.counts import MEMORY, PHASES
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import UnitCosts

ASKED, ANSWERED = 0.95e-9, 2.25e-9
"""Seconds of the server for a byte of a question and of an answer, over TLS: measured alone with 20
MB, on the machine of the unit costs."""

REDUCED = 1.2e-9
"""Seconds of a worker for a byte of its answer, however small its shard: measured with five rows of
a matrix of 138,493 columns twice."""

WORKER_MEMORY = 1.5e8
"""Bytes that a worker holds without a shard: the interpreter and its libraries."""


@dataclass(frozen=True, slots=True)
class ProcessEstimate:
    """What one process takes: seconds of a core, and bytes of memory."""

    seconds: float
    memory: float


@dataclass(frozen=True, slots=True)
class WorkersEstimate:
    """The estimate of a run whose servers have workers.

    count: how many each has. seconds: of the run, by phase. server: what the server's own process
    takes. worker: what each of its workers does. carried: bytes that pass between the server and
    one worker, both ways, in messages and files.
    """

    count: int
    seconds: Mapping[str, float]
    server: ProcessEstimate
    worker: ProcessEstimate
    carried: float

    @property
    def total(self) -> float:
        """The seconds of all phases."""
        return sum(self.seconds.values())


def with_workers(costs: UnitCosts, tally: Tally, suite: str, count: int) -> WorkersEstimate:
    """The estimate of a run with so many workers of each server, at least one.

    Raises ParametersError for a suite that was not measured. The encrypted matrices of a suite
    whose products are not shared stay with the server.
    """
    whole = costs.estimate(tally, suite)
    shared = costs.estimate(Tally(work=tally.shared), suite).seconds
    carrying = {
        phase: ASKED * tally.asked[phase]
        + ANSWERED * (tally.given[phase] + count * tally.answered[phase])
        for phase in PHASES
    }
    own_seconds = {
        phase: whole.seconds[phase] - shared[phase] + carrying[phase] for phase in PHASES
    }
    each = {phase: shared[phase] / count + REDUCED * tally.answered[phase] for phase in PHASES}
    divided = any(primitive == "he_rows" for _, primitive in tally.shared)
    rows = tally.work[MEMORY, "he_rows"] if divided else 0
    carried = (tally.asked.total() + tally.given.total()) / count + tally.answered.total()
    return WorkersEstimate(
        count,
        {phase: own_seconds[phase] + each[phase] for phase in PHASES},
        ProcessEstimate(sum(own_seconds.values()), max(0.0, whole.memory - rows)),
        ProcessEstimate(sum(each.values()), WORKER_MEMORY + rows / count),
        carried,
    )
