# SPDX-License-Identifier: Apache-2.0
"""The sweep behind the defaults: its model is F_fix, and its table supports the choice."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ppmf.evaluation import tried_sets
from ppmf_reference import fixed
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tests.support.ratings import Table, ratings_of
from tests.support.strategies import Toy, toys
from tools.default_sweep import candidates, data_sets, model, table

SMALL = "synthetic 940 x 300"


def items_of_every_iteration(toy: Toy) -> list[fixed.Matrix]:
    return [state.items for state in fixed.iterate(*toy) if state.side == "items"]


@given(toys())
def test_the_model_is_f_fix_after_every_iteration(toy: Toy) -> None:
    try:
        found = [rows.tolist() for rows in model.trajectory(*toy)]
    except ParametersError:
        assume(False)
        return
    assert found == items_of_every_iteration(toy)


EDGES: dict[str, tuple[dict[str, Any], Table]] = {
    "nobody rated": ({}, {}),
    "the largest inertia": ({"inertia": 1 - Fraction(1, 1 << 16)}, {(0, 0): 4, (1, 1): -5}),
    "three inner steps": ({"inner_steps": 3, "inertia": Fraction(1, 2)}, {(0, 0): 4, (1, 0): -5}),
    "a long shift": ({"curvature_shift": 32, "damping": 1 << 10}, {(0, 0): 4, (0, 1): 4}),
    "thresholds": ({"l1": Fraction(40)}, {(0, 0): 4, (0, 1): -5, (1, 1): 1}),
}


@pytest.mark.parametrize("case", EDGES)
def test_the_model_is_f_fix_at_the_edges(case: str) -> None:
    changes, values = EDGES[case]
    params = replace(Parameters(rank=2, iterations=3, frac_bits=8, step_bits=10), **changes)
    toy = ratings_of(2, 2, values), params
    assert [rows.tolist() for rows in model.trajectory(*toy)] == items_of_every_iteration(toy)


def test_the_model_refuses_what_could_leave_the_ring() -> None:
    wide = Parameters(rank=2, ring_bits=32)
    with pytest.raises(ParametersError, match="ring_bits"):
        next(model.trajectory(ratings_of(2, 2, {(0, 0): 1}), wide))


rows_of_counterparts = arrays(
    np.int64,
    st.tuples(st.integers(1, 40), st.integers(1, 3)),
    elements=st.integers(-512, 511) | st.sampled_from([-512, 511]),
)


@given(rows_of_counterparts, st.booleans())
def test_no_ratings_make_a_half_step_unstable(factors: model.Integers, alike: bool) -> None:
    """Steps times the half Hessian have no eigenvalue of 2 (1 + alpha), as the site's page says."""
    params = replace(candidates.CHOSEN, rank=factors.shape[1])
    if alike:
        factors = np.repeat(factors[:1], len(factors), axis=0)
    own = np.column_stack([factors / 2.0**params.frac_bits, np.ones(len(factors))])
    hessian = own.T @ own + float(params.ridge) * np.eye(own.shape[1])
    step = fixed.step(len(factors), int((factors**2).sum()), params)
    sizes = np.array([step.factors] * params.rank + [step.bias]) / 2.0**params.step_bits
    root = np.sqrt(sizes)
    largest = np.linalg.eigvalsh(root[:, None] * hessian * root)[-1]
    assert largest < 2 * (1 + float(params.inertia))


def test_the_chosen_set_is_the_default() -> None:
    defaults = Parameters()
    assert defaults == candidates.CHOSEN


def test_every_candidate_is_in_the_table_once() -> None:
    rows = [row.values for row in tried_sets.rows()]
    assert len(rows) == len(set(rows))
    for params in candidates.candidates():
        for iterations in candidates.ITERATIONS:
            assert tried_sets.values_of(replace(params, iterations=iterations)) in rows
    for params in (tried_sets.VERSION_1, *candidates.others_of_version_1()):
        assert tried_sets.find(params)


def test_the_chosen_set_is_no_worse_than_version_1_on_any_split() -> None:
    found = tried_sets.find(candidates.CHOSEN)
    assert found is not None
    assert len(found.worst) >= 5
    assert max(found.worst.values()) <= 0
    assert candidates.CHOSEN.iterations <= 6


def test_the_table_is_of_this_function() -> None:
    """One of its figures, made anew."""
    (split,) = data_sets.splits(SMALL, data_sets.made_up(940, 300), data_sets.LABELS[:1])
    chosen = candidates.CHOSEN
    ((_, found),) = table.errors(chosen, [split], [chosen.iterations]).items()
    row = tried_sets.find(chosen)
    assert row is not None
    assert found[split.name] == pytest.approx(row.rmse[SMALL], abs=5.1e-6)


def test_a_table_gives_means_and_the_worst_difference() -> None:
    ratings = ratings_of(1, 1, {})
    splits = [data_sets.Split("d", label, ratings, ratings) for label in ("a", "b")]
    errors = {"d/a": 1.0, "d/b": 0.5}
    text = table.written({Parameters(): errors}, {"d/a": 0.75, "d/b": 0.75}, splits)
    heading, row = text.splitlines()
    assert heading.endswith(",d,d worst")
    assert row.endswith(",0.75000,0.25000")
