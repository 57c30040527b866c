# SPDX-License-Identifier: Apache-2.0
"""Options and arguments that several commands share, and the inputs of a run that they name."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import platformdirs
import typer

from ppmf import console
from ppmf.data import id_lists, rating_sources, rating_tables, tables
from ppmf.data.columns import BY_USUAL_NAMES, Columns, Role
from ppmf.data.rating_tables import AS_FOUND, Duplicates, Reading
from ppmf_spec import ratings
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings, RatingScale

_MARK = "ppmf=2&"
"""What the text of a half has, and no name of a file."""

RatingsFile = Annotated[
    Path,
    typer.Argument(
        metavar="RATINGS",
        help="Ratings: a table with columns of usual names (userId, book_id, stars, ...), with "
        "commas, tabs, ::, | or ; between them, plain, gz, zip or Parquet; MovieLens u.data or "
        "ratings.dat; or a folder that holds such a file.",
        show_default=False,
    ),
]
ColumnNames = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="user=NAME,item=NAME,rating=NAME",
        help="Which columns of the ratings are which: names in their header, or numbers from 0 if "
        "they have none. Names hold for lists and titles (title=NAME) that have them, too. "
        "[default: found by usual names]",
        show_default=False,
    ),
]
Separator = Annotated[
    str | None,
    typer.Option(
        "--separator",
        metavar="MARK",
        help="What stands between the columns of the ratings: comma, tab, colons (::), pipe (|) "
        "or semicolon. [default: found in the first line]",
        show_default=False,
    ),
]
DuplicatesPolicy = Annotated[
    Duplicates,
    typer.Option(
        "--duplicates",
        help="A user's second rating of an item: refuse the file, or keep that user's last or "
        "first one in the file's order.",
    ),
]
Rounding = Annotated[
    bool,
    typer.Option(
        "--round",
        help="Round ratings between two points of the grid to the nearest, half-way up. "
        "[default: refuse them]",
    ),
]
UserFolderOption = Annotated[
    Path | None,
    typer.Option(
        "--folder",
        metavar="DIR",
        help="The private folder of your invitation, ratings and uploads. "
        "[default: one among your own data]",
        show_default=False,
    ),
]
ParametersFile = Annotated[
    Path | None,
    typer.Option(
        "--params",
        metavar="P.toml",
        help="Public parameters; what the file leaves out, or without a file everything, has its "
        "default.",
        show_default=False,
    ),
]
Rank = Annotated[
    int | None,
    typer.Option("--rank", metavar="D", help="Factors. [default: the set's]", show_default=False),
]
Iterations = Annotated[
    int | None,
    typer.Option(
        "--iterations",
        metavar="T",
        help="Outer iterations. [default: the set's]",
        show_default=False,
    ),
]
CatalogueFile = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        metavar="FILE",
        help="The public list of items: ids, one a line, or a table such as movies.csv with a "
        "column of items. "
        "[default: the ids in RATINGS]",
        show_default=False,
    ),
]
CostsFile = Annotated[
    Path,
    typer.Option(
        "--costs",
        metavar="FILE",
        help="The file of unit costs.",
        show_default="the one that comes with ppmf",
    ),
]
UserListFile = Annotated[
    Path | None,
    typer.Option(
        "--user-list",
        metavar="FILE",
        help="The public list of users: ids, one a line, or a table with a column of users. "
        "[default: the ids in RATINGS]",
        show_default=False,
    ),
]


def refuse_half(where: str, text: str) -> None:
    """Raise BadParameter, without the text, for a half of an invitation in place of the name of its
    file (PPMF-ENR-013).
    """
    if _MARK in text:
        raise typer.BadParameter(
            f"{where}: a half stands in the command, which other users of this machine can see "
            "(PPMF-ENR-013); put it into a file and name that"
        )


def user_folder() -> Path:
    """The folder of a user's invitation, ratings and uploads, unless they name another one."""
    return platformdirs.user_data_path("ppmf") / "invitation"


def parameters(
    path: Path | None, rank: int | None = None, iterations: int | None = None
) -> Parameters:
    """The parameter set of a TOML file, or the defaults, with another rank or other iterations."""
    found = Parameters() if path is None else Parameters.from_toml(path)
    if rank is not None:
        found = replace(found, rank=rank)
    return found if iterations is None else replace(found, iterations=iterations)


def reading(
    columns: str | None, separator: str | None, duplicates: Duplicates, rounding: bool
) -> Reading:
    """How a file of ratings is to be read, from the options of a command.

    Raises EncodingError for columns or a separator in no known form.
    """
    return Reading(
        BY_USUAL_NAMES if columns is None else Columns.parse(columns),
        None if separator is None else tables.separator_named(separator),
        duplicates,
        rounding,
    )


def training_ratings(
    path: Path,
    params: Parameters,
    catalogue: Path | None,
    user_list: Path | None,
    reading: Reading = AS_FOUND,
) -> Ratings:
    """The ratings of a run over its public lists, after the policies of `reading`.

    A note says so when a list is taken from the ratings themselves (PPMF-FIX-004).
    """
    file = rating_sources.ratings_file(path)
    with console.timed("ratings read and checked"):
        raw = rating_tables.read(file, reading, console.note)
        lists = {
            role: id_lists.read(given, role, reading.columns)
            for role, given in ((Role.USER, user_list), (Role.ITEM, catalogue))
            if given is not None
        }
        for role, listed in lists.items():
            id_lists.check_known(raw, role, listed)
        raw = rating_tables.settled(raw, reading, RatingScale.of(params), console.note)
        users, items = (
            lists[role].ids if role in lists else None for role in (Role.USER, Role.ITEM)
        )
        found = ratings.quantise(raw, params, users=users, items=items)
    for what, role, option, count in (
        ("user list", Role.USER, "--user-list", found.n_users),
        ("item catalogue", Role.ITEM, "--catalogue", found.n_items),
    ):
        if role in lists:
            console.note(f"the public {what} is {lists[role].description}")
        else:
            console.note(
                f"the public {what} is the {count:,} ids in {file} ({option} gives another)"
            )
    return found
