# SPDX-License-Identifier: Apache-2.0
"""F_real in exact rationals, for toy sizes.

The rationals grow by a factor of about six an iteration of one inner step, and by more under
`lipschitz`, whose step divides by a sum of squares. The module is therefore for a few rows and T K
of at most 3 (`lipschitz`) or 8 (`count`).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from fractions import Fraction

from flint import fmpq

from ppmf_reference import real
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

Matrix = list[list[fmpq]]


class Rationals:
    """Exact arithmetic: every branch is decided; a tie goes to the branch of 0."""

    def number(self, value: Fraction) -> fmpq:
        """The rational itself."""
        return fmpq(value.numerator, value.denominator)

    def square(self, y: fmpq) -> fmpq:
        """y^2."""
        return y * y

    def soft(self, z: fmpq, t: fmpq) -> fmpq:
        """The soft threshold sign(z) max(|z| - t, 0)."""
        if z > t:
            return z - t
        if z < -t:
            return z + t
        return fmpq(0)

    def prox_binary(self, z: fmpq, tau: fmpq, theta: fmpq) -> tuple[fmpq, bool]:
        """The prox of `binary-elastic-net`; always decided."""
        if z <= fmpq(1, 2) - theta:
            return self.soft(z, tau), True
        return 1 + self.soft(z + 2 * theta - 1, tau), True

    def clamp(self, z: fmpq, low: fmpq, high: fmpq) -> fmpq:
        """The nearest rational to z in [low, high]."""
        return min(max(z, low), high)


RATIONALS = Rationals()


def iterate(ratings: Ratings, params: Parameters) -> Iterator[real.RealState[fmpq]]:
    """Every half-step of F_real, exactly."""
    return real.iterate(ratings, params, RATIONALS)


def half_step(
    rows: Matrix,
    rated: Sequence[real.Rated],
    other: Matrix,
    params: Parameters,
    previous: Matrix | None = None,
) -> real.HalfStep[fmpq]:
    """One half-step of F_real from given rows, and those before its last inner step, exactly."""
    return real.half_step(rows, rated, other, params, RATIONALS, previous)


def train(ratings: Ratings, params: Parameters) -> Matrix:
    """F_real: V, as m x row_rank rationals (factors, then with `bias = true` the bias)
    (PPMF-FIX-060).
    """
    items: Matrix = []
    for state in iterate(ratings, params):
        items = state.items
    return items
