# SPDX-License-Identifier: Apache-2.0
"""The enclosure of F_real: it contains the truth, is as narrow as asked, and guesses no branch."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import count
from types import SimpleNamespace
from typing import Any

import mpmath
import numpy as np
import pytest
from flint import arb, ctx, fmpq
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ppmf_reference import certified, exact, fixed, real
from ppmf_reference.certified import BALLS
from ppmf_reference.start import start_entries
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, RatingScale
from tests.support.parameter_sets import version_1
from tests.support.ratings import ratings_of
from tests.support.strategies import Toy, toys

SIXTY_BITS = Fraction(1, 2**60)


def flat(rows: exact.Matrix) -> list[Fraction]:
    return [Fraction(int(e.p), int(e.q)) for row in rows for e in row]


@pytest.mark.req("PPMF-FIX-060")
@settings(max_examples=60)
@given(toys())
def test_the_enclosure_contains_the_exact_result(toy: Toy) -> None:
    ratings, params = toy
    params = replace(params, iterations=2)
    enclosure = certified.train(ratings, params)
    truth = flat(exact.train(ratings, params))
    for value, (low, high) in zip(truth, enclosure.endpoints(), strict=True):
        assert low <= value <= high
    assert enclosure.radius < SIXTY_BITS or enclosure.undecided


@pytest.mark.parametrize("bits", [60, 300])
def test_the_radius_is_as_small_as_asked(bits: int) -> None:
    ratings = ratings_of(3, 3, {(0, 0): 3, (0, 2): -4, (1, 0): 4, (1, 1): 1})
    params = version_1(rank=2, iterations=4)
    assert certified.train(ratings, params, radius_bits=bits).radius < Fraction(1, 2**bits)


def test_precision_is_doubled_until_the_radius_is_small(monkeypatch: pytest.MonkeyPatch) -> None:
    # A first guess of 60 - 6 * 10 + 32 = 32 bits, then 64, then 128.
    monkeypatch.setattr(certified, "BITS_LOST", -6)
    ratings = ratings_of(3, 1, {(0, 0): 3, (1, 0): 4, (2, 0): 1})
    params = version_1(rank=1, iterations=10, ridge=Fraction(1), damping=1)
    seen: list[int] = []
    enclosure = certified.train(ratings, params, on_iteration=seen.append)
    assert enclosure.precision == 128
    assert seen == [*range(1, 11)] * 3
    assert enclosure.radius < SIXTY_BITS


def test_a_wide_enclosure_contains_a_narrow_one() -> None:
    ratings = ratings_of(3, 3, {(0, 0): 3, (0, 2): -4, (1, 0): 4, (1, 1): 1})
    params = version_1(rank=2, iterations=6, l1=Fraction(1, 2))
    wide = certified.enclose(ratings, params, 40).endpoints()
    narrow = certified.enclose(ratings, params, 400).endpoints()
    for (low, high), (inner_low, inner_high) in zip(wide, narrow, strict=True):
        assert low <= inner_low <= inner_high <= high


# The four functions with a branch, on balls of any width: they hold the image of every point.

grid = st.integers(-(3 << 8), 3 << 8).map(lambda n: Fraction(n, 256))
widths = st.integers(0, 512).map(lambda n: Fraction(n, 256))


@given(grid, widths, st.integers(-4, 4), grid.map(abs), widths)
def test_balls_contain_the_image_of_their_points(
    mid: Fraction, rad: Fraction, quarter: int, tau: Fraction, theta: Fraction
) -> None:
    def q(value: Fraction) -> fmpq:
        return fmpq(value.numerator, value.denominator)

    point = q(mid + rad * Fraction(quarter, 4))
    balls, rationals = certified.BALLS, exact.RATIONALS
    with ctx.workprec(64):
        ball = arb(q(mid), q(rad))
        assert balls.soft(ball, arb(q(tau))).contains(rationals.soft(point, q(tau)))
        assert balls.square(ball).contains(point * point)
        assert balls.square(ball) >= -(2**-20)
        assert balls.clamp(ball, arb(-2), arb(1)).contains(
            rationals.clamp(point, fmpq(-2), fmpq(1))
        )
        image, decided = balls.prox_binary(ball, arb(q(tau)), arb(q(theta)))
        value, _ = rationals.prox_binary(point, q(tau), q(theta))
        assert image.contains(value)
        jump = Fraction(1, 2) - theta
        assert decided == (mid + rad <= jump or mid - rad > jump)


# Ties at the jump.

BINARY = version_1(
    rank=1,
    iterations=1,
    bias=False,
    rating_offset=Fraction(0),
    rating_min=Fraction(-4),
    rating_max=Fraction(4),
    rating_frac_bits=10,
    ridge=Fraction(3),
    regulariser="binary-elastic-net",
    damping=4,
)


@pytest.mark.parametrize(("damping", "undecided"), [(4, []), (5, [(0, 0)])])
def test_a_tie_is_decided_when_the_balls_are_exact(
    damping: int, undecided: list[tuple[int, int]]
) -> None:
    # No rating: Z = x (1 - 3 / c0), the jump at (1 - 3 / c0) / 2, so x = 1/2 is a tie for any c0;
    # a quarter is a dyadic number, a fifth is not.
    params = replace(BINARY, damping=damping)
    with ctx.workprec(100):
        done = real.half_step([[arb(0.5)]], [([], [])], [[arb(1)]], params, certified.BALLS)
    assert done.undecided == undecided
    zero = fmpq(1, 2) * (1 - fmpq(3, damping))
    assert done.rows[0][0].contains(zero)
    # The branch of 1, as far above 1/2 as the branch of 0 is below.
    assert done.rows[0][0].contains(1 - zero) == bool(undecided)


def tie_on_the_first_user() -> tuple[Parameters, int]:
    """Parameters whose start is v = 1/2, and the rating with which u lands exactly on the jump.

    With h = 1 / (v^2 + c0), Z = 1/2 - h lambda / 2 means
    (u - 1/2) (v^2 + c0 - lambda) = (u v - x) v, so x = v / 2 - (u - 1/2) (c0 - lambda) / v.
    """
    for number in count():
        params = replace(BINARY, seed=f"tie {number}")
        ((u,),), ((v,),) = start_entries(params, 1, 1)
        if v == 64:
            x = Fraction(1, 8) - (Fraction(u, 256) - Fraction(1, 2)) * 4
            return params, int(x * 2**params.rating_frac_bits)
    raise AssertionError


@pytest.mark.req("PPMF-FIX-061")
def test_a_tie_that_no_precision_decides_is_reported() -> None:
    params, rating = tie_on_the_first_user()
    row, scale = np.array([0]), RatingScale.of(params)
    ratings = Ratings(("1",), ("1",), row, row, np.array([rating]), scale)
    enclosure = certified.train(ratings, params)
    assert enclosure.undecided[0] == real.Undecided(1, "users", 0, 0)
    assert enclosure.radius > SIXTY_BITS
    (low, high), *_ = enclosure.endpoints()
    truth = flat(exact.train(ratings, params))[0]
    assert low <= truth <= high
    *_, last = fixed.iterate(ratings, params)
    profiles = fixed.profiles(last.items, ratings, params)
    distance = certified.distance(profiles, enclosure)
    assert distance.undecided == enclosure.undecided
    assert distance.largest >= abs(Fraction(last.items[0][0], 2**params.frac_bits) - truth)
    # The rating next to it is not a tie.
    beside = Ratings(("1",), ("1",), row, row, np.array([rating + 1]), scale)
    assert not certified.train(beside, params).undecided


# An independent run: 60 digits of mpmath, whole matrices at a time.


def dense_mpmath(ratings: Ratings, p: Parameters) -> list[mpmath.mpf]:
    n, m, d = ratings.n_users, ratings.n_items, p.rank
    mask, x = np.zeros((n, m), dtype=object), np.zeros((n, m), dtype=object)
    mask[ratings.user, ratings.item] = 1
    for i, j, value in zip(ratings.user, ratings.item, ratings.value, strict=True):
        x[i, j] = mpmath.mpf(int(value)) / 2**p.rating_frac_bits
    ridge, l1 = (mpmath.mpf(w.numerator) / w.denominator for w in (p.ridge, p.l1))
    scale = mpmath.mpf(2) ** -p.curvature_shift
    low, high = mpmath.mpf(-(2**p.box_bits)), 2**p.box_bits - mpmath.mpf(2) ** -p.frac_bits
    sides = [
        np.array([[mpmath.mpf(e) / 256 for e in row] for row in side], dtype=object)
        for side in start_entries(p, n, m)
    ]
    biases = [np.full(size, mpmath.mpf(0), dtype=object) for size in (n, m)]
    alpha = mpmath.mpf(p.inertia.numerator) / p.inertia.denominator
    sides_before, biases_before = list(sides), list(biases)

    def prox(z: mpmath.mpf, tau: mpmath.mpf, theta: mpmath.mpf) -> mpmath.mpf:
        centre, shift = mpmath.mpf(0), mpmath.mpf(0)
        if p.regulariser == "binary-elastic-net":
            gap = z - (mpmath.mpf(1) / 2 - theta)
            assume(abs(gap) > mpmath.mpf(10) ** -40)  # a tie: floats cannot tell its branch
            if gap > 0:
                centre, shift = mpmath.mpf(1), 2 * theta
        away = z + shift - centre
        return centre + mpmath.sign(away) * max(abs(away) - tau, mpmath.mpf(0))

    for half_step in range(2 * p.iterations):
        own, other = half_step % 2, 1 - half_step % 2
        w, target, y = (mask, x, sides[other]) if own == 0 else (mask.T, x.T, sides[other])
        counts = w.sum(axis=1)
        curvature = w @ (y * y).sum(axis=1) if p.step_rule == "lipschitz" else counts
        h = 1 / (curvature * scale + p.damping)
        bias_h = 1 / (counts * max(scale, mpmath.mpf(1)) + p.damping)
        for _ in range(p.inner_steps):
            error = sides[own] @ y.T - target
            if p.bias:
                error = error + biases[own][:, None] + biases[other][None, :]
            error = w * error
            z = sides[own] - h[:, None] * (error @ y + ridge * sides[own])
            z = z + alpha * (sides[own] - sides_before[own])
            z_bias = biases[own] - bias_h * (error.sum(axis=1) + ridge * biases[own])
            z_bias = z_bias + alpha * (biases[own] - biases_before[own])
            sides_before[own], biases_before[own] = sides[own], biases[own]
            new = [
                [
                    min(max(prox(z[i, k], h[i] * l1 / 2, h[i] * ridge / 2), low), high)
                    for k in range(d)
                ]
                for i in range(len(z))
            ]
            sides[own] = np.array(new, dtype=object)
            if p.bias:
                biases[own] = np.array([min(max(b, low), high) for b in z_bias], dtype=object)
    columns = [sides[1], biases[1][:, None]] if p.bias else [sides[1]]
    return list(np.hstack(columns).ravel())


@pytest.mark.req("PPMF-FIX-060")
@settings(max_examples=60)
@given(toys())
def test_sixty_digits_of_mpmath_agree(toy: Toy) -> None:
    ratings, params = toy
    with mpmath.workdps(60):
        floats = dense_mpmath(ratings, params)
    enclosure = certified.train(ratings, params, radius_bits=160)
    assume(not enclosure.undecided)
    tolerance = Fraction(1, 10**45)
    for value, (low, high) in zip(floats, enclosure.endpoints(), strict=True):
        with mpmath.workdps(60):
            digits = Fraction(int(mpmath.nint(value * mpmath.mpf(10) ** 55)), 10**55)
        assert low - tolerance <= digits <= high + tolerance


# How far F_fix is from F_real.


@pytest.mark.req("PPMF-FIX-061")
@settings(max_examples=40)
@given(toys())
def test_distance_bounds_the_true_difference(toy: Toy) -> None:
    ratings, params = toy
    params = replace(params, iterations=2)
    *_, last = fixed.iterate(ratings, params)
    profiles = fixed.profiles(last.items, ratings, params)
    enclosure = certified.train(ratings, params)
    assume(not enclosure.undecided)
    distance = certified.distance(profiles, enclosure)
    integers = [Fraction(e, 2**params.frac_bits) for row in last.items for e in row]
    truth = flat(exact.train(ratings, params))
    largest = max(abs(a - b) for a, b in zip(integers, truth, strict=True))
    assert largest <= distance.largest <= largest + 2 * distance.radius + Fraction(1, 2**80)
    assert distance.radius == enclosure.radius


def test_radius_and_endpoints_of_an_enclosure() -> None:
    enclosure = certified.Enclosure(
        items=("1",), factors=[[arb(1, 0.25), arb(0)]], bias=[arb(0.5)], precision=64, undecided=()
    )
    (low, high), *points = enclosure.endpoints()
    # arb rounds every radius up, to 30 bits.
    assert Fraction(1, 4) <= enclosure.radius < Fraction(1, 4) + Fraction(1, 2**28)
    assert Fraction(3, 4) - Fraction(1, 2**28) < low <= Fraction(3, 4)
    assert Fraction(5, 4) <= high < Fraction(5, 4) + Fraction(1, 2**28)
    assert points == [(0, 0), (Fraction(1, 2), Fraction(1, 2))]


@pytest.mark.req("PPMF-FIX-061")
def test_distance_by_hand() -> None:
    # Numbers 100/256, -3/256 and 7/256, 5/256 against balls 1/4, 0 and 0, 1/256: 36/256 is largest.
    profiles = ItemProfiles.of(
        ("1", "2"),
        np.array([[100], [7]]),
        np.array([-3, 5]),
        version_1(rank=1, frac_bits=8),
    )
    enclosure = certified.Enclosure(
        items=("1", "2"),
        factors=[[arb(0.25)], [arb(0)]],
        bias=[arb(0), arb(fmpq(1, 256))],
        precision=64,
        undecided=(),
    )
    assert certified.distance(profiles, enclosure) == certified.Distance(
        Fraction(36, 256), Fraction(0), ()
    )
    with pytest.raises(EncodingError):
        certified.distance(profiles, replace(enclosure, items=("1", "3")))
    with pytest.raises(EncodingError):
        certified.distance(profiles, replace(enclosure, bias=None))


def test_profiles_and_enclosures_of_other_items_are_not_compared() -> None:
    params = replace(TOY, bias=False)

    def profiles_of(*factors: list[int]) -> ItemProfiles:
        items = tuple(str(row) for row in range(1, len(factors) + 1))
        chosen = replace(params, rank=len(factors[0]))
        return ItemProfiles.of(items, np.array(factors, dtype=np.int64), None, chosen)

    enclosure = certified.train(ratings_of(1, 2, {(0, 0): 1}), params)
    for profiles in (profiles_of([1], [2], [3]), profiles_of([1, 1], [2, 2])):
        with pytest.raises(EncodingError) as caught:
            certified.distance(profiles, enclosure)
        expected = "the profiles and the enclosure are not of the same items and rank"
        assert str(caught.value) == expected
    assert certified.distance(profiles_of([1], [2]), enclosure).radius < Fraction(1, 2**60)


TOY = version_1(rank=1, iterations=2, frac_bits=8)


def ball(low: str, high: str) -> arb:
    return arb(low).union(arb(high))


# Mantissas and exponents of midpoint and radius: 1 and 1/2, nothing rounded.
HALF_TO_THREE_HALVES = arb((1, 0), (1, -1))


def test_a_ball_that_touches_the_box_from_inside_is_unchanged() -> None:
    z = HALF_TO_THREE_HALVES
    assert (z.lower(), z.upper()) == (arb(0.5), arb(1.5))
    for low, high in ((0.5, 9), (-9, 1.5)):
        assert BALLS.clamp(z, arb(low), arb(high)).rad() == z.rad()


def test_a_soft_threshold_of_one() -> None:
    assert [BALLS.soft(arb(z), arb(1)) for z in (-3, 0, 3)] == [-2, 0, 2]


def test_a_threshold_of_zero_leaves_a_ball_unchanged() -> None:
    z = ball("-1", "1")
    assert BALLS.soft(z, arb(0)).rad() == z.rad()


def test_a_ball_that_touches_the_jump_is_undecided() -> None:
    """Its lowest point goes to the branch of 0, all others to that of 1."""
    moved, decided = BALLS.prox_binary(HALF_TO_THREE_HALVES, arb(0), arb(0))
    assert not decided
    assert moved.contains(arb("0.5"))
    assert BALLS.prox_binary(ball("0.75", "1.25"), arb(0), arb(0))[1]


def test_an_iteration_is_reported_after_its_half_step_on_the_items(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    events: list[object] = []
    iterate = real.iterate

    def watched(*arguments: Any) -> Any:
        for state in iterate(*arguments):
            events.append(state.side)
            yield state

    monkeypatch.setattr(real, "iterate", watched)
    certified.enclose(ratings_of(1, 1, {(0, 0): 1}), TOY, 100, events.append)
    assert events == ["users", "items", 1, "users", "items", 2]


def test_the_first_guess_of_the_precision_counts_inner_steps() -> None:
    params = replace(TOY, inner_steps=3)
    enclosure = certified.train(ratings_of(1, 1, {(0, 0): 1}), params, radius_bits=20)
    assert enclosure.precision == 20 + 8 * 2 * 3 + 32


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize(
    ("radius", "runs"), [(Fraction(3, 4), 1), (Fraction(1), 2), (Fraction(3, 2), 2)]
)
def test_a_radius_is_small_enough_below_its_bound(
    monkeypatch: pytest.MonkeyPatch, radius: Fraction, runs: int
) -> None:
    """The first run ends with that many 2^-60; every later one exactly."""
    precisions: list[int] = []

    def enclose(_: Any, __: Any, precision: int, ___: Any) -> Any:
        precisions.append(precision)
        found = radius / 2**60 if len(precisions) == 1 else Fraction(0)
        return SimpleNamespace(radius=found, undecided=())

    monkeypatch.setattr(certified, "enclose", enclose)
    certified.train(ratings_of(1, 1, {}), TOY)
    assert precisions == [108, 216][:runs]


def test_the_same_count_of_numbers_in_another_shape_has_no_distance() -> None:
    """Rank 2 without biases and rank 1 with them have two numbers an item each."""
    ratings = ratings_of(2, 2, {(0, 0): 3, (1, 1): -4})
    two = version_1(rank=2, iterations=1, bias=False)
    one = version_1(rank=1, iterations=1, bias=True)
    with pytest.raises(EncodingError, match="not of the same items and rank"):
        certified.distance(fixed.train(ratings, two), certified.train(ratings, one))


def test_distance_is_between_profiles_and_an_enclosure() -> None:
    ratings, params = ratings_of(1, 1, {}), version_1(rank=1, iterations=1)
    with pytest.raises(
        RangeError, match="enclosure: ppmf_spec.ItemProfiles where Enclosure belongs"
    ):
        certified.distance(fixed.train(ratings, params), fixed.train(ratings, params))  # type: ignore[arg-type]
