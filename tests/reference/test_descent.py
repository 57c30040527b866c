# SPDX-License-Identifier: Apache-2.0
"""Chapter 2's note on descent with inertia: where it holds, and what happens where it need not.

Within a half-step, from any rows, any rows before them and any other side, the objective plus the
inertia of the side does not rise in F_real, and in F_fix by no more than its roundings.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import ceil, floor

import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from ppmf_reference import exact, fixed, real
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from tests.support.descent import Rows, inertia, objective
from tests.support.parameter_sets import REGULARISERS, version_1
from tests.support.ratings import ratings_of
from tests.support.strategies import dyadic, rating_sets

HALF = Fraction(1, 2)
SIXTEENTHS = 16


def paid(params: Parameters) -> int:
    """The e of chapter 2: squares that the prox pays with."""
    return 2 if params.regulariser == "elastic-net" else 1


def guaranteed(params: Parameters, guard: Fraction) -> bool:
    """The conditions of chapter 2's note, as they stand there."""
    share = paid(params) - 2 * params.inertia
    return (
        params.step_rule == "lipschitz"
        and Fraction(2) ** -params.curvature_shift * share >= 2
        and (params.damping - guard) * share >= params.ridge
    )


@st.composite
def sets_at_the_limit(draw: st.DrawFn, guarded: bool) -> Parameters:
    """Sets with the largest shift and the least damping that the conditions allow.

    The binary regulariser has the least damping above the ridge (PPMF-PAR-014).
    """
    regulariser = draw(st.sampled_from(REGULARISERS))
    e = 2 if regulariser == "elastic-net" else 1
    alpha = Fraction(draw(st.integers(0, SIXTEENTHS * e // 2 - 1)), SIXTEENTHS)
    share = e - 2 * alpha
    guard_bits = draw(st.integers(0, 4))
    ridge = draw(dyadic(0, 12, 4))
    shift = 0
    while Fraction(2) ** -shift * share < 2:
        shift -= 1
    least = ridge / share + (Fraction(1, 2**guard_bits) if guarded else 0)
    damping = max(ceil(least), 1 if regulariser == "elastic-net" else floor(ridge) + 1)
    return version_1(
        rank=draw(st.integers(1, 3)),
        frac_bits=draw(st.integers(8, 12)),
        step_bits=20,
        step_guard_bits=guard_bits,
        box_bits=1,
        bias=draw(st.booleans()),
        ridge=ridge,
        l1=draw(st.just(Fraction(0)) | dyadic(0, 12, 3)),
        regulariser=regulariser,
        curvature_shift=shift,
        damping=damping,
        inertia=alpha,
    )


def side(size: int, params: Parameters) -> st.SearchStrategy[fixed.Matrix]:
    """Rows of any words of the box."""
    edge = 1 << (params.box_bits + params.frac_bits)
    row = st.lists(st.integers(-edge, edge - 1), min_size=params.row_rank, max_size=params.row_rank)
    return st.lists(row, min_size=size, max_size=size)


def rationals(rows: fixed.Matrix, params: Parameters) -> exact.Matrix:
    return [[fmpq(word, 1 << params.frac_bits) for word in row] for row in rows]


def fractions(rows: exact.Matrix) -> Rows:
    return [[Fraction(int(e.p), int(e.q)) for e in row] for row in rows]


def numbers(rows: fixed.Matrix, params: Parameters) -> Rows:
    return [[Fraction(word, 1 << params.frac_bits) for word in row] for row in rows]


def steps_of(ratings: Ratings, other: exact.Matrix, params: Parameters) -> Rows:
    """The exact steps of the users' rows, coordinate by coordinate."""
    constants = real.Constants.of(params, exact.RATIONALS)
    found = []
    for counterparts, _ in ratings.by_user():
        squares = sum((y * y for j in counterparts for y in other[j][: params.rank]), fmpq(0))
        chosen = real.step(len(counterparts), squares, params, constants)
        sizes = [chosen.factors] * params.rank + [chosen.bias] * params.bias
        found.append([Fraction(int(h.p), int(h.q)) for h in sizes])
    return found


def values_of_f_real(
    ratings: Ratings,
    params: Parameters,
    start: tuple[fixed.Matrix, fixed.Matrix, fixed.Matrix],
    inner_steps: int,
) -> list[tuple[Fraction, Fraction]]:
    """(F, F plus inertia) before and after each inner step of a half-step on the users.

    `start`: the users' rows, those before the last inner step, and the items' rows, in words.
    """
    rows, before, other = (rationals(matrix, params) for matrix in start)
    once, steps = replace(params, inner_steps=1), steps_of(ratings, other, params)
    found = []
    for number in range(inner_steps + 1):
        if number:
            done = exact.half_step(rows, ratings.by_user(), other, once, before)
            rows, before = done.rows, done.previous
        value = objective(fractions(rows), fractions(other), ratings, params)
        move = inertia(fractions(rows), fractions(before), steps, params)
        found.append((value, value + move))
    return found


@pytest.mark.req("PPMF-FIX-060")
@given(rating_sets(), sets_at_the_limit(guarded=False), st.data())
def test_f_real_never_raises_the_objective_plus_the_inertia(
    ratings: Ratings, params: Parameters, data: st.DataObject
) -> None:
    assert guaranteed(params, guard=Fraction(0))
    rows, before = (data.draw(side(ratings.n_users, params)) for _ in range(2))
    other = data.draw(side(ratings.n_items, params))
    found = values_of_f_real(ratings, params, (rows, before, other), inner_steps=3)
    sums = [both for _, both in found]
    assert sums == sorted(sums, reverse=True)


def roundings(params: Parameters, coordinate: int) -> int:
    """The weight of chapter 2: half units that enter a coordinate's step, times two."""
    if coordinate == params.rank:
        return 1
    binary = params.regulariser == "binary-elastic-net"
    return 1 + (params.l1 > 0) + 2 * (binary and params.ridge > 0)


@pytest.mark.req("PPMF-FIX-024", "PPMF-FIX-025", "PPMF-FIX-030", "PPMF-FIX-036")
@given(rating_sets(), sets_at_the_limit(guarded=True), st.data())
def test_f_fix_raises_it_by_no_more_than_its_roundings(
    ratings: Ratings, params: Parameters, data: st.DataObject
) -> None:
    assert guaranteed(params, guard=Fraction(1, 2**params.step_guard_bits))
    rows, before = (data.draw(side(ratings.n_users, params)) for _ in range(2))
    other = data.draw(side(ratings.n_items, params))
    once, unit = replace(params, inner_steps=1), Fraction(1, 1 << params.frac_bits)
    y = numbers(other, params)

    def value(steps: Rows) -> Fraction:
        x, p = numbers(rows, params), numbers(before, params)
        return objective(x, y, ratings, params) + inertia(x, p, steps, params)

    for _ in range(3):
        done = fixed.half_step(rows, ratings.by_user(), other, once, before)
        words = [[s.factors] * params.rank + [s.bias or 0] * params.bias for s in done.steps]
        assert all(word > 0 for row in words for word in row)
        steps = [[Fraction(word, 1 << params.step_bits) for word in row] for row in words]
        allowed = Fraction(0)
        for old, new, sizes in zip(rows, done.rows, steps, strict=True):
            for k, h in enumerate(sizes):
                allowed += roundings(params, k) * unit * abs(new[k] - old[k]) * unit / h
        was = value(steps)
        rows, before = done.rows, done.previous
        assert value(steps) <= was + allowed


# What may happen, by example.

ALONE = version_1(
    rank=1,
    iterations=2,
    frac_bits=8,
    bias=False,
    ridge=Fraction(1),
    damping=1,
    curvature_shift=-1,
    inertia=HALF,
)
"""At the limit of the conditions: e = 2, e - 2 alpha = 1, 2^-s = 2, c0 = lambda."""

NOBODY = ratings_of(1, 1, {})


def test_the_objective_itself_may_rise_where_its_sum_with_the_inertia_does_not() -> None:
    """A row without ratings goes from x to 0, and on to -x / 2."""
    assert guaranteed(ALONE, guard=Fraction(0))
    start = [[128]], [[128]], [[0]]
    values, sums = zip(*values_of_f_real(NOBODY, ALONE, start, inner_steps=3), strict=True)
    assert values == (Fraction(1, 4), 0, Fraction(1, 16), Fraction(1, 64))
    assert sums == (Fraction(1, 4), Fraction(1, 8), Fraction(3, 32), Fraction(3, 128))


def test_the_objective_may_rise_from_one_iteration_to_the_next() -> None:
    """The same row with one inner step in a half-step, in a run of F_fix."""
    states = list(fixed.iterate(NOBODY, ALONE))
    first = states[0].users[0][0], states[2].users[0][0]
    (start,), _ = fixed.start(ALONE, 1, 1)
    assert first == (0, -start[0] // 2)


def test_half_the_weight_of_the_inertia_is_not_enough() -> None:
    """A row at 0 that moved by 1: F goes from 0 to 1/4, and alpha d^2 / h from 1/2 to 1/8."""
    start = [[0]], [[-256]], [[0]]
    (value, both), (after, both_after), *_ = values_of_f_real(NOBODY, ALONE, start, inner_steps=1)
    assert (value, after) == (Fraction(0), Fraction(1, 4))
    assert both_after - both == -(HALF**3)
    assert after + (both_after - after) / 2 > value + (both - value) / 2


@pytest.mark.parametrize(("damping", "rises"), [(1, True), (2, False)])
def test_the_sum_may_rise_where_damping_is_too_small(damping: int, rises: bool) -> None:
    params = replace(ALONE, ridge=Fraction(2), damping=damping)
    assert guaranteed(params, guard=Fraction(0)) != rises
    before, after = values_of_f_real(NOBODY, params, ([[128]], [[128]], [[0]]), inner_steps=1)
    assert (after[1] > before[1]) == rises


@pytest.mark.parametrize(("shift", "rises"), [(0, True), (-1, False)])
def test_the_sum_may_rise_where_the_shift_is_too_large(shift: int, rises: bool) -> None:
    """Four counterparts of factor 1: from x + a = 1, the factor and the bias together overshoot."""
    params = replace(ALONE, bias=True, ridge=Fraction(0), curvature_shift=shift)
    assert guaranteed(params, guard=Fraction(0)) != rises
    ratings = ratings_of(1, 4, {(0, j): 0 for j in range(4)})
    start = [[128, 128]], [[128, 128]], [[256, 0]] * 4
    before, after = values_of_f_real(ratings, params, start, inner_steps=1)
    assert (after[1] > before[1]) == rises


@pytest.mark.parametrize(("damping", "rises"), [(4, True), (6, False)])
def test_the_binary_regulariser_needs_more_than_the_elastic_net(damping: int, rises: bool) -> None:
    """A row at 1, where F is 0, that came from 3/2: with c0 = 4, z = 1/8, and the prox jumps."""
    enough = replace(
        ALONE, inertia=Fraction(1, 4), curvature_shift=-2, ridge=Fraction(3), damping=damping
    )
    params = replace(enough, regulariser="binary-elastic-net")
    assert guaranteed(enough, guard=Fraction(0))
    assert guaranteed(params, guard=Fraction(0)) != rises
    before, after = values_of_f_real(NOBODY, params, ([[256]], [[384]], [[0]]), inner_steps=1)
    assert (after[1] > before[1]) == rises


def test_the_rounding_of_z_may_raise_the_sum_by_nearly_what_is_allowed() -> None:
    """A row at 0 that moved by one word: Z = 1/2 goes up to 1, and F from 0 to lambda 2^-2f."""
    params = replace(ALONE, ridge=Fraction(15, 16), inner_steps=1)
    assert guaranteed(params, guard=Fraction(1, 2**params.step_guard_bits))
    done = fixed.half_step([[0]], NOBODY.by_user(), [[0]], params, [[-1]])
    assert done.rows == [[1]]
    assert done.steps[0].factors == 1 << params.step_bits  # h = 1: allowed are 2^-2f


def test_a_step_of_0_leaves_inertia_alone() -> None:
    """No step pays for the inertia then: F_fix moves on, away from the minimum."""
    params = replace(ALONE, step_bits=0, step_guard_bits=0, damping=2)
    assert guaranteed(params, guard=Fraction(1))
    done = fixed.half_step([[0]], NOBODY.by_user(), [[0]], params, [[-64]])
    assert done.steps[0].factors == 0
    assert done.rows == [[32]]
