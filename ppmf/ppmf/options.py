# SPDX-License-Identifier: Apache-2.0
"""Options and arguments that several commands share, and the inputs of a run that they name."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ppmf import console
from ppmf.data import rating_sources
from ppmf_spec import ratings
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.files import read_text
from ppmf_spec.ids import check_catalogue
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

# Headings that tell a table of ids (movies.csv, RecBole's .item and .user) from a bare list.
_ID_COLUMNS = ("movieId", "itemId", "item_id", "userId", "user_id")

RatingsFile = Annotated[
    Path,
    typer.Argument(
        metavar="RATINGS",
        help="Ratings: MovieLens ratings.csv, u.data or ratings.dat, RecBole .inter, or a folder "
        "that holds one of them.",
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
CatalogueFile = Annotated[
    Path | None,
    typer.Option(
        "--catalogue",
        metavar="FILE",
        help="The public list of items: ids, one a line, or a table such as movies.csv. "
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
        help="The public list of users: ids, one a line. [default: the ids in RATINGS]",
        show_default=False,
    ),
]


def parameters(path: Path | None) -> Parameters:
    """The parameter set of a TOML file, or the defaults."""
    return Parameters() if path is None else Parameters.from_toml(path)


def training_ratings(
    path: Path, params: Parameters, catalogue: Path | None, user_list: Path | None
) -> Ratings:
    """The ratings of a run over its public lists.

    A note says so when a list is taken from the ratings themselves (PPMF-FIX-004).
    """
    items = None if catalogue is None else id_list(catalogue, "item")
    users = None if user_list is None else id_list(user_list, "user")
    file = rating_sources.ratings_file(path)
    with console.timed("ratings read and checked"):
        found = ratings.quantise(ratings.read(file), params, users=users, items=items)
    for what, given, option, count in (
        ("user list", users, "--user-list", found.n_users),
        ("item catalogue", items, "--catalogue", found.n_items),
    ):
        if given is None:
            console.note(
                f"the public {what} is the {count:,} ids in {file} ({option} gives another)"
            )
    return found


def id_list(path: Path, what: str) -> tuple[str, ...]:
    """A public list of ids, in canonical order: one a line, or the id column of a table.

    A table has a header whose first column is one of movieId, itemId, item_id, userId, user_id
    (RecBole's `:token` may follow). Raises EncodingError or RangeError naming the file.
    """
    lines = [line.rstrip("\r") for line in read_text(path).rstrip("\r\n").split("\n")]
    separator = "\t" if "\t" in lines[0] else ","
    heading = lines[0].split(separator)[0].split(":")[0]
    if heading in _ID_COLUMNS:
        lines = [line.split(separator, 1)[0] for line in lines[1:]]
    try:
        return check_catalogue(lines, what)
    except (EncodingError, RangeError) as error:
        raise type(error)(f"{path}: {error}") from error
