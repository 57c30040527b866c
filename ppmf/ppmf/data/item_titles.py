# SPDX-License-Identifier: Apache-2.0
"""Titles of items by id, for display only, from a table that is named or lies beside the ratings.

A table with a header gives titles by the names of its columns; one without a header is MovieLens's
u.item or movies.dat, whose first two columns are the id and the title. A year in a column of its
own is appended, unless the title ends in it.
"""

from __future__ import annotations

import re
from pathlib import Path

from ppmf.data import tables
from ppmf.data.columns import BY_USUAL_NAMES, Columns, Role, shown
from ppmf.data.rating_tables import Note
from ppmf.data.tables import Table
from ppmf_spec.errors import EncodingError
from ppmf_spec.extras import MissingExtraError

LONGEST = 200
"""The characters of a title that are kept: the screen shows no more."""

_OF_MOVIELENS = ("movies.csv", "u.item", "movies.dat")
_STEMS = (
    *("movies", "books", "items", "titles", "products", "films", "tracks", "songs", "artists"),
    *("games", "anime", "shows", "recipes", "articles"),
)
_SUFFIXES = (".csv", ".tsv", ".dat", ".parquet")
_PACKED = (".gz", ".zip")
# A year as data frames write it where some are missing: 1999.0.
_YEAR = re.compile(r"(-?[0-9]{1,4})(?:\.0)?").fullmatch


def beside(ratings: Path, note: Note, columns: Columns = BY_USUAL_NAMES) -> dict[str, str]:
    """Titles by item id from a file of a usual name beside `ratings`; empty if there is none.

    The first such file that gives titles is taken, and a note says so. Nobody named these files, so
    nothing in them is an error: a note tells what is wrong.
    """
    for path in _candidates(ratings):
        if not path.is_file() or _same(path, ratings):
            continue
        try:
            found = _titles(path, columns, note)
        except (EncodingError, MissingExtraError) as error:
            note(f"no titles are shown from a file beside the ratings: {error}")
            continue
        if found:
            return found
    return {}


def _candidates(ratings: Path) -> list[Path]:
    """Files that may hold titles, those named as the ratings are first."""
    plain = ratings.with_suffix("") if ratings.suffix in _PACKED else ratings
    names = [*_OF_MOVIELENS, *(f"{stem}{suffix}" for stem in _STEMS for suffix in _SUFFIXES)]
    kin = {".data": ".item", ".inter": ".item"}.get(plain.suffix, plain.suffix)
    names.sort(key=lambda name: not name.endswith(kin))
    if plain.suffix == ".inter":
        names.insert(0, f"{plain.stem}.item")
    packed = [f"{name}{suffix}" for name in names for suffix in _PACKED]
    return [ratings.with_name(name) for name in dict.fromkeys([*names, *packed])]


def _same(one: Path, other: Path) -> bool:
    try:
        return one.samefile(other)
    except OSError:
        return False


def read(path: Path, columns: Columns, note: Note) -> dict[str, str]:
    """Titles by item id from a table that the user named.

    Old files are Latin-1: what is not UTF-8 is read as that. Unprintable characters become blanks,
    so that no title can steer a terminal; an item with an empty title has none. Raises
    EncodingError, beginning with the file, for a table without a column of titles or of ids, and
    for a line of another width than the first.
    """
    return _titles(path, columns, note)


def _titles(path: Path, columns: Columns, note: Note) -> dict[str, str]:
    table = tables.read(path, columns.elsewhere())
    item, title, year = _columns(table, columns)
    titles: dict[str, str] = {}
    chosen = (item, title) if year is None else (item, title, year)
    for _, row in table.pick((), chosen):
        text = _printable(row[1])
        if not text:
            continue
        match = _YEAR(row[2].strip()) if year is not None else None
        if match and not text.endswith(f"({match[1]})"):
            text = f"{text} ({match[1]})"
        titles[row[0]] = text
    names = (
        ("the first column", "the second")
        if table.header is None
        else (f"the column {shown([table.header[item]])}", shown([table.header[title]]))
    )
    note(f"{path}: {len(titles):,} titles, items from {names[0]}, titles from {names[1]}")
    return titles


def _columns(table: Table, columns: Columns) -> tuple[int, int, int | None]:
    """The columns of ids, titles and, if there is one, years."""
    where = f"{table.source}:1"
    if table.header is None:
        if len(table.first) >= 2 and table.separator in ("|", "::"):
            return 0, 1, None
        raise EncodingError(
            f"{where}: no column of titles: the first line has {shown(table.first)}, none of them "
            "a usual name; --columns item=NAME,title=NAME says which is which"
        )
    named = columns.elsewhere(table.header)
    item = named.required(Role.ITEM, table.header, where, in_list=True)
    title = named.required(Role.TITLE, table.header, where)
    return item, title, named.find(Role.YEAR, table.header, where)


def _printable(text: str) -> str:
    shorter = text[: LONGEST + 1]
    clean = "".join(mark if mark.isprintable() else " " for mark in shorter).strip()
    return f"{clean[: LONGEST - 1]}…" if len(shorter) > LONGEST else clean
