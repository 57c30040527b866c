# SPDX-License-Identifier: Apache-2.0
"""The private model, the predictors it stands beside, and what each scores on held-out ratings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from ppmf.evaluation import baseline, metrics
from ppmf.evaluation.baseline import Model
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings


@dataclass(frozen=True, slots=True, eq=False)
class Predictor:
    """A fitted model and its name, which is the same in every version's JSON.

    rates: its scores are stars, so that errors can be taken; ranks: its scores tell items apart, so
    that lists can be judged.
    """

    name: str
    about: str
    model: Model
    rates: bool = True
    ranks: bool = True


@dataclass(frozen=True, slots=True)
class Figures:
    """What a predictor scored; None where it does not rate, does not rank, or nothing counts."""

    predictor: Predictor
    errors: metrics.Errors | None
    lists: metrics.Lists | None

    def as_dict(self) -> dict[str, object]:
        """The members of the JSON of `ppmf evaluate`."""
        errors, lists = self.errors, self.lists
        return {
            "name": self.predictor.name,
            "about": self.predictor.about,
            "rmse": errors and errors.rmse,
            "mae": errors and errors.mae,
            "precision": lists and lists.precision,
            "recall": lists and lists.recall,
            "ndcg": lists and lists.ndcg,
            "coverage": lists and lists.coverage,
        }


@dataclass(frozen=True, slots=True)
class Trial:
    """Held-out ratings and how they are used.

    relevant: the stars from which a held-out rating counts as a hit; k: the length of a list.
    """

    training: Ratings
    held_out: Ratings
    params: Parameters
    k: int
    relevant: Fraction

    def __post_init__(self) -> None:
        if not len(self.training) or not len(self.held_out):
            raise RangeError(
                f"{len(self.training):,} ratings to train on and {len(self.held_out):,} held out: "
                "both must be at least one"
            )
        if self.k < 1:
            raise RangeError(f"lists of {self.k} items: at least 1")

    @property
    def hits(self) -> Ratings:
        """The held-out ratings that are relevant."""
        stars = baseline.stars(self.held_out, self.params)
        return self.held_out.restricted(stars >= float(self.relevant))

    def judge(self, predictor: Predictor) -> Figures:
        """What `predictor` scores."""
        errors = None
        if predictor.rates:
            predicted = predictor.model.predict(self.held_out, self.params)
            errors = metrics.errors(predicted, baseline.stars(self.held_out, self.params))
        lists = None
        if predictor.ranks:
            lists = metrics.lists(predictor.model.scores, self.training, self.hits, self.k)
        return Figures(predictor, errors, lists)


def private(profiles: ItemProfiles, training: Ratings) -> Predictor:
    """The published item profiles, with each user's own ridge regression on them.

    The regression is that of `ppmf_reference.ridge`, in float64 and for all users at once. Raises
    ParametersError when lambda is 0 and some user's ratings do not determine a profile.
    """
    unit = 2.0**profiles.frac_bits
    with_bias = profiles.bias is not None
    factors = profiles.factors / unit
    item_bias = np.zeros(len(profiles.items)) if profiles.bias is None else profiles.bias / unit
    offset = float(profiles.rating_offset)
    features = np.column_stack([factors, np.ones(len(factors))]) if with_bias else factors
    target = training.value / 2.0**profiles.rating_frac_bits - item_bias[training.item]
    width = features.shape[1]
    grams = np.empty((training.n_users, width, width))
    sums = np.empty((training.n_users, width, 1))
    ends = np.cumsum(np.bincount(training.user, minlength=training.n_users))[:-1]
    split = zip(np.split(training.item, ends), np.split(target, ends), strict=True)
    for row, (rated, wanted) in enumerate(split):
        Y = features[rated]
        grams[row] = Y.T @ Y + float(profiles.ridge) * np.eye(width)
        sums[row, :, 0] = Y.T @ wanted
    try:
        own = np.linalg.solve(grams, sums)[:, :, 0]
    except np.linalg.LinAlgError:
        raise ParametersError("ridge: 0, and some user's ratings do not determine a profile") from (
            None
        )
    user_bias = own[:, -1] if with_bias else np.zeros(training.n_users)
    model = Model(offset, user_bias, item_bias, own[:, : profiles.rank], factors)
    return Predictor("private", "private", model)


def compared(
    training: Ratings, params: Parameters, *, announce: Callable[[int], None] = lambda _: None
) -> list[Predictor]:
    """What the private model stands beside: all of these see every rating.

    ALS has the rank and the iterations of `params`; its ridge is chosen on a tenth of `training`.
    `announce` is told how many are fitted, from 1.
    """
    n, m = training.n_users, training.n_items
    none = np.zeros((n, 0)), np.zeros((m, 0))
    ridge = baseline.choose_ridge(training, params, rank=params.rank)
    announce(1)
    fitted = {
        rank: baseline.als(training, params, rank=rank, iterations=params.iterations, ridge=ridge)
        for rank in (params.rank, 0)
    }
    announce(2)
    mean = float(baseline.stars(training, params).mean())
    counts = np.bincount(training.item, minlength=m).astype(np.float64)
    return [
        Predictor("als", f"ALS, ridge {ridge:g}", fitted[params.rank]),
        Predictor("biases", "biases alone", fitted[0]),
        Predictor(
            "mean",
            "mean of all ratings",
            Model(mean, np.zeros(n), np.zeros(m), *none),
            ranks=False,
        ),
        Predictor(
            "popularity",
            "most rated first",
            Model(0.0, np.zeros(n), counts, *none),
            rates=False,
        ),
    ]
