# SPDX-License-Identifier: Apache-2.0
"""`ppmf recommend` and `ppmf similar`: the user's side, from the published item profiles."""

from __future__ import annotations

from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options
from ppmf.data import item_titles, rating_sources, rating_tables
from ppmf.data.columns import BY_USUAL_NAMES, Columns
from ppmf.data.rating_tables import Duplicates
from ppmf_reference import ridge
from ppmf_spec import profiles
from ppmf_spec.errors import RangeError
from ppmf_spec.extras import needed_by
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import RawRatings

ProfilesFile = Annotated[
    Path | None,
    typer.Option(
        "--profiles",
        metavar="FILE",
        help="The published item_profiles.json. [default: the newest of the session that you take "
        "part in by `ppmf submit`]",
        show_default=False,
    ),
]
TitlesFile = Annotated[
    Path | None,
    typer.Option(
        "--titles",
        metavar="FILE",
        help="Titles: a table with columns of items and of titles, u.item or movies.dat. "
        "[default: a file beside the ratings such as movies.csv, books.csv, items.csv, titles.csv, "
        "u.item or .item]",
        show_default=False,
    ),
]
TitleColumns = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="item=NAME,title=NAME",
        help="Which columns of the titles are which. [default: found by usual names]",
        show_default=False,
    ),
]
Top = Annotated[int, typer.Option("--top", metavar="N", min=1, help="How many items.")]


def recommend(
    profiles_file: ProfilesFile = None,
    ratings_file: Annotated[
        Path | None,
        typer.Option(
            "--ratings",
            metavar="FILE",
            help="Your own ratings, and no others. [default, without --profiles: those that "
            "`ppmf submit` kept]",
            show_default=False,
        ),
    ] = None,
    folder: options.UserFolderOption = None,
    top: Top = 10,
    user: Annotated[
        str | None,
        typer.Option(
            "--user", metavar="ID", help="Whose ratings, if FILE has more than one user's."
        ),
    ] = None,
    ignore_unknown: Annotated[
        bool,
        typer.Option("--ignore-unknown", help="Leave out ratings of items without a profile."),
    ] = False,
    titles_file: TitlesFile = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    as_json: console.Json = False,
) -> None:
    """Recommend items to one user, whose ratings stay on this machine.

    The user's profile is fitted here, from the published item profiles and the user's own ratings
    (ridge regression, in exact rationals); nothing leaves this machine. The user need not have
    taken part in the training. Who takes part by `ppmf submit` needs no options: the profiles are
    fetched from RecSys, who does not learn whose they are for, and kept.

    Examples:
      ppmf recommend
      ppmf recommend --profiles run/item_profiles.json --ratings mine.csv
      ppmf recommend --profiles run/item_profiles.json --ratings mine.csv --titles movies.csv
      ppmf recommend --profiles run/item_profiles.json --ratings ratings.csv --user 17
      ppmf recommend --profiles run/item_profiles.json --ratings mine.csv --json
    """
    if profiles_file is not None:
        if folder is not None:
            raise typer.BadParameter("--profiles and --folder exclude each other")
        if ratings_file is None:
            raise typer.BadParameter("--ratings is due with --profiles")
        published = profiles.read(profiles_file)
    else:
        published, kept = _kept(folder)
        if ratings_file is None:
            ratings_file, ignore_unknown = kept, True
    file = rating_sources.ratings_file(ratings_file)
    reading = options.reading(columns, separator, duplicates, rounding)
    mine = own_ratings(rating_tables.read(file, reading, console.note), user)
    mine = rating_tables.settled(mine, reading, published.scale, console.note)
    rated = rated_rows(mine, published, ignore_unknown)
    if ignore_unknown and len(rated) < len(mine):
        console.note(f"{len(mine) - len(rated):,} of {len(mine):,} ratings are of unknown items")
    if titles_file is None:
        known = item_titles.beside(file, console.note, reading.columns)
    else:
        known = item_titles.read(titles_file, reading.columns, console.note)
    if not as_json:
        show_recommendations(published, rated, top, known)
        return
    console.put_json(
        "recommendations",
        {
            "user": user,
            "rated": len(rated),
            "recommendations": [
                {
                    "place": place,
                    **_members(published, one.row, known),
                    "predicted": float(ridge.clip(one.rating, published)),
                    "unclipped": float(one.rating),
                }
                for place, one in enumerate(best(published, rated, top), start=1)
            ],
        },
    )


def similar(
    item: Annotated[
        str, typer.Argument(metavar="ITEM", help="The id of an item.", show_default=False)
    ],
    profiles_file: ProfilesFile = None,
    folder: options.UserFolderOption = None,
    top: Top = 10,
    titles_file: TitlesFile = None,
    columns: TitleColumns = None,
    as_json: console.Json = False,
) -> None:
    """List the items nearest to one item.

    Nearest by the Euclidean distance of their factors.

    Examples:
      ppmf similar 1 --profiles run/item_profiles.json
      ppmf similar 1 --profiles run/item_profiles.json --titles movies.csv --top 5
      ppmf similar 1 --profiles run/item_profiles.json --json
    """
    published = _kept(folder)[0] if profiles_file is None else profiles.read(profiles_file)
    if item not in published.items:
        raise RangeError(f"{profiles_file or 'item profiles'}: no item {item[:40]!a}")
    chosen = BY_USUAL_NAMES if columns is None else Columns.parse(columns)
    known = {} if titles_file is None else item_titles.read(titles_file, chosen, console.note)
    near = ridge.similar(published, published.items.index(item), top)
    unit = 1 << published.frac_bits
    if as_json:
        row = published.items.index(item)
        console.put_json(
            "similar",
            {
                **_members(published, row, known),
                "similar": [
                    {
                        "place": place,
                        **_members(published, one.row, known),
                        "distance": sqrt(one.squared_distance) / unit,
                    }
                    for place, one in enumerate(near, start=1)
                ],
            },
        )
        return
    console.say(f"nearest to {item} {known.get(item, '')}".rstrip())
    distances = [(one.row, f"{sqrt(one.squared_distance) / unit:.4f}") for one in near]
    _ranking(published, distances, known, "distance")


def _kept(folder: Path | None) -> tuple[ItemProfiles, Path]:
    """The profiles of the session that the user takes part in, and the user's ratings."""
    with needed_by("`ppmf recommend` without --profiles"):
        from ppmf.commands import kept_session
    return kept_session.published(folder or options.user_folder())


def own_ratings(raw: RawRatings, user: str | None) -> RawRatings:
    """The ratings of one user: the one named, or the only one in the file."""
    present = set(raw.users)
    if user is None:
        if len(present) > 1:
            raise RangeError(f"{raw.source}: ratings of {len(present):,} users; name one by --user")
        return raw
    if user not in present:
        raise RangeError(f"{raw.source}: no ratings of user {user[:40]!a}")
    return raw.take([index for index, one in enumerate(raw.users) if one == user])


def rated_rows(
    mine: RawRatings, published: ItemProfiles, ignore_unknown: bool
) -> dict[int, Fraction]:
    """A user's ratings in stars by item row.

    Raises RangeError, beginning with `FILE:LINE`, for an item without a profile (unless ignored),
    an item rated twice, or a rating off the public scale or its grid.
    """
    row_of = {item: row for row, item in enumerate(published.items)}
    found: dict[int, Fraction] = {}
    for index, (item, stars) in enumerate(zip(mine.items, mine.values, strict=True)):
        row = row_of.get(item)
        if row is None:
            if ignore_unknown:
                continue
            raise RangeError(
                f"{mine.where(index)}: the item has no profile; --ignore-unknown leaves it out"
            )
        if row in found:
            raise RangeError(f"{mine.where(index)}: the item is rated twice")
        try:
            ridge.check_rating(published, row, stars)
        except RangeError as error:
            reason = str(error).split(": ", 1)[-1]
            raise RangeError(f"{mine.where(index)}: {reason}") from error
        found[row] = stars
    return found


def best(published: ItemProfiles, rated: dict[int, Fraction], top: int) -> list[ridge.Prediction]:
    """The best unrated items for a user, by the user's own profile."""
    return ridge.top_n(ridge.profile(rated, published), published, rated, top)


def show_recommendations(
    published: ItemProfiles, rated: dict[int, Fraction], top: int, known: dict[str, str]
) -> None:
    """The table of the best unrated items; predictions are clipped to the scale for show alone."""
    found = best(published, rated, top)
    if not found:
        console.say("every item with a profile is rated already")
        return
    predictions = [(one.row, f"{float(ridge.clip(one.rating, published)):.2f}") for one in found]
    _ranking(published, predictions, known, "predicted")


def _ranking(
    published: ItemProfiles, figures: list[tuple[int, str]], known: dict[str, str], heading: str
) -> None:
    """Print a table of items, given by their rows, with a figure each, and their titles if any."""
    items = [(published.items[row], figure) for row, figure in figures]
    titled = any(item in known for item, _ in items)
    console.table(
        ["", "item", *(["title"] if titled else []), heading],
        [
            [str(place), item, *([known.get(item, "")] if titled else []), figure]
            for place, (item, figure) in enumerate(items, start=1)
        ],
        right=f",item,{heading}",
    )


def _members(published: ItemProfiles, row: int, known: dict[str, str]) -> dict[str, object]:
    """An item in JSON; its title is null where none is known."""
    item = published.items[row]
    return {"item": item, "title": known.get(item)}
