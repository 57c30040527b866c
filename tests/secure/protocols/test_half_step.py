# SPDX-License-Identifier: Apache-2.0
"""What the two servers share inside a half-step, added up, is what the oracle computes there."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from fractions import Fraction
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ppmf_reference import fixed
from ppmf_secure.arrays import Words
from ppmf_secure.effects import Program
from ppmf_secure.parties import training
from ppmf_secure.primitives.shares import from_bits
from ppmf_secure.protocols import half_step
from ppmf_secure.protocols.server_state import Steps
from ppmf_secure.protocols.step_sizes import StepRule, factor_rule
from ppmf_secure.protocols.transfers import Site
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from tests.support.ideal import ideal_suite
from tests.support.parameter_sets import OTHER_STEP_RULES
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1, (2, 0): 4})
SETS = {
    "default": Parameters(rank=2, iterations=2),
    "no bias": Parameters(rank=2, iterations=2, bias=False, l1=Fraction(1, 2)),
    **OTHER_STEP_RULES,
    "binary": Parameters(
        rank=1, iterations=2, regulariser="binary-elastic-net", ridge=Fraction(2), l1=Fraction(1, 4)
    ),
    "inner steps": Parameters(rank=2, iterations=1, inner_steps=3),
    "inertia": Parameters(rank=2, iterations=2, inner_steps=2, inertia=Fraction(1, 2)),
}
Halves = dict[tuple[object, ...], list[Any]]
"""Both servers' results of one sub-protocol, by where in the run they come from."""


def watch(patch: pytest.MonkeyPatch, module: ModuleType | type, name: str) -> Halves:
    """Record what every call of a sub-protocol returns, under its site."""
    found: Halves = defaultdict(list)
    original: Callable[..., Program[Any]] = getattr(module, name)

    def watched(*arguments: Any, **named: Any) -> Program[Any]:
        result = yield from original(*arguments, **named)
        (site,) = [argument for argument in arguments if isinstance(argument, Site)]
        found[(site.purpose, *site.indices)].append(result)
        return result

    patch.setattr(module, name, watched)
    return found


def added(halves: list[Words], ring_bits: int) -> list[Any]:
    """The sum of two shares, mod 2^k."""
    first, second = halves
    result: list[Any] = reduced((first + second).tolist(), ring_bits)
    return result


def reduced(values: Any, ring_bits: int) -> Any:
    """Integers in lists of lists, mod 2^k."""
    if isinstance(values, int):
        return values % (1 << ring_bits)
    return [reduced(value, ring_bits) for value in values]


def opened(halves: list[Steps]) -> tuple[list[int], dict[str, list[int]]]:
    """Steps and thresholds of two servers' halves."""
    first, second = halves
    steps = from_bits(first.words.bits ^ second.words.bits, signed=False).tolist()
    thresholds = {
        name: from_bits(
            (word != second.thresholds[name]).any(axis=2).astype(np.uint8), signed=False
        )
        for name, word in first.thresholds.items()
    }
    return steps, {name: values.tolist() for name, values in thresholds.items()}


@pytest.mark.parametrize("params", SETS.values(), ids=SETS.keys())
@pytest.mark.req(
    "PPMF-HST-001",
    "PPMF-HST-002",
    "PPMF-HST-003",
    "PPMF-HST-004",
    "PPMF-STP-001",
    "PPMF-STP-002",
    "PPMF-STP-003",
    "PPMF-STP-004",
    "PPMF-PRD-006",
    "PPMF-PRD-007",
)
def test_every_intermediate_equals_the_oracles(
    params: Parameters, monkeypatch: pytest.MonkeyPatch
) -> None:
    problems = watch(monkeypatch, training, "make_sub_problem")
    made = watch(monkeypatch, StepRule, "make")
    gradients = watch(monkeypatch, training, "half_gradient")
    moves = watch(monkeypatch, half_step, "_moves")
    run_toy(RATINGS, params, ideal_suite())

    d, k = params.rank, bounds(params, RATINGS.n_users, RATINGS.n_items).ring_bits
    users, items = fixed.start(params, RATINGS.n_users, RATINGS.n_items)
    sides = {"users": users, "items": items}
    rated = {"users": RATINGS.by_user(), "items": RATINGS.by_item()}
    for number, state in enumerate(fixed.iterate(RATINGS, params)):
        side, other = state.side, "items" if state.side == "users" else "users"
        rows, Y = sides[side], sides[other]
        steps = state.half_step.steps
        gram, at_zero, squares = _problem(rated[side], Y, params)
        shares = problems["products", number]
        assert added([half.gram for half in shares], k) == reduced(gram, k)
        assert added([half.gradient_at_zero for half in shares], k) == reduced(at_zero, k)
        assert added([half.squares for half in shares], k) == squares == [s.squares for s in steps]

        once = factor_rule(params).made_once
        name = (f"count-steps/{side}",) if once else ("steps", number)
        found, thresholds = opened(made[name])
        assert found == [step.factors for step in steps]
        for weight in thresholds:
            assert thresholds[weight] == [getattr(step, weight) for step in steps]
        if params.bias:
            assert opened(made[f"bias-steps/{side}",])[0] == [step.bias for step in steps]

        for inner in range(params.inner_steps):
            G = [
                [
                    sum(gram[c][l][i] * x for l, x in enumerate(row))
                    + at_zero[c][i]
                    + params.ridge_int * row[c]
                    for i, row in enumerate(rows)
                ]
                for c in range(params.row_rank)
            ]
            H = [
                [s.factors for s in steps] if c < d else [s.bias for s in steps]
                for c in range(d + 1)
            ]
            assert added(gradients["gradient", number, inner], k) == reduced(G, k)
            moved = [
                [(h or 0) * g for h, g in zip(*lines, strict=True)]
                for lines in zip(H, G, strict=False)
            ]
            assert added(moves["update", number, inner], k) == reduced(moved, k)
            rows = [
                fixed.proximal(z, step, params)
                for z, step in zip(state.half_step.z[inner], steps, strict=True)
            ]
        sides[side] = rows
        assert rows == state.half_step.rows


def _problem(
    rated: list[tuple[list[int], list[int]]], Y: list[list[int]], params: Parameters
) -> tuple[list[Any], list[Any], list[int]]:
    """S, the gradient at zero, and q2 by chapter 4's formulas, from the ratings in the clear."""
    d, D, f, fr = params.rank, params.row_rank, params.frac_bits, params.rating_frac_bits
    gram = [[[0] * len(rated) for _ in range(D)] for _ in range(D)]
    at_zero = [[0] * len(rated) for _ in range(D)]
    squares = [0] * len(rated)
    for i, (counterparts, values) in enumerate(rated):
        for j, x in zip(counterparts, values, strict=True):
            y = [*Y[j][:d], 1 << f] if params.bias else Y[j]
            constant = Y[j][d] if params.bias else 0
            for k in range(D):
                at_zero[k][i] += y[k] * ((constant << f) - (x << (2 * f - fr)))
                for l in range(D):
                    gram[k][l][i] += y[k] * y[l]
            squares[i] += sum(value * value for value in Y[j][:d])
    return gram, at_zero, squares
