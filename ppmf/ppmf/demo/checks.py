# SPDX-License-Identifier: Apache-2.0
"""What `ppmf demo` checks of a private training, one function a claim."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ppmf import console
from ppmf.demo.baseline import baselines, rmse
from ppmf_audit import Finding
from ppmf_reference import certified, ridge
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings

RADIUS = Fraction(1, 1 << 60)
"""How narrowly F_real must be enclosed."""

ENOUGH = 200
"""Held-out ratings that tell a difference of errors from chance, as far as a demonstration goes."""


@dataclass(frozen=True, slots=True)
class Errors:
    """RMSE in stars on the same held-out ratings."""

    private: float
    als: float
    mean: float


def equality(published: ItemProfiles, expected: ItemProfiles) -> Finding:
    """The secure V is F_fix's, every number and every public field."""
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
    """How far V is from the training over the reals; checked is that this is known, rigorously."""
    found = certified.distance(published, enclosure)
    units = float(found.largest) * (1 << published.frac_bits)
    seen = (
        f"at most {float(found.largest):.6f} = {units:.2f} units of 2^-{published.frac_bits}; "
        f"radius below {console.power_of_two(found.radius)}"
    )
    ok = found.radius < RADIUS and not enclosure.undecided
    return Finding("distance to F_real enclosed within 2^-60", ok, seen)


def audited(findings: Sequence[Finding]) -> Finding:
    """The audit of the transcripts, as one finding."""
    failed = [one.check for one in findings if not one.ok]
    seen = f"failed: {'; '.join(failed)}" if failed else f"{len(findings)} checks"
    return Finding("transcripts contain only ciphertexts", not failed, seen)


def useful(errors: Errors, held_out: int) -> Finding:
    """Profiles that predict worse than the mean of all ratings would be private, and useless."""
    seen = f"RMSE {errors.private:.4f}, against {errors.mean:.4f}"
    if held_out < ENOUGH:
        return Finding("predictions beat the mean", True, f"{seen}; {held_out} are too few to tell")
    return Finding("predictions beat the mean", errors.private < errors.mean, seen)


def held_out_errors(
    published: ItemProfiles, train: Ratings, test: Ratings, params: Parameters
) -> Errors:
    """Each user predicts her held-out ratings from V and her other ratings, on her own."""
    predicted: list[float] = []
    for (rows, values), (asked, _) in zip(train.by_user(), test.by_user(), strict=True):
        own = ridge.profile(_stars(rows, values, published), published)
        predicted += [
            float(ridge.clip(ridge.predict(own, published, row), published)) for row in asked
        ]
    compared = baselines(train, test, params)
    return Errors(rmse(np.array(predicted), test, params), compared.als, compared.global_mean)


def typical_user(train: Ratings, published: ItemProfiles) -> tuple[int, dict[int, Fraction]]:
    """The user of median activity (row number), and her ratings in stars by item row."""
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
