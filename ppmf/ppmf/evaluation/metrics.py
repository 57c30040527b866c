# SPDX-License-Identifier: Apache-2.0
"""Measures of predictions: errors in stars, and the quality of lists of k items.

The errors are over all held-out ratings. A list is judged for each user who has a *relevant*
held-out rating, one of at least the threshold in stars:

- the candidates are all items that the user did not rate in training, whether held out or not;
- the list is the k candidates of highest score, ties by the items' order;
- precision is hits / k, recall is hits / relevant items, and NDCG weighs a hit at place p by
  1 / log2(p + 1) and divides by the largest possible sum (Jarvelin and Kekalainen 2002, ACM
  TOIS 20(4), with gains 0 and 1); each is the mean over these users;
- coverage is the part of all items that is in the list of at least one of these users.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppmf_spec.errors import RangeError
from ppmf_spec.ratings import Ratings

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

Scores = Callable[[Integers], Floats]
"""The scores of all items for the users at these rows: (r,) to (r, m). Higher is better."""

_CELLS = 1 << 22
"""The entries of the score table that are held at a time: about 100 MB with what is made of it."""


@dataclass(frozen=True, slots=True)
class Errors:
    """Root mean square error and mean absolute error, in stars."""

    rmse: float
    mae: float


@dataclass(frozen=True, slots=True)
class Lists:
    """Means over the users who have a relevant held-out rating, and the coverage: in [0, 1]."""

    precision: float
    recall: float
    ndcg: float
    coverage: float


def errors(predicted: Floats, truth: Floats) -> Errors:
    """The errors of c >= 1 predictions in stars; both arrays are (c,)."""
    if predicted.shape != truth.shape or not truth.size:
        raise RangeError("errors: predictions and ratings must be as many, and at least one")
    off = predicted - truth
    return Errors(float(np.sqrt(np.mean(off**2))), float(np.mean(np.abs(off))))


def lists(scores: Scores, training: Ratings, relevant: Ratings, k: int) -> Lists | None:
    """The quality of lists of `k` items; None if nothing is relevant.

    `relevant` are the held-out ratings that count as hits, over the users and items of `training`,
    none of them in it. Raises RangeError for k < 1.
    """
    if k < 1:
        raise RangeError(f"lists of {k} items: at least 1")
    if not len(relevant):
        return None
    asked = np.unique(relevant.user)
    hits, counts = np.zeros((len(asked), k), np.bool_), np.zeros(len(asked), np.int64)
    covered = np.zeros(training.n_items, np.bool_)
    block = max(1, _CELLS // training.n_items)
    for first in range(0, len(asked), block):
        rows = asked[first : first + block]
        table = np.array(scores(rows), np.float64)
        table[_cells(training, rows)] = -np.inf
        best = np.argsort(-table, axis=1, kind="stable")[:, :k]
        candidate = np.take_along_axis(table, best, axis=1) > -np.inf
        wanted = np.zeros(table.shape, np.bool_)
        wanted[_cells(relevant, rows)] = True
        found = np.take_along_axis(wanted, best, axis=1) & candidate
        hits[first : first + len(rows), : found.shape[1]] = found
        counts[first : first + len(rows)] = wanted.sum(axis=1)
        covered[best[candidate]] = True
    weights = 1 / np.log2(np.arange(2, k + 2))
    ideal = np.cumsum(weights)[np.minimum(counts, k) - 1]
    return Lists(
        precision=float(hits.sum(axis=1).mean() / k),
        recall=float((hits.sum(axis=1) / counts).mean()),
        ndcg=float((hits @ weights / ideal).mean()),
        coverage=float(covered.mean()),
    )


def _cells(ratings: Ratings, rows: Integers) -> tuple[Integers, Integers]:
    """The cells of a table of the users at `rows`, ascending, in which `ratings` has a rating."""
    place = np.full(ratings.n_users, -1)
    place[rows] = np.arange(len(rows))
    mine = place[ratings.user] >= 0
    return place[ratings.user[mine]], ratings.item[mine]
