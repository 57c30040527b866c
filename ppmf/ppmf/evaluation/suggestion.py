# SPDX-License-Identifier: Apache-2.0
"""A parameter set that fits a size: the defaults, with bits for so many rows and that scale."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from math import ceil

from ppmf.evaluation import tried_sets
from ppmf.evaluation.tried_sets import NAMES, Tried
from ppmf_spec.bounds import MAX_RING_BITS, Bounds, bounds
from ppmf_spec.decimals import parse_decimal
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import MAX_STEP_WIDTH, MIN_RING_BITS, Parameters
from ppmf_spec.words import reciprocal

LEAST_STEP_BITS = 12
"""With fewer bits the steps of long rows are so coarse that errors grow, whatever the size."""

STARS_WIDTH = 6
"""The widest scale that is treated as that of stars is."""

NARROWEST, WIDEST = MIN_RING_BITS, MAX_RING_BITS

DATA = ("MovieLens-100K", "latest-small")
"""The data sets of the sweep whose errors stand beside a suggestion."""


def fitted(params: Parameters, users: int, items: int) -> Parameters:
    """`params` with the least `step_bits` from LEAST_STEP_BITS on under which no row has step 0,
    at the start and with factors as large as the scale makes them, and the least `ring_bits` that
    holds a run of this size.

    Raises ParametersError if there are none, or for a number of rows that chapter 3 does not allow
    (PPMF-PAR-015 to -019).
    """
    for step_bits in range(LEAST_STEP_BITS, MAX_STEP_WIDTH - params.step_guard_bits + 1):
        tried = replace(params, step_bits=step_bits, ring_bits=WIDEST)
        found = _bounds(tried, users, items)
        if not found.warnings and moves_when_trained(tried, max(users, items)):
            narrowest = bounds(replace(tried, ring_bits=0), users, items).ring_bits
            return replace(tried, ring_bits=narrowest)
    raise ParametersError(
        f"{max(users, items):,} rows of rank {params.rank}: with every step_bits some row can have "
        "step 0; use a smaller rank"
    )


def moves_when_trained(params: Parameters, rows: int) -> bool:
    """Whether a row of that many ratings has a step above 0 when the squared factors of its
    counterparts have become as large as such ratings make them, under the rule `lipschitz`.

    A prediction is a product of two rows, so that a row's squares come to about the largest
    distance of a rating from the offset. On MovieLens-100K their mean over a row's counterparts was
    0.9 of it on the scale of stars, and up to 1.4 of it on wider scales.
    """
    reach = max(params.rating_max - params.rating_offset, params.rating_offset - params.rating_min)
    if params.rating_max - params.rating_min > STARS_WIDTH:
        reach *= Fraction(3, 2)
    squares = ceil(rows * reach * (1 << 2 * params.frac_bits))
    guard = params.step_guard_bits
    curvature = squares >> (2 * params.frac_bits - guard + params.curvature_shift)
    return reciprocal(curvature, params.step_bits, guard, params.damping) > 0


def _bounds(params: Parameters, users: int, items: int) -> Bounds:
    """The bounds in the widest ring, where more step_bits than these are no remedy."""
    bounds(replace(params, step_bits=0), users, items)
    try:
        return bounds(params, users, items)
    except ParametersError:
        raise ParametersError(
            f"{max(users, items):,} rows of rank {params.rank}: no ring holds steps in which every "
            "row can move; use a smaller rank, or ratings on a narrower scale"
        ) from None


def with_scale(params: Parameters, text: str) -> Parameters:
    """`params` for ratings on the scale "MIN:MAX:STEP".

    The offset is the middle of the scale, or of two middles the upper; of two values it is the
    lower. The box, ridge and damping grow with the scale's width, as the values of factors do, and
    the ridge of a narrow scale is smaller.

    Raises ParametersError for a text of another form, a step that does not lead from MIN to MAX,
    and numbers that are not dyadic or outside their domain.
    """
    parts = text.split(":")
    if len(parts) != 3:
        raise ParametersError(f"--ratings-scale {text[:60]!a}: not MIN:MAX:STEP, such as 0.5:5:0.5")
    low, high, step = (parse_decimal(part, "--ratings-scale: a number") for part in parts)
    if step <= 0 or low >= high or (high - low) % step:
        raise ParametersError(f"--ratings-scale {text[:60]!a}: no steps of STEP from MIN to MAX")
    count = int((high - low) / step)
    offset = low + step * (0 if count == 1 else (count + 1) // 2)
    width = high - low
    reach = max(high - offset, offset - low)
    ridge = _ridge(width, params.ridge)
    return replace(
        params,
        rating_offset=offset,
        rating_frac_bits=_fraction_bits(step, text),
        rating_min=low,
        rating_max=high,
        box_bits=max(params.box_bits, (ceil(reach / 4) - 1).bit_length()),
        ridge=ridge,
        damping=max(params.damping, ceil(ridge * 4 / 3)),
    )


def _ridge(width: Fraction, of_stars: Fraction) -> Fraction:
    """The ridge for a scale of that width: in proportion to it, but for scales about as wide as
    that of stars, and narrow ones.
    """
    if width < 2:
        return Fraction(8)
    return of_stars if width <= STARS_WIDTH else Fraction(round(of_stars * width / Fraction(9, 2)))


def _fraction_bits(step: Fraction, text: str) -> int:
    """The fractional bits of multiples of `step`."""
    if step.denominator & (step.denominator - 1):
        raise ParametersError(f"--ratings-scale {text[:60]!a}: the step must be dyadic")
    return step.denominator.bit_length() - 1


@dataclass(frozen=True, slots=True)
class Alternative:
    """Another choice, and its error less that of the suggested set, in stars.

    changed: what differs, by parameter; params: the set, fitted to the size; difference: by data
    set.
    """

    changed: dict[str, int]
    params: Parameters
    difference: dict[str, float]


def alternatives(params: Parameters, users: int, items: int) -> Iterator[Alternative]:
    """Other ranks, iterations and widths that the sweep tried, each fitted to the size.

    `params` is a suggested set for the scale of the defaults. There are none for a rank that the
    sweep did not try.
    """
    suggested = replace(Parameters(), rank=params.rank)
    own = tried_sets.find(suggested)
    if own is None or not set(DATA) <= set(own.rmse):
        return
    tried: dict[tuple[str, int], Tried] = {}
    for name, *also in (("rank",), ("iterations",), ("frac_bits", "step_bits")):
        for row in tried_sets.differing(suggested, name, *also):
            tried[name, int(row.value(name))] = row
    for (name, value), row in sorted(tried.items(), key=lambda one: _order(*one[0])):
        if value == getattr(suggested, name):
            continue
        if name == "rank" and not params.rank <= 2 * value <= 4 * params.rank:
            continue
        changed = {name: value}
        try:
            other = fitted(replace(params, **changed), users, items)  # type: ignore[arg-type]
        except ParametersError:
            continue  # no ring holds it at this size
        difference = {data: row.rmse[data] - own.rmse[data] for data in DATA}
        yield Alternative(changed, other, difference)


def _order(name: str, value: int) -> tuple[int, int]:
    return NAMES.index(name), value
