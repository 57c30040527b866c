# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SIM300 - capitals are the mathematics' symbols here, not constants
"""The reference's integers are what sympy derives from the one objective, for all their values.

`ppmf_spec.objective` differentiates and minimises; here `ppmf_reference.fixed` and
`ppmf_spec.words` are run on symbols and held against it: gradient and curvature as polynomials
(sympy), proxes and steps as real and integer terms (z3). Then descent, which chapter 2 promises
under `lipschitz`: with c the change of a row, the smooth part changes by exactly
2 G c + c^T S c, S the half Hessian; the prox of each coordinate sees to it that 2 G c and the
change of the rest are at most (2 alpha d c - e c^2) / h, d being the last move, e = 2, and e = 1
for the binary regulariser, which is not convex; S is at most 2 diag(curvature) + lambda, so that
the objective plus alpha d^2 / h does not rise (`tests/spec/test_objective.py`, by squares); the
integer step is short enough for that; and the roundings of Z and of the thresholds add what
chapter 2 says.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import pytest
import sympy
import z3
from sympy import Expr, Integer, Rational, Symbol

from ppmf_reference import fixed
from ppmf_spec import objective, words
from ppmf_spec.objective import KAPPA, LAMBDA, RowProblem
from ppmf_spec.parameters import Parameters
from tests.support import formal_costs
from tests.support.formal import Number, absolute, prove, symbolically
from tests.support.parameter_sets import version_1

F, ONE = 12, 1 << 12
PARAMS = version_1(ridge=Fraction(25, 2))
SHAPES = [(1, 1), (2, 3), (3, 2), (2, 0)]


def at_scale(problem: RowProblem, real: Expr) -> Expr:
    """A real expression of the row, the words that stand for its symbols put in their place."""
    words_of: dict[Symbol, Expr] = {LAMBDA: sympy.Rational(25, 2)}
    for symbol in (*problem.unknowns, *sum(problem.counterparts, ()), *problem.offsets):
        words_of[symbol] = symbol / 2**F
    for rating in problem.ratings:
        words_of[rating] = rating / 2**PARAMS.rating_frac_bits
    return real.subs(words_of, simultaneous=True)


@pytest.mark.req("PPMF-FIX-027", "PPMF-FIX-028", "PPMF-FIX-029")
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_integer_gradient_is_half_the_derivative_at_scale_3f(
    rank: int, count: int, bias: bool
) -> None:
    problem = RowProblem.of(rank, count, bias=bias)
    params = replace(PARAMS, rank=rank, bias=bias)
    own = [[*y, 2**F] if bias else [*y] for y in problem.counterparts]
    lift = 2 ** (2 * F - params.rating_frac_bits)
    targets = [x * lift - b * 2**F for x, b in zip(problem.ratings, problem.offsets, strict=True)]
    row: Any = list(problem.unknowns)
    found: Any = fixed.gradient(row, own, targets, params)
    assert len(found) == rank + bias
    for k, integer in enumerate(found):
        derived = at_scale(problem, problem.half_gradient[k]) * 2 ** (3 * F)
        assert sympy.expand(integer - derived) == 0
        without_ridge = at_scale(problem, problem.half_gradient[k].subs(LAMBDA, 0)) * 2 ** (3 * F)
        for mutant in (2 * derived, without_ridge):
            assert sympy.expand(integer - mutant) != 0


@pytest.mark.req("PPMF-FIX-022")
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_integer_squares_are_the_curvature_at_scale_2f(rank: int, count: int) -> None:
    problem = RowProblem.of(rank, count, bias=True)
    params = replace(PARAMS, rank=rank)
    rows: Any = [[*y, b] for y, b in zip(problem.counterparts, problem.offsets, strict=True)]
    found = sum((fixed.squared_norm(row, params) for row in rows), Integer(0))
    assert sympy.expand(found - at_scale(problem, problem.curvatures[0]) * 4**F) == 0
    assert problem.curvatures[-1] == count


def compiled(expression: Expr, *symbols: Symbol) -> Callable[..., Any]:
    """The expression as a Python function, to be run by `symbolically`."""
    function: Callable[..., Any] = sympy.lambdify(symbols, expression, modules="math")
    return function


SZ, STAU, STHETA, SP, SH = sympy.symbols("z tau theta p h", real=True)
SX, SD, SG, SC = sympy.symbols("x d G c", real=True)
Z, TAU, THETA, P, STEP, K, RIDGE, OLD = z3.Reals("Z tau theta p h kappa lambda x")
NUMBERS = (Number(Z), Number(TAU), Number(THETA))
DOMAIN = [TAU >= 0, THETA >= 0, 2 * THETA < 1 << F]


def scaled(derived: Expr) -> z3.ArithRef:
    """A derived prox of words: the reals they stand for go in, and a word comes out."""
    function = compiled(derived, SZ, STAU, STHETA)
    reals = (Number(n.term / (1 << F)) for n in NUMBERS)
    return symbolically(function, *reals).term * (1 << F)


@pytest.mark.req("PPMF-FIX-032", "PPMF-FIX-033")
def test_words_of_the_proxes_are_the_derived_minimisers() -> None:
    """For all real z, tau and theta, so for all words. Mutants: the other one's prox."""
    elastic = scaled(objective.prox_elastic_net(SZ, STAU))
    binary = scaled(objective.prox_binary(SZ, STAU, STHETA))
    found = symbolically(words.prox_elastic_net, *NUMBERS[:2]).term
    prove(found == elastic, given=DOMAIN, mutants=[found == binary])
    found = symbolically(words.prox_binary, *NUMBERS, F).term
    prove(found == binary, given=DOMAIN, mutants=[found == elastic])


@pytest.mark.req("PPMF-FIX-032", "PPMF-FIX-033", "PPMF-FIX-060")
def test_costs_of_the_proxes_are_the_objective_without_its_smooth_part() -> None:
    """(p - z)^2 / 2 + (h / 2) (R(p) - lambda p^2) is the cost with tau = h kappa / 2 and theta.

    That is h / 2 times the prox-gradient model (p - z)^2 / h + R's part, h G being z's distance.
    """
    tau, theta = (compiled(t, SH, KAPPA, LAMBDA) for t in objective.thresholds(SH))
    step, kappa, ridge = Number(STEP), Number(K), Number(RIDGE)
    found = [function(step, kappa, ridge).term for function in (tau, theta)]
    costs = {
        "elastic-net": formal_costs.elastic_net(P, Z, found[0]),
        "binary-elastic-net": formal_costs.binary(P, Z, *found),
    }
    for kind, cost in costs.items():
        part = compiled(objective.prox_part(kind, SP), SP, KAPPA, LAMBDA)  # type: ignore[arg-type]
        model = (P - Z) * (P - Z) / 2 + STEP / 2 * symbolically(part, Number(P), kappa, ridge).term
        wrong = (P - Z) * (P - Z) / 2 + STEP * symbolically(part, Number(P), kappa, ridge).term
        given = [STEP > 0, K >= 0, RIDGE >= 0]
        prove(cost == model, given=given, mutants=[cost == wrong])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_smooth_part_is_its_own_second_order_model(rank: int, count: int, bias: bool) -> None:
    problem = RowProblem.of(rank, count, bias=bias)
    change = sympy.Matrix(sympy.symbols(f"d:{len(problem.unknowns)}", real=True))
    moved = {x: x + d for x, d in zip(problem.unknowns, change, strict=True)}
    difference = problem.smooth.subs(moved, simultaneous=True) - problem.smooth
    slope = 2 * sum(g * d for g, d in zip(problem.half_gradient, change, strict=True))
    model = slope + (change.T * problem.half_hessian * change)[0, 0]
    assert sympy.expand(difference - model) == 0
    assert sympy.expand(difference - slope) != 0


@pytest.mark.req("PPMF-FIX-032", "PPMF-FIX-034")
def test_prox_and_saturation_do_not_raise_the_model() -> None:
    """G d + d^2 / h + kappa (|p| - |x|) / 2 <= 0, box included; here times h, with h G = x - z.

    The second square is convexity's: the binary regulariser has only the first, that of any
    minimiser of the cost over the box (`test_prox_proved`), by the identity below. With inertia
    x - z is h G - alpha times the last move, and both are `objective.prox_pays`.
    """
    box = (1 << (F + 1)) - 1
    new = symbolically(lambda z, t: words.saturate(words.soft(z, t), 1, F), *NUMBERS[:2]).term

    def paid(squares: int) -> z3.BoolRef:
        d, part = new - OLD, TAU * (absolute(new) - absolute(OLD))
        return (OLD - Z) * d + squares * d * d + part <= 0

    prove(
        paid(1),
        given=[TAU >= 0, OLD >= -box - 1, OLD <= box],
        mutants=[paid(2)],
    )
    d, x = sympy.symbols("d x")
    any_minimiser = ((x + d - SZ) ** 2 - (x - SZ) ** 2) / 2
    assert sympy.expand(any_minimiser - ((x - SZ) * d + d**2 / 2)) == 0
    z = objective.inertial_point(SX, SD, SG, SH)
    for squares, times in ((Integer(1), 2), (Rational(1, 2), 1)):
        model = (SX - z) * SC + squares * SC**2
        assert sympy.expand(2 / SH * model + objective.prox_pays(SC, SD, SG, SH, times)) == 0


@pytest.mark.req("PPMF-FIX-001", "PPMF-FIX-025", "PPMF-FIX-030")
def test_roundings_add_a_share_of_the_change() -> None:
    """What F_fix's prox pays for is true of the exact z, tau and theta but for |change| and more.

    In words, and h / 2 times the terms of chapter 2: the rounding of Z gives |change| / 2, that of
    tau as much again, and that of theta, which is in the branch of 1 alone, |change|.
    """
    new, z, t, angle = z3.Reals("new z t angle")  # exact z, tau and theta
    change = new - OLD
    half = [2 * absolute(Z - z) <= 1, 2 * absolute(TAU - t) <= 1, 2 * absolute(THETA - angle) <= 1]

    def pays(z: z3.ArithRef, part: z3.ArithRef, squares: z3.ArithRef) -> z3.ArithRef:
        return (OLD - z) * change + squares * change * change + part

    squares, part = z3.Reals("squares part")  # any squares, and any change of the rest
    prove(
        2 * pays(z, part, squares) <= absolute(change),
        given=[pays(Z, part, squares) <= 0, half[0]],
        mutants=[3 * pays(z, part, squares) <= absolute(change)],
    )
    of_tau = (absolute(new) - absolute(OLD)) * (t - TAU)
    prove(2 * of_tau <= absolute(change), given=half[1:2], mutants=[3 * of_tau <= absolute(change)])

    def binary_part(p: z3.ArithRef, tau: z3.ArithRef, theta: z3.ArithRef) -> z3.ArithRef:
        high = tau * absolute(p - ONE) + theta * (ONE - 2 * p)
        return z3.If(2 * p <= ONE, tau * absolute(p), high)

    cost = formal_costs.binary(new, new, TAU, THETA, ONE)  # without a distance: the part alone
    prove(
        cost == binary_part(new, TAU, THETA),
        given=[TAU >= 0, THETA >= 0],
        mutants=[cost == TAU * absolute(new)],
    )
    # at most 1/2 + 2 * 1/2 times the change, and without tau 2 * 1/2
    errors = [z3.If(2 * p <= ONE, absolute(p), absolute(p - ONE)) for p in (new, OLD)]
    slopes = [z3.If(2 * p <= ONE, 0, ONE - 2 * p) for p in (new, OLD)]
    for p, error, slope in zip((new, OLD), errors, slopes, strict=True):
        difference = binary_part(p, t, angle) - binary_part(p, TAU, THETA)
        found = (t - TAU) * error + (angle - THETA) * slope
        prove(difference == found, mutants=[difference == (t - TAU) * error])
    for size, most in ((errors[0] - errors[1], 1), (slopes[0] - slopes[1], 2)):
        prove(
            absolute(size) <= most * absolute(change),
            mutants=[2 * absolute(size) <= most * absolute(change)],
        )


@dataclass(frozen=True)
class Limit:
    """Parameters at the least c0 that the note allows, to the last bit, and e of chapter 2."""

    times: int
    inertia: Fraction
    shift: int

    @property
    def room(self) -> Fraction:
        """The part e - 2 alpha of 1 / h that is left for the smooth part."""
        return self.times - 2 * self.inertia

    @property
    def params(self) -> Parameters:
        """(c0 - 2^-g) (e - 2 alpha) = lambda, with c0 = 16 and g = 4."""
        return version_1(
            damping=16,
            ridge=(16 - Fraction(1, 16)) * self.room,
            regulariser="elastic-net" if self.times == 2 else "binary-elastic-net",
            curvature_shift=self.shift,
            inertia=self.inertia,
        )


LIMITS = {
    "convex": Limit(2, Fraction(0), 0),
    "convex, inertia": Limit(2, Fraction(1, 2), -1),
    "convex, much inertia": Limit(2, Fraction(3, 4), -2),
    "binary": Limit(1, Fraction(0), -1),
    "binary, inertia": Limit(1, Fraction(1, 4), -2),
}


@pytest.mark.req("PPMF-FIX-023", "PPMF-FIX-024")
@pytest.mark.parametrize("limit", LIMITS.values(), ids=LIMITS.keys())
def test_integer_step_is_below_the_majoriser(limit: Limit) -> None:
    """2 curvature + lambda <= (e - 2 alpha) 2^q / H, for every sum of squares and every count.

    The prox pays with e d^2 / h, of which the inertia takes 2 alpha. The largest q2 is that of
    10,000 rows at the edge of the box.
    """
    params, (room, parts) = limit.params, limit.room.as_integer_ratio()
    f, q, g = params.frac_bits, params.step_bits, params.step_guard_bits
    squares, c, H, D = z3.Ints("q2 c H D")
    given = [squares >= 0, c >= 0, c <= 10_000, squares <= 10_000 * params.rank << 2 * (f + 1)]
    ridge = int(params.ridge * 4**f)
    curvature = symbolically(fixed.curvature, 0, Number(squares), params).term
    of_bias = c * (1 << (g - min(params.curvature_shift, 0)))
    for found, hessian in (
        (curvature, 2 * squares + ridge),
        (of_bias, 2 * c * 4**f + ridge),
    ):
        # the denominator covers the Hessian, at scale g and 2f ...
        prove(
            room * (found + (params.damping << g)) * 4**f >= parts * hessian * (1 << g),
            given=given,
            mutants=[
                room * (found + (params.damping << g) - 2) * 4**f >= parts * hessian * (1 << g)
            ],
        )
    # ... and the step, floored, is no longer than its reciprocal
    step = symbolically(words.reciprocal, Number(D - (params.damping << g)), q, g, params.damping)
    longest = 1 << (q + g)
    exact = z3.And(step.term * D <= longest, longest < (step.term + 1) * D)
    prove(exact, given=[D >= 1], mutants=[step.term * D < longest])
    hessian, unit = z3.Ints("hessian unit")  # unit = 2^(2f - g)
    prove(
        H * parts * hessian <= room * longest * unit,
        given=[H >= 0, H * D <= longest, room * D * unit >= parts * hessian, unit >= 1, D >= 1],
        mutants=[(H + 1) * parts * hessian <= room * longest * unit],
    )
