# SPDX-License-Identifier: Apache-2.0
"""The ratings of the sweep, each split into a part to train on and a tenth that is held out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from ppmf.data import movielens, rating_tables, synthetic_ratings
from ppmf.data.rating_sources import ratings_file
from ppmf.data.rating_tables import AS_FOUND
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_scale import RatingScale
from ppmf_spec.ratings import Ratings, RawRatings, quantise, split_holdout

LABELS = ("evaluate", "second", "third")
"""The labels of the splits; the first is that of `ppmf evaluate`."""


@dataclass(frozen=True, slots=True, eq=False)
class Split:
    """A data set's name, the label of the split, and the two parts."""

    data: str
    label: str
    training: Ratings
    held_out: Ratings

    @property
    def name(self) -> str:
        """Data set and label in one text."""
        return f"{self.data}/{self.label}"


def splits(data: str, ratings: Ratings, labels: tuple[str, ...]) -> Iterator[Split]:
    """The splits of `ratings` that have these labels."""
    for label in labels:
        yield Split(data, label, *split_holdout(ratings, label))


def movielens_100k() -> Ratings:
    """MovieLens-100K: 943 x 1,682, fetched once."""
    folder = movielens.cache_folder()
    if not movielens.is_cached(folder, movielens.MOVIELENS_100K):
        print(movielens.TERMS)
        movielens.fetch(folder, movielens.MOVIELENS_100K)
    return from_path(folder)


def from_path(path: Path) -> Ratings:
    """The ratings of a file or folder."""
    return _quantised(rating_tables.read(ratings_file(path), AS_FOUND, lambda _: None))


def made_up(users: int, items: int) -> Ratings:
    """Synthetic ratings of that size."""
    return _quantised(synthetic_ratings.ratings(users, items))


def _quantised(raw: RawRatings) -> Ratings:
    return quantise(raw, Parameters())
