# SPDX-License-Identifier: Apache-2.0
"""The figures of the performance page, as SVG."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppmf.bench.measured_runs import Measured
from ppmf.bench.scaling import Series
from ppmf_spec.files import write_atomically

# the same bytes for the same figures, and text that stays text
_STYLE: dict[Any, Any] = {"svg.hashsalt": "ppmf", "svg.fonttype": "none"}


NAMES = PHASES, SCALING, RATIOS = ("phases.svg", "scaling.svg", "ratios.svg")
"""The files of the figures."""


def phases(path: Path, runs: Sequence[Measured]) -> None:
    """Plot the seconds of each phase of the trainings, with one bar for each run."""
    figure = Figure(figsize=(8, 1.2 + 0.6 * len(runs)), layout="constrained")
    axes = figure.subplots()
    names = list(dict.fromkeys(name for run in runs for name in run.seconds))
    labels = [f"{run.suite}\n{run.ratings.n_users} x {run.ratings.n_items}" for run in runs]
    left = [0.0] * len(runs)
    for name in names:
        widths = [100 * run.seconds.get(name, 0.0) / run.wall for run in runs]
        axes.barh(labels, widths, left=left, label=name)
        left = [start + width for start, width in zip(left, widths, strict=True)]
    axes.invert_yaxis()
    axes.set_xlabel("part of the run's seconds, %")
    figure.legend(loc="outside upper center", ncols=len(names), frameon=False)
    _save(figure, path)


def scaling(path: Path, series: Sequence[Series]) -> None:
    """Plot seconds and bytes of all iterations against each dimension, on logarithmic axes."""
    figure = Figure(figsize=(9, 4), layout="constrained")
    for axes, quantity in zip(
        figure.subplots(1, 2), ("iterations' seconds", "iterations' bytes"), strict=True
    ):
        for each in series:
            label = f"{each.dimension}: slope {each.slope(quantity):.2f}"
            axes.plot(each.factors, each.values(quantity), marker="o", label=label)
        _logarithmic(axes, series[0].factors)
        axes.set_xlabel("dimension times")
        axes.set_ylabel(quantity)
        axes.legend(frameon=False)
    _save(figure, path)


def ratios(path: Path, by_work: Mapping[str, float]) -> None:
    """Plot the ratios of seconds on SPU to those here, with one bar for each piece of work."""
    figure = Figure(figsize=(8, 1.2 + 0.4 * len(by_work)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh(list(by_work), list(by_work.values()))
    axes.bar_label(bars, fmt="%.0f", padding=3)
    axes.set_xscale("log")
    axes.set_xlim(left=min(1.0, *by_work.values()))
    axes.xaxis.set_major_formatter("{x:g}")
    axes.xaxis.set_minor_formatter("")
    axes.invert_yaxis()
    axes.set_xlabel("seconds on SPU CHEETAH / seconds here")
    _save(figure, path)


def _logarithmic(axes: Axes, factors: Sequence[int]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks(list(factors), [str(factor) for factor in factors])
    axes.minorticks_off()


def _save(figure: Figure, path: Path) -> None:
    drawn = io.BytesIO()
    with mpl.rc_context(_STYLE):
        figure.savefig(drawn, format="svg", metadata={"Date": None})
    write_atomically(path, drawn.getvalue())
