# SPDX-License-Identifier: Apache-2.0
"""Ratings of files, for the library: what the commands read, with their options as arguments."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ppmf.data import rating_sources, rating_tables, tables
from ppmf.data.data_frames import named_columns
from ppmf.data.rating_tables import Duplicates, Reading
from ppmf_spec.errors import EncodingError, ParametersError, PpmfError, check_type
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_scale import RatingScale
from ppmf_spec.ratings import RawRatings

_ARGUMENTS = (
    (
        r"--columns user=(\w+),item=(\w+),rating=(\w+)",
        r'columns={"user": "\1", "item": "\2", "rating": "\3"}',
    ),
    (r"--columns (\w+)=(\w+)", r'columns={"\1": "\2"}'),
    (r"--duplicates (\w+)", r'duplicates="\1"'),
    (r"--round\b", "rounding=True"),
    (r"--(columns|separator)\b", r"\1"),
)
"""The commands' options in messages, and the arguments that stand for them here."""


def read_ratings(
    path: str | os.PathLike[str],
    *,
    columns: Mapping[str, str] | None = None,
    separator: str | None = None,
    duplicates: str = "refuse",
    rounding: bool = False,
    params: Parameters | None = None,
) -> RawRatings:
    """The ratings of a file, or of the one in a folder, as `ppmf train` reads them.

    The file is a table with columns of usual names, MovieLens's u.data or ratings.dat, or RecBole's
    .inter; plain, gz, zip or Parquet. `columns` says which is which where they have other names: a
    mapping with the keys "user", "item" and "rating" to names in the header or, without one, to
    numbers from 0. `separator` is found in the first line unless it is given. `duplicates` is
    "refuse", "last" or "first": what is done with a user's second rating of an item. `rounding`
    takes the nearest point of the grid of `params` (of the default parameters, if there are none)
    for a rating between two.

    Raises a PpmfError in one line, beginning with FILE or `FILE:LINE`, which repeats no rating and
    no id of one; MissingExtraError for Parquet without a package that reads it. Whether the ratings
    fit the scale of a training is for `ppmf.quantise`.
    """
    scale = RatingScale.of(Parameters() if params is None else checked(params))
    chosen = reading(columns, separator, duplicates, rounding)
    with arguments_named():
        raw = raw_ratings(path, chosen)
        if not chosen.rounding:
            return rating_tables.once_a_pair(raw, chosen.duplicates, _silent)
        return rating_tables.settled(raw, chosen, scale, _silent)


def checked(params: object) -> Parameters:
    """The parameters. Raises RangeError for another object."""
    check_type(params, Parameters, "parameters")
    assert isinstance(params, Parameters)
    return params


def reading(
    columns: Mapping[str, str] | None,
    separator: str | None,
    duplicates: str,
    rounding: bool,
) -> Reading:
    """How ratings are to be read. Raises a PpmfError for an argument of another form."""
    if duplicates not in tuple(Duplicates):
        raise ParametersError(
            f"duplicates = {str(duplicates)[:40]!a}: must be one of {', '.join(Duplicates)}"
        )
    with arguments_named():
        mark = None if separator is None else tables.separator_named(str(separator))
    return Reading(named_columns(columns), mark, Duplicates(duplicates), bool(rounding))


def raw_ratings(path: str | os.PathLike[str], chosen: Reading) -> RawRatings:
    """The ratings of a file or of the one in a folder, before the policies; or EncodingError."""
    if not isinstance(path, str | os.PathLike):
        raise EncodingError(f"ratings: {type(path).__name__} where a path belongs")
    return rating_tables.read(rating_sources.ratings_file(Path(path)), chosen, _silent)


def settled(raw: RawRatings, chosen: Reading, scale: RatingScale) -> RawRatings:
    """The ratings after the policies of `chosen`. Raises RangeError for what they refuse."""
    with arguments_named():
        return rating_tables.settled(raw, chosen, scale, _silent)


@contextmanager
def arguments_named() -> Iterator[None]:
    """The context of a call whose messages name options of the commands: these become arguments."""
    try:
        yield
    except PpmfError as error:
        text = str(error)
        for option, argument in _ARGUMENTS:
            text = re.sub(option, argument, text)
        if text == str(error):
            raise
        raise type(error)(text) from None


def _silent(note: str) -> None:
    """Take a note and say nothing: a library does what it was asked for."""
