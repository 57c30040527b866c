# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SIM300 - capitals are the mathematics' symbols here, not constants
"""Chapter 2's two statements on the distance of F_fix from F_real, under `elastic-net`, proved.

*One step*: four links, each for all real or integer values: the share of the step, the rounding of
Z and of tau, prox and saturation bringing points no farther apart (`test_prox_proved`), and the sum
of the three. `tests/spec/test_accuracy_of_one_inner_step.py` meets the statement in the integers
themselves.

*A run*: F_real's inner step maps a row, the row before it and the other side to the new row, the
old one, and the same other side.
Its Lipschitz constant in the maximum norm is at most the largest sum of absolute derivatives of
z and tau over the box, by the mean value theorem, since what follows them brings points no farther
apart. Here the derivatives are sympy's, and each is bounded term by term (`majorant`). The distance
then obeys D' <= L D + rho, which the theorem solves.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import chain
from math import log2

import pytest
import sympy
import z3
from sympy import Expr, Integer, Symbol

from ppmf_reference import exact, fixed
from ppmf_spec import words
from ppmf_spec.objective import ALPHA, LAMBDA, RowProblem, inertial_point
from ppmf_spec.parameters import Parameters
from ppmf_spec.step_rules import StepRuleName
from tests.support.formal import Number, absolute, prove, symbolically
from tests.support.parameter_sets import STEP_RULES, version_1
from tests.support.ratings import ratings_of

U, W, C0, C = z3.Reals("u w c0 C")  # 2^-q, 2^-g, the damping, the curvature


@pytest.mark.req("PPMF-FIX-024", "PPMF-FIX-060")
def test_step_is_within_its_share() -> None:
    """|H / 2^q - h| <= max(2^-q, 2^-g / c0^2): the curvature floored at 2^-g, the step at 2^-q.

    Divisions are by new names: h (C + c0) = 1, and `top` is the exact step of the floored
    curvature. That H is the floor of 2^(q+g) over its denominator is `test_objective_derived`'s.
    """
    floored, fixed_step, h, top = z3.Reals("floored H h top")
    given = [
        z3.And(U > 0, W > 0, C0 >= 1, C >= 0),
        z3.And(floored >= 0, floored <= C, C < floored + W),
        h * (C + C0) == 1,
        top * (floored + C0) == 1,
        z3.And(fixed_step <= top, top < fixed_step + U),
    ]
    prove(fixed_step - h > -U, given=given, mutants=[fixed_step - h > -U / 2])
    prove(
        (fixed_step - h) * C0 * C0 < W,
        given=given,
        mutants=[(fixed_step - h) * C0 * C0 < W / 2, fixed_step <= h],
    )


@pytest.mark.req("PPMF-FIX-001", "PPMF-FIX-025", "PPMF-FIX-030")
@pytest.mark.parametrize("bits", [40, 29], ids=["Z", "tau"])
def test_rounding_is_off_by_half_a_unit(bits: int) -> None:
    """By at most half: 2 |r 2^t - a| <= 2^t; at the defaults, t = 2f + q and f + q + 1."""
    a = z3.Int("a")
    rounded = symbolically(words.round_half_up, Number(a), 1 << bits).term

    def within(r: z3.ArithRef) -> z3.BoolRef:
        return 2 * absolute(r * (1 << bits) - a) <= 1 << bits

    prove(within(rounded), mutants=[within(a / (1 << bits)), within(rounded - 1)])


@pytest.mark.req("PPMF-FIX-060")
def test_one_step_is_within_its_bound() -> None:
    """The links together: unit + share (|G| + kappa / 2), unit = 2^-f, all over the reals."""
    unit, share, slope, kappa, x, h, step = z3.Reals("unit share G kappa x h H")
    carried = z3.Real("carried")  # the inertia alpha (x - p), which both have without an error
    z, tau, new, real = z3.Reals("z tau new real")
    given = [
        absolute(step - h) <= share,
        2 * absolute(z - (x + carried - step * slope)) <= unit,
        2 * absolute(tau - step * kappa / 2) <= unit,
        absolute(new - real)
        <= absolute(z - (x + carried - h * slope)) + absolute(tau - h * kappa / 2),
        kappa >= 0,
    ]
    found = absolute(new - real)
    prove(
        found <= unit + share * (absolute(slope) + kappa / 2),
        given=given,
        mutants=[
            found <= unit / 2 + share * (absolute(slope) + kappa / 2),
            found <= unit + share * absolute(slope),
        ],
    )


SCALE, DAMPING, BOX, XMAX = sympy.symbols("scale c0 B xmax", positive=True)  # scale = 2^-s
ERROR, SLOPE, HALF_KAPPA = sympy.symbols("E Gamma half_kappa", positive=True)
BEYOND = Symbol("beyond", nonnegative=True)  # B = 2^b is at least 1


@dataclass(frozen=True)
class Constant:
    """The constants of chapter 2's note; under the rule `count` the steps do not depend on Y."""

    rank: Expr
    rows: Expr
    count_rule: bool = False

    @property
    def error(self) -> Expr:
        return self.rank * BOX**2 + 2 * BOX + XMAX

    @property
    def slope(self) -> Expr:
        return self.rows * BOX * ERROR + LAMBDA * BOX

    @property
    def lipschitz(self) -> Expr:
        n, d = self.rows, self.rank
        found = 1 + 2 * ALPHA + (LAMBDA + n * (2 * d * BOX**2 + 2 * BOX + ERROR)) / DAMPING
        if self.count_rule:
            return found
        return found + 2 * SCALE * n * d * BOX * (SLOPE + HALF_KAPPA) / DAMPING**2


def majorant(polynomial: Expr, bound: dict[Symbol, Expr]) -> Expr:
    """At least |polynomial| wherever each symbol is at most its bound in size: term by term."""
    expanded = sympy.expand(polynomial)
    if expanded == 0:
        return Integer(0)
    symbols = sorted(bound, key=str)
    terms = sympy.Poly(expanded, *symbols).terms()
    return sum(
        sympy.Abs(coefficient)
        * sympy.prod(bound[s] ** power for s, power in zip(symbols, powers, strict=True))
        for powers, coefficient in terms
    )


def derivative_sums(problem: RowProblem, *, count_rule: bool) -> list[Expr]:
    """For each coordinate, the sum of the majorants of all derivatives of z and of kappa h / 2.

    The derivatives are by the row, the row before, its counterparts and their biases. Residuals, G
    and the steps stand as symbols of their own, bounded by E, Gamma and 1 / c0.
    """
    count = len(problem.ratings)
    h, errors, slope = Symbol("h"), sympy.symbols(f"e:{count}"), Symbol("G")
    replaced = {
        rating: problem.residual(p) + rating - error
        for p, (rating, error) in enumerate(zip(problem.ratings, errors, strict=True))
    }
    others = [*sum(problem.counterparts, ()), *problem.offsets]
    before = sympy.symbols(f"p:{len(problem.unknowns)}")
    every = [*problem.unknowns, *before, *others]
    bound = dict.fromkeys(every, BOX) | dict.fromkeys(errors, ERROR)
    bound |= {h: 1 / DAMPING, slope: SLOPE}
    sums = []
    rows = zip(problem.unknowns, before, problem.half_gradient, strict=True)
    for k, (x, last, gradient) in enumerate(rows):
        moving = not count_rule and k < len(problem.unknowns) - 1
        curvature = SCALE * problem.curvatures[k] if moving else Integer(0)
        total: Expr = Integer(0)
        for v in every:
            of_gradient = sympy.diff(gradient, v).subs(replaced, simultaneous=True)
            of_step = -(h**2) * sympy.diff(curvature, v)  # h = 1 / (curvature + c0)
            exact_step = sympy.diff(1 / (curvature + DAMPING), v)
            assert sympy.simplify(exact_step - of_step.subs(h, 1 / (curvature + DAMPING))) == 0
            of_point = sympy.diff(inertial_point(x, x - last, Integer(0), h), v)
            total += majorant(of_point - h * of_gradient - of_step * slope, bound)
            total += majorant(HALF_KAPPA * of_step, bound)
        sums.append(total)
    return sums


SHAPES = [(1, 1), (2, 1), (1, 3), (2, 3)]


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize("count_rule", [False, True])
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_lipschitz_constant_is_the_largest_sum_of_derivatives(
    rank: int, count: int, count_rule: bool
) -> None:
    """For a row with c = N; fewer ratings have fewer terms. The factors meet it exactly."""
    constant = Constant(Integer(rank), Integer(count), count_rule)
    problem = RowProblem.of(rank, count, bias=True)
    *factors, bias = derivative_sums(problem, count_rule=count_rule)
    for found in factors:
        assert sympy.expand(found - constant.lipschitz) == 0
    slack = sympy.expand((constant.lipschitz - bias).subs(BOX, 1 + BEYOND))
    assert slack.is_nonnegative
    assert sympy.expand(factors[0].subs(ALPHA, 0) - constant.lipschitz) == -2 * ALPHA
    if not count_rule:  # a constant that forgets that the step moves with Y is refuted
        forgotten = replace(constant, count_rule=True).lipschitz
        assert sympy.expand(factors[0] - forgotten).is_positive


@pytest.mark.req("PPMF-FIX-060", "PPMF-PAR-016")
@pytest.mark.parametrize(("rank", "count"), SHAPES)
def test_residual_and_gradient_are_within_their_constants(rank: int, count: int) -> None:
    constant = Constant(Integer(rank), Integer(count))
    problem = RowProblem.of(rank, count, bias=True)
    words_of = [*problem.unknowns, *sum(problem.counterparts, ()), *problem.offsets]
    bound = dict.fromkeys(words_of, BOX)
    for p, rating in enumerate(problem.ratings):
        found = majorant(problem.residual(p), bound | {rating: XMAX})
        assert sympy.expand(found - constant.error) == 0
    errors = sympy.symbols(f"e:{count}")
    bound |= dict.fromkeys(errors, ERROR)
    for k, x in enumerate(problem.unknowns):
        seen = [problem.seen(p)[k] for p in range(count)]
        written = sum(e * y for e, y in zip(errors, seen, strict=True)) + LAMBDA * x
        slack = constant.slope - majorant(written, bound)
        if k < rank:
            assert sympy.expand(slack) == 0
        else:
            assert sympy.expand(slack.subs(BOX, 1 + BEYOND)).is_nonnegative


@pytest.mark.req("PPMF-FIX-060")
def test_distances_of_a_run_add_up_to_the_theorem() -> None:
    """D' <= L D + rho from D = 0 gives rho (L^k - 1) / (L - 1) after k steps, by induction.

    D covers the row, the row before and the other side; all begin alike. After a step the row
    before is the old row, and the other side is as it was: D' is no less than D, as L is above 1.
    """
    D, after, L, rho, power, share = z3.Reals("D after L rho power share")
    # share = (L^k - 1) / (L - 1), power = L^k
    row, old = z3.Reals("row old")
    given = [L > 1, rho >= 0, share * (L - 1) == power - 1, D <= rho * share, after <= L * D + rho]
    prove(
        z3.And(old <= L * D + rho, row <= L * D + rho),
        given=[L > 1, rho >= 0, D >= 0, old <= D, row <= L * D + rho],
        mutants=[old < D, row <= D + rho],
    )
    prove(
        after * (L - 1) <= rho * (L * power - 1),
        given=given,
        mutants=[after * (L - 1) <= rho * (power - 1), after <= rho * L * share],
    )


def theorem(params: Parameters, rows: int) -> tuple[Fraction, Fraction]:
    """(L, rho) of chapter 2's note, as numbers."""
    f, q, g, c0 = params.frac_bits, params.step_bits, params.step_guard_bits, params.damping
    box, half_kappa = Fraction(2) ** params.box_bits, params.l1 / 2
    error = params.rank * box**2 + 2 * box + params.xmax
    slope = rows * box * error + params.ridge * box
    constant = Constant(Integer(params.rank), Integer(rows), params.step_rule == "count")
    values = {BOX: box, LAMBDA: params.ridge, DAMPING: c0, ERROR: error, SLOPE: slope}
    values |= {ALPHA: params.inertia}
    values |= {HALF_KAPPA: half_kappa, SCALE: Fraction(2) ** -params.curvature_shift}
    number = sympy.Rational(constant.lipschitz.subs(values))
    share = max(Fraction(1, 2**q), Fraction(1, 2**g * c0**2))
    return Fraction(number.p, number.q), Fraction(1, 2**f) + share * (slope + half_kappa)


def test_constant_at_the_size_of_movielens() -> None:
    """The figure that chapter 2 gives."""
    lipschitz, _ = theorem(version_1(), 1682)
    assert round(log2(lipschitz)) == 25


@pytest.mark.req("PPMF-FIX-060")
@pytest.mark.parametrize("inertia", [Fraction(0), Fraction(1, 2)])
@pytest.mark.parametrize("rule", STEP_RULES)
def test_runs_keep_to_the_theorem(rule: StepRuleName, inertia: Fraction) -> None:
    """The first half-step keeps within rho, where the theorem is not yet loose."""
    table = {(0, 0): 4, (0, 1): -5, (1, 1): 3, (2, 0): -1}
    ratings = ratings_of(3, 2, table)
    params = version_1(
        rank=2,
        iterations=2,
        frac_bits=8,
        step_bits=8,
        l1=Fraction(1, 2),
        step_rule=rule,
        inertia=inertia,
    )
    lipschitz, rho = theorem(params, 3)
    runs = zip(fixed.iterate(ratings, params), exact.iterate(ratings, params), strict=True)
    for k, (whole, real) in enumerate(runs, start=1):
        pairs = zip(
            chain.from_iterable(whole.users + whole.items),
            chain.from_iterable(real.users + real.items),
            strict=True,
        )
        apart = max(abs(Fraction(word, 2**8) - Fraction(int(r.p), int(r.q))) for word, r in pairs)
        assert 0 < apart <= rho * (lipschitz**k - 1) / (lipschitz - 1)
