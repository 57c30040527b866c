# SPDX-License-Identifier: Apache-2.0
"""Files of ratings, read exactly: four published layouts, told apart by their first line.

=============  =====================================  ==========================================
layout         first line                             columns
=============  =====================================  ==========================================
ratings.csv    `userId,movieId,rating[,timestamp]`    by name, any order; comma, CSV quoting
.inter         `user_id:token<TAB>item_id:token...`   by name, any order; tab (RecBole's form)
u.data         a rating                               user, item, rating[, timestamp]; tab
ratings.dat    a rating                               user, item, rating[, timestamp]; `::`
=============  =====================================  ==========================================

Timestamps and further named columns are ignored. Text is UTF-8, with or without a byte-order mark,
lines end in LF or CRLF, and blank lines may follow the last rating. An error message says where a
line stands and never repeats its text, because ratings are secret and messages are passed on.
"""

from __future__ import annotations

import csv
import io
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from ppmf_spec.decimals import decimal_text, exact_number, parse_decimal
from ppmf_spec.errors import EncodingError
from ppmf_spec.files import read_text, write_atomically
from ppmf_spec.ids import check_id, id_texts

_CSV_COLUMNS = ("userId", "movieId", "rating")
_INTER_COLUMNS = ("user_id", "item_id", "rating")


@dataclass(frozen=True, slots=True, repr=False)
class RawRatings:
    """Ratings as a file states them, in its order: user, item and the exact number of stars.

    `users`, `items` and `values` run in parallel, one entry a rating. `source` names the file (or
    what made the ratings); `lines`, when there is a file, gives the line of each rating, from 1.
    Lists, arrays and columns of a data frame will do: integer ids become text, and numbers their
    exact rationals. The ratings are secret, so `repr` shows the source alone.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    values: tuple[Fraction, ...]
    source: str = "ratings"
    lines: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        """Refuse columns that do not run in parallel, or hold no ids (EncodingError), and values
        that are no finite numbers (RangeError).
        """
        for name in ("users", "items"):
            texts = id_texts(getattr(self, name), f"{self.source}: {name}")
            object.__setattr__(self, name, texts)
        object.__setattr__(self, "values", _exact(self.values, self.source))
        sizes = {len(self.users), len(self.items), len(self.values)}
        if len(sizes) != 1 or (self.lines and len(self.lines) not in sizes):
            raise EncodingError(f"{self.source}: columns of different lengths")

    def __len__(self) -> int:
        return len(self.values)

    def __repr__(self) -> str:
        return f"<RawRatings of {self.source!r}, not shown>"

    def where(self, index: int) -> str:
        """The place of rating `index` (from 0), for a message: `FILE:LINE` when there is a file."""
        if self.lines:
            return f"{self.source}:{self.lines[index]}"
        return f"{self.source}: rating number {index + 1}"

    def take(self, indices: list[int]) -> RawRatings:
        """The ratings at `indices` alone, with where they stood."""
        return RawRatings(
            users=tuple(self.users[k] for k in indices),
            items=tuple(self.items[k] for k in indices),
            values=tuple(self.values[k] for k in indices),
            source=self.source,
            lines=tuple(self.lines[k] for k in indices) if self.lines else (),
        )


def _exact(values: Iterable[object], source: str) -> tuple[Fraction, ...]:
    """The numbers as rationals, one object for each distinct number of a type."""
    if isinstance(values, str | bytes) or not hasattr(values, "__iter__"):
        raise EncodingError(f"{source}: values: {type(values).__name__} where a list belongs")
    given = tuple(values)
    if all(type(value) is Fraction for value in given):
        return given  # type: ignore[return-value]
    known: dict[object, Fraction] = {}
    found: list[Fraction] = []
    for number, value in enumerate(given, start=1):
        exact = exact_number(value, f"{source}: rating number {number}")
        found.append(known.setdefault(exact, exact))
    return tuple(found)


def read(path: str | Path) -> RawRatings:
    """The ratings of a file in one of the layouts above.

    Raises EncodingError, beginning with FILE or `FILE:LINE`, for a file that cannot be read, is not
    UTF-8, has none of the layouts or no rating, or has a line that is not a rating. Whether the
    ratings fit a scale, and repeat one another, is for `ppmf_spec.ratings.quantise`.
    """
    source = Path(path)
    text = read_text(source).rstrip("\r\n")
    if not text:
        raise EncodingError(f"{source}: no ratings, the file is empty")
    first = text.split("\n", 1)[0]
    if first.removeprefix('"').startswith(_CSV_COLUMNS) and "," in first:
        return _columns(source, csv_rows(source, text), _CSV_COLUMNS)
    if "\t" in first and "user_id:" in first:
        return _columns(source, split_rows(text, "\t"), _INTER_COLUMNS)
    for separator in ("\t", "::"):
        if separator in first:
            return ratings_from_rows(source, split_rows(text, separator), 0, 1, 2, range(3, 5))
    raise EncodingError(
        f"{source}:1: not a ratings file: expected the header userId,movieId,rating (ratings.csv) "
        "or user_id:token (.inter), or a rating split by tabs (u.data) or by :: (ratings.dat)"
    )


def write_csv(path: str | Path, raw: RawRatings) -> None:
    """Write the ratings in the layout of ratings.csv, without timestamps, all or nothing.

    `read` gives the same ratings back. Raises RangeError for a value without a finite decimal.
    """
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(_CSV_COLUMNS)
    stars = {value: decimal_text(value, raw.source) for value in set(raw.values)}
    writer.writerows(
        (user, item, stars[value])
        for user, item, value in zip(raw.users, raw.items, raw.values, strict=True)
    )
    write_atomically(Path(path), text.getvalue().encode("utf-8"))


Rows = Iterator[tuple[int, list[str]]]
"""The rows of a table: the number of a row's first line, from 1, and its fields."""


def split_rows(text: str, separator: str) -> Rows:
    """One row a line, split at each `separator`; quotes are characters like others."""
    for line, row in enumerate(text.split("\n"), start=1):
        yield line, row.removesuffix("\r").split(separator)


def csv_rows(source: Path, text: str, separator: str = ",") -> Rows:
    """Rows of quoted fields, which may hold line ends and be of any length.

    Raises EncodingError, beginning with `FILE:LINE`, at a row whose quotes are broken.
    """
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    while True:
        line = reader.line_num + 1
        # The csv module's limit of 131,072 characters a field is one for all its users.
        limit = csv.field_size_limit(sys.maxsize)
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise EncodingError(f"{source}:{line}: broken CSV quoting") from error
        finally:
            csv.field_size_limit(limit)
        yield line, row


def _columns(source: Path, rows: Rows, names: tuple[str, str, str]) -> RawRatings:
    """Ratings below a header that names the columns (`name` or, in .inter, `name:type`)."""
    _, header = next(rows)
    columns = [name.split(":", 1)[0] for name in header]
    for name in names:
        if columns.count(name) != 1:
            raise EncodingError(f"{source}:1: the header must name the column {name} once")
    user, item, rating = (columns.index(name) for name in names)
    widths = range(len(header), len(header) + 1)
    return ratings_from_rows(source, rows, user, item, rating, widths)


def ratings_from_rows(
    source: Path, rows: Rows, user: int, item: int, rating: int, widths: range
) -> RawRatings:
    """One rating a row; `user`, `item`, `rating` are column numbers, `widths` the allowed
    numbers of columns.

    Raises EncodingError, beginning with `FILE:LINE`, for a row that is not a rating, and for no
    rows. Each distinct id and number is checked once: 100,000 rows hold some thousands of ids and
    ten different numbers.
    """
    users: list[str] = []
    items: list[str] = []
    values: list[Fraction] = []
    lines: list[int] = []
    checked: set[str] = set()
    numbers: dict[str, Fraction] = {}
    for line, row in rows:
        if len(row) not in widths:
            expected = " or ".join(map(str, widths))
            raise EncodingError(f"{source}:{line}: {len(row)} columns, expected {expected}")
        for what, text in (("user", row[user]), ("item", row[item])):
            if text not in checked:
                check_id(text, f"{source}:{line}: the {what} id")
                checked.add(text)
        value = numbers.get(row[rating])
        if value is None:
            value = parse_decimal(row[rating], f"{source}:{line}: the rating")
            numbers[row[rating]] = value
        users.append(row[user])
        items.append(row[item])
        values.append(value)
        lines.append(line)
    if not values:
        raise EncodingError(f"{source}: no ratings below the header")
    return RawRatings(tuple(users), tuple(items), tuple(values), str(source), tuple(lines))
