# SPDX-License-Identifier: Apache-2.0
"""The factorisations without privacy that the demo compares with: optimum and errors."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from numpy.typing import NDArray

from ppmf.data import synthetic_ratings
from ppmf.evaluation import baseline
from ppmf_spec.errors import RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, RawRatings, quantise, split_holdout

PARAMS = Parameters(rank=4, iterations=12)
WIDE = Parameters(rating_min=Fraction(-100), rating_max=Fraction(100), step_bits=8)


@pytest.fixture(scope="module")
def split() -> tuple[Ratings, Ratings]:
    return split_holdout(quantise(synthetic_ratings.ratings(), PARAMS), "test")


def objective(model: baseline.Model, ratings: Ratings, ridge: float) -> float:
    errors = model.predict(ratings, WIDE) - baseline.stars(ratings, PARAMS)
    factors = sum(float(np.sum(table**2)) for table in (model.user_factors, model.item_factors))
    biases = sum(float(np.sum(table**2)) for table in (model.user_bias, model.item_bias))
    return float(np.sum(errors**2)) + ridge * factors + baseline.BIAS_RIDGE * biases


def test_each_baseline_beats_the_simpler_one(split: tuple[Ratings, Ratings]) -> None:
    result = baseline.baselines(*split, PARAMS)
    assert result.als < result.biases - 0.03 < result.global_mean - 0.06
    # The noise alone is 0.71 stars, the rounding to half-stars 0.14; no model gets below their sum.
    assert result.als > 0.72
    assert result.ridge in baseline.RIDGES
    assert result == baseline.baselines(*split, PARAMS)


def test_als_converges_to_a_zero_gradient(split: tuple[Ratings, Ratings]) -> None:
    training, _ = split
    ridge = 8.0
    model = baseline.als(training, PARAMS, rank=2, iterations=300, ridge=ridge)
    errors = model.predict(training, WIDE) - baseline.stars(training, PARAMS)
    residual = np.zeros((training.n_users, training.n_items))
    residual[training.user, training.item] = errors
    for gradient in (
        residual @ model.item_factors + ridge * model.user_factors,
        residual.T @ model.user_factors + ridge * model.item_factors,
        residual.sum(axis=1) + baseline.BIAS_RIDGE * model.user_bias,
        residual.sum(axis=0) + baseline.BIAS_RIDGE * model.item_bias,
    ):
        assert np.abs(gradient).max() < 1e-3


def test_als_never_increases_the_objective(split: tuple[Ratings, Ratings]) -> None:
    training, _ = split
    values = [
        objective(
            baseline.als(training, PARAMS, rank=3, iterations=count, ridge=6.0), training, 6.0
        )
        for count in range(6)
    ]
    assert values == sorted(values, reverse=True)
    assert values[-1] < 0.9 * values[0]


def test_rows_without_ratings_stay_at_zero() -> None:
    raw = RawRatings(("1", "2"), ("1", "1"), (Fraction(4), Fraction(5)))
    ratings = quantise(raw, PARAMS, users=["1", "2", "3"], items=["1", "2"])
    model = baseline.als(ratings, PARAMS, rank=2, iterations=3, ridge=1.0)
    assert model.user_bias[2] == model.item_bias[1] == 0
    assert not model.user_factors[2].any()
    assert model.mean == 4.5


def test_rank_zero_fits_the_biases_alone(split: tuple[Ratings, Ratings]) -> None:
    training, held_out = split
    model = baseline.als(training, PARAMS, rank=0, iterations=10, ridge=1.0)
    expected = model.mean + model.user_bias[held_out.user] + model.item_bias[held_out.item]
    np.testing.assert_allclose(model.predict(held_out, PARAMS), np.clip(expected, 0.5, 5))


def test_predictions_are_clipped_to_the_scale(split: tuple[Ratings, Ratings]) -> None:
    training, held_out = split
    model = baseline.als(training, PARAMS, rank=1, iterations=2, ridge=0.01)
    predicted = model.predict(held_out, PARAMS)
    assert predicted.min() >= 0.5
    assert predicted.max() == 5
    assert model.predict(held_out, WIDE).max() > 5


def test_rmse_is_in_stars() -> None:
    raw = RawRatings(("1", "2"), ("1", "1"), (Fraction(4), Fraction(5)))
    ratings = quantise(raw, PARAMS)
    predicted: NDArray[np.float64] = np.array([4.0, 4.0])
    assert baseline.rmse(predicted, ratings, PARAMS) == pytest.approx(math.sqrt(0.5))


def test_the_ridge_is_chosen_without_the_held_out_ratings() -> None:
    one = quantise(RawRatings(("1",), ("1",), (Fraction(4),)), PARAMS)
    assert baseline.choose_ridge(one, PARAMS, rank=1) == baseline.RIDGES[-1]


def test_an_empty_training_or_test_set_is_refused(split: tuple[Ratings, Ratings]) -> None:
    training, held_out = split
    none = held_out.restricted(np.zeros(len(held_out), dtype=np.bool_))
    for pair in ((none, held_out), (training, none)):
        with pytest.raises(RangeError, match="no ratings to fit or to measure on"):
            baseline.baselines(*pair, PARAMS)
