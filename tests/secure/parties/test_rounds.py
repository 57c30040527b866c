# SPDX-License-Identifier: Apache-2.0
"""The rounds of an iteration, counted in transcripts, are those that chapter 4 says."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

from ppmf_secure.session.transcript import read
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.toy_runs import run_toy

pytestmark = pytest.mark.no_cover  # many whole runs, whose lines other tests reach

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 3): 1})


def rounds(params: Parameters, folder: Path) -> int:
    """How often RecSys, having sent something, comes to wait for CSP."""
    folder.mkdir(mode=0o700)
    run_toy(RATINGS, params, ideal_suite(), transcripts=folder)
    ways = [
        record.direction for record in read(folder / "recsys/recsys.cborseq") if record.peer == CSP
    ]
    return sum(pair == ("sent", "received") for pair in pairwise(ways))


@pytest.mark.parametrize(
    ("change", "circuits"),
    [
        ({}, 1),
        ({"inner_steps": 2, "rank": 3}, 1),
        ({"bias": False, "step_rule": "count"}, 1),
        ({"l1": Fraction(1)}, 2),
        ({"l1": Fraction(1), "bias": False, "inner_steps": 3}, 1),
    ],
)
def test_an_iteration_takes_the_rounds_of_chapter_4(
    change: dict[str, object], circuits: int, tmp_path: Path
) -> None:
    params = replace(Parameters(rank=2), **change)  # type: ignore[arg-type]
    few, more = (
        rounds(replace(params, iterations=count), tmp_path / str(count)) for count in (2, 3)
    )
    products, inner_step = 1 + 1, 1 + 1 + circuits
    assert more - few == 2 * (products + params.inner_steps * inner_step)
