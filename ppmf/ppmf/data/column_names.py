# SPDX-License-Identifier: Apache-2.0
"""The usual names of the columns of ratings, and which column of a table is which.

Names are compared by their letters and digits in lower case, without the type that RecBole appends:
`userId`, `User-ID` and `user_id:token` are one name. The names of a column stand in groups; the
first group with a name in the header decides, and two names of that group are refused.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from ppmf_spec.errors import EncodingError

_OF_ITEMS: Final = (
    *("item", "movie", "film", "book", "product", "track", "song", "artist", "game", "anime"),
    *("show", "business", "recipe", "joke", "article"),
)
USUAL_NAMES: Final[Mapping[str, tuple[frozenset[str], ...]]] = {
    "user": (
        frozenset(("userid", "uid", "reviewerid", "customerid", "memberid", "visitorid")),
        frozenset(("user", "reviewer", "customer")),
    ),
    "item": (
        frozenset(("iid", *(f"{kind}id" for kind in _OF_ITEMS))),
        frozenset(_OF_ITEMS),
        frozenset(("isbn", "asin", "parentasin")),
    ),
    "rating": (
        frozenset(("rating", "ratings", "score", "stars", "overall", "starrating", "userrating"))
        | {"bookrating", "reviewscore", "reviewoverall"},
    ),
}
"""The names of each column that need not be given, as `plain_name` has them, in groups."""


def plain_name(name: str) -> str:
    """A column's name as names are compared."""
    return "".join(mark for mark in name.partition(":")[0].casefold() if mark.isalnum())


def find_columns(
    header: Sequence[str],
    given: Mapping[str, str] | None,
    where: str,
    wanted: Sequence[str] = ("user", "item", "rating"),
) -> dict[str, str]:
    """The name of each wanted column, by what it holds: "user", "item", "rating".

    `given` names columns by what they hold and comes before the usual names. Raises EncodingError,
    which begins with `where`, for a column that is missing or could be one of several.
    """
    if given is not None and not isinstance(given, Mapping):
        raise EncodingError(f"{where}: columns: {type(given).__name__} where a mapping belongs")
    names = dict(given or {})
    for what in names:
        if what not in USUAL_NAMES:
            raise EncodingError(f"{where}: columns: {str(what)[:40]!a} is not user, item or rating")
    return {what: _one(what, header, names.get(what), where) for what in wanted}


def _one(what: str, header: Sequence[str], given: str | None, where: str) -> str:
    if given is not None:
        if list(header).count(given) == 1:
            return given
        raise EncodingError(f"{where}: no one column {str(given)[:40]!a} among {_shown(header)}")
    for group in USUAL_NAMES[what]:
        found = [name for name in header if plain_name(name) in group]
        if len(found) == 1:
            return found[0]
        if found:
            raise EncodingError(
                f"{where}: the {what} may be in any of the columns {_shown(found)}; "
                f'columns={{"{what}": NAME}} says which'
            )
    raise EncodingError(
        f"{where}: no column of the {what} is known by its name among {_shown(header)}; "
        f'columns={{"{what}": NAME}} says which'
    )


def _shown(names: Sequence[str]) -> str:
    shown = ", ".join(ascii(name[:40]) for name in names[:8])
    return f"{shown} and {len(names) - 8} more" if len(names) > 8 else shown
