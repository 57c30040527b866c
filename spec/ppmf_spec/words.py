# SPDX-License-Identifier: Apache-2.0
"""The integer words of F_fix: rounding, steps, thresholds, prox, saturation (chapter 2).

All numbers are plain Python integers, so nothing overflows and every function is the formula itself
(PPMF-FIX-002). Scales: a "word at scale s" stands for the real number word / 2^s. `frac_bits` is f,
`step_bits` is q and `guard_bits` is g of the specification.
"""

from __future__ import annotations


def round_half_up(a: int, b: int) -> int:
    """The integer nearest to a / b (b > 0), ties upwards: floor((2a + b) / (2b)) (PPMF-FIX-001)."""
    return (2 * a + b) // (2 * b)


def clamp(z: int, low: int, high: int) -> int:
    """The nearest integer to z in [low, high]."""
    return min(max(z, low), high)


def saturate(z: int, box_bits: int, frac_bits: int) -> int:
    """The nearest of the signed words of 1 + b + f bits to z (PPMF-FIX-034)."""
    edge = 1 << (box_bits + frac_bits)
    return clamp(z, -edge, edge - 1)


def soft(z: int, t: int) -> int:
    """The soft threshold sign(z) max(|z| - t, 0), for t >= 0: the prox of t |.|
    (PPMF-FIX-032, -033).
    """
    if z > t:
        return z - t
    if z < -t:
        return z + t
    return 0


def prox_elastic_net(z: int, tau: int) -> int:
    """The prox of `elastic-net` at scale f; its ridge is in the smooth part (PPMF-FIX-032)."""
    return soft(z, tau)


def prox_binary(z: int, tau: int, theta: int, frac_bits: int) -> int:
    """The prox of `binary-elastic-net` at scale f (PPMF-FIX-033).

    Up to 1/2 - theta, the tie included, the branch of 0; above it, the branch of 1. The ridge
    around 0 is in the smooth part, so the branch of 1 carries the difference of the two ridges,
    lambda (1 - 2z), as the shift by 2 theta.
    """
    if z <= (1 << (frac_bits - 1)) - theta:
        return soft(z, tau)
    one = 1 << frac_bits
    return one + soft(z + 2 * theta - one, tau)


def reciprocal(curvature: int, step_bits: int, guard_bits: int, damping: int) -> int:
    """The step H = floor(2^(q+g) / (curvature + c0 2^g)) at scale q (PPMF-FIX-024).

    `curvature` >= 0 is at scale g; `damping` is the integer c0 >= 1. Floored, never rounded up, so
    that H is no longer than the step which the descent guarantee allows.
    """
    return (1 << (step_bits + guard_bits)) // (curvature + (damping << guard_bits))


def threshold(step: int, weight_int: int, frac_bits: int, step_bits: int) -> int:
    """round_half_up(H w 2^f / 2^(q+1)) at scale f, w = weight_int / 2^(2f) (PPMF-FIX-025).

    tau with the weight kappa (`Parameters.l1_int`), theta with lambda (`Parameters.ridge_int`).
    The half is there because G is half the gradient, so that H is twice the gradient's step.
    """
    return round_half_up(step * weight_int, 1 << (frac_bits + step_bits + 1))
