# SPDX-License-Identifier: Apache-2.0
"""The figure of `ppmf evaluate`. It needs matplotlib, the extra `plots`."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from ppmf.evaluation.predictors import Figures
from ppmf.evaluation.sweep import Outcome
from ppmf_spec.errors import EncodingError
from ppmf_spec.files import write_atomically


def check_suffix(path: Path) -> None:
    """Refuse a file whose suffix names no format that can be drawn."""
    known = sorted(Figure().canvas.get_supported_filetypes())
    if path.suffix[1:].lower() not in known:
        raise EncodingError(f"{path}: a figure's name ends in one of .{', .'.join(known)}")


def draw(path: Path, figures: Sequence[Figures], k: int, outcomes: Sequence[Outcome]) -> None:
    """Draw errors and lists, a bar for each predictor, and the error of each set of a sweep."""
    panels = 3 if outcomes else 2
    figure = Figure(figsize=(4.5 * panels, 4), layout="constrained")
    axes = figure.subplots(1, panels)
    rated = [(one.predictor.name, one.errors.rmse) for one in figures if one.errors]
    _bars(axes[0], rated, "RMSE on held-out ratings, stars")
    listed = [(one.predictor.name, one.lists.ndcg) for one in figures if one.lists]
    _bars(axes[1], listed, f"NDCG at {k}")
    if outcomes:
        tried = [
            (", ".join(f"{name} {value}" for name, value in one.choice.values.items()), one)
            for one in outcomes
        ]
        _bars(
            axes[2],
            [(label, one.errors.rmse) for label, one in tried],
            "RMSE on ratings set aside, stars",
        )
    drawn = io.BytesIO()
    figure.savefig(drawn, format=path.suffix[1:].lower())
    write_atomically(path, drawn.getvalue())


def _bars(axes: Axes, values: Sequence[tuple[str, float]], what: str) -> None:
    bars = axes.barh([name for name, _ in values], [value for _, value in values])
    axes.bar_label(bars, fmt="%.4f", padding=3)
    axes.margins(x=0.2)
    axes.invert_yaxis()
    axes.set_xlabel(what)
