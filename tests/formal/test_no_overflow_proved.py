# SPDX-License-Identifier: Apache-2.0
# ruff: noqa: SIM300 - capitals are the mathematics' symbols here, not constants
"""Under the validator's bound no integer of a run leaves the ring, or its circuit's width.

Chapter 3's argument, link by link, in the integers and for any parameters (the letters are
symbols): one residual; sums of products of residuals; what the step makes of them; the maximum
that the validator takes instead of looking everywhere; the ring; the shift; the prox. Sums over
any number of terms are proved by induction: a claim on n terms, and one more term. Each link's
conclusion is an assumption of the next. At the scale of the integers: X = B 2^f is the largest
|word|, M = E 2^(2f) the largest |residual|, L = lambda 2^(2f). That the validator computes these
very numbers is shown by brute force in `tests/spec/test_bounds.py`.
"""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import pytest
import z3

from ppmf_reference import fixed
from ppmf_spec import words
from ppmf_spec.bounds import bounds, largest_denominator
from ppmf_spec.parameters import Parameters
from ppmf_spec.step_rules import StepRuleName
from tests.support.formal import Exact, Number, absolute, prove, symbolically
from tests.support.parameter_sets import OTHER_STEP_RULES, STEP_RULES

X, M, L, c, H, G, x, y, e = z3.Ints("X M L c H G x y e")


@pytest.mark.req("PPMF-PAR-016", "PPMF-FIX-027")
def test_residual_is_within_its_bound() -> None:
    """|e| <= d X^2 + 2 X 2^f + xmax 2^(2f): d products, one by one, two biases and a rating."""
    total, d, rating, largest, one = z3.Ints("total d rating largest one")
    prove(
        absolute(total + x * y) <= (d + 1) * X * X,
        given=[absolute(total) <= d * X * X, absolute(x) <= X, absolute(y) <= X, d >= 0],
        mutants=[absolute(total + x * y) <= d * X * X],
    )
    prove(
        absolute(total + one * (x + y) - rating) <= d * X * X + 2 * X * one + largest,
        given=[
            absolute(total) <= d * X * X,
            absolute(x) <= X,
            absolute(y) <= X,
            absolute(rating) <= largest,
            one >= 1,
        ],
        mutants=[absolute(total + one * (x + y) - rating) <= d * X * X + X * one + largest],
    )


@pytest.mark.req("PPMF-PAR-016", "PPMF-FIX-028")
def test_gradient_is_within_both_of_its_bounds() -> None:
    """|sum e y| <= M A, A = sum |y|, and A <= c X and A^2 <= c sum y^2, term by term."""
    total, size, squares = z3.Ints("total A squares")
    one_more = size + absolute(y)
    prove(
        absolute(total + e * y) <= M * one_more,
        given=[absolute(total) <= M * size, absolute(e) <= M, M >= 0, size >= 0],
        mutants=[absolute(total + e * y) <= M * size],
    )
    prove(
        one_more <= (c + 1) * X,
        given=[size <= c * X, absolute(y) <= X],
        mutants=[one_more <= c * X],
    )
    # Cauchy and Schwarz, over the reals
    A, Q, n, v = z3.Reals("A Q n v")
    prove(
        (A + v) * (A + v) <= (n + 1) * (Q + v * v),
        given=[A * A <= n * Q, A >= 0, v >= 0, n >= 0, Q >= 0],
        mutants=[(A + v) * (A + v) <= n * (Q + v * v), (A + v) * (A + v) <= (n + 1) * Q + v * v],
    )
    root = z3.Int("R")  # the least integer with R^2 >= c squares
    prove(
        size <= root,
        given=[size * size <= c * squares, root * root >= c * squares, root >= 0, size >= 0],
        mutants=[size < root],
    )


@pytest.mark.req("PPMF-PAR-016")
def test_the_validators_maximum_covers_every_count_and_every_sum_of_squares() -> None:
    """`lipschitz`: any (c, q2) moves no more than N and the largest q2' of the same step do.

    `count`: any c no more than the largest c' of the same step. The bias: no more than the factors.
    """
    N, root, widest, steepest = z3.Ints("N R R' steepest")
    factors = H * (M * z3.If(c * X <= root, c * X, root) + L * X)

    def taken(root: z3.ArithRef) -> z3.ArithRef:
        return H * (M * z3.If(N * X <= root, N * X, root) + L * X)

    given = [H >= 0, M >= 0, L >= 0, X >= 0, 0 <= c, c <= N]
    small, large = z3.Ints("cq2 Nq2'")  # R is the least integer with R^2 >= c q2, and grows with it
    prove(
        root <= widest,
        given=[
            small <= large,
            (root - 1) * (root - 1) < small,
            large <= widest * widest,
            root >= 1,
            widest >= 0,
        ],
        mutants=[root < widest],
    )
    prove(
        factors <= taken(widest),
        given=[*given, 0 <= root, root <= widest],
        mutants=[factors <= taken(widest - 1)],
    )
    prove(
        H * (M * c * X + L * X) <= H * (M * steepest * X + L * X),
        given=[*given, c <= steepest],
        mutants=[H * (M * c * X + L * X) < H * (M * steepest * X + L * X)],
    )
    # the bias: |G| <= 2^f c M, its step no longer than the factors' (at q2 = c 2^(2f), R = c 2^f)
    longer, one = z3.Ints("H' one")
    prove(
        H * (M * c * one + L * X) <= longer * (M * z3.If(c * X <= c * one, c * X, c * one) + L * X),
        given=[*given, H <= longer, one >= 1, X >= one],
        mutants=[H * (M * c * one + L * X) <= H * (M * c + L * X)],
    )


@pytest.mark.req("PPMF-PAR-016", "PPMF-FIX-023")
@pytest.mark.parametrize("rule", STEP_RULES)
@pytest.mark.parametrize("shift", [-3, 0, 4])
def test_step_of_the_bias_is_no_longer_than_the_factors(rule: StepRuleName, shift: int) -> None:
    params = replace(Parameters(), step_rule=rule, curvature_shift=shift)
    q2 = Number(c * (1 << 2 * params.frac_bits))
    steps = symbolically(fixed.step, Number(c), q2, params)
    bias, factors = steps.bias.term, steps.factors.term
    prove(bias <= factors, given=[c >= 0, c <= 10_000], mutants=[bias < factors])


@pytest.mark.req("PPMF-PAR-016", "PPMF-FIX-030")
def test_sum_before_the_shift_is_within_the_bound() -> None:
    """The bound is (1 + 2 alpha) X 2^t + 2^(t-1) + move, t = 2f + q, A = alpha 2^t.

    `move` covers H (|G| + L X) by the links; two words of the box are at most 2 X - 1 apart.
    """
    power, half, move, data, last, A = z3.Ints("power half move data p A")
    carried = z3.Int("A (x - p)")
    prove(
        absolute(A * (x - last)) <= 2 * A * X - A,
        given=[A >= 0, X >= 1, -X <= x, x < X, -X <= last, last < X],
        mutants=[absolute(A * (x - last)) < 2 * A * X - A, absolute(A * (x - last)) <= A * X],
    )
    before = x * power + carried - H * (data + L * x) + half
    bound = X * power + 2 * A * X + half + move
    given = [
        absolute(x) <= X,
        A >= 0,
        absolute(carried) <= 2 * A * X - A,
        absolute(data) <= G,
        H * (G + L * X) <= move,
        H >= 0,
        L >= 0,
        half >= 1,
        power == 2 * half,
    ]
    prove(
        z3.And(-bound <= before, before <= bound),
        given=given,
        mutants=[
            absolute(before) <= bound - half,
            absolute(before) <= X * power + 2 * A * X + half,
            absolute(before) <= bound - A * X,
        ],
    )


def of_run(**changes: object) -> tuple[Parameters, int]:
    """Defaults at the size of ML-100K, but for these changes, and the rows of the longer side."""
    return replace(Parameters(), **changes), 1682  # type: ignore[arg-type]


RUNS = {
    "defaults": of_run(),
    "soft threshold": of_run(l1=Fraction(3)),
    "binary": of_run(l1=Fraction(3), regulariser="binary-elastic-net"),
    "inertia": of_run(inertia=1 - Fraction(1, 2**16)),
    **{
        name: of_run(
            step_rule=small.step_rule,
            curvature_shift=small.curvature_shift,
            damping=small.damping,
        )
        for name, small in OTHER_STEP_RULES.items()
    },
    "a ring that is just enough": of_run(ring_bits=61),
}


@pytest.mark.req("PPMF-PAR-016", "PPMF-HST-004")
@pytest.mark.parametrize(("params", "rows"), RUNS.values(), ids=RUNS.keys())
def test_width_of_the_update_holds_the_sum(params: Parameters, rows: int) -> None:
    """Any sum within the bound is the signed word of z_bits bits that the circuit sees."""
    found = bounds(params, rows, rows)
    assert found.bound < 2 ** (found.ring_bits - 1)
    assert found.z_bits <= found.ring_bits
    before, limit = Exact(z3.BitVec("before", 80)), int(found.bound)

    def seen(width: int) -> z3.BoolRef:
        return Exact(before.low(width)).equals(before)

    given = [(before <= limit).term, (before >= -limit).term]
    prove(seen(found.z_bits), given=given, mutants=[seen(found.z_bits - 1)])


@pytest.mark.req("PPMF-PAR-016", "PPMF-FIX-002")
def test_products_that_wrap_give_the_same_sum() -> None:
    """H G, G and the inertia may have lost multiples of the ring's 2^k; the sum has lost one then.

    Within the bound, which is below 2^(k-1), only one of the integers that differ by such multiples
    is a signed word: the sum itself.
    """
    ring, power, half, lost, lost_more = z3.Ints("ring power half lost lost_more")
    carried, lost_there = z3.Ints("carried lost_there")  # A (x - p), and what it may have lost
    before = x * power + carried - H * G + half
    in_ring = x * power + carried + lost_there * ring
    in_ring = in_ring - (H * (G + lost * ring) + lost_more * ring) + half
    multiple = lost_there - (H * lost + lost_more)
    prove(
        in_ring - before == multiple * ring,
        given=[ring >= 1],
        mutants=[in_ring == before, in_ring - before == -H * lost * ring],
    )
    word, other, times = z3.Ints("word other times")
    prove(
        word == other,
        given=[
            word - other == times * 2 * half,  # 2^k = 2 half
            -half <= word,
            word < half,
            -half < other,
            other < half,
        ],
        mutants=[z3.Implies(absolute(word) < half, word < other)],
    )


@pytest.mark.req("PPMF-PAR-017", "PPMF-FIX-032", "PPMF-FIX-033")
def test_nothing_after_the_shift_exceeds_its_bound() -> None:
    """Z, Z -+ tau, Z + 2 theta - 2^f and its threshold: all within ceil(bound / 2^t) + a."""
    f = 12
    bound, half, power, Z, before, tau, theta = z3.Ints("bound half power Z before tau theta")
    given = [
        absolute(before) <= bound,
        power == 2 * half,
        half >= 1,
        Z * power <= before,
        before < (Z + 1) * power,  # the floor shift
        tau >= 0,
        theta >= 0,
        2 * theta < 1 << f,
    ]
    shifted = z3.Int("shifted")  # ceil(bound / 2^t)
    given += [shifted * power >= bound, bound > (shifted - 1) * power]
    prove(absolute(Z) <= shifted, given=given, mutants=[absolute(Z) < shifted])
    after = [absolute(Z) <= shifted, tau >= 0, theta >= 0, 2 * theta < 1 << f]
    one_branch = Z + 2 * theta - (1 << f)
    reached = [Z - tau, Z + tau, one_branch]
    a = z3.If(tau >= 2 * theta + (1 << f), tau, 2 * theta + (1 << f))
    prove(
        z3.And(*(absolute(term) <= shifted + a for term in reached)),
        given=after,
        mutants=[z3.And(*(absolute(term) <= shifted + tau for term in reached))],
    )
    held = [
        symbolically(words.prox_elastic_net, Number(Z), Number(tau)),
        symbolically(words.prox_binary, Number(Z), Number(tau), Number(theta), f),
    ]
    prove(
        z3.And(*(absolute(number.term) <= shifted + a for number in held)),
        given=after,
        mutants=[z3.And(*(absolute(number.term) < absolute(Z) for number in held))],
    )


@pytest.mark.req("PPMF-PAR-018", "PPMF-STP-002", "PPMF-CIR-003")
@pytest.mark.parametrize(("params", "rows"), RUNS.values(), ids=RUNS.keys())
def test_widths_of_the_reciprocal_hold_every_row(params: Parameters, rows: int) -> None:
    """The damped curvature fits its width; step, tau and theta are at most those of curvature 0."""
    q2, count = Exact.unsigned(z3.BitVec("q2", 62)), Exact.unsigned(z3.BitVec("c", 31))
    f, g, s = params.frac_bits, params.step_guard_bits, params.curvature_shift
    if params.step_rule == "lipschitz":
        squares, shift = rows * params.rank << 2 * (params.box_bits + f), 2 * f + s
        row, damped = [(q2 <= squares).term], q2 + (params.damping << shift)
        largest = squares + (params.damping << shift)
    else:
        row, damped = [(count <= rows).term], (count << (g - s)) + (params.damping << g)
        largest = (rows << (g - s)) + (params.damping << g)
    ring_bits = bounds(params, rows, rows).ring_bits
    assert largest <= largest_denominator(params, rows) < 2**ring_bits
    prove((damped <= largest).term, given=row, mutants=[(damped < largest).term])
    step = symbolically(lambda c, q2: fixed.step(c, q2, params).factors, count, q2)
    prove((step <= params.max_step).term, given=row, mutants=[(step < params.max_step).term])
    any_step = Exact.unsigned(z3.BitVec("H", params.max_step.bit_length()))
    for weight, most in ((params.l1_int, params.max_tau), (params.ridge_int, params.max_theta)):
        threshold = symbolically(
            words.threshold, any_step, weight, params.frac_bits, params.step_bits
        )
        prove(
            (threshold <= most).term,
            given=[(any_step <= params.max_step).term],
            mutants=[(threshold < most).term],
        )
