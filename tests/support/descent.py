# SPDX-License-Identifier: Apache-2.0
"""What descent is said of: the objective of chapter 1, and its sum with the inertia of a side."""

from __future__ import annotations

from fractions import Fraction

from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

Rows = list[list[Fraction]]


def objective(users: Rows, items: Rows, ratings: Ratings, p: Parameters) -> Fraction:
    """F of the problem's statement, term by term (spec, chapter 1)."""
    d = p.rank

    def r(x: Fraction) -> Fraction:
        return p.l1 * abs(x) + p.ridge * x * x

    total = Fraction(0)
    for i, j, value in zip(ratings.user, ratings.item, ratings.value, strict=True):
        predicted = sum((a * b for a, b in zip(users[i][:d], items[j][:d], strict=True)), total * 0)
        predicted += users[i][d] + items[j][d] if p.bias else Fraction(0)
        total += (Fraction(int(value), 2**p.rating_frac_bits) - predicted) ** 2
    for row in users + items:
        for factor in row[:d]:
            total += r(factor) if p.regulariser == "elastic-net" else min(r(factor), r(factor - 1))
        total += sum(p.ridge * bias * bias for bias in row[d:])
    return total


def inertia(rows: Rows, previous: Rows, steps: Rows, p: Parameters) -> Fraction:
    """The sum of alpha d^2 / h over a side: d is a coordinate's last move, h its step."""
    total = Fraction(0)
    for row, before, sizes in zip(rows, previous, steps, strict=True):
        for x, last, h in zip(row, before, sizes, strict=True):
            total += (x - last) ** 2 / h
    return p.inertia * total
