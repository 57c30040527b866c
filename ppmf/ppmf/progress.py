# SPDX-License-Identifier: Apache-2.0
"""Progress of a run, with the time left: phases weigh what the cost model says they take.

A half-step is long and set-up is longer; counted in half-steps alone, nothing would be known of the
time left until the second of them. The model's seconds are another machine's, but what is shown
rests on their proportions only: the pace is measured here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ppmf import console
from ppmf_costs.model import Coefficients
from ppmf_costs.tally import Tally
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import USERS

_BEFORE = ("start", "upload", "set-up")
_HALF_STEP = ("products", "steps", "updates")
_PHASE = {"keys": "start"}


@dataclass(frozen=True, slots=True)
class Forecast:
    """What each phase of a whole run weighs."""

    weights: Mapping[str, float]

    @classmethod
    def of(cls, tally: Tally, suite: str) -> Forecast:
        """By the cost model; every half-step alike for a suite that it does not know."""
        try:
            return cls(Coefficients.read().estimate(tally, suite).seconds)
        except PpmfError:  # what is only shown must not stop a run
            return cls({"products": 1.0})

    @property
    def total(self) -> float:
        """The weight of the whole run."""
        return self._sum((*_BEFORE, *_HALF_STEP))

    def done(self, now: Progress) -> float:
        """The weight of all that is finished when a party enters a phase."""
        phase = _PHASE.get(now.phase, now.phase)
        passed: tuple[str, ...] = _BEFORE
        begun: tuple[str, ...] = ()
        if phase in _BEFORE:
            passed = _BEFORE[: _BEFORE.index(phase)]
        elif phase in _HALF_STEP:
            begun = _HALF_STEP[: _HALF_STEP.index(phase)]
        else:
            return self.total
        half_steps = now.done * self._sum(_HALF_STEP) + self._sum(begun)
        return self._sum(passed) + half_steps / now.total

    def _sum(self, phases: tuple[str, ...]) -> float:
        return sum(self.weights.get(phase, 0.0) for phase in phases)


@contextmanager
def following(forecast: Forecast) -> Iterator[Callable[[Progress], None]]:
    """Progress bars of the parties, for as long as the block runs."""
    with console.bars() as shown:

        def show(now: Progress) -> None:
            if now.party != USERS and now.phase not in ("keys", "upload"):
                shown.drop(USERS)  # they have left
            shown.show(now.party, forecast.done(now), forecast.total, now.phase)

        yield show
