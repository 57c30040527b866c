# SPDX-License-Identifier: Apache-2.0
"""Baselines without privacy on the same ratings: means, biases, and alternating least squares.

The private training is of use only if it predicts about as well as a program that sees every
rating. These are such programs, in plain float64, with the usual regularisation: ALS as in
Zhou et al. 2008 (AAIM, section 3.1), with biases as in Koren et al. 2009 (IEEE Computer 42(8)).
All predict stars, clipped to the scale; an RMSE is in stars, over held-out ratings.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ppmf_spec.errors import RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, check_scale, split_holdout

Floats = NDArray[np.float64]

# The weight of the factors' squares decides the error of ALS, and the best weight depends on the
# ratings: these enclose it from 100 users by 100 items to MovieLens-100K. That of the biases hardly
# matters.
RIDGES = (6.0, 8.0, 12.0, 16.0)
BIAS_RIDGE = 4.0
_TRIAL_ITERATIONS = 8


@dataclass(frozen=True, slots=True, eq=False)
class Model:
    """A fitted model: the stars of (i, j) are mean + a_i + b_j + <u_i, v_j>, before clipping.

    Shapes: biases (n,) and (m,), factors (n, rank) and (m, rank); rank 0 leaves the biases alone.
    """

    mean: float
    user_bias: Floats
    item_bias: Floats
    user_factors: Floats
    item_factors: Floats

    def predict(self, ratings: Ratings, params: Parameters) -> Floats:
        """Predicted stars for the pairs of `ratings`, (c,), clipped to the scale of `params`."""
        i, j = ratings.user, ratings.item
        predicted = self.mean + self.user_bias[i] + self.item_bias[j]
        predicted += np.einsum("cd,cd->c", self.user_factors[i], self.item_factors[j])
        clipped: Floats = np.clip(predicted, float(params.rating_min), float(params.rating_max))
        return clipped

    def scores(self, rows: NDArray[np.int64]) -> Floats:
        """Predicted stars of all items, not clipped, for the users at `rows` (r,): (r, m)."""
        scores: Floats = self.mean + self.user_bias[rows, np.newaxis] + self.item_bias
        scores += self.user_factors[rows] @ self.item_factors.T
        return scores


@dataclass(frozen=True, slots=True)
class Baselines:
    """RMSE in stars over the held-out ratings, and the ridge that ALS was given."""

    global_mean: float
    biases: float
    als: float
    ridge: float


def baselines(training: Ratings, held_out: Ratings, params: Parameters) -> Baselines:
    """Fit each baseline to `training` and measure it on `held_out`, which it never sees.

    ALS has the rank and iterations of `params`, and the ridge `choose_ridge` finds.
    Raises RangeError if either set is empty.
    """
    if not len(training) or not len(held_out):
        raise RangeError("baselines: no ratings to fit or to measure on")
    ridge = choose_ridge(training, params, rank=params.rank)
    mean = np.full(len(held_out), stars(training, params).mean())
    biases = als(training, params, rank=0, iterations=params.iterations, ridge=ridge)
    full = als(training, params, rank=params.rank, iterations=params.iterations, ridge=ridge)
    return Baselines(
        global_mean=rmse(mean, held_out, params),
        biases=rmse(biases.predict(held_out, params), held_out, params),
        als=rmse(full.predict(held_out, params), held_out, params),
        ridge=ridge,
    )


def stars(ratings: Ratings, params: Parameters) -> Floats:
    """The ratings in stars, (c,); RangeError for ratings of another scale than the parameters'."""
    check_scale(ratings, params)
    values: Floats = float(params.rating_offset) + ratings.value / 2.0**params.rating_frac_bits
    return values


def rmse(predicted: Floats, held_out: Ratings, params: Parameters) -> float:
    """Root mean square error of `predicted` stars, (c,), for the c >= 1 ratings of `held_out`."""
    return float(np.sqrt(np.mean((predicted - stars(held_out, params)) ** 2)))


def choose_ridge(training: Ratings, params: Parameters, *, rank: int) -> float:
    """The one of RIDGES that predicts a tenth of `training`, set aside for this, best."""
    fit, check = split_holdout(training, "baseline")
    if not len(fit) or not len(check):
        return RIDGES[-1]
    trials = {
        ridge: als(fit, params, rank=rank, iterations=_TRIAL_ITERATIONS, ridge=ridge)
        for ridge in RIDGES
    }
    return min(trials, key=lambda ridge: rmse(trials[ridge].predict(check, params), check, params))


def als(ratings: Ratings, params: Parameters, *, rank: int, iterations: int, ridge: float) -> Model:
    """Minimise the squared errors + ridge (|U|^2 + |V|^2) + BIAS_RIDGE (|a|^2 + |b|^2) by turns.

    Each turn solves one side's rows exactly, all users, then all items. The start is fixed, so the
    result is too. `ratings` must have at least one.
    """
    values = stars(ratings, params)
    mean = float(values.mean())
    by_item = np.argsort(ratings.item, kind="stable")
    users = _Side(ratings.user, ratings.item, values - mean, ratings.n_users)
    items = _Side(
        ratings.item[by_item], ratings.user[by_item], (values - mean)[by_item], ratings.n_items
    )
    penalty = np.diag([ridge] * rank + [BIAS_RIDGE])
    U, V = np.zeros((ratings.n_users, rank + 1)), _start(ratings.n_items, rank)
    for _ in range(iterations):
        U = users.solve(V, penalty)
        V = items.solve(U, penalty)
    return Model(mean, U[:, -1], V[:, -1], U[:, :-1], V[:, :-1])


class _Side:
    """One side of the ratings: for each of `size` rows, its counterparts and its centred stars."""

    def __init__(
        self, row: NDArray[np.int64], counterpart: NDArray[np.int64], value: Floats, size: int
    ) -> None:
        ends = np.cumsum(np.bincount(row, minlength=size))[:-1]  # `row` ascends
        self._counterparts = np.split(counterpart, ends)
        self._values = np.split(value, ends)

    def solve(self, other: Floats, penalty: Floats) -> Floats:
        """The rows (u_i, a_i), (size, rank + 1), best for the other side's (v_j, b_j)."""
        features, bias = other.copy(), other[:, -1]
        features[:, -1] = 1.0
        grams = np.empty((len(self._values), *penalty.shape))
        sums = np.empty((len(self._values), len(penalty), 1))
        for row, (rated, value) in enumerate(zip(self._counterparts, self._values, strict=True)):
            Y = features[rated]
            grams[row] = Y.T @ Y + penalty
            sums[row, :, 0] = Y.T @ (value - bias[rated])
        return np.linalg.solve(grams, sums)[:, :, 0].astype(np.float64)


def _start(items: int, rank: int) -> Floats:
    """Small fixed factors in [-1/4, 1/4), from SHAKE-256, and zero biases: (items, rank + 1)."""
    stream = hashlib.shake_256(b"ppmf/v1/baseline").digest(items * rank)
    V = np.zeros((items, rank + 1))
    V[:, :-1] = (np.frombuffer(stream, np.uint8).reshape(items, rank) - 128.0) / 512
    return V
