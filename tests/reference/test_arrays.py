# SPDX-License-Identifier: Apache-2.0
"""Ratings from numpy and scipy-like matrices: exactly the stars that stand there, or a refusal."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_reference import ratings_from
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

PARAMS = Parameters()
NAN = float("nan")
SMALL = np.array([[4.5, NAN, 0.5], [NAN, 5.0, NAN]])


@dataclass
class Coo:
    """What scipy.sparse's coo_array has, as far as it is used."""

    shape: tuple[int, ...]
    row: NDArray[Any]
    col: NDArray[Any]
    data: NDArray[Any]

    def tocoo(self) -> Coo:
        return self


def coo(shape: tuple[int, ...], entries: list[tuple[int, int, float]]) -> Coo:
    row, col, data = ([entry[k] for entry in entries] for k in range(3))
    return Coo(shape, np.array(row, np.int32), np.array(col, np.int32), np.array(data, float))


def stars_of(ratings: Ratings) -> NDArray[np.float64]:
    stars = np.full((ratings.n_users, ratings.n_items), NAN)
    scale = 2**PARAMS.rating_frac_bits
    stars[ratings.user, ratings.item] = ratings.value / scale + float(PARAMS.rating_offset)
    return stars


@st.composite
def matrices(draw: Callable[[Any], Any]) -> NDArray[np.float64]:
    n, m = draw(st.integers(1, 12)), draw(st.integers(1, 12))
    halves = st.one_of(st.just(NAN), st.integers(1, 10).map(lambda x: x / 2))
    return np.array(draw(st.lists(halves, min_size=n * m, max_size=n * m))).reshape(n, m)


@given(matrices(), st.randoms(use_true_random=False))
def test_stars_come_back_from_dense_and_sparse(stars: NDArray[np.float64], random: Any) -> None:
    dense = ratings_from(stars, PARAMS)
    np.testing.assert_array_equal(stars_of(dense), stars)
    entries = [(i, j, float(stars[i, j])) for i, j in np.argwhere(~np.isnan(stars)).tolist()]
    random.shuffle(entries)
    assert ratings_from(coo(stars.shape, entries), PARAMS) == dense


def test_the_values_are_those_of_the_formula() -> None:
    ratings = ratings_from(SMALL, PARAMS)
    assert ratings.users == ("0", "1")
    assert ratings.items == ("0", "1", "2")
    assert ratings.value.tolist() == [3, -5, 4]
    assert ratings.value.dtype == np.int64


def test_rows_are_sorted_together_with_their_ids() -> None:
    ratings = ratings_from(SMALL, PARAMS, users=("b", "a"), items=("10", "9", "2"))
    assert (ratings.users, ratings.items) == (("a", "b"), ("2", "9", "10"))
    np.testing.assert_array_equal(stars_of(ratings), SMALL[::-1, ::-1])


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int64, np.float16, np.float32])
def test_other_number_types_are_read_exactly(dtype: type[np.generic]) -> None:
    whole = np.array([[4, 1], [2, 5]])
    expected = ratings_from(whole.astype(float), PARAMS)
    assert ratings_from(whole.astype(dtype), PARAMS) == expected


def test_a_matrix_may_hold_no_ratings() -> None:
    assert len(ratings_from(np.full((2, 3), NAN), PARAMS)) == 0
    assert len(ratings_from(coo((2, 3), []), PARAMS)) == 0


REFUSED: Mapping[str, tuple[Any, str]] = {
    "vector": (np.array([1.0]), "1 dimensions, must be 2 (users x items)"),
    "off the scale": (
        np.array([[NAN, 1.0, 5.5]]),
        "rating number 2: the rating is off the scale from 0.5 to 5",
    ),
    "dense zero": (np.zeros((1, 1)), "rating number 1: the rating is off the scale"),
    "stored zero": (coo((1, 1), [(0, 0, 0.0)]), "rating number 1: the rating is off the scale"),
    "no half": (np.array([[4.1]]), "rating number 1: the rating minus 3 is not a multiple of 1/2"),
    # Rounded to 14 digits it would be 4.
    "next to 4": (np.array([[np.nextafter(4, 5)]]), "is not a multiple of 1/2"),
    "infinity": (np.array([[np.inf]]), "rating number 1 is not a finite number"),
    "stored nan": (coo((1, 1), [(0, 0, NAN)]), "rating number 1 is not a finite number"),
    "complex": (np.array([[1j]]), "dtype complex128"),
    "objects": (np.array([[None]]), "dtype object"),
    "truth": (np.array([[True]]), "dtype bool"),
    "masked": (np.ma.masked_invalid(SMALL), "a masked array"),
    "twice": (
        coo((1, 1), [(0, 0, 4.0), (0, 0, 4.0)]),
        "rating number 2: the user rates the item twice, first at ratings matrix: rating number 1",
    ),
    "below": (coo((1, 1), [(-1, 0, 4.0)]), "a row number is outside the shape's 1"),
    "beyond": (coo((1, 1), [(0, 1, 4.0)]), "a col number is outside the shape's 1"),
    "no rows": (np.empty((0, 2)), "user catalogue: no ids"),
    "no columns": (np.empty((2, 0)), "item catalogue: no ids"),
    "uneven": (
        Coo((1, 2), np.array([0, 0]), np.array([0]), np.array([4.0])),
        "three arrays of one length",
    ),
}


@pytest.mark.parametrize(("matrix", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_malformed_matrices_are_refused(matrix: Any, message: str) -> None:
    with pytest.raises(RangeError) as caught:
        ratings_from(matrix, PARAMS)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_number_wider_than_binary64_is_refused() -> None:
    wide = np.array([[4]], dtype=np.longdouble)
    if wide.dtype.itemsize > 8:
        with pytest.raises(RangeError, match="dtype"):
            ratings_from(wide, PARAMS)
    else:  # longdouble is binary64 on this platform
        assert ratings_from(wide, PARAMS).value.tolist() == [2]


def test_ids_of_another_number_or_repeated_are_refused() -> None:
    with pytest.raises(RangeError, match="1 user ids for a side of 2"):
        ratings_from(SMALL, PARAMS, users=("a",))
    with pytest.raises(RangeError, match="item catalogue: id number 2, x, is listed twice"):
        ratings_from(SMALL, PARAMS, items=("x", "x", "y"))
    with pytest.raises(EncodingError, match="user catalogue: id number 1 is empty"):
        ratings_from(SMALL, PARAMS, users=("", "b"))


def test_item_ids_of_a_matrix_are_counted_by_column() -> None:
    with pytest.raises(RangeError) as caught:
        ratings_from(np.array([[4.0, np.nan]]), Parameters(), items=["a"])
    assert str(caught.value) == "ratings matrix: 1 item ids for a side of 2"
