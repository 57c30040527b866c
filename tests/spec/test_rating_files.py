# SPDX-License-Identifier: Apache-2.0
"""Files of ratings: every layout that is read, what is refused and where, and what is written."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_spec import rating_files
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_files import RawRatings, read, write_csv
from tests.support.ratings import ratings_file
from tests.support.strategies import raw_ratings

PARAMS = Parameters()


CSV = "userId,movieId,rating,timestamp\n7,20,4.0,1\n7,3,0.5,2\n10,20,3.5,3\n"


# The same three ratings in every layout that is read.
LAYOUTS = {
    "csv": CSV,
    "csv-other-order": "rating,movieId,userId\n4.0,20,7\n0.5,3,7\n3.5,20,10\n",
    "csv-quoted": '"userId","movieId","rating"\n"7","20","4.0"\n7,3,0.5\n10,20,3.5\n',
    "u.data": "7\t20\t4\t1\n7\t3\t0.5\t2\n10\t20\t3.50\t3\n",
    "u.data-without-time": "7\t20\t4\n7\t3\t0.5\n10\t20\t3.5\n",
    "ratings.dat": "7::20::4::1\n7::3::0.5::2\n10::20::3.5::3\n",
    "inter": (
        "user_id:token\titem_id:token\trating:float\ttimestamp:float\n"
        "7\t20\t4\t1\n7\t3\t0.5\t2\n10\t20\t3.5\t3\n"
    ),
    "inter-other-order": (
        "timestamp:float\trating:float\titem_id:token\tuser_id:token\n"
        "1\t4\t20\t7\n2\t0.5\t3\t7\n3\t3.5\t20\t10\n"
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("bom", [b"", b"\xef\xbb\xbf"], ids=["plain", "bom"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"], ids=["lf", "crlf"])
@pytest.mark.parametrize("tail", ["", "\n\n", "\r\n\n"], ids=["tight", "blank", "mixed"])
def test_every_layout_gives_the_same_ratings(
    tmp_path: Path, layout: str, bom: bytes, newline: str, tail: str
) -> None:
    text = LAYOUTS[layout].rstrip("\n").replace("\n", newline) + tail
    path = ratings_file(tmp_path, bom + text.encode())
    raw = read(path)
    assert raw.users == ("7", "7", "10")
    assert raw.items == ("20", "3", "20")
    assert raw.values == (Fraction(4), Fraction(1, 2), Fraction(7, 2))
    first = 2 if "csv" in layout or "inter" in layout else 1
    assert [raw.where(k) for k in range(3)] == [f"{path}:{first + k}" for k in range(3)]


@given(raw=raw_ratings())
def test_written_ratings_are_read_back(
    raw: RawRatings, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("csv") / "ratings.csv"
    write_csv(path, raw)
    again = read(path)
    assert (again.users, again.items, again.values) == (raw.users, raw.items, raw.values)
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"", ": no ratings, the file is empty"),
        (b"\xef\xbb\xbf\r\n\n", ": no ratings, the file is empty"),
        (b"userId,movieId,rating\n", ": no ratings below the header"),
        (b"hello\n", ":1: not a ratings file"),
        (b"\x89PNG\r\n\x1a\n", ":1: not UTF-8 text"),
        (b"1\t2\t3\n1\t\xff\t3\n", ":2: not UTF-8 text"),
        (b"userId,movieId,stars\n1,2,3\n", ":1: the header must name the column rating once"),
        (b"userId,userId,movieId,rating\n1,1,2,3\n", "the header must name the column userId once"),
        (b"user_id:token\trating:float\n1\t3\n", ":1: the header must name the column item_id"),
        (b"userId,movieId,rating\n1,2,3\n1,2\n", ":3: 2 columns, expected 3"),
        (b"userId,movieId,rating\n1,2,3\n\n1,3,3\n", ":3: 0 columns, expected 3"),
        (b"userId,movieId,rating\n1,2,3,4\n", ":2: 4 columns, expected 3"),
        (b'userId,movieId,rating\n1,"2"x,3\n', ":2: broken CSV quoting"),
        (b'userId,movieId,rating\n1,2,3\n1,"3,3\n', "broken CSV quoting"),
        (b'userId,movieId,rating\n1,"2\n3",3\n', ":2: the item id is empty, padded"),
        (b"1\t2\t3\n1\t2\n", ":2: 2 columns, expected 3 or 4"),
        (b"1\t2\t3\n\n1\t3\t3\n", ":2: 1 columns, expected 3 or 4"),
        (b"1::2::3::4::5\n", ":1: 5 columns, expected 3 or 4"),
        (b"1\t\t3\n", ":1: the item id is empty, padded"),
        (b"1\t2\t3\n 1\t2\t3\n", ":2: the user id is empty, padded"),
        (b"1\t2\t3\rx\t1\t1\n", ":1: 5 columns, expected 3 or 4"),
        *(
            (f"1\t2\t3\n1\t3\t{bad}\n".encode(), ":2: the rating is not a plain decimal number")
            for bad in ("", "four", "nan", "inf", "1e3", "0x3", "3,5", "3.", ".5", "+3", "1_0")
        ),
        ("1\t2\t٣\n".encode(), ":1: the rating is not a plain decimal number"),
        (b"1\t2\t" + b"9" * 5000, ":1: the rating is not a plain decimal number"),
    ],
)
def test_malformed_lines_of_ratings_are_refused(tmp_path: Path, text: bytes, message: str) -> None:
    path = ratings_file(tmp_path, text)
    with pytest.raises(EncodingError) as refusal:
        read(path)
    line = str(refusal.value)
    assert line.startswith(str(path))
    assert message in line
    assert "\n" not in line


def test_a_missing_file_and_a_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match="none: cannot be read: No such file"):
        read(tmp_path / "none")
    with pytest.raises(EncodingError, match="cannot be read: Is a directory"):
        read(tmp_path)


@given(st.binary(max_size=60) | st.text('0123456789.,:\t\n"', max_size=60).map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = ratings_file(tmp_path_factory.mktemp("any"), content)
    try:
        outcome = path.name * len(read(path))
    except EncodingError as refusal:
        outcome = str(refusal).removeprefix(str(path.parent))
    assert path.name in outcome
    assert "\n" not in outcome


def test_columns_of_unequal_length_are_refused() -> None:
    with pytest.raises(EncodingError, match="columns of different lengths"):
        RawRatings(("1",), ("1", "2"), (Fraction(1),))
    with pytest.raises(EncodingError, match="columns of different lengths"):
        RawRatings(("1",), ("1",), (Fraction(1),), lines=(1, 2))


def test_a_file_of_ratings_byte_for_byte(tmp_path: Path) -> None:
    raw = RawRatings(("é", "b,c"), ("1", "2"), (Fraction(7, 2), Fraction(4)))
    write_csv(tmp_path / "r.csv", raw)
    content = (tmp_path / "r.csv").read_bytes()
    assert content == 'userId,movieId,rating\né,1,3.5\n"b,c",2,4\n'.encode()


def test_a_value_without_a_finite_decimal_is_refused_by_its_source(tmp_path: Path) -> None:
    raw = RawRatings(("a",), ("b",), (Fraction(1, 3),), source="mine")
    with pytest.raises(RangeError) as caught:
        write_csv(tmp_path / "r.csv", raw)
    assert str(caught.value) == "mine: 1/3 has no finite decimal form"
    assert list(tmp_path.iterdir()) == []


def test_a_selection_of_ratings_keeps_their_line_numbers(tmp_path: Path) -> None:
    path = tmp_path / "u.data"
    path.write_text("1\t2\t3\n4\t5\t3\n")
    assert read(path).take([1]).where(0) == f"{path}:2"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        # The first line says the layout; what later lines hold does not matter.
        ("1::2::3\n1\t1::2::3\n4::5::3\n", ":2: the user id is empty, padded"),
        ("1::2::3,5\n", ":1: the rating is not a plain decimal number"),
        ("1\t2\t3X", ":1: the rating is not a plain decimal number"),
        ("\n\n1\t2\t3\n", ":1: not a ratings file"),
        ("user_id:a:b\titem_id\trating\n1\t2\n", ":2: 2 columns, expected 3"),
        (
            "hello",
            ":1: not a ratings file: expected the header userId,movieId,rating (ratings.csv) or "
            "user_id:token (.inter), or a rating split by tabs (u.data) or by :: (ratings.dat)",
        ),
    ],
)
def test_the_first_line_decides_on_the_layout(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(EncodingError) as caught:
        read(ratings_file(tmp_path, text))
    assert str(caught.value).startswith(f"{tmp_path / 'ratings'}{message}")


def test_the_message_on_an_unknown_layout_ends_with_the_last_layout(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match=r"\(ratings\.dat\)$"):
        read(ratings_file(tmp_path, "hello"))


def test_ids_may_hold_blanks(tmp_path: Path) -> None:
    header = "user_id:token\titem_id:token\trating:float\n"
    raw = read(ratings_file(tmp_path, f"{header}a b\tc d\t3\n"))
    assert (raw.users, raw.items) == (("a b",), ("c d",))


def test_lines_before_a_byte_that_is_not_utf8_are_counted(tmp_path: Path) -> None:
    path = tmp_path / "u.data"
    path.write_bytes(b"\n\xff")
    with pytest.raises(EncodingError, match="u.data:2: not UTF-8 text"):
        read(path)


def test_each_distinct_id_and_number_is_checked_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What makes a file of millions of ratings quick to read."""
    seen: list[str] = []
    monkeypatch.setattr(rating_files, "check_id", lambda text, where: seen.append(text))
    raw = read(ratings_file(tmp_path, "u\ti\t3.5\nu\tj\t3.5\nv\ti\t4\n"))
    assert seen == ["u", "i", "j", "v"]
    assert raw.values[0] is raw.values[1]
