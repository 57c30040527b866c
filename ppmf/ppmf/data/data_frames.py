# SPDX-License-Identifier: Apache-2.0
"""Ratings in memory: data frames of any library, and iterables of (user, item, rating).

Data frames are read through narwhals, which the extra `ppmf[frames]` brings. Messages name the
column and the number of the row, and never an id or a rating, because both are secret.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ppmf.data.columns import Columns, Role
from ppmf_spec.errors import EncodingError
from ppmf_spec.extras import needed_by

TABLE = "ratings table"


@dataclass(frozen=True, slots=True, repr=False)
class TableColumns:
    """Columns of one length, by what they hold: "user", "item", "rating"."""

    by_name: Mapping[str, list[Any]]

    def __contains__(self, what: str) -> bool:
        return what in self.by_name

    def __getitem__(self, what: str) -> list[Any]:
        return self.by_name[what]


def is_frame(table: object) -> bool:
    """Whether an object has named columns: a data frame of any library, lazy or not."""
    # Polars warns of asking a lazy frame for its columns, so that is asked second.
    return hasattr(table, "collect_schema") or hasattr(table, "columns")


def library_of(frame: object) -> str:
    """The name of a data frame's own library, such as "pandas"."""
    with needed_by("a data frame"):
        import narwhals as nw
    name: str = nw.get_native_namespace(frame).__name__  # type: ignore[arg-type]
    return name


def columns_of(
    table: object,
    wanted: tuple[str, ...],
    names: Mapping[str, str] | None = None,
    *,
    optional: tuple[str, ...] = (),
) -> TableColumns:
    """The wanted columns of a data frame, or of an iterable of tuples in the order of `wanted`.

    Of the `optional` ones a data frame gives those that it has.

    Raises EncodingError for a table without these columns or of another kind, and MissingExtraError
    for a data frame where narwhals is not installed.
    """
    if is_frame(table):
        return _columns_of_frame(table, wanted, names, optional)
    if isinstance(table, str | bytes | Mapping) or not hasattr(table, "__iter__"):
        raise EncodingError(f"{TABLE}: {type(table).__name__} where a table of ratings belongs")
    rows: Iterable[Any] = table
    columns: tuple[list[Any], ...] = tuple([] for _ in wanted)
    for number, row in enumerate(rows, start=1):
        try:
            cells = None if isinstance(row, str | bytes) else tuple(row)
        except TypeError:
            cells = None
        if cells is None or len(cells) != len(wanted):
            raise EncodingError(f"{TABLE}: row {number} is not ({', '.join(wanted)})")
        for column, cell in zip(columns, cells, strict=True):
            column.append(cell)
    return TableColumns(dict(zip(wanted, columns, strict=True)))


def _columns_of_frame(
    table: object,
    wanted: tuple[str, ...],
    names: Mapping[str, str] | None,
    optional: tuple[str, ...],
) -> TableColumns:
    with needed_by("a data frame"):
        import narwhals as nw
    try:
        frame = nw.from_native(table)  # type: ignore[call-overload]
    except TypeError:
        kind = f"{type(table).__module__.partition('.')[0]}.{type(table).__name__}"
        raise EncodingError(f"{TABLE}: {kind} is no data frame that narwhals reads") from None
    if isinstance(frame, nw.LazyFrame):
        frame = frame.collect()
    header = [str(name) for name in frame.columns]
    columns = named_columns(names)
    found = {what: columns.required(Role(what), header, TABLE) for what in wanted}
    for what in optional:
        # What the user named is a column of the ratings, and need not be one here.
        place = columns.elsewhere(header).find(Role(what), header, TABLE)
        if place is not None:
            found[what] = place
    cells = {what: frame[frame.columns[number]].to_list() for what, number in found.items()}
    return TableColumns(cells)


def named_columns(names: Mapping[str, str] | None) -> Columns:
    """The columns that the user named, by what they hold; EncodingError for another mapping."""
    if names is not None and not isinstance(names, Mapping):
        raise EncodingError(f"columns: {type(names).__name__} where a mapping belongs")
    for what in names or ():
        if what not in ("user", "item", "rating"):
            raise EncodingError(f"columns: {str(what)[:40]!a} is not user, item or rating")
    return Columns({Role(what): str(name) for what, name in (names or {}).items()})
