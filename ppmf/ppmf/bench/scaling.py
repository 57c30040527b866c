# SPDX-License-Identifier: Apache-2.0
"""Cost against size: one dimension multiplied at a time, and the slope on logarithmic axes."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ppmf.bench.measured_runs import Measured
from ppmf.bench.run_sizes import DIMENSIONS, RunSize

Measure = Callable[[RunSize], Measured]

QUANTITIES: Mapping[str, Callable[[Measured], float]] = {
    "seconds": lambda run: run.wall,
    "set-up seconds": lambda run: run.seconds["set-up"],
    "iterations' seconds": lambda run: run.iterated,
    "bytes": lambda run: float(run.bytes_sent),
    "iterations' bytes": lambda run: float(run.bytes_iterated),
    "memory": lambda run: float(run.memory),
}


@dataclass(frozen=True, slots=True)
class Series:
    """Runs in which one dimension grows: a run for each factor."""

    dimension: str
    factors: tuple[int, ...]
    runs: tuple[Measured, ...]

    def values(self, quantity: str) -> list[float]:
        """A quantity, run by run."""
        return [QUANTITIES[quantity](run) for run in self.runs]

    def slope(self, quantity: str) -> float:
        """The exponent e of quantity ~ factor^e, by least squares on logarithms."""
        return slope(self.factors, self.values(quantity))

    def json(self) -> dict[str, object]:
        """The JSON object of this for the results file."""
        return {
            "dimension": self.dimension,
            "factors": list(self.factors),
            "values": {name: self.values(name) for name in QUANTITIES},
            "slopes": {name: round(self.slope(name), 3) for name in QUANTITIES},
        }


def slope(factors: Sequence[float], values: Sequence[float]) -> float:
    """The slope of log value against log factor; 0 for a quantity that is 0 somewhere."""
    if min(values) <= 0:
        return 0.0
    x, y = np.log(factors), np.log(values)
    centred = x - x.mean()
    return float(centred @ (y - y.mean()) / (centred @ centred))


def measure(base: RunSize, factors: tuple[int, ...], run: Measure) -> list[Series]:
    """Measure every dimension of `base` times every factor; the base itself is run once."""
    first = run(base)
    return [
        Series(
            dimension,
            factors,
            tuple(first if f == 1 else run(base.times(dimension, f)) for f in factors),
        )
        for dimension in DIMENSIONS
    ]
