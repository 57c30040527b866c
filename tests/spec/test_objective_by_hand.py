# SPDX-License-Identifier: Apache-2.0
"""The symbolic objective against expressions worked out on paper."""

from __future__ import annotations

import sympy
from hypothesis import given
from hypothesis import strategies as st
from sympy import Abs, Integer, Rational, Symbol

from ppmf_spec.objective import (
    KAPPA,
    LAMBDA,
    RowProblem,
    huber,
    prox_part,
    regulariser,
    soft_threshold,
)


def real(name: str) -> Symbol:
    return Symbol(name, real=True)


def test_a_residual_with_biases_by_hand() -> None:
    problem = RowProblem.of(2, 3, bias=True)
    inner = real("x0") * real("y1_0") + real("x1") * real("y1_1")
    assert problem.residual(1) == inner + real("a") + real("b1") - real("r1")
    assert problem.unknowns == (real("x0"), real("x1"), real("a"))


def test_a_residual_without_biases_by_hand() -> None:
    problem = RowProblem.of(1, 2, bias=False)
    assert problem.residual(0) == real("x0") * real("y0_0") - real("r0")


def test_regularisers_at_one_by_hand() -> None:
    """At 1 the elastic net costs kappa + lambda, the binary one nothing."""
    one = Integer(1)
    assert regulariser("elastic-net", one) == KAPPA + LAMBDA
    assert regulariser("binary-elastic-net", one) == 0
    assert prox_part("elastic-net", one) == KAPPA
    assert prox_part("binary-elastic-net", one) == sympy.Min(KAPPA, -LAMBDA)


def test_the_soft_threshold_in_symbols() -> None:
    z, tau = real("z"), Symbol("tau", positive=True)
    found = soft_threshold(z, tau)
    assert [found.subs({z: at, tau: 2}) for at in (-5, -2, 1, 2, 5)] == [-3, 0, 0, 0, 3]


fractions = st.fractions(-4, 4, max_denominator=8).map(
    lambda x: Rational(x.numerator, x.denominator)
)


@given(fractions, fractions.map(abs))
def test_the_huber_function_is_the_cost_at_the_soft_threshold(z: Rational, tau: Rational) -> None:
    p = soft_threshold(z, tau)
    assert huber(z, tau) == (p - z) ** 2 / 2 + tau * Abs(p)
