# SPDX-License-Identifier: Apache-2.0
"""The error of every set on every split, and the table of them."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from io import StringIO

import numpy as np

from ppmf.evaluation import baseline, metrics, predictors
from ppmf.evaluation.tried_sets import NAMES, WORST, values_of
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from tools.default_sweep import model
from tools.default_sweep.data_sets import Split

Errors = Mapping[str, float]
"""By the name of a split, the error on its held-out ratings, in stars."""


def fits(params: Parameters, splits: Iterable[Split]) -> bool:
    """Whether the ring holds the set at the size of every split."""
    try:
        for split in splits:
            bounds(params, split.training.n_users, split.training.n_items)
    except ParametersError:
        return False
    return True


def errors(
    params: Parameters, splits: Sequence[Split], iterations: Sequence[int]
) -> dict[Parameters, Errors]:
    """The errors after each of these iterations, by the set with so many."""
    found: dict[Parameters, dict[str, float]] = {
        replace(params, iterations=count): {} for count in iterations
    }
    for split in splits:
        for count, rows in enumerate(model.trajectory(split.training, params), start=1):
            if count in iterations:
                measured = replace(params, iterations=count)
                found[measured][split.name] = _rmse(rows, split, measured)
    return dict(found)


def _rmse(rows: model.Integers, split: Split, params: Parameters) -> float:
    """The error of the users' own ridge, as `ppmf evaluate` measures it."""
    fitted = predictors.private(model.profiles(rows, split.training, params), split.training)
    predicted = fitted.model.predict(split.held_out, params)
    return metrics.errors(predicted, baseline.stars(split.held_out, params)).rmse


def written(found: Mapping[Parameters, Errors], of: Errors, splits: Sequence[Split]) -> str:
    """The table as CSV: for each set the mean error on each data set, and the largest difference
    over the splits of it from the errors `of` version 1.
    """
    data = list(dict.fromkeys(split.data for split in splits))
    file = StringIO()
    out = csv.writer(file, lineterminator="\n")
    out.writerow([*NAMES, *(column for name in data for column in (name, name + WORST))])
    for params, by_split in found.items():
        cells = []
        for name in data:
            of_it = [split.name for split in splits if split.data == name]
            cells.append(f"{np.mean([by_split[each] for each in of_it]):.5f}")
            cells.append(f"{max(by_split[each] - of[each] for each in of_it):.5f}")
        out.writerow([*values_of(params), *cells])
    return file.getvalue()
