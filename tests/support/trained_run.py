# SPDX-License-Identifier: Apache-2.0
"""One small run of `ppmf train`, and where it left its results."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ppmf import main
from ppmf.data import synthetic_ratings
from ppmf_spec import ratings

TEST_KEYS = ("--suite", "paillier-512-insecure", "--insecure-test-keys")
PARAMETERS = "rank = 2\niterations = 2\n"


@dataclass(frozen=True, slots=True)
class Run:
    """The files of one run: ratings and parameters it was given, the folder of its results."""

    ratings: Path
    params: Path
    out: Path


def train_in(folder: Path) -> Run:
    """Train 9 users x 8 items securely, through the command, with test keys."""
    run = Run(folder / "ratings.csv", folder / "P.toml", folder / "run")
    ratings.write_csv(run.ratings, ratings.most_active(synthetic_ratings.ratings(40, 40), 9, 8))
    (folder / "movies.csv").write_text(
        "movieId,title,genres\n" + "".join(f"{n},[bold] {n} :smile:,None\n" for n in range(1, 41))
    )
    run.params.write_text(PARAMETERS)
    command = ["train", str(run.ratings), "--params", str(run.params), "--out", str(run.out)]
    command += ["--transcripts", "full"]
    assert main.main([*command, *TEST_KEYS]) == 0
    return run
