# SPDX-License-Identifier: Apache-2.0
"""Ratings from any table (`tables`), and what is done with those that chapter 2 would refuse.

The four layouts of `ppmf_spec.rating_files` give here what they give there. Other tables are read
by the names of their columns, or by the columns that the user names; what was taken for what is
told in a note. No message repeats a rating or an id of one: a message gives the line.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path

from ppmf.data import tables
from ppmf.data.columns import BY_USUAL_NAMES, Columns, Role, shown
from ppmf.data.tables import Table
from ppmf_spec.decimals import decimal_text
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.rating_files import RawRatings, ratings_from_rows
from ppmf_spec.rating_scale import RatingScale

Note = Callable[[str], None]

_ROLES = (Role.USER, Role.ITEM, Role.RATING)
# The headers of the specification's layouts, which need no note; a type follows in .inter.
_STRICT = {",": ("userId", "movieId", "rating"), "\t": ("user_id", "item_id", "rating")}


class Duplicates(StrEnum):
    """What to do with a second rating of one item by one user."""

    REFUSE = "refuse"
    LAST = "last"
    FIRST = "first"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a file of ratings is to be read, as the user asked.

    `separator` is found out if it is None. `rounding` takes the nearest rating of the grid for one
    that is not on it.
    """

    columns: Columns = BY_USUAL_NAMES
    separator: str | None = None
    duplicates: Duplicates = Duplicates.REFUSE
    rounding: bool = False


AS_FOUND = Reading()
"""Nothing asked for: columns and separator are found, and what chapter 2 refuses is refused."""


def read(path: Path, reading: Reading, note: Note) -> RawRatings:
    """The ratings of a file in any table, in the order of its lines.

    Raises EncodingError, beginning with FILE or `FILE:LINE`, for a file that cannot be read, a
    header without the three columns, or a line that is not a rating.
    """
    table = tables.read(path, reading.columns, reading.separator)
    user, item, rating = _columns(table, reading.columns, note)
    # In u.data and ratings.dat some lines may have a timestamp, and others none.
    fixed = table.header is None and not reading.columns.given
    rows = table.pick((user, item), (rating,), widths=(3, 4) if fixed else ())
    return ratings_from_rows(path, rows, 0, 1, 2, range(3, 4))


def _columns(table: Table, columns: Columns, note: Note) -> tuple[int, int, int]:
    """The columns of users, items and ratings; a note tells them unless a layout fixes them."""
    if table.header is not None:
        return _named_columns(table, table.header, columns, note)
    where = f"{table.source}:1"
    width = len(table.first)
    if columns.given:
        found = [columns.position(role, width, where) for role in _ROLES]
        if None in found:
            raise EncodingError(
                f"{where}: the line is no header: --columns needs the numbers of the three "
                "columns, such as user=0,item=1,rating=2"
            )
        user, item, rating = (k for k in found if k is not None)
        note(
            f"{table.source}: no header; by --columns, users from column {user}, items from "
            f"{item}, ratings from {rating}, counted from 0"
        )
        return user, item, rating
    # A line without a digit is no rating, so its fields may be shown.
    if not any(mark.isdigit() for text in table.first for mark in text):
        raise EncodingError(
            f"{where}: no columns of ratings: the first line has {shown(table.first)}, none of "
            "them a usual name; --columns user=NAME,item=NAME,rating=NAME says which is which"
        )
    if table.separator in ("\t", "::") and width in (3, 4):
        return 0, 1, 2
    raise EncodingError(
        f"{where}: no usual names of columns in the first line, and {width} columns; if it is a "
        "rating, --columns user=0,item=1,rating=2 says which is which, counted from 0 "
        "(--separator says what stands between them)"
    )


def _named_columns(
    table: Table, header: tuple[str, ...], columns: Columns, note: Note
) -> tuple[int, int, int]:
    where = f"{table.source}:1"
    names = [name.split(":", 1)[0] for name in header]
    strict = _STRICT.get(table.separator, ())
    if strict and not columns.given and all(names.count(name) == 1 for name in strict):
        user, item, rating = (names.index(name) for name in strict)
        return user, item, rating
    user, item, rating = (columns.required(role, header, where) for role in _ROLES)
    if len({user, item, rating}) != 3:
        raise EncodingError(f"{where}: --columns gives one column for two of them")
    note(
        f"{table.source}: users from the column {shown([header[user]])}, items from "
        f"{shown([header[item]])}, ratings from {shown([header[rating]])}"
    )
    return user, item, rating


def settled(raw: RawRatings, reading: Reading, scale: RatingScale, note: Note) -> RawRatings:
    """The ratings after the user's policies for repeated pairs and for ratings off the grid.

    A rating off the scale is left as it is, to be refused. Raises RangeError, beginning with
    `FILE:LINE`, for the first rating that a policy refuses (PPMF-FIX-006, PPMF-FIX-008).
    """
    return _on_grid(once_a_pair(raw, reading.duplicates, note), scale, reading, note)


def once_a_pair(raw: RawRatings, policy: Duplicates, note: Note) -> RawRatings:
    """The ratings after the policy for repeated pairs. Raises RangeError (PPMF-FIX-008)."""
    kept: dict[tuple[str, str], int] = {}
    for index, pair in enumerate(zip(raw.users, raw.items, strict=True)):
        earlier = kept.setdefault(pair, index)
        if earlier == index:
            continue
        if policy is Duplicates.REFUSE:
            raise RangeError(
                f"{raw.where(index)}: the user rates the item twice, first at "
                f"{raw.where(earlier)}; --duplicates last or --duplicates first keeps one"
            )
        if policy is Duplicates.LAST:
            kept[pair] = index
    if len(kept) == len(raw):
        return raw
    note(
        f"{raw.source}: {len(raw) - len(kept):,} of {len(raw):,} ratings are left out, because a "
        f"user rated an item more than once; the {policy} one is kept (--duplicates {policy})"
    )
    return raw.take(sorted(kept.values()))


def _on_grid(raw: RawRatings, scale: RatingScale, reading: Reading, note: Note) -> RawRatings:
    # Distinct numbers are few: `read` makes one object of each, which `raw` keeps alive.
    nearest: dict[int, Fraction] = {}
    for stars in {id(one): one for one in raw.values}.values():
        if scale.admits(stars) and not scale.holds(stars):
            nearest[id(stars)] = scale.nearest(stars)
    off = [index for index, stars in enumerate(raw.values) if id(stars) in nearest]
    if not off:
        return raw
    step = Fraction(1, 2**scale.frac_bits)
    if not reading.rounding:
        raise RangeError(
            f"{raw.where(off[0])}: the rating is not on the grid: minus "
            f"{decimal_text(scale.offset, 'rating_offset')} it is no multiple of {step} "
            f"(rating_frac_bits), like {len(off):,} of {len(raw):,}; --round takes the nearest"
        )
    note(
        f"{raw.source}: {len(off):,} of {len(raw):,} ratings are rounded to the nearest multiple "
        f"of {step} (--round)"
    )
    return RawRatings(
        users=raw.users,
        items=raw.items,
        values=tuple(nearest.get(id(stars), stars) for stars in raw.values),
        source=raw.source,
        lines=raw.lines,
    )
