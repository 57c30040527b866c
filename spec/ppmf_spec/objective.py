# SPDX-License-Identifier: Apache-2.0
"""The objective function in symbols, and the formulas of the algorithm derived from it.

Tests hold the integer formulas of chapter 2 against these: the half gradient G is differentiated
here, the step's majoriser is proved here as a sum of squares, and both prox formulas are the
minimisers worked out here branch by branch. The algorithm is PALM (J. Bolte, S. Sabach and
M. Teboulle, "Proximal alternating linearized minimization for nonconvex and nonsmooth problems",
Mathematical Programming 146, 2014, section 3) with inertia (T. Pock and S. Sabach, "Inertial
proximal alternating linearized minimization (iPALM) for nonconvex and nonsmooth problems", SIAM
Journal on Imaging Sciences 9(4), 2016, with beta = 0: the gradient is taken at x); the binary
regulariser is that of S. Dalleiger and J. Vreeken, "Efficiently factorizing Boolean matrices using
proximal gradient descent", NeurIPS 2022, here with its exact prox.

All numbers are real, without scales. With a step h, the exact counterpart of H, and a last move d,
an inner step maps x to prox(x + alpha d - h G) with the thresholds tau = h kappa / 2 and
theta = h lambda / 2: G is half the gradient, so the step along the gradient is h / 2.
"""

from __future__ import annotations

from dataclasses import dataclass

import sympy
from sympy import Abs, Expr, Matrix, Min, Piecewise, Rational, Symbol, solve, symbols

from ppmf_spec.parameters import Regulariser

KAPPA: Symbol = Symbol("kappa", nonnegative=True)
LAMBDA: Symbol = Symbol("lambda", nonnegative=True)
ALPHA: Symbol = Symbol("alpha", nonnegative=True)


def penalty(x: Expr) -> Expr:
    """r(x) = kappa |x| + lambda x^2, of one factor."""
    return KAPPA * Abs(x) + LAMBDA * x**2


def regulariser(kind: Regulariser, x: Expr) -> Expr:
    """The term of one factor in R: r(x), or min{r(x), r(x - 1)}."""
    if kind == "elastic-net":
        return penalty(x)
    return Min(penalty(x), penalty(x - 1))


def prox_part(kind: Regulariser, x: Expr) -> Expr:
    """The regulariser without the ridge lambda x^2, which the smooth part carries.

    r(x - 1) - lambda x^2 = kappa |x - 1| + lambda (1 - 2x), so no prox has a division.
    """
    if kind == "elastic-net":
        return KAPPA * Abs(x)
    return Min(KAPPA * Abs(x), KAPPA * Abs(x - 1) + LAMBDA * (1 - 2 * x))


@dataclass(frozen=True, slots=True)
class RowProblem:
    """One row x~ against its `count` rated counterparts, the other side fixed.

    unknowns: the row's `rank` factors, then its bias if there is one; counterparts: a tuple of
    `rank` symbols for each, their factors; offsets: their biases (0 without); ratings: r - r0.
    """

    unknowns: tuple[Symbol, ...]
    counterparts: tuple[tuple[Symbol, ...], ...]
    offsets: tuple[Expr, ...]
    ratings: tuple[Symbol, ...]
    bias: bool

    @classmethod
    def of(cls, rank: int, count: int, *, bias: bool) -> RowProblem:
        """The problem of a row of this rank with this many ratings, in fresh real symbols."""
        factors = _reals("x", rank)
        biases = _reals("b", count) if bias else (sympy.Integer(0),) * count
        return cls(
            unknowns=factors + ((Symbol("a", real=True),) if bias else ()),
            counterparts=tuple(_reals(f"y{j}_", rank) for j in range(count)),
            offsets=biases,
            ratings=_reals("r", count),
            bias=bias,
        )

    def seen(self, j: int) -> tuple[Expr, ...]:
        """The coefficients of the unknowns in residual j: the factors of counterpart j, then 1."""
        return self.counterparts[j] + ((sympy.Integer(1),) if self.bias else ())

    def residual(self, j: int) -> Expr:
        """<x~, y~_j> - (r_j - r0)."""
        inner = sum(x * y for x, y in zip(self.unknowns, self.seen(j), strict=True))
        return inner + self.offsets[j] - self.ratings[j]

    @property
    def smooth(self) -> Expr:
        """The part that steps follow: squared residuals, and the ridge of factors and bias."""
        squares = sum((self.residual(j) ** 2 for j in range(len(self.ratings))), sympy.Integer(0))
        return squares + LAMBDA * sum(x**2 for x in self.unknowns)

    @property
    def half_gradient(self) -> tuple[Expr, ...]:
        """Half the derivative of `smooth` by each unknown: the G of a step."""
        return tuple(sympy.diff(self.smooth, x) / 2 for x in self.unknowns)

    @property
    def half_hessian(self) -> Matrix:
        """The derivative of `half_gradient`: S~ + lambda I, constant in the unknowns."""
        return sympy.hessian(self.smooth, self.unknowns) / 2

    @property
    def curvatures(self) -> tuple[Expr, ...]:
        """The curvature of each unknown: the trace of S for a factor, the count for the bias."""
        trace = sum((y**2 for row in self.counterparts for y in row), sympy.Integer(0))
        count = sympy.Integer(len(self.ratings))
        return tuple(
            count if self.bias and k == len(self.unknowns) - 1 else trace
            for k in range(len(self.unknowns))
        )

    def majoriser_certificate(self, vector: tuple[Expr, ...]) -> tuple[Expr, ...]:
        """Expressions whose sum is v^T (2 diag(curvatures) + lambda I - half_hessian) v.

        Each is a non-negative multiple of a square, which proves the half Hessian to be at most
        2 diag(curvature + lambda / 2): twice the step's denominator wherever c0 >= lambda / 2. A
        prox-gradient step with a convex prox part cannot increase the objective then. The squares:
        Lagrange's identity for |v|^2 |y|^2 - <v, y>^2, and (p + q)^2 <= 2 p^2 + 2 q^2.
        """
        factors = vector[:-1] if self.bias else vector
        found: list[Expr] = []
        for y in self.counterparts:
            inner = sum(v * w for v, w in zip(factors, y, strict=True))
            pairs = [(k, j) for j in range(len(y)) for k in range(j)]
            found += [2 * (factors[k] * y[j] - factors[j] * y[k]) ** 2 for k, j in pairs]
            found.append((inner - vector[-1]) ** 2 if self.bias else inner**2)
        return tuple(found)

    def descent_certificate(
        self,
        change: tuple[Expr, ...],
        last: tuple[Expr, ...],
        steps: tuple[Expr, ...],
        times: int,
    ) -> tuple[Expr, ...]:
        """Expressions whose sum is a lower bound of the fall of the objective plus its inertia.

        The inertia is the sum of alpha d^2 / h over the coordinates, d being the last move: `last`
        before an inner step, `change` after it. The prox pays with `times` = 2 squares
        (`prox_pays`) where it is convex and with 1 where not; the majoriser takes what the smooth
        part needs. Each expression is a square, times (times - 2 alpha) / h - (2 C + lambda) or
        times something non-negative: none is negative, and the objective plus its inertia cannot
        rise, wherever h is at most `longest_step`.
        """
        found = list(self.majoriser_certificate(change))
        for move, d, h, curvature in zip(change, last, steps, self.curvatures, strict=True):
            found.append(((times - 2 * ALPHA) / h - 2 * curvature - LAMBDA) * move**2)
            found.append(ALPHA / h * (move - d) ** 2)
        return tuple(found)


def longest_step(curvature: Expr, times: int) -> Expr:
    """The longest h for which `RowProblem.descent_certificate` has no negative term.

    A step 1 / (C 2^-s + c0) is no longer for any curvature C if 2^-s (times - 2 alpha) >= 2 and
    c0 (times - 2 alpha) >= lambda.
    """
    return (times - 2 * ALPHA) / (2 * curvature + LAMBDA)


def inertial_model(p: Expr, x: Expr, last: Expr, slope: Expr, step: Expr) -> Expr:
    """What an inner step minimises over p with the prox part of p added, one coordinate at x.

    The smooth part's tangent at x, of the derivative 2 G, the distance from x, and a pull in the
    direction of the last move.
    """
    return 2 * slope * (p - x) + ((p - x) ** 2 - 2 * ALPHA * last * (p - x)) / step


def inertial_point(x: Expr, last: Expr, slope: Expr, step: Expr) -> Expr:
    """The p at which `inertial_model` is least: the z that the prox is given."""
    p = Symbol("p", real=True)
    (least,) = solve(sympy.diff(inertial_model(p, x, last, slope, step), p), p)
    return sympy.expand(least)


def prox_pays(change: Expr, last: Expr, slope: Expr, step: Expr, times: int) -> Expr:
    """At most this is the change of a coordinate's prox part in an inner step.

    The new point is no worse than x in `inertial_model` with the prox part (`times` = 1); where
    that sum is convex, and so grows by at least change^2 / h away from its minimum, it is better
    by so much (`times` = 2).
    """
    return -2 * slope * change - (times * change**2 - 2 * ALPHA * last * change) / step


def soft_threshold(z: Expr, tau: Expr) -> Expr:
    """The p that minimises (p - z)^2 / 2 + tau |p|, solved on each side of the kink at 0.

    The cost is convex: a stationary point on its own side is the minimum, else the kink is.
    """
    p = Symbol("p", real=True)
    (right,) = solve(sympy.diff((p - z) ** 2 / 2 + tau * p, p), p)
    (left,) = solve(sympy.diff((p - z) ** 2 / 2 - tau * p, p), p)
    return Piecewise((right, right > 0), (left, left < 0), (0, True))


def prox_elastic_net(z: Expr, tau: Expr) -> Expr:
    """The p that minimises (p - z)^2 / 2 + tau |p|."""
    return soft_threshold(z, tau)


def prox_binary(z: Expr, tau: Expr, theta: Expr) -> Expr:
    """The p that minimises (p - z)^2 / 2 + min{tau |p|, tau |p - 1| + theta (1 - 2p)}; a tie to 0.

    The lower of the two branches' minima; that of 1 is a soft threshold once the square is
    completed. By symmetry the two are equal at `jump`. Their difference, `branch_gap`, has the
    derivative h'(z) - h'(z + 2 theta - 1) + 2 theta, h' being the Huber function's, of slope 0 or
    1: it is never negative, so that 0 has the lower branch up to the jump, and 1 beyond.
    """
    return Piecewise(
        (soft_threshold(z, tau), z <= jump(theta)),
        (1 + soft_threshold(completed_square(z, theta) - 1, tau), True),
    )


def completed_square(z: Expr, theta: Expr) -> Expr:
    """The p at which (p - z)^2 / 2 + theta (1 - 2p) is least: z + 2 theta."""
    p = Symbol("p", real=True)
    (centre,) = solve(sympy.diff((p - z) ** 2 / 2 + theta * (1 - 2 * p), p), p)
    return centre


def jump(theta: Expr) -> Expr:
    """The z that the symmetry of the two branches fixes: as far from 0 as its image is from 1.

    z and 1 - (z + 2 theta) are the distances to the two kinks; they are equal at 1/2 - theta.
    """
    z = Symbol("z", real=True)
    (middle,) = solve(z - (1 - completed_square(z, theta)), z)
    return middle


def branch_gap(z: Expr, tau: Expr, theta: Expr) -> Expr:
    """The minimum of the branch of 0 minus that of the branch of 1; `prox_binary` needs its sign.

    (p - z)^2 / 2 + theta (1 - 2p) = (p - c)^2 / 2 + (z^2 - c^2) / 2 + theta with the completed
    square's c, so both minima are Huber functions.
    """
    centre = completed_square(z, theta)
    return huber(z, tau) - huber(centre - 1, tau) - (z**2 - centre**2) / 2 - theta


def huber(z: Expr, tau: Expr) -> Expr:
    """The least value of (p - z)^2 / 2 + tau |p|, reached at the soft threshold."""
    return Piecewise((z**2 / 2, Abs(z) <= tau), (tau * Abs(z) - tau**2 / 2, True))


def thresholds(step: Expr) -> tuple[Expr, Expr]:
    """(tau, theta) of the step h: the weights times h / 2, the step along the whole gradient."""
    along_gradient = Rational(1, 2) * step
    return along_gradient * KAPPA, along_gradient * LAMBDA


def _reals(stem: str, count: int) -> tuple[Symbol, ...]:
    found: tuple[Symbol, ...] = symbols(f"{stem}:{count}", real=True)
    return found
