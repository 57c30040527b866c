# SPDX-License-Identifier: Apache-2.0
"""Chapter 2's statement on one inner step: how far a word of F_fix is from F_real's number."""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec import words

F, BOX = 8, 1


def soft(z: Fraction, t: Fraction) -> Fraction:
    return max(abs(z) - t, Fraction(0)) * (1 if z > 0 else -1)


@pytest.mark.req("PPMF-FIX-030", "PPMF-FIX-060")
@given(
    x=st.integers(-512, 511),
    p=st.integers(-512, 511),
    alpha=st.integers(0, 2**16 - 1),
    gradient=st.integers(-(2**34), 2**34),
    squares=st.integers(0, 2**22),
    kappa_int=st.integers(0, 2**18),
    q=st.integers(0, 20),
    g=st.integers(0, 8),
    damping=st.integers(1, 40),
)
def test_one_step_is_within_one_unit_and_the_share_of_the_step(
    x: int,
    p: int,
    alpha: int,
    gradient: int,
    squares: int,
    kappa_int: int,
    q: int,
    g: int,
    damping: int,
) -> None:
    """`squares` at scale 2f, `gradient` at 3f: the step is that of lipschitz with s = 0."""
    step = words.reciprocal(squares >> (2 * F - g), q, g, damping)
    tau = words.threshold(step, kappa_int, F, q)
    inertia = (alpha << (2 * F + q - 16)) * (x - p)
    half = 1 << (2 * F + q - 1)
    moved = ((x << (2 * F + q)) + inertia - step * gradient + half) >> (2 * F + q)
    fixed = words.saturate(words.prox_elastic_net(moved, tau), BOX, F)

    h = 1 / (Fraction(squares, 4**F) + damping)
    slope, kappa = Fraction(gradient, 8**F), Fraction(kappa_int, 4**F)
    ahead = Fraction(x, 2**F) + Fraction(alpha, 2**16) * Fraction(x - p, 2**F)
    held = soft(ahead - h * slope, h * kappa / 2)
    real = min(max(held, Fraction(-(2**BOX))), 2**BOX - Fraction(1, 2**F))

    share = max(Fraction(1, 2**q), Fraction(1, 2**g * damping**2))
    assert abs(Fraction(step, 2**q) - h) <= share
    distance = abs(Fraction(fixed, 2**F) - real)
    assert distance <= Fraction(1, 2**F) + share * (abs(slope) + kappa / 2)
