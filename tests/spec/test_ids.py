# SPDX-License-Identifier: Apache-2.0
"""Ids: their canonical order, which depends on the set alone, and the ids that are refused."""

from __future__ import annotations

import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.ids import check_catalogue, check_id, in_canonical_order
from ppmf_spec.ratings import (
    canonical_order,
)
from tests.support.strategies import ids

CHAPTER = Path(__file__).parents[2] / "spec" / "02-functionality.md"


@pytest.mark.req("PPMF-FIX-003")
@pytest.mark.parametrize(
    ("given_ids", "expected"),
    [
        (["10", "9", "100"], ("9", "10", "100")),
        (["10", "9", "-3", "-20", "0"], ("-20", "-3", "0", "9", "10")),
        (["10", "9", "x"], ("10", "9", "x")),  # one id that is no integer: all by bytes
        (["10", "9", "09"], ("09", "10", "9")),  # a leading zero is not canonical
        (["10", "9", "+1"], ("+1", "10", "9")),
        (["10", "9", "-0"], ("-0", "10", "9")),
        (["10", "9", "٣"], ("10", "9", "٣")),  # a digit, but no decimal of ours
        (["é", "z", "Z"], ("Z", "z", "é")),
        (["\uff5e", "\U0001f600"], ("\uff5e", "\U0001f600")),  # UTF-8 order, not UTF-16's
        (["1" + "0" * 5000, "9" * 5000], ("9" * 5000, "1" + "0" * 5000)),
        ([], ()),
    ],
)
def test_rows_are_in_canonical_order(given_ids: list[str], expected: tuple[str, ...]) -> None:
    assert canonical_order(given_ids) == expected


@pytest.mark.req("PPMF-FIX-003")
@given(st.lists(st.integers()))
def test_integer_ids_order_as_integers(numbers: list[int]) -> None:
    assert canonical_order(map(str, numbers)) == tuple(map(str, sorted(set(numbers))))


NUMBERS = st.integers(-120, 120).map(str) | st.sampled_from(["-0", "00", "+1", "", "-", "é", "z"])


@pytest.mark.req("PPMF-FIX-003")
@given(st.lists(ids | NUMBERS) | st.lists(NUMBERS, max_size=4), st.booleans())
def test_a_list_is_known_to_be_in_order_without_being_sorted(listed: list[str], sort: bool) -> None:
    given_ids = canonical_order(listed) if sort else tuple(listed)
    assert in_canonical_order(given_ids) == (given_ids == canonical_order(given_ids))


@given(st.lists(ids), st.randoms())
def test_order_depends_on_the_set_of_ids_alone(listed: list[str], random: object) -> None:
    shuffled = list(listed)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert canonical_order(shuffled) == canonical_order(listed)


@pytest.mark.req("PPMF-FIX-005")
@pytest.mark.parametrize("bad", ["", " 1", "1 ", "a\nb", "a\x00b", "\ud800", "\u200b", "a\u2028b"])
def test_an_id_with_invisible_characters_is_refused(bad: str) -> None:
    with pytest.raises(EncodingError, match="user catalogue: id number 2 is empty, padded"):
        check_catalogue(["1", bad], "user")


def never_in_an_id() -> set[int]:
    """The code points that chapter 2 lists."""
    text = re.sub(r"\s+", " ", CHAPTER.read_text(encoding="utf-8"))
    listed = re.search(r"none of these code points occurs, in hexadecimal: ([^.]+)\.", text)
    assert listed
    found: set[int] = set()
    for part in listed[1].split(", "):
        first, _, last = part.partition(" to ")
        found |= set(range(int(first, 16), int(last or first, 16) + 1))
    return found


@pytest.mark.req("PPMF-FIX-005")
def test_the_code_points_that_no_id_has_are_those_of_unicode_15() -> None:
    hidden = {"Cc", "Cf", "Co", "Zl", "Zp", "Zs"}
    found = {point for point in range(0x110000) if unicodedata.category(chr(point)) in hidden}
    found |= set(range(0x13439, 0x13440))  # which are new in Unicode 15.0
    assert found == never_in_an_id() | {0x20}


@pytest.mark.req("PPMF-FIX-005")
def test_every_code_point_is_looked_up_in_the_list_of_the_chapter() -> None:
    refused = set()
    for point in range(0x110000):
        try:
            check_id(f"a{chr(point)}b", "id")
        except EncodingError:
            refused.add(point)
    assert refused == never_in_an_id() - {0x20} | set(range(0xD800, 0xE000))


@pytest.mark.req("PPMF-FIX-005")
def test_an_id_listed_twice_is_refused() -> None:
    with pytest.raises(RangeError, match="item catalogue: id number 3, 4, is listed twice"):
        check_catalogue(["4", "5", "4"], "item")
