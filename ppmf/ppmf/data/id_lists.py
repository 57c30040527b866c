# SPDX-License-Identifier: Apache-2.0
"""Public lists of ids, from a table or one a line, and what to say of ratings outside of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from ppmf.data import tables
from ppmf.data.columns import Columns, Role, shown
from ppmf.data.tables import Table
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.ids import check_catalogue, check_id
from ppmf_spec.ratings import RawRatings

_INTEGER = re.compile(r"-?[0-9]+").fullmatch


@dataclass(frozen=True, slots=True)
class IdList:
    """A public list: its ids in row order, and in words for messages the place it came from."""

    ids: tuple[str, ...]
    description: str


def read(path: Path, role: Role, columns: Columns) -> IdList:
    """The list of users or items (`role`) in a file (PPMF-FIX-003, PPMF-FIX-005).

    The file is a table with a header; one id a line, with a header or without; or, without a
    header, MovieLens's u.item or movies.dat, whose first column is the id; the description tells.
    Raises EncodingError or RangeError, beginning with the file, for a header without the column,
    and for ids that chapter 2 refuses.
    """
    table = tables.read(path, columns.elsewhere())
    position, what = _column(table, role, columns)
    rows = list(table.pick((position,)))
    ids = [row[0] for _, row in rows]
    if table.header is None:
        _refuse_heading(path, role, ids)
    first_line: dict[str, int] = {}
    for (line, _), text in zip(rows, ids, strict=True):
        check_id(text, f"{path}:{line}: the {role} id")
        if text in first_line:
            raise RangeError(
                f"{path}:{line}: the {role} id {shown([text])} is listed twice, first in line "
                f"{first_line[text]}"
            )
        first_line[text] = line
    if not ids:
        raise RangeError(f"{path}: no {role} ids below the header")
    description = f"{path} ({len(ids):,} ids {what}, the first is {shown(ids[:1])})"
    return IdList(check_catalogue(ids, role), description)


def _column(table: Table, role: Role, columns: Columns) -> tuple[int, str]:
    """The column of the ids, and in words how it was found."""
    where = f"{table.source}:1"
    if table.header is not None:
        named = columns.elsewhere(table.header)
        position = named.required(role, table.header, where, in_list=True)
        return position, f"from the column {shown([table.header[position]])}"
    if len(table.first) == 1:
        return 0, "one a line, no header"
    if table.separator in ("|", "::"):
        return 0, "from the first column, no header"
    raise EncodingError(
        f"{where}: no column of {role}s is known by its name; the first line has "
        f"{shown(table.first)}; --columns {role}=NAME says which (an id with a separator in it "
        "stands in quotes)"
    )


def _refuse_heading(path: Path, role: Role, ids: list[str]) -> None:
    """Refuse a first line that is no number above numbers alone: it is the name of a column."""
    if len(ids) > 1 and not _INTEGER(ids[0]) and all(map(_INTEGER, ids[1:])):
        raise EncodingError(
            f"{path}:1: {shown(ids[:1])} is no usual name of a column of {role}s, and no number "
            f"like the ids below it; --columns {role}={shown(ids[:1])} takes it for the header "
            "(if it is an id, put it elsewhere than first)"
        )


def check_known(raw: RawRatings, role: Role, listed: IdList) -> None:
    """Refuse ratings of ids that a list does not have (PPMF-FIX-009).

    Raises RangeError, beginning with `FILE:LINE` of the first one, that names the list; which ids
    the ratings have is not told.
    """
    rated = raw.users if role is Role.USER else raw.items
    known = frozenset(listed.ids)
    outside = [index for index, text in enumerate(rated) if text not in known]
    if outside:
        missing = len({rated[index] for index in outside})
        raise RangeError(
            f"{raw.where(outside[0])}: the {role} id is not in {listed.description}; this "
            f"holds for {len(outside):,} of {len(raw):,} ratings and {missing:,} different ids"
        )
