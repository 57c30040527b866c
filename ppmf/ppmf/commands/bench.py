# SPDX-License-Identifier: Apache-2.0
"""`ppmf bench`: measurements of what a training costs on this machine."""

from __future__ import annotations

from contextlib import suppress
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options, outputs, run_report
from ppmf.bench import calibration, plots, spu, tables
from ppmf.bench.benchmark import RESULTS, Benchmark
from ppmf.bench.run_sizes import FULL, QUICK
from ppmf.commands import train as training
from ppmf.data import rating_sources
from ppmf.data.rating_tables import Duplicates
from ppmf_costs.unit_costs import SHIPPED, UnitCosts
from ppmf_spec.errors import ParametersError

_LONGEST = 30 * 86_400
"""The most seconds of a limit."""

DEFAULT_SUITES = ("rlwe-8192", "paillier-3072")


class Part(StrEnum):
    """The parts of a benchmark, of which each can be measured alone."""

    TRAINING = "training"
    SPU = "spu"
    PAPER = "paper"
    SCALING = "scaling"
    SERVICE = "service"


def _limit(seconds: float) -> float:
    """The seconds that SPU may take. Raises typer.BadParameter for what no clock can wait for."""
    if not 0 < seconds <= _LONGEST:
        raise typer.BadParameter(f"{seconds:g} is not between 0 and {_LONGEST:,} seconds")
    return seconds


def bench(
    data_path: Annotated[
        Path | None,
        typer.Option(
            "--data",
            metavar="PATH",
            help="Ratings of the full training. [default: as `ppmf demo`]",
            show_default=False,
        ),
    ] = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    users: Annotated[
        int | None,
        typer.Option(
            "--users",
            metavar="N",
            min=1,
            help="Most active users of the full training. [default: 943]",
            show_default=False,
        ),
    ] = None,
    items: Annotated[
        int | None,
        typer.Option(
            "--items", metavar="M", min=1, help="Its items. [default: 1682]", show_default=False
        ),
    ] = None,
    rank: Annotated[
        int | None,
        typer.Option(
            "--rank", metavar="D", min=1, help="Its rank. [default: 10, and 6]", show_default=False
        ),
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(
            "--iterations",
            metavar="T",
            min=1,
            help="Its iterations. [default: those of the parameters]",
            show_default=False,
        ),
    ] = None,
    suites: Annotated[
        list[str],
        typer.Option("--suite", metavar="SUITE", help="Cipher suites to measure; may be repeated."),
    ] = list(DEFAULT_SUITES),  # noqa: B006
    only: Annotated[
        list[Part] | None,
        typer.Option(
            "--only",
            metavar="PART",
            help="This part alone; may be repeated. [default: all]",
            show_default=False,
        ),
    ] = None,
    spu_python: Annotated[
        Path | None,
        typer.Option(
            "--spu",
            metavar="PYTHON",
            help="Python of an environment that has SecretFlow SPU.",
            show_default=False,
        ),
    ] = None,
    install_spu: Annotated[
        bool,
        typer.Option("--install-spu", help=f"Make one in the user's cache: {spu.REQUIREMENT}."),
    ] = False,
    limit: Annotated[
        float,
        typer.Option(
            "--spu-limit",
            metavar="SECONDS",
            callback=_limit,
            help="How long SPU may take for a piece of work.",
        ),
    ] = 3600.0,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Only measure the unit costs of `ppmf estimate`: about two minutes, or one with "
            "--suite rlwe-8192, which keeps those of the other suites.",
        ),
    ] = False,
    check_estimate: Annotated[
        bool,
        typer.Option("--check-estimate", help="Only compare estimates with measured runs."),
    ] = False,
    costs: options.CostsFile = SHIPPED,
    out: Annotated[
        Path, typer.Option("--out", metavar="DIR", help="Folder for the results.")
    ] = Path("bench-results"),
    quick: Annotated[
        bool,
        typer.Option(
            "--quick", help="Toy sizes, to see that everything runs; the figures mean nothing."
        ),
    ] = False,
    insecure_test_keys: training.InsecureTestKeys = False,
) -> None:
    """Measure what a training costs on this machine.

    Each part can be had alone with --only:
      training  seconds and bytes by phase, with each suite, and F_fix in the clear: with the
                default parameters, and with those of version 1, so that versions compare; Paillier
                at a small size, extrapolated
      spu       the same work in SecretFlow SPU's two-party protocol CHEETAH
      paper     940 users x 40 items, rank 8: the founding paper's size, likewise
      scaling   users, items, rank and iterations multiplied alone, and the fitted slopes
      service   the first training again by two servers over TLS, beside `ppmf train`, TLS's part
                of it, and a thousand users who upload at once; needs the extra ppmf[serve]

    No time is judged: exit status 1 only if a secure result differs from F_fix (or, with
    --check-estimate, an estimate is off by more than a quarter). For figures worth keeping, leave
    the machine alone while it runs.

    Files:
      DIR/results.json   everything measured
      DIR/*.svg          where the seconds go, cost against size, ratios

    Examples:
      ppmf bench --install-spu --out results
      ppmf bench --only training --suite rlwe-8192 --iterations 5
      ppmf bench --calibrate --suite rlwe-8192 --costs costs.toml
      ppmf bench --check-estimate --costs costs.toml
    """
    sizes = (QUICK if quick else FULL).with_training(users, items, rank, iterations)
    for suite in suites:
        training.check_name(suite, insecure_test_keys)
    out.mkdir(parents=True, exist_ok=True)
    given = rating_sources.path_of(data_path)
    data = None if given is None else rating_sources.ratings_file(given)
    for name in (RESULTS, *plots.NAMES):
        outputs.check(out / name, (data, costs))
    if calibrate:
        outputs.check(costs, (data,))
    measured = None if calibrate or not costs.is_file() else UnitCosts.read(costs)
    python = spu.install() if install_spu else spu_python
    source = rating_sources.find(
        data_path,
        reading=options.reading(columns, separator, duplicates, rounding),
        announce=console.say,
        note=console.note,
    )
    benchmark = Benchmark(sizes, suites, source, out, measured, python, limit)
    benchmark.begin()
    if calibrate:
        earlier = None
        with suppress(ParametersError):  # there is none, or not one of unit costs
            earlier = UnitCosts.read(costs) if costs.is_file() else None
        found = calibration.calibrate(sizes, suites, benchmark.run, earlier)
        found.write(costs)
        console.say(f"Unit costs of {', '.join(found.suites)}: {costs}")
    if check_estimate:
        _check(benchmark, costs)
    if calibrate or check_estimate:
        return
    for part in Part:
        if not only or part in only:
            getattr(benchmark, part.value)()
    benchmark.finish()
    if not benchmark.equal:
        console.say("A secure result DIFFERS from F_fix", style="bold red")
        raise typer.Exit(1)


def _check(benchmark: Benchmark, costs: Path) -> None:
    """Compare estimates with measured runs; exit status 1 if one is off."""
    rows = calibration.check(
        benchmark.sizes, benchmark.suites, UnitCosts.read(costs), benchmark.run
    )
    tables.checked(rows)
    benchmark.results["estimates"] = [one.json() for one in rows]
    run_report.write_json(benchmark.out / RESULTS, benchmark.results)
    if not all(one.holds for one in rows):
        console.say("An estimate is off by more than a quarter", style="bold red")
        raise typer.Exit(1)
    console.say("All estimates hold within a quarter, bytes exactly.", style="bold green")
