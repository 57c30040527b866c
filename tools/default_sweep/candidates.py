# SPDX-License-Identifier: Apache-2.0
"""The parameter sets that the sweep tries."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from itertools import product

from ppmf.evaluation.tried_sets import VERSION_1
from ppmf_spec.parameters import Parameters
from ppmf_spec.step_rules import StepRuleName

CHOSEN = replace(
    VERSION_1,
    iterations=6,
    inner_steps=2,
    frac_bits=8,
    step_bits=13,
    curvature_shift=1,
    inertia=Fraction(1, 2),
)
"""The set that was chosen: the defaults of chapter 3."""

ITERATIONS = (4, 5, 6, 8)
"""The iterations after which every set is measured; version 1's steps are measured after 20 too."""

INERTIAS = tuple(Fraction(eighths, 8) for eighths in (0, 2, 4, 5, 6))
WIDTHS = (
    (8, 10),
    (8, 11),
    (8, 12),
    (8, 14),
    (8, 16),
    (9, 13),
    (10, 12),
    (10, 14),
    (12, 13),
    (12, 16),
)
RANKS = (1, 2, 3, 4, 5, 6, 8, 15, 20, 30)
RISKS = ((True, 1), (True, 2), (True, 5), (False, 1), (False, 2), (False, 5), (False, 10))
"""Biases or none, and ranks: where one factor carries most of a row, long steps overshoot."""


def candidates() -> list[Parameters]:
    """Every set once, with the largest of its iterations."""
    most = max(ITERATIONS)
    found = [VERSION_1, *(replace(one, iterations=most) for one in _others())]
    return list(dict.fromkeys(found))


def _others() -> Iterator[Parameters]:
    yield CHOSEN
    for shift, inner, inertia in product((0, 1, 2, 3), (1, 2, 3), INERTIAS):
        yield replace(CHOSEN, curvature_shift=shift, inner_steps=inner, inertia=inertia)
    rules: tuple[tuple[StepRuleName, int], ...] = (("count", 1), ("count", 2), ("count", 3))
    for (rule, shift), inertia in product(rules, (Fraction(1, 4), Fraction(1, 2))):
        yield replace(CHOSEN, step_rule=rule, curvature_shift=shift, inertia=inertia)
    for frac_bits, step_bits in WIDTHS:
        yield replace(CHOSEN, frac_bits=frac_bits, step_bits=step_bits)
    yield replace(CHOSEN, box_bits=0)
    for rank in RANKS:
        yield replace(CHOSEN, rank=rank)
    for ridge in (4, 6, 8, 10, 14, 16):
        yield replace(CHOSEN, ridge=Fraction(ridge))
    for damping in (8, 12, 24):
        yield replace(CHOSEN, damping=damping)
    for bias, rank in RISKS:
        for inner, shift in ((1, 3), (2, 1), (2, 2), (2, 3)):
            steps = replace(CHOSEN, inner_steps=inner, curvature_shift=shift)
            yield replace(steps, bias=bias, rank=rank)


def others_of_version_1() -> list[Parameters]:
    """Version 1's steps, 20 iterations of them, at the ranks and without the biases tried above."""
    ranks = [replace(VERSION_1, rank=rank) for rank in RANKS]
    return ranks + [replace(VERSION_1, bias=bias, rank=rank) for bias, rank in RISKS if not bias]
