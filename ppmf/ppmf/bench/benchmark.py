# SPDX-License-Identifier: Apache-2.0
"""One benchmark: the parts that `ppmf bench` measures, and their results."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ppmf import console, run_report
from ppmf.bench import comparison, measured_runs, plots, scaling, spu, tables
from ppmf.bench.calibration import machine
from ppmf.bench.comparison import Compared
from ppmf.bench.measured_runs import Measured
from ppmf.bench.run_sizes import (
    REPORTED_CORES,
    REPORTED_GIGABYTES,
    REPORTED_HOURS,
    BenchmarkSizes,
    RunSize,
    is_paillier,
)
from ppmf.data.rating_sources import Source
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts
from ppmf_reference import fixed
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec import ratings as rating_lists
from ppmf_spec.extras import needed_by
from ppmf_spec.ratings import Ratings

if TYPE_CHECKING:
    from ppmf_service.session_rows import SessionRow

RESULTS = "results.json"


@dataclass
class Benchmark:
    """One benchmark with its settings and its `results`, which are written to `out` after every
    part.

    spu_python: the Python of SPU's environment; None leaves the comparison out. limit: the seconds
    that each piece of work may take on SPU. equal: whether every secure result was that of F_fix.
    """

    sizes: BenchmarkSizes
    suites: Sequence[str]
    source: Source
    out: Path
    costs: UnitCosts | None
    spu_python: Path | None
    limit: float
    results: dict[str, object] = field(default_factory=dict)
    equal: bool = True
    _trainings: list[Measured] = field(default_factory=list)
    _compared: list[Compared] = field(default_factory=list)

    def begin(self) -> None:
        """Note the machine, the versions and the data."""
        self.results = {
            "format": "ppmf-bench/1",
            "machine": machine(),
            "versions": run_report.versions(),
            "data": self.source.description,
        }
        console.facts([("machine", machine()), ("data", self.source.description)])
        if self.source.notice:
            console.say(self.source.notice)

    def run(self, point: RunSize, suite: str, ratings: Ratings | None = None) -> Measured:
        """A measured training at a size, on made-up ratings unless others are given."""
        params = point.params
        used = (
            measured_runs.made_up(point.users, point.items, params) if ratings is None else ratings
        )
        with console.bars() as shown:

            def progress(now: Progress) -> None:
                until = min(now.done + 1, now.total)
                name = f"{suite}, {point}: {now.party}"
                shown.show(name, now.done, now.total, now.phase, until)

            measured = measured_runs.measure(used, params, suite, progress)
        console.note(f"{suite}, {point}: {console.seconds(measured.wall)}")
        return measured

    def training(self) -> None:
        """Measure the full trainings with every cipher suite, and F_fix in the clear on the same
        ratings.
        """
        found = []
        runs = [(suite, point) for suite in self.suites for point in self.sizes.of(suite)]
        for suite, point in runs:
            ratings = self._real(point)
            measured = self.run(point, suite, ratings)
            self._trainings.append(measured)
            self._title(f"Training, {suite}: {len(ratings):,} ratings, {point}")
            tables.run(measured)
            found.append({**measured.json(), **self._in_the_clear(measured)})
            if is_paillier(suite):
                found[-1] |= self._extrapolated(measured)
        plots.phases(self.out / plots.PHASES, self._trainings)
        self._keep("training", found)

    def paper(self) -> None:
        """Measure trainings of the founding paper's size, with the first cipher suite."""
        suite, point = self.suites[0], self.sizes.paper
        runs = [self.run(each, suite) for each in (self.sizes.paper_defaults, point)]
        kept = []
        for measured in runs:
            self._title(f"The founding paper's size, {suite}: T = {measured.params.iterations}")
            tables.run(measured)
            kept.append({**measured.json(), **self._in_the_clear(measured)})
        console.say(
            f"the founding paper, as reported: {REPORTED_HOURS} hours, {REPORTED_GIGABYTES:,} GB, "
            f"{REPORTED_CORES} cores"
        )
        entries: list[spu.Entry] = []
        if self.spu_python is not None:
            _, entries = spu.measure(self.spu_python, point, ["training"], self.limit)
            tables.spu(entries)
            self._compared += comparison.whole(runs[-1], entries)
        reported = {
            "hours": REPORTED_HOURS,
            "gigabytes": REPORTED_GIGABYTES,
            "cores": REPORTED_CORES,
        }
        theirs = [entry.json() for entry in entries]
        ours = dict(zip(("defaults", "here"), kept, strict=True))
        self._keep("paper", {**ours, "spu": theirs, "reported": reported})

    def spu(self) -> None:
        """Measure a half-step's work and an iteration on SPU, beside the training that computes
        the same.
        """
        if self.spu_python is None:
            console.note("no comparison with SPU: --spu PYTHON or --install-spu asks for it")
            return
        point = self.sizes.spu
        same = (one for one in self._trainings if one.params == point.params)
        first = next(same, None)
        self._title(f"SPU CHEETAH, two parties: {point}")
        about, entries = spu.measure(self.spu_python, point, spu.PARTS, self.limit)
        tables.spu(entries)
        if first is None:
            console.note("no ratios: they need the part training in the same run")
        else:
            self._compared[:0] = comparison.half_steps(first, entries)
        self._keep("spu", {**about, "parts": [entry.json() for entry in entries]})

    def scaling(self) -> None:
        """Measure cost against size, with the first cipher suite."""
        base, suite = self.sizes.base, self.suites[0]
        series = scaling.measure(base, self.sizes.factors, lambda at: self.run(at, suite))
        self._title(f"Cost against size, {suite}: {base}, each dimension multiplied alone")
        tables.scaling(series)
        plots.scaling(self.out / plots.SCALING, series)
        kept = {"suite": suite, "base": str(base), "series": [each.json() for each in series]}
        self._keep("scaling", kept)

    def service(self) -> None:
        """Measure the first training by two servers over TLS, beside `ppmf train` in the same hour,
        and many uploads at once.
        """
        with needed_by("`ppmf bench --only service`", "serve"):
            from ppmf.bench import service
        point, suite = self.sizes.training[0], self.suites[0]
        self._title(f"Two servers over TLS, {suite}: {point}")
        beside = self.run(point, suite, self._real(point))
        with console.bars() as bars:

            def show(now: SessionRow) -> None:
                total = max(1, now.total)
                bars.show("two servers", now.done, total, now.phase or str(now.state), total)

            found = service.training(beside, show)
        self.equal &= bool(found["equal"])
        tables.facts(found)
        self._title(f"{self.sizes.load.users:,} users upload at once")
        loaded = service.load(self.sizes.load, suite)
        tables.facts(loaded)
        self._keep("service", {"training": found, "load": loaded})

    def finish(self) -> None:
        """Print the table of ratios."""
        if self._compared:
            self._title("Side by side")
            tables.compared(self._compared)
            plots.ratios(self.out / plots.RATIOS, {c.work: c.ratio for c in self._compared})
            self._keep("compared", [one.json() for one in self._compared])
        console.say()
        console.say(f"Results: {self.out / RESULTS}")

    def _real(self, point: RunSize) -> Ratings:
        """The ratings of the most active users and most rated items, as many as `point` has."""
        raw = rating_lists.most_active(self.source.raw, point.users, point.items)
        return rating_lists.quantise(raw, point.params)

    def _in_the_clear(self, measured: Measured) -> dict[str, object]:
        """F_fix on the same ratings: its seconds, and whether the secure result is equal."""
        params = measured.params
        started = time.perf_counter()
        with console.iterations("F_fix", params.iterations) as done:
            expected = fixed.train(measured.ratings, params, on_iteration=done)
        spent = time.perf_counter() - started
        equal = expected == measured.profiles
        self.equal &= equal
        console.say(
            f"F_fix in the clear, plain Python: {console.seconds(spent)}; "
            f"the secure result {'equals it bit for bit' if equal else 'DIFFERS'}"
        )
        return {"plain_seconds": round(spent, 3), "equal": equal}

    def _extrapolated(self, measured: Measured) -> dict[str, object]:
        """The seconds of the full size: those of the small run times the ratio of the estimates."""
        point, suite = self.sizes.training[0], measured.suite
        if self.costs is None or suite not in self.costs.suites:
            console.say(f"not extrapolated: the unit costs of {suite} were not measured")
            return {}
        size = PublicSize.numbered(point.users, point.items)
        full = self.costs.estimate(count_run(point.params, size, cipher_suite(suite)), suite)
        small = self.costs.estimate(measured.tally, suite)
        seconds = measured.wall * full.total / small.total
        console.say(
            f"EXTRAPOLATED, not measured: {point} would take {seconds / 3600:.1f} h (the measured "
            "seconds times the ratio of the cost model's estimates)"
        )
        return {"extrapolated_to": str(point), "extrapolated_seconds": round(seconds)}

    def _title(self, line: str) -> None:
        console.say()
        console.say(line, style="bold")

    def _keep(self, name: str, content: object) -> None:
        self.results[name] = content
        run_report.write_json(self.out / RESULTS, self.results)
