# SPDX-License-Identifier: Apache-2.0
"""The tables and the plot of the page on choosing parameters, from the sweep's table.

Errors are those of `ppmf.evaluation.tried_sets`; seconds and bytes are estimated anew for the size
of MovieLens-100K.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from html import escape

from ppmf.evaluation import tried_sets
from ppmf.evaluation.tried_sets import VERSION_1, Tried
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts, bytes_sent
from ppmf_docs.computed import Svg
from ppmf_docs.tables import quantity, seconds, table
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.parameters import Parameters

SUITE = "rlwe-8192"
USERS, ITEMS = 943, 1682

REAL = ("MovieLens-100K", "latest-small")
"""The data sets of real ratings."""

DEFAULTS = Parameters()


def compared() -> str:
    """Version 1's defaults, the defaults, and the defaults at rank 6: errors and costs."""
    sets = {
        f"version 1, T = {VERSION_1.iterations}": VERSION_1,
        f"the defaults, T = {DEFAULTS.iterations}": DEFAULTS,
        "the same at rank 6": replace(DEFAULTS, rank=6),
    }
    data = list(_row(DEFAULTS).rmse)
    rows = [
        [name, *(f"{_row(one).rmse[each]:.4f}" for each in data), *_cost_cells(one)]
        for name, one in sets.items()
    ]
    return table(["set", *data, "time", "sent"], rows, right=range(1, 3 + len(data)))


def worst() -> str:
    """The largest difference of the defaults from version 1 on any split of each data set."""
    found = _row(DEFAULTS).worst
    return table(list(found), [[_tenths(value) for value in found.values()]], right=range(9))


def iterations() -> str:
    """The defaults after other numbers of iterations."""
    return _against_defaults("iterations")


def ranks() -> str:
    """The defaults at other ranks, beside version 1's steps."""
    rows = []
    for row in _sorted("rank"):
        params = replace(DEFAULTS, rank=int(row.value("rank")))
        before = tried_sets.find(replace(VERSION_1, rank=params.rank))
        cells = [
            f"{row.rmse[data]:.4f} ({before.rmse[data]:.4f})" if before else f"{row.rmse[data]:.4f}"
            for data in REAL
        ]
        rows.append([row.value("rank"), *cells, *_cost_cells(params)])
    return table(["rank", *REAL, "time", "sent"], rows, right=range(5))


def widths() -> str:
    """The defaults with other numbers of bits."""
    return _against_defaults("frac_bits", "step_bits", "box_bits")


def weights() -> str:
    """The defaults with another ridge, and with another damping."""
    return _against_defaults("ridge") + "\n" + _against_defaults("damping")


def rules() -> str:
    """The defaults' other numbers under the step rule `count`."""
    rows = [
        [row.value("curvature_shift"), row.value("inertia"), *_differences(row)]
        for row in tried_sets.differing(
            replace(DEFAULTS, step_rule="count"), "curvature_shift", "inertia"
        )
    ]
    return table(["curvature_shift", "inertia", *_data()], rows, right=range(9))


def steps() -> str:
    """The largest difference from version 1 on any split of real ratings, and in brackets the mean
    of both data sets, by the steps.
    """
    before = _row(VERSION_1)
    inertias = sorted({Fraction(row.value("inertia")) for row in tried_sets.rows()})
    found: dict[tuple[int, int], dict[Fraction, str]] = {}
    for row in tried_sets.differing(DEFAULTS, "inner_steps", "curvature_shift", "inertia"):
        place = int(row.value("inner_steps")), int(row.value("curvature_shift"))
        by_inertia = found.setdefault(place, {})
        mean = sum(row.rmse[data] - before.rmse[data] for data in REAL) / len(REAL)
        cell = f"{_tenths(max(row.worst[data] for data in REAL))} ({_tenths(mean)})"
        by_inertia[Fraction(row.value("inertia"))] = cell
    rows = []
    for (inner, shift), by_inertia in sorted(found.items()):
        params = replace(DEFAULTS, inner_steps=inner, curvature_shift=shift)
        cells = [by_inertia.get(one, "") for one in inertias]
        rows.append([str(inner), str(shift), *cells, _cost_cells(params)[0]])
    headings = ["inner_steps", "curvature_shift", *(f"α = {one}" for one in inertias), "time"]
    return table(headings, rows, right=range(len(headings)))


def risks() -> str:
    """Errors on real ratings where one factor carries much of a row, by the steps."""
    choices = ((1, 3), (2, 3), (2, 2), (2, 1))
    rows = []
    for bias in (True, False):
        for rank in sorted({int(row.value("rank")) for row in tried_sets.rows()}):
            before = tried_sets.find(replace(VERSION_1, bias=bias, rank=rank))
            sets = [
                replace(DEFAULTS, bias=bias, rank=rank, inner_steps=inner, curvature_shift=shift)
                for inner, shift in choices
            ]
            found = [tried_sets.find(one) for one in sets]
            if before is None or None in found:
                continue
            cells = [
                _tenths(max(row.rmse[data] - before.rmse[data] for data in REAL))
                for row in found
                if row is not None
            ]
            rows.append(["yes" if bias else "no", str(rank), *cells])
    headings = [f"inner_steps {inner}, shift {shift}" for inner, shift in choices]
    return table(["biases", "rank", *headings], rows, right=range(1, 6))


def plot() -> Svg:
    """Error on MovieLens-100K against the estimated seconds of a training of its size."""
    tried = [
        (row, _params(row))
        for row in tried_sets.differing(
            DEFAULTS, "inner_steps", "curvature_shift", "inertia", "iterations"
        )
    ]
    points = [("tried", _place(row, params)) for row, params in tried]
    smaller = replace(DEFAULTS, rank=6)
    points.append(("rank 6", _place(_row(smaller), smaller)))
    points.append(("version 1", _place(_row(VERSION_1), VERSION_1)))
    points.append(("the defaults", _place(_row(DEFAULTS), DEFAULTS)))
    best, limit = min(y for _, (_, y) in points), _row(VERSION_1).rmse[REAL[0]] + 0.025
    shown = [(name, place) for name, place in points if place[1] <= limit]
    return Svg(
        _scatter(
            f"Error on {REAL[0]} against estimated seconds, one dot for each set of steps",
            shown,
            (0.0, 5 * -(-max(x for _, (x, _) in shown) // 5)),
            (best - 0.001, limit),
        )
    )


def _scatter(
    title: str,
    points: Sequence[tuple[str, tuple[float, float]]],
    across: tuple[float, float],
    up: tuple[float, float],
) -> str:
    """A drawing of named points; those named "tried" are small and have no label."""
    width, height, left, top, low = 360, 260, 42, 10, 34

    def x(value: float) -> float:
        return left + (value - across[0]) / (across[1] - across[0]) * (width - left - 10)

    def y(value: float) -> float:
        return height - low - (value - up[0]) / (up[1] - up[0]) * (height - low - top)

    body = [
        f'<path class="axis" d="M{left} {top} V{height - low} H{width - 10}"/>',
        f'<text class="end" x="{width - 10}" y="{height - 6}">seconds, estimated</text>',
        f'<text x="{left + 4}" y="{top + 8}">RMSE, stars</text>',
    ]
    for value in _ticks(*across):
        body.append(f'<text class="mid" x="{x(value):.1f}" y="{height - 20}">{value:g}</text>')
    for value in _ticks(*up):
        body.append(f'<text class="end" x="{left - 4}" y="{y(value) + 3:.1f}">{value:.3f}</text>')
    for name, (along, high) in points:
        small = name == "tried"
        body.append(
            f'<circle class="{"tried" if small else "named"}" cx="{x(along):.1f}" '
            f'cy="{y(high):.1f}" r="{1.8 if small else 3.5}"/>'
        )
        if not small:
            side = "start" if name == "the defaults" else "end"
            shift = -6 if side == "end" else 6
            body.append(
                f'<text class="{side} label" x="{x(along) + shift:.1f}" '
                f'y="{y(high) + 3.5:.1f}">{escape(name)}</text>'
            )
    return (
        f'<svg class="scatter" viewBox="0 0 {width} {height}" role="img">'
        f"<title>{escape(title)}</title>{''.join(body)}</svg>"
    )


def _ticks(low: float, high: float) -> Iterator[float]:
    """Round values between two, four to nine of them."""
    step = 10.0**-6
    factors = (2, 2.5, 2)
    turn = 0
    while (high - low) / step > 8:
        step *= factors[turn % 3]
        turn += 1
    value = -(-low // step) * step
    while value <= high + step * 1e-9:
        yield round(value, 9)
        value += step


def _place(row: Tried, params: Parameters) -> tuple[float, float]:
    return _cost(params)[0], row.rmse[REAL[0]]


def _params(row: Tried) -> Parameters:
    """The set of a row that differs from the defaults in its steps."""
    return replace(
        DEFAULTS,
        iterations=int(row.value("iterations")),
        inner_steps=int(row.value("inner_steps")),
        curvature_shift=int(row.value("curvature_shift")),
        inertia=Fraction(row.value("inertia")),
    )


def _row(params: Parameters) -> Tried:
    found = tried_sets.find(params)
    assert found is not None, params
    return found


def _data() -> tuple[str, ...]:
    return tuple(_row(DEFAULTS).rmse)


def _differences(row: Tried) -> list[str]:
    """The errors less those of the defaults, by data set."""
    defaults = _row(DEFAULTS)
    return [_tenths(row.rmse[data] - defaults.rmse[data]) for data in _data()]


def _against_defaults(*names: str) -> str:
    """The rows that differ from the defaults in these parameters, and their differences."""
    rows = []
    for row in _sorted(*names):
        params = replace(DEFAULTS, **{name: _number(row.value(name), name) for name in names})  # type: ignore[arg-type]
        rows.append(
            [*(row.value(name) for name in names), *_differences(row), *_cost_cells(params)]
        )
    headings = [*names, *_data(), "time", "sent"]
    return table(headings, rows, right=range(len(headings)))


def _number(text: str, name: str) -> int | Fraction:
    return Fraction(text) if name in ("ridge", "inertia") else int(text)


def _sorted(*names: str) -> list[Tried]:
    def key(row: Tried) -> list[Fraction]:
        return [Fraction(row.value(name)) for name in names]

    return sorted(tried_sets.differing(DEFAULTS, *names), key=key)


def _tenths(difference: float) -> str:
    """A difference of errors, in ten-thousandths of a star."""
    return f"{round(difference * 1e4):+d}".replace("-", "−").replace("+0", "0")


def _cost_cells(params: Parameters) -> list[str]:
    spent, sent = _cost(params)
    return [seconds(spent), quantity(sent)]


def _cost(params: Parameters) -> tuple[float, int]:
    """Estimated seconds and the bytes sent; the inertia changes neither."""
    return _estimated(replace(params, inertia=Fraction(0)))


@cache
def _estimated(params: Parameters) -> tuple[float, int]:
    tally = count_run(params, PublicSize.numbered(USERS, ITEMS), cipher_suite(SUITE))
    return UnitCosts.read().estimate(tally, SUITE).total, sum(bytes_sent(tally).values())
