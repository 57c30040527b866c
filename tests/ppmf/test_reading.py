# SPDX-License-Identifier: Apache-2.0
"""`ppmf.read_ratings`: the tables and options of the commands, as arguments."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

import ppmf
from ppmf_spec import rating_files
from ppmf_spec.errors import EncodingError, ParametersError, PpmfError, RangeError
from tests.support.tables import RATINGS, stars

TO_TEN = ppmf.Parameters(
    rating_offset=Fraction(5), rating_min=Fraction(0), rating_max=Fraction(10), rating_frac_bits=0
)


def test_the_layouts_of_the_specification_are_read_as_it_says(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    expected = rating_files.read(tmp_path / "ratings.csv")
    for path in (tmp_path / "ratings.csv", str(tmp_path / "ratings.csv"), tmp_path):
        assert ppmf.read_ratings(path) == expected


def test_other_tables_are_read_by_names_or_numbers(tmp_path: Path) -> None:
    path = tmp_path / "r.txt"
    path.write_text("user|book_id|stars\n1|10|4\n")
    assert stars(ppmf.read_ratings(path)) == [("1", "10", Fraction(4))]
    path.write_text("wer;was|x;wie\n1;10;4\n")
    named = {"user": "wer", "item": "was|x", "rating": "wie"}
    found = ppmf.read_ratings(path, columns=named, separator="semicolon")
    assert stars(found) == [("1", "10", Fraction(4))]
    path.write_text("4,1,10\n")
    numbered: Any = {"user": 1, "item": 2, "rating": 0}
    assert stars(ppmf.read_ratings(path, columns=numbered)) == [("1", "10", Fraction(4))]


@pytest.mark.req("PPMF-FIX-006", "PPMF-FIX-008")
def test_the_policies_are_those_of_the_commands(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating\n1,10,4.25\n1,10,3.7\n")
    with pytest.raises(RangeError, match=r':3: .* first at .*:2; duplicates="last" or dupl'):
        ppmf.read_ratings(path)
    for policy, plain, rounded, to_ten in (
        ("first", "4.25", "4.5", "4"),
        ("last", "3.7", "3.5", "4"),
    ):
        found = ppmf.read_ratings(path, duplicates=policy)
        assert found.values == (Fraction(plain),)  # the scale is that of a training
        found = ppmf.read_ratings(path, duplicates=policy, rounding=True)
        assert found.values == (Fraction(rounded),)
        found = ppmf.read_ratings(path, duplicates=policy, rounding=True, params=TO_TEN)
        assert found.values == (Fraction(to_ten),)


@pytest.mark.parametrize(
    ("text", "arguments", "kind", "message"),
    [
        ("a,b,c\n1,2,3\n", {}, EncodingError, 'columns={"user": "NAME", "item": "NAME", "rating"'),
        ("1,2,3\n", {}, EncodingError, 'columns={"user": "0", "item": "1", "rating": "2"} says'),
        ("1,2,3\n", {}, EncodingError, "(separator says what stands between them)"),
        ("asin,parent_asin,user,rating\n", {}, EncodingError, 'columns={"item": "NAME"} says'),
        ("1,2,3\n", {"columns": {"user": 0}}, EncodingError, "no header: columns needs the"),
        ("1,2,3\n", {"columns": ["user"]}, EncodingError, "columns: list where a mapping"),
        ("1,2,3\n", {"separator": "x"}, EncodingError, "separator: expected one of comma, tab"),
        ("1,2,3\n", {"duplicates": "mean"}, ParametersError, "must be one of refuse, last, first"),
        ("1,2,3\n", {"params": 3}, RangeError, "parameters: int where Parameters belongs"),
    ],
)
def test_messages_name_arguments_and_no_options(
    text: str, arguments: dict[str, Any], kind: type[PpmfError], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(kind) as refusal:
        ppmf.read_ratings(path, **arguments)
    assert message in str(refusal.value)
    assert "--" not in str(refusal.value)


def test_what_is_no_path_is_refused() -> None:
    with pytest.raises(EncodingError, match="ratings: int where a path belongs"):
        ppmf.read_ratings(3)  # type: ignore[arg-type]
