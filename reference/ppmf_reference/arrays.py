# SPDX-License-Identifier: Apache-2.0
"""Ratings from a matrix of stars: a dense one of numpy or any of scipy.sparse.

Stars are taken at their exact binary value and never rounded: 4.5 is 9/2, and 4.1, which no
binary64 equals, is refused because it is no multiple of a half. scipy itself is not needed.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ppmf_spec.errors import RangeError, check_type
from ppmf_spec.ids import id_texts
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, RawRatings, quantise

SOURCE = "ratings matrix"


class Coordinates(Protocol):
    """A sparse matrix in coordinate form: `data[k]` stands at (`row[k]`, `col[k]`)."""

    @property
    def row(self) -> NDArray[Any]: ...

    @property
    def col(self) -> NDArray[Any]: ...

    @property
    def data(self) -> NDArray[Any]: ...


class SparseMatrix(Protocol):
    """The interface of a sparse matrix, which every matrix and 2-D array of scipy.sparse has."""

    @property
    def shape(self) -> tuple[int, ...]: ...

    def tocoo(self) -> Coordinates: ...  # noqa: D102


def ratings_from(
    matrix: NDArray[Any] | SparseMatrix | list[list[float]],
    params: Parameters,
    *,
    users: Sequence[str | int] | None = None,
    items: Sequence[str | int] | None = None,
) -> Ratings:
    """The ratings of an n x m matrix of stars, rows users and columns items (PPMF-FIX-004).

    A dense array, or a list of lists, holds NaN where nothing is rated. In a sparse one every
    stored entry is a rating, a stored 0 too. `users[i]` and `items[j]` are the ids of row i and
    column j, text or integers, "0", "1", .. if not given. `Ratings` lists ids in canonical order,
    so ids in another order permute the rows.

    Raises RangeError for what is no such matrix (a data frame or triples: `ppmf.PrivateMF` and
    `RawRatings` take these), a matrix not of two dimensions, not of real numbers of at most 64
    bits, or masked; for ids not one a row or column, or repeated; for coordinates outside the
    shape; for a stored NaN or an infinity; and as `quantise` does, for stars off the scale or
    between its steps, and a pair stored twice. Ratings are numbered from 1, row by row in a dense
    array and in the order of `tocoo()` in a sparse one; a message names the number, never the
    stars. An id that `check_id` refuses raises EncodingError.
    """
    check_type(params, Parameters, "parameters")
    raw, row_ids, column_ids = stars_in(matrix, users=users, items=items)
    return quantise(raw, params, users=row_ids, items=column_ids)


def stars_in(
    matrix: NDArray[Any] | SparseMatrix | list[list[float]],
    *,
    users: Sequence[str | int] | None = None,
    items: Sequence[str | int] | None = None,
) -> tuple[RawRatings, tuple[str, ...], tuple[str, ...]]:
    """The ratings of a matrix as `ratings_from` takes them, in exact stars of any scale; and the
    ids of its rows and of its columns.

    Raises as `ratings_from` does for what is no such matrix, and for its ids.
    """
    if isinstance(matrix, list):
        matrix = _nested(matrix)
    elif not isinstance(matrix, np.ndarray) and not hasattr(matrix, "tocoo"):
        raise RangeError(
            f"{SOURCE}: {type(matrix).__name__} where an array of numpy or a matrix of "
            "scipy.sparse belongs"
        )
    shape = tuple(matrix.shape)
    if len(shape) != 2:
        raise RangeError(f"{SOURCE}: {len(shape)} dimensions, must be 2 (users x items)")
    row_ids = _ids(users, shape[0], "user")
    column_ids = _ids(items, shape[1], "item")
    row, column, data = _dense(matrix) if isinstance(matrix, np.ndarray) else _sparse(matrix, shape)
    raw = RawRatings(
        users=tuple(row_ids[i] for i in row.tolist()),
        items=tuple(column_ids[j] for j in column.tolist()),
        values=_exact(data),
        source=SOURCE,
    )
    return raw, row_ids, column_ids


def _ids(given: Sequence[str | int] | None, size: int, what: str) -> tuple[str, ...]:
    if given is None:
        return tuple(map(str, range(size)))
    ids = id_texts(given, f"{what} catalogue")
    if len(ids) != size:
        raise RangeError(f"{SOURCE}: {len(ids)} {what} ids for a side of {size}")
    return ids


def _nested(rows: list[Any]) -> NDArray[Any]:
    """A list of rows as an array. Rows that are tuples are taken to be triples, and refused."""
    if not all(isinstance(row, list) and bool not in map(type, row) for row in rows):
        raise RangeError(f"{SOURCE}: a list of something other than lists of stars")
    try:
        return np.array(rows)
    except (TypeError, ValueError, OverflowError):
        raise RangeError(f"{SOURCE}: a list of lists that make no array of numbers") from None


def _check_numbers(data: NDArray[Any]) -> None:
    # A longdouble would pass through binary64 on its way to an exact number, and be rounded there.
    if data.dtype.kind not in "iuf" or data.dtype.itemsize > 8:
        raise RangeError(f"{SOURCE}: dtype {data.dtype}, must be integers or floats up to 64 bits")


def _dense(matrix: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    if isinstance(matrix, np.ma.MaskedArray):
        raise RangeError(f"{SOURCE}: a masked array; fill it with NaN where nothing is rated")
    _check_numbers(matrix)
    plain = np.asarray(matrix)
    row, column = np.nonzero(~np.isnan(plain))
    return row, column, plain[row, column]


def _sparse(
    matrix: SparseMatrix, shape: tuple[int, ...]
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    stored = matrix.tocoo()
    row, column, data = (np.asarray(part) for part in (stored.row, stored.col, stored.data))
    _check_numbers(data)
    if not row.shape == column.shape == data.shape == (data.size,):
        raise RangeError(f"{SOURCE}: row, col and data must be three arrays of one length")
    for what, rows, size in (("row", row, shape[0]), ("col", column, shape[1])):
        if rows.size and (rows.min() < 0 or rows.max() >= size):
            raise RangeError(f"{SOURCE}: a {what} number is outside the shape's {size}")
    return row, column, data


def _exact(data: NDArray[Any]) -> tuple[Fraction, ...]:
    """The exact rational of each entry, one object for each distinct number."""
    known: dict[int | float, Fraction] = {}
    values: list[Fraction] = []
    for number, stars in enumerate(data.tolist(), start=1):
        if not math.isfinite(stars):
            raise RangeError(f"{SOURCE}: rating number {number} is not a finite number")
        if stars not in known:
            known[stars] = Fraction(stars)
        values.append(known[stars])
    return tuple(values)
