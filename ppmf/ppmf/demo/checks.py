# SPDX-License-Identifier: Apache-2.0
"""The checks that `ppmf demo` makes of a private training, with one function for each claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ppmf import console
from ppmf.evaluation.baseline import baselines, rmse
from ppmf_audit import Finding
from ppmf_reference import certified, ridge
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings

RADIUS = Fraction(1, 1 << 60)
"""The largest allowed radius of the enclosure of F_real."""

ENOUGH = 200
"""The number of held-out ratings that are taken to tell a difference of errors from chance."""


@dataclass(frozen=True, slots=True)
class Errors:
    """RMSE in stars on the same held-out ratings."""

    private: float
    als: float
    biases: float
    mean: float


def equality(published: ItemProfiles, expected: ItemProfiles) -> Finding:
    """Whether the secure V is that of F_fix, in every number and every public field."""
    ok = published == expected
    numbers = _numbers(published)
    if ok:
        seen = f"all {numbers.size:,} numbers"
    elif numbers.shape != _numbers(expected).shape:
        seen = "the shapes differ"
    else:
        wrong = int(np.sum(numbers != _numbers(expected)))
        seen = f"{wrong:,} of {numbers.size:,} numbers differ" if wrong else "public fields differ"
    return Finding("V equals F_fix bit for bit", ok, seen)


def _numbers(profiles: ItemProfiles) -> NDArray[np.int64]:
    """All numbers of V, (m, rank) or with biases (m, rank + 1)."""
    if profiles.bias is None:
        return profiles.factors
    return np.column_stack([profiles.factors, profiles.bias])


def distance(published: ItemProfiles, enclosure: certified.Enclosure) -> Finding:
    """The distance of V from F_real, and whether it is enclosed rigorously and narrowly."""
    found = certified.distance(published, enclosure)
    units = float(found.largest) * (1 << published.frac_bits)
    seen = (
        f"at most {float(found.largest):.6f} = {units:.2f} units of 2^-{published.frac_bits}; "
        f"radius below {console.power_of_two(found.radius)}"
    )
    ok = found.radius < RADIUS and not enclosure.undecided
    return Finding("distance to F_real enclosed within 2^-60", ok, seen)


def audited(findings: Sequence[Finding]) -> Finding:
    """The findings of the audit of the transcripts, as one finding."""
    failed = [one.check for one in findings if not one.ok]
    seen = f"failed: {'; '.join(failed)}" if failed else f"{len(findings)} checks"
    return Finding("transcripts contain only ciphertexts", not failed, seen)


def useful(errors: Errors, held_out: int) -> Finding:
    """Whether the private profiles predict better than the mean of all ratings."""
    seen = f"RMSE {errors.private:.4f}, against {errors.mean:.4f}"
    if held_out < ENOUGH:
        return Finding("predictions beat the mean", True, f"{seen}; {held_out} are too few to tell")
    return Finding("predictions beat the mean", errors.private < errors.mean, seen)


def held_out_errors(
    published: ItemProfiles, train: Ratings, test: Ratings, params: Parameters
) -> Errors:
    """The errors of each user's own predictions, from V and the ratings not held out."""
    predicted: list[float] = []
    for (rows, values), (asked, _) in zip(train.by_user(), test.by_user(), strict=True):
        own = ridge.profile(_stars(rows, values, published), published)
        predicted += [
            float(ridge.clip(ridge.predict(own, published, row), published)) for row in asked
        ]
    compared = baselines(train, test, params)
    return Errors(
        private=rmse(np.array(predicted), test, params),
        als=compared.als,
        biases=compared.biases,
        mean=compared.global_mean,
    )


def typical_user(train: Ratings, published: ItemProfiles) -> tuple[int, dict[int, Fraction]]:
    """The row number of the user of median activity, and their ratings in stars by item row."""
    by_user = train.by_user()
    order = sorted(range(len(by_user)), key=lambda row: (len(by_user[row][0]), row))
    row = order[len(order) // 2]
    return row, _stars(*by_user[row], published)


def _stars(rows: list[int], values: list[int], published: ItemProfiles) -> dict[int, Fraction]:
    unit = 1 << published.rating_frac_bits
    return {
        row: published.rating_offset + Fraction(value, unit)
        for row, value in zip(rows, values, strict=True)
    }
