# SPDX-License-Identifier: Apache-2.0
"""A small file of ratings, and one real run of the command on it, for all who need results."""

from __future__ import annotations

import pytest

from ppmf import main
from ppmf.data import synthetic
from ppmf_spec import ratings
from trained_run import TEST_KEYS, Run

PARAMETERS = "rank = 2\niterations = 2\n"


@pytest.fixture(scope="session")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """One secure training of 9 users x 8 items, through the command, with test keys."""
    folder = tmp_path_factory.mktemp("trained")
    run = Run(folder / "ratings.csv", folder / "P.toml", folder / "run")
    ratings.write_csv(run.ratings, ratings.most_active(synthetic.ratings(40, 40), 9, 8))
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n" + "".join(f"{n},[bold] {n} :smile:,None\n" for n in range(1, 41))
    )
    run.params.write_text(PARAMETERS)
    command = ["train", str(run.ratings), "--params", str(run.params), "--out", str(run.out)]
    assert main.main([*command, *TEST_KEYS]) == 0
    return run
