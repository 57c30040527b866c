# SPDX-License-Identifier: Apache-2.0
"""Titles of items by id, for display only, from a file beside the ratings."""

from __future__ import annotations

import csv
import io
from pathlib import Path

from ppmf_spec.errors import EncodingError
from ppmf_spec.files import read_bytes

# Which file of titles belongs to a file of ratings, by the latter's suffix (MovieLens's names).
_BESIDE = {".csv": "movies.csv", ".data": "u.item", ".dat": "movies.dat"}


def beside(ratings: Path) -> dict[str, str]:
    """Titles by item id from the file that belongs to `ratings`; empty if there is none."""
    if ratings.suffix == ".inter":
        path = ratings.with_suffix(".item")
    elif ratings.suffix in _BESIDE:
        path = ratings.with_name(_BESIDE[ratings.suffix])
    else:
        return {}
    return read(path) if path.is_file() else {}


def read(path: Path) -> dict[str, str]:
    """Titles by item id from movies.csv, u.item, movies.dat or RecBole's .item.

    Raises EncodingError naming file and number for a line without an id and a title. Old files are
    Latin-1: what is not UTF-8 is read as that. Unprintable characters become blanks, so that no
    title can steer a terminal.
    """
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if path.suffix == ".csv":
        rows = list(csv.reader(io.StringIO(text, newline="")))[1:]
    elif path.suffix == ".dat":
        rows = _split(text, "::")
    elif text.startswith("item_id:"):
        rows = _named(_split(text, "\t"))
    else:
        rows = _split(text, "|")  # u.item
    titles: dict[str, str] = {}
    for number, row in enumerate(rows, start=1):
        if len(row) < 2:
            raise EncodingError(f"{path}: title number {number} is not an id and a title")
        titles[row[0]] = "".join(c if c.isprintable() else " " for c in row[1]).strip()
    return titles


def _split(text: str, separator: str) -> list[list[str]]:
    # Not str.splitlines: it also ends lines at characters that Latin-1 titles may hold.
    return [line.rstrip("\r").split(separator) for line in text.rstrip("\r\n").split("\n")]


def _named(table: list[list[str]]) -> list[list[str]]:
    """RecBole's .item: a header of `name:type`; the year stands in a column of its own."""
    names = [name.split(":")[0] for name in table[0]]
    if "movie_title" not in names:
        return []
    title = names.index("movie_title")
    year = names.index("release_year") if "release_year" in names else None
    rows: list[list[str]] = []
    for row in table[1:]:
        if len(row) != len(names):
            rows.append([])  # refused, with its number, by the caller
        elif year is not None and row[year]:
            rows.append([row[0], f"{row[title]} ({row[year]})"])
        else:
            rows.append([row[0], row[title]])
    return rows
