# SPDX-License-Identifier: Apache-2.0
"""F_real: by hand, against F_fix half-step by half-step, and its guarantee that F never rises."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from flint import fmpq
from hypothesis import given
from hypothesis import strategies as st

from ppmf_reference import exact, fixed, real
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from tests.support.descent import Rows, objective
from tests.support.parameter_sets import version_1
from tests.support.ratings import ratings_of
from tests.support.strategies import Toy, toys

SMALL = version_1(
    rank=1, iterations=1, frac_bits=8, bias=False, ridge=Fraction(1), l1=Fraction(1, 4), damping=1
)


def rationals(rows: list[list[int]], unit: int) -> exact.Matrix:
    return [[fmpq(entry, unit) for entry in row] for row in rows]


def fractions(rows: exact.Matrix) -> Rows:
    return [[Fraction(int(e.p), int(e.q)) for e in row] for row in rows]


@pytest.mark.req("PPMF-FIX-060")
def test_half_step_by_hand() -> None:
    # x = 1/2, y = 3/4, r - r0 = 3/2: h = 1 / (9/16 + 1) = 16/25, tau = 16/25 * 1/8 = 2/25.
    # e = 3/8 - 3/2 = -9/8, G = -27/32 + 1/2 = -11/32, Z = 1/2 + 11/50 = 18/25, less tau: 16/25.
    done = exact.half_step([[fmpq(1, 2)]], [([0], [3])], [[fmpq(3, 4)]], SMALL)
    assert done.rows == [[fmpq(16, 25)]]


@pytest.mark.req("PPMF-FIX-060")
def test_half_step_by_hand_with_bias() -> None:
    # a = 1/4, b = -1/8: e = -1; G = -3/4 + 1/2; Z = 1/2 + 4/25 = 33/50, less tau: 29/50.
    # Bias: h = 1 / (1 + 1), G = -1 + 1/4: 1/4 + 3/8 = 5/8.
    params = replace(SMALL, bias=True)
    done = exact.half_step(
        [[fmpq(1, 2), fmpq(1, 4)]], [([0], [3])], [[fmpq(3, 4), fmpq(-1, 8)]], params
    )
    assert done.rows == [[fmpq(29, 50), fmpq(5, 8)]]


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize(("rating", "edge"), [(10, Fraction(2) - Fraction(1, 256)), (-10, -2)])
def test_the_box_of_a_half_step_is_that_of_the_fixed_word(rating: int, edge: Fraction) -> None:
    # h = 1 / (1 + 1), G = -5 * 1: Z = 2.5, less tau 1/16: outside [-2, 2 - 2^-8].
    params = replace(SMALL, ridge=Fraction(0))
    done = exact.half_step([[fmpq(0)]], [([0], [rating])], [[fmpq(1)]], params)
    assert fractions(done.rows) == [[edge]]


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize(
    ("start", "new"), [(fmpq(1, 2), fmpq(1, 4)), (fmpq(65, 128), fmpq(193, 256))]
)
def test_binary_jump_tie_goes_to_the_0_branch(start: fmpq, new: fmpq) -> None:
    # No rating, lambda = 2, c0 = 4: Z = x / 2, theta = 1/4, the jump at 1/4.
    params = replace(
        SMALL, regulariser="binary-elastic-net", ridge=Fraction(2), l1=Fraction(0), damping=4
    )
    done = exact.half_step([[start]], [([], [])], [[fmpq(1)]], params)
    assert done.rows == [[new]]
    assert done.undecided == []


@pytest.mark.req("PPMF-FIX-060")
def test_start_is_the_fixed_start_exactly() -> None:
    params = version_1(rank=3)
    users, items = fixed.start(params, 2, 3)
    exact_users, exact_items = real.start(params, 2, 3, exact.RATIONALS)
    assert exact_users == rationals(users, 2**params.frac_bits)
    assert exact_items == rationals(items, 2**params.frac_bits)


def words(rows: int, columns: int, edge: int) -> st.SearchStrategy[list[list[int]]]:
    row = st.lists(st.integers(-edge, edge - 1), min_size=columns, max_size=columns)
    return st.lists(row, min_size=rows, max_size=rows)


@given(toys(), st.data())
def test_a_half_step_is_within_an_ulp_and_the_steps_rounding(toy: Toy, data: st.DataObject) -> None:
    """From the same rows: the one rounding of Z, that of the thresholds, and H's share.

    With delta = |H / 2^q - h| and G the exact gradient, |Z_fix - Z| <= ulp / 2 + delta |G|; soft
    and clamp stretch nothing, so elastic net adds tau's error and the branch of 1 twice theta's.
    Floored, H is short by less than 2^-q, and long only by what the curvature lost to its guard.
    """
    ratings, params = toy
    params = replace(params, inner_steps=1)
    d, unit, ulp = params.rank, 2**params.frac_bits, Fraction(1, 2**params.frac_bits)
    edge = unit << params.box_bits
    x = data.draw(words(ratings.n_users, params.row_rank, edge))
    p = data.draw(words(ratings.n_users, params.row_rank, edge))
    y = data.draw(words(ratings.n_items, params.row_rank, edge))
    rated = ratings.by_user()
    done = fixed.half_step(x, rated, y, params, p)
    x_real, p_real, y_real = (rationals(side, unit) for side in (x, p, y))
    true = fractions(exact.half_step(x_real, rated, y_real, params, p_real).rows)
    constants = real.Constants.of(params, exact.RATIONALS)

    for row, (counterparts, values) in enumerate(rated):
        norms = [sum(v * v for v in y[j][:d]) for j in counterparts]
        chosen = real.step(len(counterparts), fmpq(sum(norms), unit**2), params, constants)
        steps, bias_step = Fraction(str(chosen.factors)), Fraction(str(chosen.bias))
        integers = done.steps[row]
        for k in range(params.row_rank):
            slope = params.ridge * x[row][k] * ulp
            for j, value in zip(counterparts, values, strict=True):
                dot = sum(a * b for a, b in zip(x[row][:d], y[j][:d], strict=True))
                error = dot * ulp**2 - Fraction(value, 2**params.rating_frac_bits)
                error += (x[row][d] + y[j][d]) * ulp if params.bias else 0
                slope += error * (y[j][k] * ulp if k < d else 1)
            h = steps if k < d else bias_step
            used = integers.factors if k < d else integers.bias
            assert used is not None
            delta = Fraction(used, 2**params.step_bits) - h
            assert -Fraction(1, 2**params.step_bits) < delta
            assert delta <= Fraction(1, 2**params.step_guard_bits * params.damping) * h
            share = abs(delta) * abs(slope)
            tau_error = ulp / 2 + abs(delta) * params.l1 / 2
            theta_error = ulp / 2 + abs(delta) * params.ridge / 2
            allowed = ulp / 2 + share
            if k < d:
                allowed += tau_error if params.l1 else 0
            if k < d and params.regulariser == "binary-elastic-net":
                jump = Fraction(1, 2) - h * params.ridge / 2
                z = (x[row][k] + params.inertia * (x[row][k] - p[row][k])) * ulp - h * slope
                z_fixed = done.z[0][row][k] * ulp
                if (z <= jump) != (z_fixed <= Fraction(1, 2) - integers.theta * ulp):
                    assert abs(z - jump) <= ulp / 2 + share + theta_error
                    continue
                allowed += 2 * theta_error
            assert abs(done.rows[row][k] * ulp - true[row][k]) <= allowed


def assert_never_rises(ratings: Ratings, params: Parameters) -> None:
    users, items = real.start(params, ratings.n_users, ratings.n_items, exact.RATIONALS)
    before = objective(fractions(users), fractions(items), ratings, params)
    for state in exact.iterate(ratings, params):
        after = objective(fractions(state.users), fractions(state.items), ratings, params)
        assert after <= before
        before = after


@given(toys())
def test_the_objective_never_rises(toy: Toy) -> None:
    ratings, params = toy
    enough = -(-params.ridge // 2) or 1  # the least integer c0 >= lambda / 2
    params = replace(
        params,
        iterations=2,
        inner_steps=1,
        regulariser="elastic-net",
        step_rule="lipschitz",
        curvature_shift=0,
        damping=int(enough),
        inertia=Fraction(0),
    )
    assert_never_rises(ratings, params)


@given(toys())
def test_the_binary_objective_never_rises_at_half_the_step(toy: Toy) -> None:
    ratings, params = toy
    params = replace(
        params,
        iterations=2,
        inner_steps=1,
        regulariser="binary-elastic-net",
        box_bits=max(params.box_bits, 1),
        step_rule="lipschitz",
        curvature_shift=-1,
        damping=int(params.ridge) + 1,
        inertia=Fraction(0),
    )
    assert_never_rises(ratings, params)


def test_the_objective_rises_when_damping_is_too_small() -> None:
    # No rating, lambda = 12 > 2 c0: x becomes x - 12 x / 5, of larger size than x.
    ratings, params = ratings_of(1, 1, {}), replace(SMALL, ridge=Fraction(12), damping=5)
    with pytest.raises(AssertionError):
        assert_never_rises(ratings, params)
    assert_never_rises(ratings, replace(params, damping=6))


@pytest.mark.req("PPMF-FIX-060")
@given(toys())
def test_k_inner_steps_are_k_half_steps_against_the_same_side(toy: Toy) -> None:
    ratings, params = toy
    users, items = real.start(params, ratings.n_users, ratings.n_items, exact.RATIONALS)
    once, twice = replace(params, inner_steps=1), replace(params, inner_steps=2)
    first = exact.half_step(users, ratings.by_user(), items, once)
    second = exact.half_step(first.rows, ratings.by_user(), items, once, first.previous)
    both = exact.half_step(users, ratings.by_user(), items, twice)
    assert both.rows == second.rows
    assert both.previous == second.previous == first.rows


TOY = version_1(rank=1, iterations=2, frac_bits=8)


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize("box_bits", [0, 1, 2, 3, 5])
def test_the_box_of_the_real_numbers(box_bits: int) -> None:
    constants = real.Constants.of(replace(TOY, box_bits=box_bits), exact.RATIONALS)
    assert constants.low == -(2**box_bits)
    assert constants.high == 2**box_bits - fmpq(1, 256)


def test_states_name_their_iteration_and_side(monkeypatch: pytest.MonkeyPatch) -> None:
    def unclear(rows: Any, *_: Any) -> real.HalfStep[Any]:
        return real.HalfStep(rows, rows, [(0, 1)])

    monkeypatch.setattr(real, "half_step", unclear)
    states = list(exact.iterate(ratings_of(1, 1, {}), TOY))
    places = [(1, "users"), (1, "items"), (2, "users"), (2, "items")]
    assert [(state.iteration, state.side) for state in states] == places
    assert [state.undecided for state in states] == [
        [real.Undecided(iteration, side, 0, 1)]  # type: ignore[arg-type]
        for iteration, side in places
    ]
