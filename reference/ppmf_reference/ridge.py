# SPDX-License-Identifier: Apache-2.0
"""The user's side: ridge regression on the published V, in exact rationals.

A user's profile (u, a) minimises, over the user's own ratings r_j of items j,

    sum of (r_j - r0 - <u, v_j> - a - b_j)^2 + lambda (|u|^2 + a^2)

(chapter 2, "The user's side"); without biases a = b_j = 0. The profile differs from the user's row
of U, which nobody sees. `predict` and `top_n` take a profile; `similar` needs V alone. Nothing is
rounded (PPMF-RDG-009).
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from flint import fmpq, fmpq_mat

from ppmf_spec.decimals import exact_number
from ppmf_spec.errors import ParametersError, RangeError, check_type
from ppmf_spec.profiles import ItemProfiles


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A user's own `factors` u (rank rationals) and `bias` a (0 without biases), at real scale."""

    factors: tuple[Fraction, ...]
    bias: Fraction


@dataclass(frozen=True, slots=True)
class Prediction:
    """The predicted rating of the item at `row`, not clipped to the scale."""

    row: int
    rating: Fraction


@dataclass(frozen=True, slots=True)
class Neighbour:
    """The item at `row`, and its squared Euclidean distance at scale 2f, an exact integer."""

    row: int
    squared_distance: int


def item(profiles: ItemProfiles, row: int) -> tuple[list[Fraction], Fraction]:
    """The factors v_j and the bias b_j of an item, at real scale."""
    check_type(profiles, ItemProfiles, "profiles")
    given: object = row  # whatever a caller without a type checker brings
    if not isinstance(given, int | np.integer) or isinstance(given, bool):
        raise RangeError(f"item row: {type(given).__name__} where a row number belongs")
    if not 0 <= row < len(profiles.items):
        raise RangeError(f"item row {row}: there are {len(profiles.items)} items")
    unit = 1 << profiles.frac_bits
    factors = [Fraction(v, unit) for v in profiles.factors[row].tolist()]
    bias = 0 if profiles.bias is None else int(profiles.bias[row])
    return factors, Fraction(bias, unit)


def check_rating(profiles: ItemProfiles, row: int, rating: Fraction) -> None:
    """Refuse a rating off the public scale, or finer than its grid (PPMF-RDG-004)."""
    if not profiles.scale.admits(rating):
        raise RangeError(
            f"item row {row}: the rating is off the scale "
            f"{profiles.rating_min} to {profiles.rating_max}"
        )
    if not profiles.scale.holds(rating):
        raise RangeError(f"item row {row}: the rating is not on the grid of ratings")


def profile(ratings: Mapping[int, Fraction | float], profiles: ItemProfiles) -> UserProfile:
    """A user's profile from the user's own `ratings`, by item row: (Y^T Y + lambda I)^-1 Y^T t.

    A row of Y is v_j, then with biases 1; an entry of t is r_j - r0 - b_j. Without ratings the
    profile is 0. A rating is a number of stars, taken at its exact value. Raises `RangeError` for
    a row or a rating that does not exist, `ParametersError` when lambda is 0 and the ratings do not
    determine a profile (PPMF-RDG-001 to -003).
    """
    check_type(profiles, ItemProfiles, "profiles")
    check_type(ratings, Mapping, "ratings")
    constant = [] if profiles.bias is None else [Fraction(1)]
    size = profiles.rank + len(constant)
    y: list[Fraction] = []
    t: list[Fraction] = []
    for row, stars in ratings.items():
        v, b = item(profiles, row)
        rating = exact_number(stars, f"item row {row}: the rating")
        check_rating(profiles, row, rating)
        y += v + constant
        t.append(rating - profiles.rating_offset - b)
    transposed = matrix(len(t), size, y).transpose()
    identity = [Fraction(int(k == j)) for k in range(size) for j in range(size)]
    system = transposed * matrix(len(t), size, y) + matrix(
        size, size, [profiles.ridge * entry for entry in identity]
    )
    try:
        solution = system.solve(transposed * matrix(len(t), 1, t)).entries()
    except ZeroDivisionError:
        raise ParametersError("ridge: 0, and these ratings do not determine a profile") from None
    u = [Fraction(int(value.p), int(value.q)) for value in solution]
    return UserProfile(tuple(u[: profiles.rank]), u[-1] if constant else Fraction(0))


def matrix(rows: int, columns: int, entries: Sequence[Fraction]) -> fmpq_mat:
    """The rational matrix with these entries, row-major."""
    return fmpq_mat(rows, columns, [fmpq(e.numerator, e.denominator) for e in entries])


def predict(user: UserProfile, profiles: ItemProfiles, row: int) -> Fraction:
    """The predicted rating r0 + <u, v_j> + a + b_j of an item, not clipped (PPMF-RDG-005)."""
    v, b = item(profiles, row)
    inner = sum((x * y for x, y in zip(user.factors, v, strict=True)), Fraction(0))
    return profiles.rating_offset + inner + user.bias + b


def clip(rating: Fraction, profiles: ItemProfiles) -> Fraction:
    """A prediction clipped to the public scale, for errors and display only, never for ranking
    (PPMF-RDG-006).
    """
    return min(max(rating, profiles.rating_min), profiles.rating_max)


def top_n(
    user: UserProfile, profiles: ItemProfiles, rated: Collection[int], n: int
) -> list[Prediction]:
    """The n items of highest unclipped prediction among those not `rated`; ties by row
    (PPMF-RDG-006, -007).
    """
    check_count(n)
    known = set(rated)
    unrated = (row for row in range(len(profiles.items)) if row not in known)
    predictions = [Prediction(row, predict(user, profiles, row)) for row in unrated]
    return sorted(predictions, key=lambda p: (-p.rating, p.row))[:n]


def similar(profiles: ItemProfiles, row: int, n: int) -> list[Neighbour]:
    """The n items nearest to the item at `row`, by distance of factors; ties by row
    (PPMF-RDG-008).
    """
    check_count(n)
    item(profiles, row)
    rows = profiles.factors.tolist()
    neighbours = [
        Neighbour(other, sum((x - y) ** 2 for x, y in zip(rows[row], rows[other], strict=True)))
        for other in range(len(rows))
        if other != row
    ]
    return sorted(neighbours, key=lambda near: (near.squared_distance, near.row))[:n]


def check_count(n: int) -> None:
    """Refuse to list fewer than one item."""
    if n < 1:
        raise RangeError(f"a list of {n} items: at least 1")
