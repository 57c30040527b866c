# SPDX-License-Identifier: Apache-2.0
"""Two floating-point matrix factorisations, held against the certified enclosure of F_real."""

from __future__ import annotations

import math
from fractions import Fraction
from hashlib import shake_256
from typing import Any

import numpy as np

from ppmf_reference import Enclosure, certified, ratings_from
from ppmf_spec.parameters import Parameters

Array = np.ndarray[Any, np.dtype[np.float64]]

ALLOWANCE = Fraction(1, 2**40)
"""What rounding in binary64 may add up to over the run: 2^13 roundings of a number near 1."""


# What is to be checked. It knows nothing of the oracle: put yours here.
def factorise(stars: Array, p: Parameters, *, bias_in_norm: bool = False) -> Array:
    """Item factors and biases, m x (d + 1), by steps with inertia on U and V in turn, in binary64.

    With `bias_in_norm` it has a mistake: the step is made shorter by the other side's biases.
    """
    (n, m), d = stars.shape, p.rank
    stream = shake_256(b"ppmf/v1/init/" + p.seed.encode()).digest((n + m) * d)
    start = (np.frombuffer(stream, np.uint8).reshape(n + m, d) - 128.0) / 256
    both = np.hstack([start, np.zeros((n + m, 1))])
    U, V = both[:n], both[n:]
    U_before, V_before = U, V
    rated = ~np.isnan(stars)
    x = np.where(rated, stars - float(p.rating_offset), 0)
    ridge, inertia, box = float(p.ridge), float(p.inertia), 2.0**p.box_bits
    shift = p.curvature_shift

    def half_step(
        own: Array, before: Array, other: Array, seen: Array, x: Array
    ) -> tuple[Array, Array]:
        square = other**2 if bias_in_norm else other[:, :d] ** 2
        step = 1 / (2.0**-shift * (seen @ square.sum(axis=1)) + p.damping)
        bias_step = 1 / (2.0 ** -min(shift, 0) * seen.sum(axis=1) + p.damping)
        steps = np.hstack([np.repeat(step[:, None], d, axis=1), bias_step[:, None]])
        columns = np.hstack([other[:, :d], np.ones((len(other), 1))])
        for _ in range(p.inner_steps):
            products = own[:, :d] @ other[:, :d].T
            error = np.where(seen, products + own[:, d:] + other[:, d] - x, 0)
            moved = own + inertia * (own - before) - steps * (error @ columns + ridge * own)
            own, before = np.clip(moved, -box, box - 2.0**-p.frac_bits), own
        return own, before

    for _ in range(p.iterations):
        U, U_before = half_step(U, U_before, V, rated, x)
        V, V_before = half_step(V, V_before, U, rated.T, x.T)
    return V


def verdict(V: Array, enclosure: Enclosure) -> tuple[bool, float]:
    """Whether every number lies in its interval, widened; and an upper bound of the distance."""
    if not np.isfinite(V).all():
        return False, math.inf
    inside, largest = True, Fraction(0)
    for number, (low, high) in zip(V.ravel().tolist(), enclosure.endpoints(), strict=True):
        value = Fraction(number)
        inside &= low - ALLOWANCE <= value <= high + ALLOWANCE
        largest = max(largest, value - low, high - value)
    return inside, float(largest)


def main() -> None:
    """Compare both factorisations on made-up ratings: 40 users, 25 items, a third rated."""
    random = np.random.default_rng(5)
    stars = random.integers(1, 11, size=(40, 25)) / 2
    stars[random.random(stars.shape) > 1 / 3] = np.nan

    # A ridge this light for so few ratings: the default one would shrink every factor to nothing.
    params = Parameters(rank=4, iterations=40, ridge=Fraction(1, 2), damping=4)
    enclosure = certified.train(ratings_from(stars, params), params)
    print(f"the enclosure: {len(enclosure.balls())} numbers, radius {float(enclosure.radius):.1e}")
    print(f"allowed for floating point: {float(ALLOWANCE):.1e}")
    for name, mistaken in (("right", False), ("biases in the norm", True)):
        inside, largest = verdict(factorise(stars, params, bias_in_norm=mistaken), enclosure)
        word = "inside" if inside else "OUTSIDE"
        print(f"{name}: {word}, largest distance {largest:.1e}")


if __name__ == "__main__":
    main()
