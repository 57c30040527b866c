# SPDX-License-Identifier: Apache-2.0
"""Progress of a run, with the time left, in which phases are weighted by the cost model.

The set-up takes longer than a half-step, and no half-step is short, so a count of half-steps alone
would not give the time left before the second of them. The seconds of the cost model are another
machine's, but only their proportions matter: the speed is measured on this one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

from ppmf import console
from ppmf_costs.tally import Tally
from ppmf_costs.unit_costs import UnitCosts
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec.errors import PpmfError
from ppmf_spec.roles import USERS

_BEFORE = ("start", "upload", "set-up")
_HALF_STEP = ("products", "steps", "updates")
_PHASE = {"keys": "start"}


@dataclass(frozen=True, slots=True)
class Forecast:
    """The weight of each phase of a whole run."""

    weights: Mapping[str, float]

    @classmethod
    def of(cls, tally: Tally, suite: str) -> Forecast:
        """The cost model's forecast; without unit costs of the suite half-steps alone count."""
        try:
            return cls(UnitCosts.read().estimate(tally, suite).seconds)
        except PpmfError:  # an error of the display must not stop a run
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

    def until(self, now: Progress) -> float:
        """The weight of all that is finished when the party leaves the phase."""
        spent = self.weights.get(_PHASE.get(now.phase, now.phase), 0.0)
        whole = now.total if now.phase in _HALF_STEP else 1
        return min(self.done(now) + spent / whole, self.total)

    def _sum(self, phases: tuple[str, ...]) -> float:
        return sum(self.weights.get(phase, 0.0) for phase in phases)


@contextmanager
def following(forecast: Forecast) -> Iterator[Callable[[Progress], None]]:
    """Progress bars of the parties while the block runs."""
    with console.bars() as shown:

        def show(now: Progress) -> None:
            if now.party != USERS and now.phase not in ("keys", "upload"):
                shown.drop(USERS)  # they have left
            console.detail(f"{now.party}: {now.phase}, {now.done} of {now.total} half-steps done")
            shown.show(
                now.party, forecast.done(now), forecast.total, now.phase, forecast.until(now)
            )

        yield show
