# SPDX-License-Identifier: Apache-2.0
"""Whatever the parameters and ratings of a toy, its stages lead to F_fix, and both servers' shares
are those stages.
"""

from __future__ import annotations

from fractions import Fraction

import pytest
from hypothesis import assume, example, given, settings

from ppmf_conformance import own_runs, party_runs
from ppmf_conformance.adapters.stages import Stage, stages
from ppmf_conformance.adapters.toy_runs import parameters_shown, ratings_shown
from ppmf_conformance.adapters.values import shown
from ppmf_conformance.our_parties import OwnParties
from ppmf_conformance.results import Outcome
from ppmf_reference import fixed
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings
from tests.support.ratings import ratings_of
from tests.support.strategies import Toy, toys

NOBODY: Toy = (ratings_of(1, 1, {}), Parameters(rank=1, iterations=1))
STEEP: Toy = (
    ratings_of(3, 3, {(i, j): 4 if i == j else -5 for i in range(3) for j in range(3)}),
    Parameters(rank=2, iterations=3, ridge=Fraction(0), damping=1, l1=Fraction(3, 4)),
)


def fits(ratings: Ratings, params: Parameters) -> bool:
    try:
        bounds(params, ratings.n_users, ratings.n_items)
    except ParametersError:
        return False
    return True


@pytest.mark.req("PPMF-CON-041", "PPMF-CON-042")
@settings(max_examples=60)
@given(toy=toys())
@example(toy=NOBODY)
@example(toy=STEEP)
def test_the_stages_of_any_toy_end_in_f_fix(toy: Toy) -> None:
    """The stages themselves compare each Z and each row with the oracle's."""
    ratings, params = toy
    assume(fits(ratings, params))
    given = shown(
        {
            "session": {
                "parameters": parameters_shown(params),
                "users": ratings.users,
                "items": ratings.items,
            },
            "ratings": ratings_shown(params, ratings),
        }
    )
    found: list[Stage] = list(stages(given))
    due = fixed.train(ratings, params)
    last = found[-1]
    assert (last.name, last.at) == (
        "words",
        (str(params.iterations), "items", str(params.inner_steps - 1)),
    )
    assert [row[: params.rank] for row in last.due] == due.factors.tolist()
    names = [(stage.name, stage.at) for stage in found]
    assert len(set(names)) == len(names)


@pytest.mark.req("PPMF-CON-040", "PPMF-CON-042", "PPMF-RUN-001")
@settings(max_examples=6)
@given(toy=toys())
@example(toy=NOBODY)
@example(toy=STEEP)
def test_any_toy_is_bit_exact_with_all_its_stages(toy: Toy) -> None:
    ratings, params = toy
    assume(fits(ratings, params))
    try:
        case = own_runs.case_of(params, ratings, "rlwe-64-insecure", ["csp"])
    except ParametersError:  # the toy lattice is too small for it
        case = own_runs.case_of(params, ratings, "paillier-512-insecure", ["csp"])
    assert party_runs.play(case, OwnParties(), traced=True) == (Outcome.PASS, "")
