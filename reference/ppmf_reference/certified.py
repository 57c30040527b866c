# SPDX-License-Identifier: Apache-2.0
"""A rigorous enclosure of F_real in balls, at any size.

Every number is a midpoint and a radius (python-flint's `arb`); every operation returns a ball that
contains every result the true operands could have. The soft threshold and the box are monotone, so
their balls come from the endpoints. The prox of `binary-elastic-net` jumps: where a ball straddles
the jump both branches are kept, and the coordinate is reported as undecided; no branch is guessed.

Radii grow by some 7 bits an iteration. The precision starts from that, and is doubled until the
final radius is small enough.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, ctx, fmpq

from ppmf_reference import real
from ppmf_spec.errors import EncodingError, check_type
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, check_scale

Matrix = list[list[arb]]

BITS_LOST = 8
"""A first estimate of the bits of radius that an inner step on both sides loses."""

HALF = fmpq(1, 2)


class Balls:
    """Ball arithmetic at the context's precision; comparisons are true only when certain."""

    def number(self, value: Fraction) -> arb:
        """A ball around the rational; its radius is 0 when the precision can hold the rational."""
        return arb(fmpq(value.numerator, value.denominator))

    def square(self, y: arb) -> arb:
        """y^2, its lower end no lower than 0 even for a wide ball, so that steps stay finite."""
        return (y * y).max(0)

    def soft(self, z: arb, t: arb) -> arb:
        """The soft threshold max(z - t, 0) + min(z + t, 0), each term monotone in z."""
        if t == 0:
            return z
        return (z - t).max(0) + (z + t).min(0)

    def prox_binary(self, z: arb, tau: arb, theta: arb) -> tuple[arb, bool]:
        """The prox of `binary-elastic-net`; the hull of both branches when undecided."""
        jump = HALF - theta
        if z <= jump:
            return self.soft(z, tau), True
        one = 1 + self.soft(z + 2 * theta - 1, tau)
        if z > jump:
            return one, True
        return self.soft(z, tau).union(one), False

    def clamp(self, z: arb, low: arb, high: arb) -> arb:
        """The box, by the endpoints of the ball; a ball inside it is left alone."""
        if low <= z <= high:
            return z
        return z.max(low).min(high)


BALLS = Balls()


def exact_fraction(point: arb) -> Fraction:
    """The rational that a ball of radius 0 is."""
    value = point.fmpq()
    return Fraction(int(value.p), int(value.q))


@dataclass(frozen=True, slots=True)
class Enclosure:
    """Balls around every published number of F_real.

    `factors` m x rank, `bias` m or None, at real scale; `items` their ids; `precision` the bits
    they were computed with; `undecided` every factor, of either side and any iteration, at which a
    ball straddled the jump of the binary prox; if there is one, the balls also hold the other
    branch.
    """

    items: tuple[str, ...]
    factors: Matrix
    bias: list[arb] | None
    precision: int
    undecided: tuple[real.Undecided, ...]

    def balls(self) -> list[arb]:
        """All balls, row by row: the factors and the bias of an item."""
        bias = [[]] * len(self.factors) if self.bias is None else [[b] for b in self.bias]
        return [ball for row, own in zip(self.factors, bias, strict=True) for ball in row + own]

    @property
    def radius(self) -> Fraction:
        """The largest radius, exactly."""
        return max(exact_fraction(ball.rad()) for ball in self.balls())

    def endpoints(self) -> list[tuple[Fraction, Fraction]]:
        """Rational lower and upper ends of `balls()`, in that order, rounded outwards."""
        with ctx.workprec(self.precision):
            return [
                (exact_fraction(ball.lower()), exact_fraction(ball.upper()))
                for ball in self.balls()
            ]


@dataclass(frozen=True, slots=True)
class Distance:
    """The distance of published integers from F_real.

    `largest` is an upper bound of max |F_fix - F_real| over every published number, at real scale,
    and exceeds it by twice `radius`, the enclosure's, at most (and a bit's rounding). With
    `undecided` factors the bound holds for either branch, and the radius shows how far apart the
    branches are.
    """

    largest: Fraction
    radius: Fraction
    undecided: tuple[real.Undecided, ...]


def enclose(
    ratings: Ratings,
    params: Parameters,
    precision: int,
    on_iteration: Callable[[int], None] | None = None,
) -> Enclosure:
    """One run in balls of `precision` bits, whatever radius it ends with."""
    items: Matrix = []
    undecided: list[real.Undecided] = []
    with ctx.workprec(precision):
        for state in real.iterate(ratings, params, BALLS):
            undecided += state.undecided
            items = state.items
            if state.side == "items" and on_iteration is not None:
                on_iteration(state.iteration)
    return Enclosure(
        items=ratings.items,
        factors=[row[: params.rank] for row in items],
        bias=[row[params.rank] for row in items] if params.bias else None,
        precision=precision,
        undecided=tuple(undecided),
    )


def train(
    ratings: Ratings,
    params: Parameters,
    *,
    radius_bits: int = 60,
    on_iteration: Callable[[int], None] | None = None,
) -> Enclosure:
    """An enclosure of F_real with every radius below 2^-radius_bits (PPMF-FIX-060).

    When twice the precision leaves the same factors undecided, they are taken to lie on
    the jump, which no precision can decide. The enclosure is then returned with these factors in
    `undecided`, whatever its radius.
    `on_iteration` is called with 1, 2, .. T, again from 1 if the precision had to be doubled.
    """
    check_scale(ratings, params)
    precision = radius_bits + BITS_LOST * params.iterations * params.inner_steps + 32
    undecided: tuple[real.Undecided, ...] = ()
    while True:
        enclosure = enclose(ratings, params, precision, on_iteration)
        if enclosure.radius < Fraction(1, 1 << radius_bits):
            return enclosure
        if undecided and undecided == enclosure.undecided:
            return enclosure
        undecided = enclosure.undecided
        precision *= 2


def distance(profiles: ItemProfiles, enclosure: Enclosure) -> Distance:
    """A rigorous bound of the distance of published profiles from F_real (PPMF-FIX-061).

    Raises `EncodingError` when the two are not of the same items, rank, and biases or none, and
    RangeError for an object of another type.
    """
    check_type(profiles, ItemProfiles, "profiles")
    check_type(enclosure, Enclosure, "enclosure")
    same_rank = {profiles.rank} == {len(row) for row in enclosure.factors}
    same_biases = (profiles.bias is None) == (enclosure.bias is None)
    if profiles.items != enclosure.items or not same_rank or not same_biases:
        raise EncodingError("the profiles and the enclosure are not of the same items and rank")
    bias = [] if profiles.bias is None else profiles.bias.reshape(-1, 1).tolist()
    rows = [
        factors + (bias[j] if bias else []) for j, factors in enumerate(profiles.factors.tolist())
    ]
    numbers = [number for row in rows for number in row]
    balls = enclosure.balls()
    unit = fmpq(1, 1 << profiles.frac_bits)
    with ctx.workprec(enclosure.precision):
        largest = max(
            exact_fraction((ball - number * unit).abs_upper())
            for number, ball in zip(numbers, balls, strict=True)
        )
    return Distance(largest, enclosure.radius, enclosure.undecided)
