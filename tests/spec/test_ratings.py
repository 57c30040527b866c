# SPDX-License-Identifier: Apache-2.0
"""Ratings as integers on rows: quantised, refused, compared, split, and cut to the most active."""

from __future__ import annotations

import dataclasses
import hashlib
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec import ratings
from ppmf_spec.errors import EncodingError, PpmfError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_files import RawRatings, read
from ppmf_spec.ratings import Ratings, most_active, quantise, split_holdout
from tests.support.ratings import ratings_file
from tests.support.strategies import raw_ratings

PARAMS = Parameters()
THREE = "userId,movieId,rating,timestamp\n7,20,4.0,1\n7,3,0.5,2\n10,20,3.5,3\n"


# --- quantising ---


@pytest.mark.req("PPMF-FIX-003", "PPMF-FIX-006")
def test_ratings_become_integers_on_rows(tmp_path: Path) -> None:
    ratings = quantise(read(ratings_file(tmp_path, THREE)), PARAMS)
    assert (ratings.users, ratings.items) == (("7", "10"), ("3", "20"))
    assert ratings.user.tolist() == [0, 0, 1]
    assert ratings.item.tolist() == [0, 1, 1]
    assert ratings.value.tolist() == [-5, 2, 1]
    assert (ratings.n_users, ratings.n_items, len(ratings)) == (2, 2, 3)
    assert ratings.by_user() == [([0, 1], [-5, 2]), ([1], [1])]
    assert ratings.by_item() == [([0], [-5]), ([0, 1], [2, 1])]


@pytest.mark.req("PPMF-FIX-004", "PPMF-FIX-006")
@given(raw_ratings(st.integers(0, 20).map(str)) | raw_ratings(), st.randoms())
def test_quantising_is_exact_and_independent_of_order(raw: RawRatings, random: object) -> None:
    ratings = quantise(raw, PARAMS)
    back = {
        (ratings.users[i], ratings.items[j]): PARAMS.rating_offset + Fraction(x, 2)
        for i, j, x in zip(
            ratings.user.tolist(), ratings.item.tolist(), ratings.value.tolist(), strict=True
        )
    }
    assert back == dict(zip(zip(raw.users, raw.items, strict=True), raw.values, strict=True))
    order = list(range(len(raw)))
    random.shuffle(order)  # type: ignore[attr-defined]
    assert quantise(raw.take(order), PARAMS) == ratings
    by_user = [(i, j) for i, (columns, _) in enumerate(ratings.by_user()) for j in columns]
    by_item = [(i, j) for j, (rows, _) in enumerate(ratings.by_item()) for i in rows]
    assert by_user == sorted(by_item) == list(zip(ratings.user, ratings.item, strict=True))


@pytest.mark.req("PPMF-FIX-004")
def test_a_catalogue_adds_rows_without_ratings(tmp_path: Path) -> None:
    raw = read(ratings_file(tmp_path, THREE))
    ratings = quantise(raw, PARAMS, users=["10", "8", "7"], items=["20", "3", "1"])
    assert ratings.users == ("7", "8", "10")
    assert ratings.by_user()[1] == ([], [])
    assert ratings.by_item()[0] == ([], [])


def test_no_ratings_need_a_catalogue() -> None:
    none = RawRatings((), (), ())
    ratings = quantise(none, PARAMS, users=["1"], items=["5", "4"])
    assert (ratings.n_users, ratings.n_items, len(ratings)) == (1, 2, 0)
    assert ratings.by_user() == [([], [])]
    assert ratings.by_item() == [([], []), ([], [])]
    with pytest.raises(RangeError, match="no ratings, and no item catalogue"):
        quantise(none, PARAMS, users=["1"])
    with pytest.raises(RangeError, match="user catalogue: no ids"):
        quantise(none, PARAMS, users=[], items=["1"])


def test_one_user_and_one_item_are_enough() -> None:
    ratings = quantise(RawRatings(("u",), ("i",), (Fraction(5),)), PARAMS)
    assert ratings.value.tolist() == [4]


@pytest.mark.req("PPMF-FIX-006", "PPMF-FIX-007", "PPMF-FIX-008", "PPMF-FIX-009")
@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("1\t2\t3\n1\t3\t5.5\n", ":2: the rating is off the scale from 0.5 to 5"),
        ("1\t2\t3\n1\t3\t0\n", ":2: the rating is off the scale from 0.5 to 5"),
        ("1\t2\t3\n1\t3\t-1\n", ":2: the rating is off the scale from 0.5 to 5"),
        ("1\t2\t3.25\n", ":1: the rating minus 3 is not a multiple of 1/2 (rating_frac_bits)"),
        ("1\t2\t3\n1\t3\t3\n1\t2\t4\n", ":3: the user rates the item twice, first at "),
        ("1\t2\t3\n1\t2\t3\n", ":2: the user rates the item twice, first at "),
        ("1\t2\t3\n9\t2\t3\n", ":2: the user id is not in the catalogue"),
        ("1\t2\t3\n1\t9\t3\n", ":2: the item id is not in the catalogue"),
    ],
)
def test_ratings_outside_the_scale_the_grid_or_the_lists_are_refused(
    tmp_path: Path, text: str, message: str
) -> None:
    path = ratings_file(tmp_path, text)
    with pytest.raises(RangeError) as refusal:
        quantise(read(path), PARAMS, users=["1"], items=["2", "3"])
    assert str(refusal.value).startswith(f"{path}{message}")


def test_refusals_do_not_repeat_what_a_user_rated(tmp_path: Path) -> None:
    for secret in ("8765\t1\t3", "1\t8765\t3", "1\t2\t4.8765", "1\t2\t8765", "1\t2\tx8765"):
        with pytest.raises(PpmfError) as refusal:
            quantise(read(ratings_file(tmp_path, secret)), PARAMS, users=["1"], items=["1", "2"])
        message = str(refusal.value).removeprefix(str(tmp_path))
        assert "8765" not in message


def test_a_rating_without_a_file_is_named_by_its_number() -> None:
    raw = RawRatings(("1", "1"), ("1", "1"), (Fraction(1), Fraction(2)), source="made up")
    with pytest.raises(RangeError, match="made up: rating number 2: .* first at .* number 1"):
        quantise(raw, PARAMS)
    with pytest.raises(EncodingError, match="ratings: rating number 1: the user id is empty"):
        quantise(RawRatings(("",), ("1",), (Fraction(1),)), PARAMS)


@pytest.mark.req("PPMF-FIX-006", "PPMF-FIX-007")
def test_the_scale_is_a_parameter() -> None:
    raw = RawRatings(("1", "1"), ("1", "2"), (Fraction(0), Fraction(1)))
    wide = dataclasses.replace(
        PARAMS, rating_min=Fraction(0), rating_max=Fraction(1), rating_offset=Fraction(1, 2)
    )
    assert quantise(raw, wide).value.tolist() == [-1, 1]
    coarse = dataclasses.replace(wide, rating_frac_bits=0)
    with pytest.raises(RangeError, match=r"minus 0\.5 is not a multiple of 1 "):
        quantise(raw, coarse)


# --- Ratings ---


def make(
    user: list[int], item: list[int], users: tuple[str, ...] = ("1", "2"), value: int = 0
) -> Ratings:
    return Ratings(
        users,
        ("5", "6"),
        np.array(user, dtype=np.int64),
        np.array(item, dtype=np.int64),
        np.full(len(user), value, dtype=np.int64),
    )


@pytest.mark.parametrize(
    ("user", "item", "users", "message"),
    [
        ([0], [2], ("1", "2"), "item row number is outside the list of 2"),
        ([-1], [0], ("1", "2"), "user row number is outside the list of 2"),
        ([0, 1, 0], [1, 0, 1], ("1", "2"), "a user rates an item twice"),
        ([0, 1], [1], ("1", "2"), "three arrays of one length"),
        ([0], [0], ("2", "1"), "user list is not in canonical order"),
        ([0], [0], ("1", "1"), "listed twice"),
        ([], [], (), "the user list is empty"),
    ],
)
def test_rows_outside_the_lists_are_refused(
    user: list[int], item: list[int], users: tuple[str, ...], message: str
) -> None:
    with pytest.raises(RangeError, match=message):
        make(user, item, users)


def test_ratings_compare_by_content_and_cannot_change() -> None:
    ratings = make([0, 1], [1, 0])
    assert ratings == make([1, 0], [0, 1])
    assert ratings != make([1, 0], [0, 1], value=1)
    assert ratings != make([0, 1], [1, 0], users=("1", "3"))
    assert ratings != "ratings"
    with pytest.raises(ValueError, match="read-only"):
        ratings.value[0] = 1
    with pytest.raises(TypeError):
        hash(ratings)


# --- parts of a set ---


@given(raw_ratings(), st.text(), st.integers(0, 5))
def test_a_holdout_splits_and_does_not_depend_on_other_ratings(
    raw: RawRatings, label: str, part: int
) -> None:
    ratings = quantise(raw, PARAMS)
    training, held = split_holdout(ratings, label, part=part, of=5)
    pairs = {
        name: set(zip(some.user.tolist(), some.item.tolist(), strict=True))
        for name, some in (("all", ratings), ("training", training), ("held", held))
    }
    assert pairs["training"] | pairs["held"] == pairs["all"]
    assert not pairs["training"] & pairs["held"]
    assert (training.users, training.items) == (ratings.users, ratings.items)
    assert part > 0 or not len(held)
    assert part < 5 or not len(training)
    half = ratings.restricted(np.arange(len(ratings)) % 2 == 0)
    _, held_of_half = split_holdout(half, label, part=part, of=5)
    again = set(zip(held_of_half.user.tolist(), held_of_half.item.tolist(), strict=True))
    assert again == pairs["held"] & set(zip(half.user.tolist(), half.item.tolist(), strict=True))


def test_a_holdout_is_the_documented_tenth() -> None:
    users = tuple(str(k) for k in range(50))
    raw = RawRatings(tuple(u for u in users for _ in users), users * 50, (Fraction(3),) * 2500)
    ratings = quantise(raw, PARAMS)
    _, held = split_holdout(ratings, "test")
    assert 200 < len(held) < 300
    _, other = split_holdout(ratings, "other")
    assert other != held
    # By hand, from the docstring: SHA-256("ppmf/v1/holdout/test\0" "0\0" "8\0")...
    expected = [
        (i, j)
        for i in range(50)
        for j in range(50)
        if int.from_bytes(
            hashlib.sha256(b"ppmf/v1/holdout/test\0%d\0%d\0" % (i, j)).digest()[:8], "little"
        )
        % 10
        == 0
    ]
    assert list(zip(held.user.tolist(), held.item.tolist(), strict=True)) == expected


@pytest.mark.parametrize(("part", "of"), [(-1, 10), (11, 10), (0, 0)])
def test_an_impossible_share_of_a_holdout_is_refused(part: int, of: int) -> None:
    with pytest.raises(RangeError, match="no part of a whole"):
        split_holdout(make([0], [0]), "x", part=part, of=of)


def test_the_slice_counts_over_everything_and_breaks_ties_by_order() -> None:
    # Users: 1 rates three items, 9 and 10 two each. Items: a three times, c twice, b and d once.
    pairs = [("10", "a"), ("10", "c"), ("1", "b"), ("1", "a"), ("1", "c"), ("9", "a"), ("9", "d")]
    raw = RawRatings(
        tuple(u for u, _ in pairs),
        tuple(i for _, i in pairs),
        tuple(Fraction(k + 1, 2) for k in range(7)),
        lines=tuple(range(1, 8)),
    )
    few = most_active(raw, 2, 3)  # users 1, 9 (before 10); items a, c, b (before d)
    assert list(zip(few.users, few.items, few.lines, strict=True)) == [
        ("1", "b", 3),
        ("1", "a", 4),
        ("1", "c", 5),
        ("9", "a", 6),
    ]
    assert most_active(raw, 99, 99) == raw
    with pytest.raises(RangeError, match="0 users by 3 items"):
        most_active(raw, 0, 3)


@given(raw_ratings(st.integers(0, 9).map(str)), st.integers(1, 12), st.integers(1, 12))
def test_the_slice_keeps_the_most_frequent(raw: RawRatings, users: int, items: int) -> None:
    few = most_active(raw, users, items)
    assert len(set(few.users)) <= users
    assert len(set(few.items)) <= items
    kept = set(few.users)
    if kept and users < len(set(raw.users)):
        most = sorted((raw.users.count(u) for u in set(raw.users)), reverse=True)[users - 1]
        assert all(raw.users.count(u) >= most for u in kept)


ROWS = np.array([0, 0, 1, 1])


def test_a_pair_rated_twice_is_refused_whoever_the_user_is() -> None:
    with pytest.raises(RangeError) as caught:
        Ratings(("1", "2"), ("a", "b"), ROWS, np.array([0, 1, 1, 1]), np.zeros(4, np.int64))
    assert str(caught.value) == "ratings: a user rates an item twice"


@pytest.mark.parametrize(
    ("users", "items", "message"),
    [
        (("1", ""), ("a",), "user catalogue: id number 2 is empty"),
        (("1",), ("",), "item catalogue: id number 1 is empty"),
        (("1",), (), "ratings: the item list is empty"),
    ],
)
def test_refusals_name_the_list_of_ids(
    users: tuple[str, ...], items: tuple[str, ...], message: str
) -> None:
    none = np.zeros(0, np.int64)
    with pytest.raises((EncodingError, RangeError)) as caught:
        Ratings(users, items, none, none, none)
    assert str(caught.value).startswith(message)


def test_arrays_of_unequal_length_are_refused() -> None:
    with pytest.raises(RangeError) as caught:
        Ratings(("1", "2"), ("a", "b"), ROWS, ROWS, np.zeros(3, np.int64))
    expected = "ratings: user, item and value must be three arrays of one length"
    assert str(caught.value) == expected


def test_each_distinct_number_of_stars_is_quantised_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the same objects: `read` makes one of each."""
    seen: list[Fraction] = []

    def quantised(value: Fraction, params: Parameters, where: str) -> int:
        seen.append(value)
        return 1

    monkeypatch.setattr(ratings, "_quantised", quantised)
    three, four = Fraction(3), Fraction(4)
    raw = RawRatings(("1", "1", "2", "2"), ("a", "b", "a", "b"), (three, four, four, three))
    ratings.quantise(raw, Parameters())
    assert seen == [three, four]


@pytest.mark.parametrize(("part", "kept", "held"), [(0, 4, 0), (1, 0, 4)])
def test_all_or_nothing_may_be_held_out(part: int, kept: int, held: int) -> None:
    some = Ratings(("1", "2"), ("a", "b"), ROWS, np.array([0, 1, 0, 1]), np.zeros(4, np.int64))
    parts = ratings.split_holdout(some, "x", part=part, of=1)
    assert tuple(map(len, parts)) == (kept, held)
