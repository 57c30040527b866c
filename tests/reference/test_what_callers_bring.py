# SPDX-License-Identifier: Apache-2.0
"""Integers, lists and data frames work or are refused in one line; another scale never trains."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from fractions import Fraction
from typing import Any

import numpy as np
import pandas
import polars
import pytest

from ppmf.evaluation import baseline
from ppmf_reference import certified, exact, fixed, ratings_from, ridge
from ppmf_secure.transport import processes
from ppmf_spec.errors import PpmfError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import (
    Ratings,
    RatingScale,
    RawRatings,
    check_scale,
    most_active,
    quantise,
    split_holdout,
)

PARAMS = Parameters(rank=1, iterations=1)
TO_TEN = Parameters(
    rank=1, iterations=1, rating_min=Fraction(1), rating_max=Fraction(10), rating_offset=Fraction(5)
)
NAN = float("nan")
STARS = np.array([[4.5, NAN], [NAN, 5.0]])
EXPECTED = ratings_from(STARS, PARAMS, users=("1", "2"), items=("7", "8"))
PROFILES = fixed.train(EXPECTED, PARAMS)
ROWS = np.array([0, 1])

FRAMES = [pandas.DataFrame, polars.DataFrame]
SERIES: list[Callable[[Any], Any]] = [
    list,
    tuple,
    np.array,
    pandas.Series,
    pandas.Index,
    polars.Series,
]


# --- what works ---


@pytest.mark.parametrize("series", SERIES)
def test_integer_ids_of_any_library_are_ids(series: Callable[[Any], Any]) -> None:
    found = ratings_from(STARS, PARAMS, users=series([1, 2]), items=series([7, 8]))
    assert found == EXPECTED
    direct = Ratings(series([1, 2]), series([7, 8]), ROWS, ROWS, np.array([3, 4]))
    assert direct == EXPECTED


@pytest.mark.parametrize("series", SERIES)
@pytest.mark.parametrize("number", [float, np.float32, lambda x: Decimal(str(x)), Fraction])
def test_raw_ratings_from_columns(
    series: Callable[[Any], Any], number: Callable[[float], Any]
) -> None:
    stars = [number(4.5), number(5.0)]
    values: Any = stars if isinstance(stars[0], Decimal | Fraction) else series(stars)
    raw = RawRatings(series([1, 2]), series([7, 8]), values)
    assert raw == RawRatings(("1", "2"), ("7", "8"), (Fraction(9, 2), Fraction(5)))
    assert quantise(raw, PARAMS, users=series([2, 1]), items=series([8, 7])) == EXPECTED


def test_lists_are_matrices_and_columns() -> None:
    assert ratings_from(STARS.tolist(), PARAMS, users=[1, 2], items=[7, 8]) == EXPECTED
    assert Ratings([1, 2], [7, 8], [0, 1], [0, 1], [3, 4]) == EXPECTED  # type: ignore[arg-type]
    assert len(Ratings(("1",), ("7",), [], [], [])) == 0  # type: ignore[arg-type]


def test_a_users_own_ratings_may_be_floats() -> None:
    assert ridge.profile({0: 4.5}, PROFILES) == ridge.profile({0: Fraction(9, 2)}, PROFILES)
    assert ridge.profile({np.int64(0): np.float32(4.5)}, PROFILES) == ridge.profile(  # type: ignore[dict-item]
        {0: 4.5}, PROFILES
    )


# --- what is refused ---

LONG = {"user_id": [1, 2], "item_id": [7, 8], "rating": [4.5, 5.0]}
BY_FRAMES: dict[str, tuple[Callable[[Any], object], str]] = {
    "matrix": (lambda X: ratings_from(X, PARAMS), "DataFrame where an array of numpy"),
    "users": (lambda X: ratings_from(STARS, PARAMS, users=X), "where a list of ids belongs"),
    "raw": (lambda X: quantise(X, PARAMS), "DataFrame where RawRatings belongs"),
    "fixed": (lambda X: fixed.train(X, PARAMS), "DataFrame where Ratings belongs"),
    "exact": (lambda X: exact.train(X, PARAMS), "DataFrame where Ratings belongs"),
    "certified": (lambda X: certified.train(X, PARAMS), "DataFrame where Ratings belongs"),
    "secure": (lambda X: processes.train(X, PARAMS, suite="x"), "DataFrame where Ratings belongs"),
    "split": (lambda X: split_holdout(X, "x"), "DataFrame where Ratings belongs"),
    "slice": (lambda X: most_active(X, 1, 1), "DataFrame where RawRatings belongs"),
    "own ratings": (lambda X: ridge.profile(X, PROFILES), "DataFrame where Mapping belongs"),
    "profiles": (lambda X: ridge.profile({}, X), "DataFrame where ItemProfiles belongs"),
    "columns": (lambda X: RawRatings(X, X, X), "DataFrame where a list of ids belongs"),
}


@pytest.mark.parametrize("frame", FRAMES, ids=["pandas", "polars"])
@pytest.mark.parametrize(("call", "message"), BY_FRAMES.values(), ids=BY_FRAMES.keys())
def test_a_frame_in_another_place_is_refused(
    frame: Any, call: Callable[[Any], object], message: str
) -> None:
    with pytest.raises(PpmfError) as caught:
        call(frame(LONG))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


REFUSED: dict[str, tuple[Callable[[], object], str]] = {
    "triples": (lambda: ratings_from([(1, 7, 4.5)], PARAMS), "other than lists of stars"),  # type: ignore[list-item]
    "truth in a list": (lambda: ratings_from([[True]], PARAMS), "other than lists of stars"),
    "ragged": (lambda: ratings_from([[1.0], [1.0, 2.0]], PARAMS), "make no array"),
    "no matrix": (
        lambda: ratings_from(None, PARAMS),  # type: ignore[arg-type]
        "NoneType where an array of numpy or a matrix of scipy.sparse belongs",
    ),
    "no parameters": (
        lambda: ratings_from(STARS, {}),  # type: ignore[arg-type]
        "^parameters: dict where Parameters belongs",
    ),
    "no profiles to measure": (
        lambda: certified.distance({}, EXPECTED),  # type: ignore[arg-type]
        "^profiles: dict where ItemProfiles belongs",
    ),
    "no profiles to look up in": (
        lambda: ridge.item({}, 7),  # type: ignore[arg-type]
        "^profiles: dict where ItemProfiles belongs",
    ),
    "no profiles to infer from": (
        lambda: ridge.profile({}, {}),  # type: ignore[arg-type]
        "^profiles: dict where ItemProfiles belongs",
    ),
    "no mapping of ratings": (
        lambda: ridge.profile([], PROFILES),  # type: ignore[arg-type]
        "^ratings: list where Mapping belongs",
    ),
    "arguments in the wrong order": (
        lambda: fixed.train(PARAMS, EXPECTED),  # type: ignore[arg-type]
        "ratings: ppmf_spec.Parameters where Ratings belongs",
    ),
    "float ids": (
        lambda: ratings_from(STARS, PARAMS, users=[1.0, 2.0]),  # type: ignore[list-item]
        "user catalogue: id number 1 is of type float; ids are text or integers",
    ),
    "true ids": (lambda: RawRatings([True], ["7"], [5]), "id number 1 is of type bool"),  # type: ignore[arg-type]
    "numpy's true ids": (
        lambda: RawRatings(np.array([True]), ["7"], [5]),  # type: ignore[arg-type]
        "id number 1 is of type bool",
    ),
    "no ids": (lambda: RawRatings([None], ["7"], [5]), "id number 1 is of type NoneType"),  # type: ignore[arg-type]
    "a text for ids": (lambda: Ratings("12", ("7",), ROWS, ROWS, ROWS), "str where a list of ids"),  # type: ignore[arg-type]
    "a number for ids": (lambda: ratings_from(STARS, PARAMS, users=2), "int where a list of ids"),  # type: ignore[arg-type]
    "values as text": (lambda: RawRatings(["1"], ["7"], ["5"]), "rating number 1 is of type str"),  # type: ignore[arg-type]
    "NaN": (lambda: RawRatings(["1"], ["7"], [NAN]), "rating number 1 is not a finite number"),  # type: ignore[arg-type]
    "infinite": (lambda: RawRatings(["1"], ["7"], [Decimal("inf")]), "is not a finite number"),  # type: ignore[arg-type]
    "truth": (lambda: RawRatings(["1"], ["7"], [True]), "rating number 1 is of type bool"),  # type: ignore[arg-type]
    "own NaN": (lambda: ridge.profile({0: NAN}, PROFILES), "the rating is not a finite number"),
    "own text": (lambda: ridge.profile({"7": 5}, PROFILES), "item row: str where a row number"),  # type: ignore[dict-item]
}


@pytest.mark.parametrize(("call", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_one_line_says_what_is_wrong(call: Callable[[], object], message: str) -> None:
    with pytest.raises(PpmfError) as caught:
        call()
    said = f"^{caught.value}"  # "^" marks the beginning
    assert message in said
    assert "\n" not in said


@pytest.mark.parametrize(
    "values",
    [
        np.array([1.5, 2.0]),
        np.array([1.0, 2.0]),
        np.array([NAN, 2.0]),
        np.array([True, False]),
        np.array([2**63, 1], dtype=np.uint64),
        np.array([2**70, 1], dtype=object),
        np.array([1, 2], dtype=complex),
        np.array(["1", "2"]),
        np.ma.array([1, 2], mask=[True, False]),
        [1.5, 2],
        [True, 1],
        [2**70, 1],
        [[1], [1, 2]],
        None,
    ],
    ids=repr,
)
@pytest.mark.parametrize("name", ["user", "item", "value"])
def test_no_number_is_rounded_or_wrapped(name: str, values: Any) -> None:
    columns = {"user": ROWS, "item": ROWS, "value": ROWS, name: values}
    with pytest.raises(RangeError) as caught:
        Ratings(("1", "2"), ("7", "8"), **columns)
    assert f"ratings: {name} must be an array of integers that int64 holds" in str(caught.value)


# --- the scale ---

TRAININGS: dict[str, Callable[[Ratings, Parameters], object]] = {
    "check": check_scale,
    "fixed": fixed.train,
    "fixed by half-steps": lambda ratings, params: next(fixed.iterate(ratings, params)),
    "exact": exact.train,
    "exact by half-steps": lambda ratings, params: next(exact.iterate(ratings, params)),
    "certified": certified.train,
    "enclosure": lambda ratings, params: certified.enclose(ratings, params, 100),
    "secure": lambda ratings, params: processes.train(ratings, params, suite="rlwe-8192"),
    "baseline": lambda ratings, params: baseline.baselines(ratings, ratings, params),
}


@pytest.mark.parametrize("train", TRAININGS.values(), ids=TRAININGS.keys())
def test_ratings_of_another_scale_do_not_train(
    train: Callable[[Ratings, Parameters], object],
) -> None:
    with pytest.raises(RangeError) as caught:
        train(EXPECTED, TO_TEN)
    assert str(caught.value) == (
        "ratings: of the scale 1/2 to 5 in steps of 1/2 from 3, where the parameters have "
        "1 to 10 in steps of 1/2 from 5"
    )


@pytest.mark.parametrize("train", [fixed.train, exact.train, certified.train])
def test_parameters_of_another_type_do_not_train(train: Callable[..., object]) -> None:
    with pytest.raises(RangeError, match="parameters: dict where Parameters belongs"):
        train(EXPECTED, {})


@pytest.mark.parametrize(
    "other",
    [
        Parameters(rating_offset=Fraction(4)),
        Parameters(rating_frac_bits=2),
        Parameters(rating_min=Fraction(1)),
        Parameters(rating_max=Fraction(4)),
    ],
    ids=["offset", "frac_bits", "min", "max"],
)
def test_each_number_of_the_scale_counts(other: Parameters) -> None:
    with pytest.raises(RangeError, match="ratings: of the scale"):
        check_scale(EXPECTED, other)
    check_scale(EXPECTED, Parameters(rank=3, ridge=Fraction(1)))


def test_every_way_to_ratings_keeps_the_scale() -> None:
    made = ratings_from(2 * STARS, TO_TEN)
    assert made.scale == RatingScale.of(TO_TEN)
    assert made.restricted(np.array([True, False])).scale == made.scale
    assert [part.scale for part in split_holdout(made, "x")] == [made.scale] * 2
    assert made.value.tolist() == [8, 10]


def test_ratings_of_two_scales_differ() -> None:
    arguments = (EXPECTED.users, EXPECTED.items, EXPECTED.user, EXPECTED.item, EXPECTED.value)
    assert Ratings(*arguments) == EXPECTED
    assert Ratings(*arguments, RatingScale.of(TO_TEN)) != EXPECTED


@pytest.mark.parametrize("value", [-6, 5, 2**62])
def test_a_value_off_the_scale_is_refused_and_not_shown(value: int) -> None:
    with pytest.raises(RangeError) as caught:
        Ratings(("1",), ("7",), np.array([0]), np.array([0]), np.array([value]))
    assert str(caught.value) == "ratings: a value is off the scale, from -5 to 4"


# --- secrets ---


def test_ratings_do_not_show_themselves() -> None:
    raw = RawRatings(("314159",), ("271828",), (Fraction(9, 2),), "mine.csv", (17,))
    assert repr(raw) == "<RawRatings of 'mine.csv', not shown>"
    assert repr(EXPECTED) == (
        "<Ratings of 2 users and 2 items, 1/2 to 5 in steps of 1/2 from 3; not shown>"
    )
