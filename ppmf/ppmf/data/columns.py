# SPDX-License-Identifier: Apache-2.0
"""The columns of a table by name: which one holds the users, the items, the ratings, the titles.

Names are compared without regard to case, blanks and marks, and without the type that RecBole
appends: `userId`, `user_id`, `User-ID` and `user_id:token` are one name. A role has a sequence of
groups of usual names; the first group with a name in the header decides, and two columns of that
group are refused as ambiguous. What the user names in `--columns` comes before all usual names.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from ppmf_spec.decimals import parse_decimal
from ppmf_spec.errors import EncodingError

_SHOWN_NAMES, _SHOWN_LETTERS = 12, 40


class Role(StrEnum):
    """What a column holds."""

    USER = "user"
    ITEM = "item"
    RATING = "rating"
    TITLE = "title"
    YEAR = "year"


_OF_ITEMS = (
    *("item", "movie", "film", "book", "product", "track", "song", "artist", "game", "anime"),
    *("show", "business", "recipe", "joke", "article"),
)

_USUAL: dict[Role, tuple[frozenset[str], ...]] = {
    Role.USER: (
        frozenset(("userid", "uid", "reviewerid", "customerid", "memberid", "visitorid")),
        frozenset(("user", "reviewer", "customer")),
    ),
    Role.ITEM: (
        frozenset(("iid", *(f"{kind}id" for kind in _OF_ITEMS))),
        frozenset(_OF_ITEMS),
        frozenset(("isbn", "asin", "parentasin")),
    ),
    Role.RATING: (
        frozenset(("rating", "ratings", "score", "stars", "overall", "starrating", "userrating"))
        | {"bookrating", "reviewscore", "reviewoverall"},
    ),
    Role.TITLE: (
        frozenset(("title", *(f"{kind}title" for kind in _OF_ITEMS))),
        frozenset(("name", *(f"{kind}name" for kind in _OF_ITEMS))),
        frozenset(("originaltitle",)),
    ),
    Role.YEAR: (
        frozenset(("releaseyear", "year", "publicationyear", "yearofpublication")),
        frozenset(("originalpublicationyear",)),
    ),
}
# Beside ratings a column `id` numbers the lines; in a list, or with titles, it is the id.
_OF_LISTS = frozenset(("id",))
_KNOWN = _OF_LISTS.union(
    *(group for role, groups in _USUAL.items() if role is not Role.YEAR for group in groups)
)


def plain(name: str) -> str:
    """The name as names are compared: letters and digits, in lower case, without RecBole's type."""
    return "".join(mark for mark in name.split(":", 1)[0].casefold() if mark.isalnum())


def shown(names: Sequence[str]) -> str:
    """Names of columns, or public ids, for one line of a message: not too many, and printable."""
    texts = [
        "".join(mark if mark.isprintable() else " " for mark in name[:_SHOWN_LETTERS])
        or "(no name)"
        for name in names[:_SHOWN_NAMES]
    ]
    more = len(names) - len(texts)
    return ", ".join(texts) + (f" and {more} more" if more else "")


def is_number(text: str) -> bool:
    """Whether the text is a plain decimal, as every rating is."""
    try:
        parse_decimal(text, "")
    except EncodingError:
        return False
    return True


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns that the user named: for some roles a name in the header or, from 0, a number."""

    given: Mapping[Role, str]

    @staticmethod
    def parse(text: str) -> Columns:
        """The value of `--columns`, `user=NAME,item=NAME,rating=NAME`, in any order and number.

        Raises EncodingError for another form, a role given twice, or one column for two roles.
        """
        given: dict[Role, str] = {}
        for part in text.split(","):
            role, equals, name = (piece.strip() for piece in part.partition("="))
            if not equals or not name or role not in list(Role):
                raise EncodingError(
                    "--columns: expected user=NAME,item=NAME,rating=NAME with names of columns or "
                    "their numbers from 0 (title=NAME and year=NAME for titles)"
                )
            if Role(role) in given:
                raise EncodingError(f"--columns: {role} is given twice")
            given[Role(role)] = name
        if len(set(given.values())) != len(given):
            raise EncodingError("--columns: one column is given for two of them")
        return Columns(given)

    def elsewhere(self, header: Sequence[str] | None = None) -> Columns:
        """The same columns for another table than the ratings: a list, or titles.

        Numbers are those of the ratings' columns alone, and so are names, except of titles and
        years, that the other table's header does not have.
        """
        names = {plain(name) for name in header or ()}
        return Columns(
            {
                role: name
                for role, name in self.given.items()
                if not _is_position(name)
                and (header is None or plain(name) in names or role in (Role.TITLE, Role.YEAR))
            }
        )

    def names_in(self, row: Sequence[str]) -> int:
        """How many fields of a first line are names, usual ones or the user's.

        A line with a number in it is one of names only if it has three of them: every line of
        ratings holds a number, and hardly any holds three ids that are names of columns.
        """
        own = {plain(name) for name in self.given.values() if not _is_position(name)}
        names = sum(plain(text) in _KNOWN or plain(text) in own for text in row if plain(text))
        return 0 if names < 3 and any(is_number(text) for text in row) else names

    def position(self, role: Role, width: int, where: str) -> int | None:
        """The column that the user gave for `role` by number.

        Raises EncodingError if a table of `width` columns does not have it.
        """
        name = self.given.get(role, "")
        if not _is_position(name):
            return None
        if int(name) >= width:
            raise EncodingError(
                f"{where}: {width} columns, numbered from 0: there is no column {name} "
                f"(--columns {role}={name})"
            )
        return int(name)

    def find(
        self, role: Role, header: Sequence[str], where: str, *, in_list: bool = False
    ) -> int | None:
        """The column of `header` that holds `role`, or None if no column has a usual name.

        `in_list` admits the name `id` for users and items. Raises EncodingError, beginning with
        `where`, for an ambiguous header, and for a column that the user named and is not there.
        """
        names = [plain(name) for name in header]
        if role in self.given:
            given = self.given[role]
            position = self.position(role, len(header), where)
            if position is not None:
                return position
            exact = [k for k, name in enumerate(header) if name.split(":", 1)[0] == given]
            found = exact or [k for k, name in enumerate(names) if name == plain(given)]
            if len(found) == 1:
                return found[0]
            problem = "stands twice" if found else "is not there"
            raise EncodingError(
                f"{where}: the column {shown([given])} {problem}; the columns are {shown(header)}"
            )
        groups = _USUAL[role]
        if in_list and role in (Role.USER, Role.ITEM):
            groups = (*groups, _OF_LISTS)
        for group in groups:
            found = [k for k, name in enumerate(names) if name in group]
            if len(found) > 1:
                raise EncodingError(
                    f"{where}: {' and '.join(shown([header[k]]) for k in found)} may both be the "
                    f"column of the {role}s; --columns {role}=NAME says which"
                )
            if found:
                return found[0]
        return None

    def required(
        self, role: Role, header: Sequence[str], where: str, *, in_list: bool = False
    ) -> int:
        """As `find`; EncodingError, naming the columns there are, if no column has a usual name."""
        found = self.find(role, header, where, in_list=in_list)
        if found is None:
            raise EncodingError(
                f"{where}: no column of {role}s is known by its name; the columns are "
                f"{shown(header)}; --columns {role}=NAME says which"
            )
        return found


BY_USUAL_NAMES = Columns({})
"""No column named by the user."""


def _is_position(name: str) -> bool:
    return name.isascii() and name.isdecimal() and len(name) < 7
