# SPDX-License-Identifier: Apache-2.0
"""Unit costs fitted to measured runs, and estimates compared with measured runs."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ppmf.bench.measured_runs import Measured
from ppmf.bench.run_sizes import BenchmarkSizes, RunSize, is_paillier
from ppmf_costs.unit_costs import SMALL_MEMORY, Estimate, UnitCosts, bytes_sent, fit

Measure = Callable[[RunSize, str], Measured]

TOLERANCE = 0.25


@dataclass(frozen=True, slots=True)
class Checked:
    """A measured run and its estimate."""

    point: RunSize
    run: Measured
    estimate: Estimate

    @property
    def time_error(self) -> float:
        """Relative error of the estimated seconds."""
        return self.estimate.total / self.run.wall - 1

    @property
    def memory_error(self) -> float:
        """The error of the estimated memory, relative to the measured or at least SMALL_MEMORY."""
        off = self.estimate.memory - self.run.memory
        return off / max(self.run.memory, SMALL_MEMORY)

    @property
    def bytes_equal(self) -> bool:
        """Whether every byte sent was predicted, by phase and party."""
        sent = {key: count for key, count in self.run.sent.items() if count}
        return sent == dict(self.run.tally.sent)

    @property
    def holds(self) -> bool:
        """Whether bytes are exact, and seconds and memory within a quarter."""
        near = max(abs(self.time_error), abs(self.memory_error)) <= TOLERANCE
        return near and self.bytes_equal

    def json(self) -> dict[str, object]:
        """The JSON object of this for the results file."""
        return {
            **self.run.json(),
            "estimated_seconds": round(self.estimate.total, 3),
            "estimated_seconds_by_phase": {
                name: round(value, 3) for name, value in self.estimate.seconds.items()
            },
            "estimated_memory_of_a_server": round(self.estimate.memory),
            "estimated_bytes_sent": sum(bytes_sent(self.run.tally).values()),
            "holds": self.holds,
        }


def calibrate(
    sizes: BenchmarkSizes, suites: Sequence[str], run: Measure, earlier: UnitCosts | None = None
) -> UnitCosts:
    """Measure the calibration's runs with each suite, and fit.

    earlier: the unit costs that are replaced, of which those of other suites are kept.
    """
    samples = [
        run(point, suite).sample()
        for suite in suites
        for point in sizes.calibration[is_paillier(suite)]
    ]
    found = fit(samples, machine())
    return found if earlier is None else found.with_suites_of(earlier)


def check(
    sizes: BenchmarkSizes, suites: Sequence[str], costs: UnitCosts, run: Measure
) -> list[Checked]:
    """Measure the check's runs, none of which the calibration had, and estimate each."""
    checked = []
    for suite in suites:
        for point in sizes.checks[is_paillier(suite)]:
            measured = run(point, suite)
            checked.append(Checked(point, measured, costs.estimate(measured.tally, suite)))
    return checked


def machine() -> str:
    """A description of this machine in one line."""
    return f"{_processor()}, {os.cpu_count()} cores, {platform.system()} {platform.machine()}"


def _processor() -> str:
    try:
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line.split(":", 1)[1].strip() for line in file if "model name" in line]
    except OSError:
        names = []
    return names[0] if names else platform.processor() or "unknown processor"
