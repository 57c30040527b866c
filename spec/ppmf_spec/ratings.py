# SPDX-License-Identifier: Apache-2.0
"""The ratings of a run, as exact integers (chapter 2, "Rows and ratings").

`read` turns a file into `RawRatings`, in exact stars; `quantise` turns these into `Ratings`, the
input of both the oracle and the protocol. The lists of users and of items are public, and the
protocol never derives them from ratings; a command that is given nothing but a file takes the ids
that occur in it, and says so.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from ppmf_spec.decimals import decimal_text
from ppmf_spec.errors import RangeError, check_type
from ppmf_spec.ids import canonical_order, check_catalogue, check_id, id_texts
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_files import RawRatings, read, write_csv
from ppmf_spec.rating_scale import DEFAULT_SCALE, RatingScale

__all__ = [
    "RatingScale",
    "Ratings",
    "RawRatings",
    "canonical_order",
    "check_scale",
    "most_active",
    "quantise",
    "read",
    "split_holdout",
    "write_csv",
]

Rows = list[tuple[list[int], list[int]]]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Ratings:
    """A sparse matrix of c ratings over n users and m items.

    `users` (n) and `items` (m) are ids in canonical order: row i is `users[i]`, column j is
    `items[j]`. `user`, `item`, `value` are int64 of shape (c,), sorted by user, then item; `value`
    is (r - r0) 2^fr, where `scale` has r0 and fr: only parameters of that scale can train on it
    (`check_scale`). Rows and columns without ratings are allowed, and so is c = 0. The arrays are
    copied and made read-only; lists of integers will do, and integers as ids. The ratings are
    secret, so `repr` shows the sizes and the scale alone.

    Raises RangeError for ids out of order or repeated, arrays of unequal shape or not of integers
    that int64 holds, row numbers outside the lists, values off the scale, or a pair rated twice;
    EncodingError for what is no id.
    """

    users: tuple[str, ...]
    items: tuple[str, ...]
    user: NDArray[np.int64]
    item: NDArray[np.int64]
    value: NDArray[np.int64]
    scale: RatingScale = DEFAULT_SCALE

    def __post_init__(self) -> None:
        check_type(self.scale, RatingScale, "ratings: scale")
        for what in ("user", "item"):
            ids = id_texts(getattr(self, f"{what}s"), f"{what} catalogue")
            object.__setattr__(self, f"{what}s", ids)
            if not ids:
                raise RangeError(f"ratings: the {what} list is empty")
            if check_catalogue(ids, what) != ids:
                raise RangeError(f"ratings: the {what} list is not in canonical order")
        for name in ("user", "item", "value"):
            object.__setattr__(self, name, _integers(getattr(self, name), name))
        if not self.user.shape == self.item.shape == self.value.shape == (self.user.size,):
            raise RangeError("ratings: user, item and value must be three arrays of one length")
        for what, rows, size in (
            ("user", self.user, len(self.users)),
            ("item", self.item, len(self.items)),
        ):
            if rows.size and (rows.min() < 0 or rows.max() >= size):
                raise RangeError(f"ratings: a {what} row number is outside the list of {size}")
        low, high = self.scale.least, self.scale.most
        if self.value.size and (int(self.value.min()) < low or int(self.value.max()) > high):
            raise RangeError(f"ratings: a value is off the scale, from {low} to {high}")
        order = np.lexsort((self.item, self.user))
        for name in ("user", "item", "value"):
            column = getattr(self, name)[order]
            column.setflags(write=False)
            object.__setattr__(self, name, column)
        same = (self.user[1:] == self.user[:-1]) & (self.item[1:] == self.item[:-1])
        if same.any():
            raise RangeError("ratings: a user rates an item twice")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ratings):
            return NotImplemented
        return (
            self.users == other.users
            and self.items == other.items
            and self.scale == other.scale
            and np.array_equal(self.user, other.user)
            and np.array_equal(self.item, other.item)
            and np.array_equal(self.value, other.value)
        )

    def __len__(self) -> int:
        """The number of ratings, c."""
        return int(self.value.size)

    def __repr__(self) -> str:
        size = f"{self.n_users:,} users and {self.n_items:,} items"
        return f"<Ratings of {size}, {self.scale}; not shown>"

    @property
    def n_users(self) -> int:
        """The number of users, n."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """The number of items, m."""
        return len(self.items)

    def by_user(self) -> Rows:
        """For each user, in row order: the columns that are rated, ascending, and their values."""
        return _grouped(self.user, self.item, self.value, self.n_users)

    def by_item(self) -> Rows:
        """For each item, in row order: the users who rated it, ascending, and their values."""
        return _grouped(self.item, self.user, self.value, self.n_items)

    def restricted(self, keep: NDArray[np.bool_]) -> Ratings:
        """The ratings where `keep` (c,) is true, over the same users and items."""
        kept = (self.user[keep], self.item[keep], self.value[keep])
        return Ratings(self.users, self.items, *kept, self.scale)


def _integers(column: object, name: str) -> NDArray[np.int64]:
    """The column as int64, never rounded or wrapped."""
    wrong = f"ratings: {name} must be an array of integers that int64 holds"
    if isinstance(column, np.ma.MaskedArray):
        raise RangeError(f"{wrong}, not a masked one")
    try:
        found = np.asarray(column)
    except (TypeError, ValueError, OverflowError):
        raise RangeError(wrong) from None
    if found.dtype.kind not in "iu" and found.size:
        raise RangeError(f"{wrong}, not of {found.dtype}")
    if isinstance(column, list | tuple) and bool in map(type, column):
        raise RangeError(f"{wrong}, not of bool")
    if found.dtype == np.uint64 and found.size and int(found.max()) >= 2**63:
        raise RangeError(wrong)
    return found.astype(np.int64)


def check_scale(ratings: Ratings, params: Parameters) -> None:
    """Refuse ratings of another scale than the parameters', which would train silently wrong.

    Raises RangeError, also for an object that is no `Ratings` or no `Parameters`.
    """
    check_type(ratings, Ratings, "ratings")
    check_type(params, Parameters, "parameters")
    if ratings.scale != RatingScale.of(params):
        raise RangeError(
            f"ratings: of the scale {ratings.scale}, where the parameters have "
            f"{RatingScale.of(params)}"
        )


def _grouped(
    row: NDArray[np.int64], column: NDArray[np.int64], value: NDArray[np.int64], size: int
) -> Rows:
    order = np.lexsort((column, row))
    ends = np.cumsum(np.bincount(row, minlength=size))[:-1]
    columns = np.split(column[order], ends)
    values = np.split(value[order], ends)
    return [(c.tolist(), v.tolist()) for c, v in zip(columns, values, strict=True)]


def quantise(
    raw: RawRatings,
    params: Parameters,
    *,
    users: Iterable[str | int] | None = None,
    items: Iterable[str | int] | None = None,
) -> Ratings:
    """Ratings as integers over a catalogue: `users` and `items` as given, else the ids in `raw`.

    Raises RangeError, beginning with `FILE:LINE`, for the first rating of an unknown user or item,
    off the scale [rating_min, rating_max], with (r - r0) 2^fr no integer, or of a pair rated
    before; and for no ratings at all when a list is missing. A bad catalogue is refused as by
    `check_catalogue` (PPMF-FIX-004, -006 to -009).
    """
    check_type(raw, RawRatings, "ratings")
    check_type(params, Parameters, "parameters")
    user_list = _catalogue(raw, raw.users, users, "user")
    item_list = _catalogue(raw, raw.items, items, "item")
    row_of = {text: row for row, text in enumerate(user_list)}
    column_of = {text: column for column, text in enumerate(item_list)}
    # Distinct numbers are few, and hashing a Fraction is slow: `read` makes one object of each,
    # which `raw` keeps alive, so its identity will do.
    known: dict[int, int] = {}
    first_seen: dict[tuple[int, int], int] = {}
    values: list[int] = []
    for index, (user, item, stars) in enumerate(zip(raw.users, raw.items, raw.values, strict=True)):
        row, column = row_of.get(user), column_of.get(item)
        if row is None or column is None:
            what = "user" if row is None else "item"
            raise RangeError(f"{raw.where(index)}: the {what} id is not in the catalogue")
        earlier = first_seen.setdefault((row, column), index)
        if earlier != index:
            raise RangeError(
                f"{raw.where(index)}: the user rates the item twice, first at {raw.where(earlier)}"
            )
        value = known.get(id(stars))
        if value is None:
            value = known[id(stars)] = _quantised(stars, params, raw.where(index))
        values.append(value)
    pairs = np.array(list(first_seen), dtype=np.int64).reshape(-1, 2)
    value_column = np.array(values, dtype=np.int64)
    scale = RatingScale.of(params)
    return Ratings(user_list, item_list, pairs[:, 0], pairs[:, 1], value_column, scale)


def _catalogue(
    raw: RawRatings, rated: tuple[str, ...], given: Iterable[str | int] | None, what: str
) -> tuple[str, ...]:
    if given is not None:
        listed = check_catalogue(given, what)
        if not listed:
            raise RangeError(f"{what} catalogue: no ids")
        return listed
    if not rated:
        raise RangeError(f"{raw.source}: no ratings, and no {what} catalogue")
    for index, text in enumerate(rated):
        check_id(text, f"{raw.where(index)}: the {what} id")
    return canonical_order(rated)


def _quantised(stars: Fraction, params: Parameters, where: str) -> int:
    """(stars - r0) 2^fr, an integer; the message gives the rule and the place, not the rating
    (PPMF-FIX-006, -007).
    """
    if not params.rating_min <= stars <= params.rating_max:
        low = decimal_text(params.rating_min, "rating_min")
        high = decimal_text(params.rating_max, "rating_max")
        raise RangeError(f"{where}: the rating is off the scale from {low} to {high}")
    scaled = (stars - params.rating_offset) * 2**params.rating_frac_bits
    if scaled.denominator != 1:
        offset = decimal_text(params.rating_offset, "rating_offset")
        raise RangeError(
            f"{where}: the rating minus {offset} is not a multiple of "
            f"{Fraction(1, 2**params.rating_frac_bits)} (rating_frac_bits)"
        )
    return int(scaled)


def split_holdout(
    ratings: Ratings, label: str, *, part: int = 1, of: int = 10
) -> tuple[Ratings, Ratings]:
    """Split into (training, held out), about `part` in `of` held out: a tenth by default.

    A rating is held out if the first 8 bytes, little-endian, of SHA-256("ppmf/v1/holdout/" + label,
    user id, item id, each ended by a zero byte) leave a remainder below `part` modulo `of`: whether
    a rating is held out depends on its ids and the label alone, not on other ratings or file order.
    Both parts keep all users and items, rated there or not.
    """
    check_type(ratings, Ratings, "ratings")
    if not 0 <= part <= of or of < 1:
        raise RangeError(f"hold-out: {part} in {of} is no part of a whole")
    start = hashlib.sha256(f"ppmf/v1/holdout/{label}\0".encode())
    user_tokens = [f"{text}\0".encode() for text in ratings.users]
    item_tokens = [f"{text}\0".encode() for text in ratings.items]
    held = np.zeros(len(ratings), dtype=np.bool_)
    for index, (row, column) in enumerate(
        zip(ratings.user.tolist(), ratings.item.tolist(), strict=True)
    ):
        digest = start.copy()
        digest.update(user_tokens[row] + item_tokens[column])
        held[index] = int.from_bytes(digest.digest()[:8], "little") % of < part
    return ratings.restricted(~held), ratings.restricted(held)


def most_active(raw: RawRatings, users: int, items: int) -> RawRatings:
    """The ratings among the `users` most active users and the `items` most rated items.

    Activity is counted over all items and popularity over all users, before anything is cut; ties
    go to the id earlier in canonical order. Ratings keep their order. A user or item of the slice
    with no rating inside it does not appear. Raises RangeError for a size below 1.
    """
    check_type(raw, RawRatings, "ratings")
    if users < 1 or items < 1:
        raise RangeError(f"slice: {users} users by {items} items, both must be at least 1")
    kept_users = _most_frequent(raw.users, users)
    kept_items = _most_frequent(raw.items, items)
    return raw.take(
        [
            index
            for index, (user, item) in enumerate(zip(raw.users, raw.items, strict=True))
            if user in kept_users and item in kept_items
        ]
    )


def _most_frequent(ids: tuple[str, ...], size: int) -> set[str]:
    counts = Counter(ids)
    # sorted() is stable: equal counts stay in canonical order.
    return set(sorted(canonical_order(ids), key=lambda text: -counts[text])[:size])
