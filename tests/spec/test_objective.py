# SPDX-License-Identifier: Apache-2.0
"""The formulas of chapter 2 against the derivatives and minimisers of the objective."""

from __future__ import annotations

from fractions import Fraction

import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from sympy import Rational, Symbol

from ppmf_spec import objective, words
from ppmf_spec.objective import ALPHA, KAPPA, LAMBDA, RowProblem
from ppmf_spec.parameters import Regulariser

F = 8  # fractional bits of the words below
SHAPES = [(1, 1), (2, 3), (3, 2), (2, 0)]
Z = Symbol("z", real=True)
TAU = Symbol("tau", nonnegative=True)
THETA = Symbol("theta", nonnegative=True)

# Symbols are slow; the integer words have their own, faster tests.
few = settings(max_examples=40)
word = st.integers(-(3 << F), 3 << F)
weight = st.integers(0, 1 << F)


def real(value: int, scale: int = 1 << F) -> sympy.Rational:
    return Rational(value, scale)


@pytest.mark.req("PPMF-FIX-027", "PPMF-FIX-028", "PPMF-FIX-029")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_half_gradient_is_the_sum_of_errors_plus_the_ridge(
    rank: int, count: int, bias: bool
) -> None:
    row = RowProblem.of(rank, count, bias=bias)
    for k, derived in enumerate(row.half_gradient):
        written = LAMBDA * row.unknowns[k]
        for j in range(count):
            e = sum(row.unknowns[i] * row.counterparts[j][i] for i in range(rank))
            e += (row.unknowns[-1] + row.offsets[j] if bias else 0) - row.ratings[j]
            written += e * (row.counterparts[j][k] if k < rank else 1)
        assert sympy.expand(derived - written) == 0


@pytest.mark.req("PPMF-FIX-022", "PPMF-FIX-023")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_majoriser_is_proved_by_squares(rank: int, count: int, bias: bool) -> None:
    row = RowProblem.of(rank, count, bias=bias)
    vector = tuple(sympy.symbols(f"v:{len(row.unknowns)}", real=True))
    v = sympy.Matrix(vector)
    twice = 2 * sympy.diag(*row.curvatures) + LAMBDA * sympy.eye(len(vector))
    slack = (v.T * (twice - row.half_hessian) * v)[0, 0]
    squares = row.majoriser_certificate(vector)
    assert sympy.expand(slack - sum(squares)) == 0
    assert all(square.is_nonnegative for square in squares)


def test_the_certificate_of_the_majoriser_fails_for_a_wrong_hessian() -> None:
    """The trace alone, not doubled, is no majoriser once there is a bias."""
    row = RowProblem.of(1, 1, bias=True)
    once = sympy.diag(*row.curvatures) + LAMBDA * sympy.eye(2)
    assert (once - row.half_hessian).det().subs(row.counterparts[0][0], 1) < 0


P, X, LAST, SLOPE = sympy.symbols("p x d G", real=True)
STEP, C0, SCALE = sympy.symbols("h c0 scale", positive=True)  # scale = 2^-s


@pytest.mark.req("PPMF-FIX-030", "PPMF-FIX-060")
def test_inertial_point_is_the_z_of_an_inner_step() -> None:
    """It is x + alpha (x - p) - h G; without a last move, that of the plain method."""
    found = objective.inertial_point(X, LAST, SLOPE, STEP)
    assert sympy.expand(found - (X + ALPHA * LAST - STEP * SLOPE)) == 0
    assert sympy.expand(found.subs(LAST, 0) - (X - STEP * SLOPE)) == 0


@pytest.mark.req("PPMF-FIX-060")
def test_inertial_model_is_the_square_that_the_prox_minimises() -> None:
    """The model times h / 2 is (p - z)^2 / 2 but for a constant: thresholds are h / 2 times."""
    z = objective.inertial_point(X, LAST, SLOPE, STEP)
    model = objective.inertial_model(P, X, LAST, SLOPE, STEP)
    constant = sympy.expand(STEP / 2 * model - (P - z) ** 2 / 2)
    assert P not in constant.free_symbols
    assert model.subs(P, X) == 0
    assert sympy.expand(model.diff(P).subs({P: X, LAST: 0}) - 2 * SLOPE) == 0


@pytest.mark.parametrize("times", [2, 1])
def test_the_prox_pays_for_being_better_than_staying(times: int) -> None:
    """model(x + change) - model(x), and change^2 / h once more where the sum is convex."""
    change = P - X
    model = objective.inertial_model(P, X, LAST, SLOPE, STEP)
    paid = objective.prox_pays(change, LAST, SLOPE, STEP, times)
    assert sympy.expand(paid + model + (times - 1) * change**2 / STEP) == 0


@pytest.mark.parametrize("times", [2, 1])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_descent_is_proved_by_squares(rank: int, count: int, bias: bool, times: int) -> None:
    """The terms add up to what the objective plus its inertia falls by at least, exactly.

    With the weight alpha; half of it, or the gradient at the extrapolated point, do not add up.
    """
    row = RowProblem.of(rank, count, bias=bias)
    size = len(row.unknowns)
    change, last = (tuple(sympy.symbols(f"{name}:{size}", real=True)) for name in "cd")
    steps = tuple(sympy.symbols(f"h:{size}", positive=True))
    moved = {x: x + c for x, c in zip(row.unknowns, change, strict=True)}

    def rise(weight: sympy.Expr, slopes: tuple[sympy.Expr, ...]) -> sympy.Expr:
        total = row.smooth.subs(moved, simultaneous=True) - row.smooth
        for c, d, h, slope in zip(change, last, steps, slopes, strict=True):
            total += objective.prox_pays(c, d, slope, h, times) + weight * (c**2 - d**2) / h
        return total

    fall = sum(row.descent_certificate(change, last, steps, times))
    assert sympy.expand(rise(ALPHA, row.half_gradient) + fall) == 0
    assert sympy.expand(rise(ALPHA / 2, row.half_gradient) + fall) != 0
    ahead = {x: x + ALPHA * d for x, d in zip(row.unknowns, last, strict=True)}
    elsewhere = tuple(g.subs(ahead, simultaneous=True) for g in row.half_gradient)
    assert sympy.expand(rise(ALPHA, elsewhere) + fall) != 0


@pytest.mark.parametrize("times", [2, 1])
def test_no_term_of_the_certificate_is_negative_up_to_the_longest_step(times: int) -> None:
    """With 1 / h = 1 / (longest step) + more, the majoriser's share is the square times `more`."""
    row = RowProblem.of(2, 1, bias=True)
    change, last = (tuple(sympy.symbols(f"{name}:3", real=True)) for name in "cd")
    steps = tuple(sympy.symbols("h:3", positive=True))
    more = Symbol("more", nonnegative=True)
    squares = len(row.majoriser_certificate(change))
    terms = row.descent_certificate(change, last, steps, times)
    assert all(term.is_nonnegative for term in (*terms[:squares], *terms[squares + 1 :: 2]))
    for term, c, h, curvature in zip(terms[squares::2], change, steps, row.curvatures, strict=True):
        exact = 1 / (1 / objective.longest_step(curvature, times) + more)
        assert sympy.simplify(term.subs(h, exact) - (times - 2 * ALPHA) * more * c**2) == 0


@pytest.mark.parametrize("times", [2, 1])
def test_conditions_of_descent_make_the_steps_short_enough(times: int) -> None:
    """2^-s (e - 2 alpha) = 2 + `more` and c0 (e - 2 alpha) = lambda + `spare`: for every curvature.

    At the limit, where both are 0, the step is the longest one itself.
    """
    curvature, more, spare = sympy.symbols("C more spare", nonnegative=True)
    room = times - 2 * ALPHA
    at = {SCALE: (2 + more) / room, C0: (LAMBDA + spare) / room}
    step = (1 / (SCALE * curvature + C0)).subs(at)
    slack = sympy.simplify((1 / step - 1 / objective.longest_step(curvature, times)) * room)
    assert sympy.expand(slack) == more * curvature + spare


@pytest.mark.parametrize("kind", ["elastic-net", "binary-elastic-net"])
@few
@given(st.fractions(-3, 3), st.fractions(0, 5), st.fractions(0, 5))
def test_ridge_and_prox_part_make_the_regulariser(
    kind: Regulariser, x: Fraction, kappa: Fraction, ridge: Fraction
) -> None:
    at = {KAPPA: Rational(kappa), LAMBDA: Rational(ridge)}
    point = Rational(x)
    split = objective.prox_part(kind, point) + LAMBDA * point**2
    assert (objective.regulariser(kind, point) - split).subs(at) == 0


@pytest.mark.req("PPMF-FIX-032")
@few
@given(word, weight)
def test_words_of_the_elastic_net_are_the_derived_prox(z: int, tau: int) -> None:
    derived = objective.prox_elastic_net(real(z), real(tau))
    assert derived == real(words.prox_elastic_net(z, tau))


@pytest.mark.req("PPMF-FIX-033")
@few
@given(word, weight, weight)
def test_words_of_the_binary_net_are_the_derived_prox(z: int, tau: int, theta: int) -> None:
    derived = objective.prox_binary(real(z), real(tau), real(theta))
    assert derived == real(words.prox_binary(z, tau, theta, F))


@pytest.mark.req("PPMF-FIX-033")
def test_the_jump_is_at_a_half_minus_theta() -> None:
    assert sympy.expand(objective.jump(THETA) - (Rational(1, 2) - THETA)) == 0
    assert sympy.expand(objective.completed_square(Z, THETA) - (Z + 2 * THETA)) == 0


@pytest.mark.req("PPMF-FIX-033")
@few
@given(word, weight, weight)
def test_the_gap_of_the_branches_changes_sign_at_the_jump(z: int, tau: int, theta: int) -> None:
    jump = real((1 << (F - 1)) - theta)
    gap = objective.branch_gap(real(z), real(tau), real(theta))
    assert objective.branch_gap(jump, real(tau), real(theta)) == 0
    assert gap <= 0 if real(z) <= jump else gap >= 0


@pytest.mark.req("PPMF-FIX-033")
@few
@given(word, weight, weight, word)
def test_no_point_beats_the_derived_prox(z: int, tau: int, theta: int, other: int) -> None:
    """Any p at all, with the regulariser in place of tau and theta: h = 1, so tau = kappa / 2."""
    weights = {KAPPA: 2 * real(tau), LAMBDA: 2 * real(theta)}

    def cost(p: sympy.Rational) -> sympy.Rational:
        part = objective.prox_part("binary-elastic-net", p).subs(weights)
        return (p - real(z)) ** 2 / 2 + part / 2

    best = objective.prox_binary(real(z), real(tau), real(theta))
    assert cost(best) <= cost(real(other))


@pytest.mark.req("PPMF-FIX-025")
@few
@given(st.integers(0, 2**16), st.integers(0, 2**20), st.integers(0, 2**20))
def test_threshold_words_are_the_derived_thresholds_rounded(
    step: int, kappa_int: int, ridge_int: int
) -> None:
    q = 16
    at = {KAPPA: real(kappa_int, 4**F), LAMBDA: real(ridge_int, 4**F)}
    derived = [t.subs(at) * 2**F for t in objective.thresholds(real(step, 2**q))]
    written = [words.threshold(step, weight, F, q) for weight in (kappa_int, ridge_int)]
    assert [sympy.floor(t + Rational(1, 2)) for t in derived] == written
