# SPDX-License-Identifier: Apache-2.0
"""The ratings of the sweep, each split into a part to train on and a tenth that is held out."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ppmf.data import movielens, rating_tables, synthetic_ratings
from ppmf.data.rating_sources import ratings_file
from ppmf.data.rating_tables import AS_FOUND
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, RawRatings, quantise, split_holdout

LABELS = ("evaluate", "second", "third", "more-0", "more-1")
"""The labels of the splits; the first is that of `ppmf evaluate`."""

MADE_UP = ((940, 300), (943, 1682), (6040, 3706))
"""The sizes of the synthetic ratings, which have one split each."""


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


def every(latest_small: str | None) -> Iterator[Split]:
    """Every split of the sweep; `latest_small` is the folder of MovieLens latest-small, if any.

    Raises EncodingError or PeerError where ratings cannot be read or fetched.
    """
    yield from splits("MovieLens-100K", movielens_100k(), LABELS)
    if latest_small:
        yield from splits("latest-small", from_path(Path(latest_small)), LABELS[:3])
    else:
        print("PPMF_DATA names no folder: without MovieLens latest-small", file=sys.stderr)
    for users, items in MADE_UP:
        yield from splits(f"synthetic {users} x {items}", made_up(users, items), LABELS[:1])


def splits(data: str, ratings: Ratings, labels: tuple[str, ...]) -> Iterator[Split]:
    """The splits of `ratings` that have these labels."""
    for label in labels:
        yield Split(data, label, *split_holdout(ratings, label))


def movielens_100k() -> Ratings:
    """MovieLens-100K: 943 x 1,682, fetched once."""
    folder = movielens.cache_folder()
    if not movielens.is_cached(folder, movielens.MOVIELENS_100K):
        print(movielens.TERMS, file=sys.stderr)
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
