# SPDX-License-Identifier: Apache-2.0
"""scikit-learn's own checks of an estimator, as far as they apply to `PrivateMF`.

The checks fit matrices of random reals, which are no ratings: `OnTheGrid` makes ratings of them.
It has no `predict`, because `PrivateMF.predict` takes pairs of a user and an item and not the
matrix of `fit`, so the checks that call it with that matrix find nothing to check.
"""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, ParameterGrid
from sklearn.utils.estimator_checks import check_estimator
from sklearn.utils.validation import check_is_fitted

from ppmf.data import synthetic_ratings
from ppmf.estimator import PrivateMF

EXPECTED_FAILED = {
    "check_complex_data": "OnTheGrid drops the imaginary part before the estimator sees it",
    "check_dtype_object": "OnTheGrid cannot round the objects",
    "check_estimators_nan_inf": "a NaN in a matrix is a missing rating",
    "check_estimators_empty_data_messages": "the refusal is a PpmfError, not a ValueError",
    "check_n_features_in_after_fitting": "the refusal is a PpmfError, not a ValueError",
    "check_fit1d": "the refusal is a PpmfError, not a ValueError",
    "check_estimator_sparse_tag": "OnTheGrid reads the formats that numpy reads",
    "check_estimator_sparse_array": "OnTheGrid reads the formats that numpy reads",
    "check_estimator_sparse_matrix": "OnTheGrid reads the formats that numpy reads",
}

MUST_PASS = {
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_get_params_invariance",
    "check_set_params",
    "check_estimators_overwrite_params",
    "check_dont_overwrite_parameters",
    "check_estimators_fit_returns_self",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_readonly_memmap_input",
    "check_f_contiguous_array_estimator",
    "check_fit2d_1sample",
    "check_fit2d_1feature",
    "check_fit_check_is_fitted",
    "check_fit_score_takes_y",
    "check_pipeline_consistency",
}
"""The checks of which none is passed for want of a `predict` that takes a matrix."""


class OnTheGrid(PrivateMF):
    """PrivateMF on the nearest ratings of a matrix of reals, for scikit-learn's checks."""

    def fit(self, X: Any, y: Any = None, **_: Any) -> Self:
        stars = np.clip(np.round(2 * np.abs(X)) / 2, 0.5, 5)
        return super().fit(scipy.sparse.coo_array(stars))

    def score(self, X: Any, y: Any = None, **_: Any) -> float:
        return super().score(scipy.sparse.coo_array(np.clip(np.round(2 * np.abs(X)) / 2, 0.5, 5)))

    @property
    def predict(self) -> Any:
        raise AttributeError

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        tags.no_validation = False
        return tags


@pytest.mark.filterwarnings("ignore:Estimator OnTheGrid does not inherit:UserWarning")
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks() -> None:
    found = check_estimator(OnTheGrid(rank=1, iterations=1), on_fail=None, on_skip=None)
    of_status: dict[str, set[str]] = {"passed": set(), "failed": set(), "skipped": set()}
    for each in found:
        of_status[each["status"]].add(each["check_name"])
    assert of_status["failed"] == set(EXPECTED_FAILED)
    assert of_status["passed"] >= MUST_PASS


def test_it_can_be_cloned_searched_and_asked_whether_it_is_fitted() -> None:
    model = PrivateMF(rank=1, iterations=1, columns={"user": "who"})
    again = clone(model)
    assert again is not model
    assert again.get_params() == model.get_params()
    for setting in ParameterGrid({"rank": np.arange(1, 3), "ridge": [1, 0.5], "bias": [True]}):
        clone(model).set_params(**setting).fit([(1, 2, 3)])
    with pytest.raises(NotFittedError):
        check_is_fitted(model)
    check_is_fitted(model.fit([(1, 2, 3)]))


def test_its_search_judges_sets_by_the_score() -> None:
    """Also where a fold has users or items that the other folds do not have."""
    raw = synthetic_ratings.ratings(20, 12)
    triples = list(zip(raw.users, raw.items, map(float, raw.values), strict=True))
    triples.append(("alone", "alone", 3.0))
    search = GridSearchCV(PrivateMF(rank=1, iterations=2), {"ridge": [2, 4096]}, cv=3).fit(triples)
    scores = search.cv_results_["mean_test_score"]
    assert (scores < 0).all()
    assert scores[0] != scores[1]
    assert search.best_score_ == scores.max()
    assert search.best_estimator_.score(triples) > -5
