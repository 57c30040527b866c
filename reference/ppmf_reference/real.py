# SPDX-License-Identifier: Apache-2.0
"""F_real, the same algorithm over the reals, written once for any exact or enclosing arithmetic.

Nothing is rounded: the step is 1 / (curvature + c0), the thresholds are its multiples, and the box
is [-B, B - 2^-f] (PPMF-FIX-060). `exact` runs the algorithm over the rationals, `certified` over
balls: an `Arithmetic` says how a number is made and how the four functions with a branch are
evaluated, and all the rest is + - * /.

A row of a side is a list of `row_rank` numbers: the factors, then, with `bias = true`, the bias.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from operator import mul
from typing import Generic, Literal, Protocol, TypeVar

from flint import arb, fmpq

from ppmf_reference.start import start_entries
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, check_scale

X = TypeVar("X", fmpq, arb)
Side = Literal["users", "items"]
Rated = tuple[Sequence[int], Sequence[int]]
"""The rated counterparts of one row: their row numbers, and x = (r - r0) 2^fr for each."""


class Arithmetic(Protocol[X]):
    """The operations of one kind of number that are not + - * /."""

    def number(self, value: Fraction) -> X:
        """The number `value`, or an enclosure of it."""
        ...

    def square(self, y: X) -> X:
        """y^2, never negative."""
        ...

    def soft(self, z: X, t: X) -> X:
        """The soft threshold sign(z) max(|z| - t, 0), t >= 0."""
        ...

    def prox_binary(self, z: X, tau: X, theta: X) -> tuple[X, bool]:
        """The prox of `binary-elastic-net`, and whether its branch could be decided."""
        ...

    def clamp(self, z: X, low: X, high: X) -> X:
        """The nearest number to z in [low, high]."""
        ...


@dataclass(frozen=True, slots=True)
class Constants(Generic[X]):
    """The parameters as real numbers."""

    ridge: X
    l1: X
    damping: X
    inertia: X
    curvature_scale: X
    bias_scale: X
    low: X
    high: X
    zero: X
    one: X

    @classmethod
    def of(cls, params: Parameters, arithmetic: Arithmetic[X]) -> Constants[X]:
        """The constants of a parameter set."""
        box = Fraction(2) ** params.box_bits
        number = arithmetic.number
        return cls(
            ridge=number(Fraction(params.ridge)),
            l1=number(Fraction(params.l1)),
            damping=number(Fraction(params.damping)),
            inertia=number(params.inertia),
            curvature_scale=number(Fraction(2) ** -params.curvature_shift),
            bias_scale=number(Fraction(2) ** -min(params.curvature_shift, 0)),
            low=number(-box),
            high=number(box - Fraction(1, 1 << params.frac_bits)),
            zero=number(Fraction(0)),
            one=number(Fraction(1)),
        )


@dataclass(frozen=True, slots=True)
class Step(Generic[X]):
    """The steps and the thresholds of the prox that a half-step fixes for one row."""

    factors: X
    bias: X
    tau: X
    theta: X


@dataclass(frozen=True, slots=True, order=True)
class Undecided:
    """A factor whose enclosure straddled the jump of the binary prox; both branches were kept."""

    iteration: int
    side: Side
    row: int
    coordinate: int


@dataclass(frozen=True, slots=True)
class HalfStep(Generic[X]):
    """The new rows of a side, the rows before its last inner step, and the (row, coordinate) at
    which the prox was undecided.
    """

    rows: list[list[X]]
    previous: list[list[X]]
    undecided: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class RealState(Generic[X]):
    """Both sides after a half-step; `undecided` are the factors undecided in that half-step."""

    iteration: int
    side: Side
    users: list[list[X]]
    items: list[list[X]]
    undecided: list[Undecided]


def dot(a: Sequence[X], b: Sequence[X], zero: X) -> X:
    """The inner product <a, b>."""
    return sum(map(mul, a, b), zero)


def squared_norm(factors: Sequence[X], arithmetic: Arithmetic[X], zero: X) -> X:
    """The sum of the squares of an item's or a user's factors."""
    return sum((arithmetic.square(y) for y in factors), zero)


def appended(y: list[X], params: Parameters, constants: Constants[X]) -> tuple[list[X], X]:
    """The coefficients of the other side's coordinates in a residual with y, and y's bias."""
    if params.bias:
        *factors, bias = y
        return [*factors, constants.one], bias
    return y, constants.zero


def start(
    params: Parameters, users: int, items: int, arithmetic: Arithmetic[X]
) -> tuple[list[list[X]], list[list[X]]]:
    """The start (U, V): exactly the public bytes in 256ths, biases 0."""
    bias = [arithmetic.number(Fraction(0))] if params.bias else []
    u, v = (
        [[arithmetic.number(Fraction(entry, 256)) for entry in row] + bias for row in entries]
        for entries in start_entries(params, users, items)
    )
    return u, v


def step(count: int, squares: X, params: Parameters, constants: Constants[X]) -> Step[X]:
    """The step 1 / (curvature + c0) of a row with `count` ratings, and its thresholds."""
    c = constants
    curvature = (squares if params.step_rule == "lipschitz" else c.one * count) * c.curvature_scale
    factors = c.one / (curvature + c.damping)
    return Step(
        factors=factors,
        bias=c.one / (c.bias_scale * count + c.damping),
        tau=factors * c.l1 / 2,
        theta=factors * c.ridge / 2,
    )


def gradient(row: list[X], others: list[list[X]], targets: list[X], c: Constants[X]) -> list[X]:
    """Half the gradient of the smooth part for one row: sum of e y~ + lambda x, e = <x, y~> - x_ij.

    `others` are the rated counterparts' y~, restricted to the row's own coordinates; `targets` are
    the ratings less the counterparts' biases.
    """
    errors = [dot(row, y, c.zero) - target for y, target in zip(others, targets, strict=True)]
    if not errors:
        return [c.ridge * x for x in row]
    columns = zip(*others, strict=True)
    return [
        dot(errors, column, c.zero) + c.ridge * x for column, x in zip(columns, row, strict=True)
    ]


def descend(
    row: list[X], previous: list[X], slope: list[X], steps: list[X], c: Constants[X]
) -> list[X]:
    """The point z = x + alpha (x - p) - h G of one row, before the prox."""
    return [
        x + c.inertia * (x - p) - h * g
        for x, p, g, h in zip(row, previous, slope, steps, strict=True)
    ]


def proximal(
    z: list[X],
    step: Step[X],
    params: Parameters,
    constants: Constants[X],
    arithmetic: Arithmetic[X],
) -> tuple[list[X], list[int]]:
    """The new row from Z: prox of the factors, then the box; and the undecided coordinates."""
    new: list[X] = []
    undecided: list[int] = []
    for coordinate, value in enumerate(z):
        if coordinate == params.rank:
            moved = value
        elif params.regulariser == "elastic-net":
            moved = arithmetic.soft(value, step.tau)
        else:
            moved, decided = arithmetic.prox_binary(value, step.tau, step.theta)
            if not decided:
                undecided.append(coordinate)
        new.append(arithmetic.clamp(moved, constants.low, constants.high))
    return new, undecided


def half_step(
    rows: list[list[X]],
    rated: Sequence[Rated],
    other: list[list[X]],
    params: Parameters,
    arithmetic: Arithmetic[X],
    previous: list[list[X]] | None = None,
) -> HalfStep[X]:
    """One half-step on a side, for every row, the other side fixed; `previous` is the side before
    its last inner step, None if the run has made none on it (PPMF-FIX-036).
    """
    c = Constants.of(params, arithmetic)
    d = params.rank
    norms = [squared_norm(y[:d], arithmetic, c.zero) for y in other]
    seen = [appended(y, params, c) for y in other]
    unit = arithmetic.number(Fraction(1, 1 << params.rating_frac_bits))

    new: list[list[X]] = []
    left: list[list[X]] = []
    undecided: set[tuple[int, int]] = set()
    for number, (row, before, (counterparts, values)) in enumerate(
        zip(rows, previous or rows, rated, strict=True)
    ):
        chosen = step(len(counterparts), sum((norms[j] for j in counterparts), c.zero), params, c)
        steps = [chosen.factors] * d + [chosen.bias] * (params.row_rank - d)
        others = [seen[j][0] for j in counterparts]
        targets = [unit * x - seen[j][1] for j, x in zip(counterparts, values, strict=True)]
        current, last = row, before
        for _ in range(params.inner_steps):
            slope = gradient(current, others, targets, c)
            z = descend(current, last, slope, steps, c)
            last = current
            current, unclear = proximal(z, chosen, params, c, arithmetic)
            undecided.update((number, coordinate) for coordinate in unclear)
        new.append(current)
        left.append(last)
    return HalfStep(new, left, sorted(undecided))


def iterate(
    ratings: Ratings, params: Parameters, arithmetic: Arithmetic[X]
) -> Iterator[RealState[X]]:
    """The run, half-step by half-step: on U with V, then on V with the new U, T times.

    Raises RangeError for ratings of another scale than the parameters'.
    """
    check_scale(ratings, params)
    users, items = start(params, ratings.n_users, ratings.n_items, arithmetic)
    users_before: list[list[X]] | None = None
    items_before: list[list[X]] | None = None
    by_user, by_item = ratings.by_user(), ratings.by_item()
    for iteration in range(1, params.iterations + 1):
        on_users = half_step(users, by_user, items, params, arithmetic, users_before)
        users, users_before = on_users.rows, on_users.previous
        unclear = [Undecided(iteration, "users", *at) for at in on_users.undecided]
        yield RealState(iteration, "users", users, items, unclear)
        on_items = half_step(items, by_item, users, params, arithmetic, items_before)
        items, items_before = on_items.rows, on_items.previous
        unclear = [Undecided(iteration, "items", *at) for at in on_items.undecided]
        yield RealState(iteration, "items", users, items, unclear)
