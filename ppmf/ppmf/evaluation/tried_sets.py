# SPDX-License-Identifier: Apache-2.0
"""What the sweep behind the defaults found: the table of tried parameter sets and their errors.

`make sweep` writes the table, `tried_sets.csv`, beside this module. The site's page on choosing
parameters and `ppmf params suggest` read it here, so that a figure stands in one place.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

from ppmf_spec.parameters import Parameters

VERSION_1 = Parameters(
    iterations=20,
    inner_steps=1,
    frac_bits=12,
    step_bits=16,
    curvature_shift=0,
    inertia=Fraction(0),
)
"""The defaults of version 1, with which all others are compared."""

TABLE = Path(__file__).with_name("tried_sets.csv")

NAMES = (
    "rank",
    "iterations",
    "inner_steps",
    "frac_bits",
    "step_bits",
    "box_bits",
    "bias",
    "ridge",
    "step_rule",
    "curvature_shift",
    "damping",
    "inertia",
)
"""The parameters that the sweep varied; the others had their defaults."""

WORST = " worst"
"""Ends the name of a column with the largest difference from version 1 over the splits."""

Values = tuple[str, ...]
"""The values of `NAMES`, as `Parameters.as_dict` writes them."""


@dataclass(frozen=True, slots=True)
class Tried:
    """One row: a set, and what it scored on held-out ratings of each data set, in stars.

    rmse: the mean over the splits. worst: the largest difference over the splits between this set's
    error and that of version 1's defaults after 20 iterations; positive is worse than version 1.
    """

    values: Values
    rmse: Mapping[str, float]
    worst: Mapping[str, float]

    def value(self, name: str) -> str:
        """The value of one of `NAMES`."""
        return self.values[NAMES.index(name)]


def values_of(params: Parameters) -> Values:
    """The values by which the row of a set is found."""
    written = params.as_dict()
    return tuple(str(written[name]) for name in NAMES)


@cache
def rows() -> tuple[Tried, ...]:
    """All rows of the table."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(_row(record) for record in csv.DictReader(file))


def _row(record: Mapping[str, str]) -> Tried:
    data = [name for name in record if name not in NAMES and not name.endswith(WORST)]
    return Tried(
        values=tuple(record[name] for name in NAMES),
        rmse={name: float(record[name]) for name in data},
        worst={name: float(record[name + WORST]) for name in data},
    )


def find(params: Parameters) -> Tried | None:
    """The row of a set; None if the sweep did not try it."""
    wanted = values_of(params)
    return next((row for row in rows() if row.values == wanted), None)


def differing(params: Parameters, *names: str) -> Iterator[Tried]:
    """The rows that differ from a set in nothing but these parameters, the set itself included."""
    wanted = values_of(params)
    for row in rows():
        pairs = zip(NAMES, row.values, wanted, strict=True)
        if all(name in names or found == value for name, found, value in pairs):
            yield row
