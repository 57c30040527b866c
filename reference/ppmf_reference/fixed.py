# SPDX-License-Identifier: Apache-2.0
"""F_fix, the function the protocol computes, in plain Python integers (chapter 2).

Proximal alternating linearised minimisation (Bolte, Sabach, Teboulle 2014), in its inertial form
(Pock, Sabach 2016), with every number an integer: factors and biases at scale 2^f, errors at 2^2f,
gradients at 2^3f, steps at 2^q. Each line is a line of chapter 2, and `iterate` shows every
intermediate value; speed is no aim.

A row of a side is a list of `row_rank` integers: the factors, then, with `bias = true`, the bias.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from operator import mul
from typing import Literal

import numpy as np

from ppmf_reference.start import start_entries
from ppmf_spec import words
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, check_scale

Row = list[int]
Matrix = list[Row]
Rated = tuple[Sequence[int], Sequence[int]]
"""The rated counterparts of one row: their row numbers, and x = (r - r0) 2^fr for each."""


@dataclass(frozen=True, slots=True)
class Step:
    """The steps and thresholds that a half-step fixes for one row before its K inner steps.

    `count` c; `squares` q2 at scale 2f; `factors` and `bias` the steps H at scale q (`bias` is
    None without biases); `tau`, `theta` the thresholds of the prox, scale f.
    """

    count: int
    squares: int
    factors: int
    bias: int | None
    tau: int
    theta: int


@dataclass(frozen=True, slots=True)
class HalfStep:
    """One half-step on a side: the step of every row, Z of every inner step, and the new rows.

    `z[k][row]` is the rounded Z of inner step k, before prox and saturation; `rows` is the side
    after the last inner step, and `previous` the side before it. All lists run over the rows of
    the side.
    """

    steps: list[Step]
    z: list[Matrix]
    rows: Matrix
    previous: Matrix


@dataclass(frozen=True, slots=True)
class State:
    """Both sides after a half-step of `iterate`; `iteration` counts from 1."""

    iteration: int
    side: Literal["users", "items"]
    half_step: HalfStep
    users: Matrix
    items: Matrix


def start(params: Parameters, users: int, items: int) -> tuple[Matrix, Matrix]:
    """The start (U, V) at scale f, biases 0 (PPMF-FIX-010, -011)."""
    unit = 1 << (params.frac_bits - 8)
    bias = [0] if params.bias else []

    def scaled(entries: Matrix) -> Matrix:
        return [[entry * unit for entry in row] + bias for row in entries]

    u, v = start_entries(params, users, items)
    return scaled(u), scaled(v)


def squared_norm(row: Row, params: Parameters) -> int:
    """The sum of a row's squared factors, scale 2f; the bias is not included (PPMF-FIX-022)."""
    factors = row[: params.rank]
    return sum(map(mul, factors, factors))


def curvature(count: int, squares: int, params: Parameters) -> int:
    """The curvature of a row's factors, scale g (PPMF-FIX-023)."""
    g, s = params.step_guard_bits, params.curvature_shift
    if params.step_rule == "lipschitz":
        return squares >> (2 * params.frac_bits - g + s)
    return count << (g - s)


def step(count: int, squares: int, params: Parameters) -> Step:
    """Steps and thresholds of a row of `count` ratings, q2 = `squares` (PPMF-FIX-024, -025)."""
    f, q, g = params.frac_bits, params.step_bits, params.step_guard_bits
    factors = words.reciprocal(curvature(count, squares, params), q, g, params.damping)
    of_bias = count << (g - min(params.curvature_shift, 0))
    return Step(
        count=count,
        squares=squares,
        factors=factors,
        bias=words.reciprocal(of_bias, q, g, params.damping) if params.bias else None,
        tau=words.threshold(factors, params.l1_int, f, q),
        theta=words.threshold(factors, params.ridge_int, f, q),
    )


def gradient(row: Row, others: Matrix, targets: list[int], params: Parameters) -> Row:
    """Half the gradient of the smooth part for one row, scale 3f (PPMF-FIX-027 to -029).

    `others` are the rated counterparts' y~ restricted to the row's own coordinates (a bias is
    multiplied by 2^f); `targets` are x_ij - y_bias at scale 2f, so that e = <x~, y~> - x_ij.
    """
    ridge = params.ridge_int
    errors = [sum(map(mul, row, y)) - target for y, target in zip(others, targets, strict=True)]
    data = [sum(map(mul, errors, column)) for column in zip(*others, strict=True)] or [0] * len(row)
    return [g + ridge * x for g, x in zip(data, row, strict=True)]


def descend(row: Row, previous: Row, slope: Row, steps: Row, params: Parameters) -> Row:
    """Z of one row: x + alpha (x - p) - H G rounded half up to scale f, the only rounding
    (PPMF-FIX-030).
    """
    scale = 2 * params.frac_bits + params.step_bits
    half = 1 << (scale - 1)
    inertia = params.inertia_int
    return [
        ((x << scale) + inertia * (x - p) - h * g + half) >> scale
        for x, p, g, h in zip(row, previous, slope, steps, strict=True)
    ]


def proximal(z: Row, step: Step, params: Parameters) -> Row:
    """The new row from Z: the prox (factors only), then saturation (PPMF-FIX-032 to -034)."""
    if params.regulariser == "elastic-net":
        factors = [words.prox_elastic_net(c, step.tau) for c in z[: params.rank]]
    else:
        factors = [
            words.prox_binary(c, step.tau, step.theta, params.frac_bits) for c in z[: params.rank]
        ]
    bias = z[params.rank :]
    return [words.saturate(c, params.box_bits, params.frac_bits) for c in factors + bias]


def half_step(
    rows: Matrix,
    rated: Sequence[Rated],
    other: Matrix,
    params: Parameters,
    previous: Matrix | None = None,
) -> HalfStep:
    """One half-step on a side, for every row, those without a rating included.

    `rows` the side (size x row_rank), `rated` its rated counterparts row by row, `other` the other
    side, fixed throughout; `previous` the side before its last inner step, None if the run has made
    none on it (PPMF-FIX-020, -021, -026, -031, -035, -036).
    """
    f, d = params.frac_bits, params.rank
    norms = [squared_norm(y, params) for y in other]
    own = [[*y[:d], 1 << f] for y in other] if params.bias else other
    offset = [y[d] << f for y in other] if params.bias else [0] * len(other)
    lift = 2 * f - params.rating_frac_bits

    steps: list[Step] = []
    z: list[Matrix] = [[] for _ in range(params.inner_steps)]
    new: Matrix = []
    left: Matrix = []
    for row, before, (counterparts, values) in zip(rows, previous or rows, rated, strict=True):
        chosen = step(len(counterparts), sum(norms[j] for j in counterparts), params)
        sizes = [chosen.factors] * d + ([] if chosen.bias is None else [chosen.bias])
        others = [own[j] for j in counterparts]
        targets = [(x << lift) - offset[j] for j, x in zip(counterparts, values, strict=True)]
        current, last = row, before
        for inner in z:
            slope = gradient(current, others, targets, params)
            moved = descend(current, last, slope, sizes, params)
            inner.append(moved)
            current, last = proximal(moved, chosen, params), current
        steps.append(chosen)
        new.append(current)
        left.append(last)
    return HalfStep(steps, z, new, left)


def iterate(ratings: Ratings, params: Parameters) -> Iterator[State]:
    """The run, by half-steps: on U with V, then on V with the new U, T times (PPMF-FIX-040).

    `train`, and not this function, checks that the ring holds the intermediate values. Raises
    RangeError for ratings of another scale than the parameters'.
    """
    check_scale(ratings, params)
    users, items = start(params, ratings.n_users, ratings.n_items)
    users_before: Matrix | None = None
    items_before: Matrix | None = None
    by_user, by_item = ratings.by_user(), ratings.by_item()
    for iteration in range(1, params.iterations + 1):
        on_users = half_step(users, by_user, items, params, users_before)
        users, users_before = on_users.rows, on_users.previous
        yield State(iteration, "users", on_users, users, items)
        on_items = half_step(items, by_item, users, params, items_before)
        items, items_before = on_items.rows, on_items.previous
        yield State(iteration, "items", on_items, users, items)


def profiles(rows: Matrix, ratings: Ratings, params: Parameters) -> ItemProfiles:
    """The published item profiles of V's final rows (m x row_rank, scale f) (PPMF-FIX-041)."""
    values = np.array(rows, dtype=np.int64).reshape(ratings.n_items, params.row_rank)
    bias = values[:, params.rank] if params.bias else None
    return ItemProfiles.of(ratings.items, values[:, : params.rank], bias, params)


def train(
    ratings: Ratings, params: Parameters, *, on_iteration: Callable[[int], None] | None = None
) -> ItemProfiles:
    """F_fix: item profiles from ratings and public parameters; U is never output.

    `on_iteration` is called with 1, 2, .. T. Raises `ParametersError` when an intermediate could
    leave the ring for so many users and items (PPMF-FIX-042, -043, -062), and RangeError for
    ratings of another scale than the parameters'.
    """
    check_scale(ratings, params)
    bounds(params, ratings.n_users, ratings.n_items)
    items: Matrix = []
    for state in iterate(ratings, params):
        if state.side == "items":
            items = state.items
            if on_iteration is not None:
                on_iteration(state.iteration)
    return profiles(items, ratings, params)
