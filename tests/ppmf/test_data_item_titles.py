# SPDX-License-Identifier: Apache-2.0
"""Titles of items: the files beside the ratings, their layouts, and what is refused."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from ppmf.data import item_titles
from ppmf.data.columns import BY_USUAL_NAMES, Columns
from ppmf_spec.errors import EncodingError
from tests.support.tables import LONG


@pytest.mark.parametrize(
    ("ratings", "name", "content"),
    [
        ("ratings.csv", "movies.csv", 'movieId,title,genres\n1,"Été, L\'",Drama\n2,B,War\n'),
        ("u.data", "u.item", "1|Été, L'|01-Jan-1995||\n2|B|01-Jan-1995||\n"),
        ("ratings.dat", "movies.dat", "1::Été, L'::Drama\r\n2::B::War\r\n"),
        ("x.inter", "x.item", "item_id:token\tmovie_title:token_seq\n1\tÉté, L'\n2\tB\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1"])
def test_titles_are_found_beside_the_ratings(
    tmp_path: Path, ratings: str, name: str, content: str, encoding: str
) -> None:
    assert item_titles.beside(tmp_path / ratings, print) == {}
    (tmp_path / name).write_bytes(content.encode(encoding))
    assert item_titles.beside(tmp_path / ratings, print) == {"1": "Été, L'", "2": "B"}


BESIDE: dict[str, tuple[str, str, str]] = {
    "Goodbooks": ("ratings.csv", "books.csv", "book_id,isbn,original_title,title\n4,i,O,Beta\n"),
    "LensKit": ("ratings.csv", "items.csv", "item,title\n4,Beta\n"),
    "Amazon": ("Books.csv.gz", "titles.csv", "main_category,title,parent_asin\nB,Beta,4\n"),
    "a folder of Parquet": ("ratings.parquet", "movies.tsv", "movieId\ttitle\n4\tBeta\n"),
    "no suffix": ("ratings", "u.item", "4|Beta|x\n"),
    "text": ("mine.txt", "products.csv", "id;product name\n4;Beta\n"),
    "ratings of one's own beside u.item": ("mine.csv", "u.item", "4|Beta|x\n"),
}


@pytest.mark.parametrize("case", BESIDE)
@pytest.mark.parametrize("packed", [False, True])
def test_titles_beside_the_ratings_go_by_their_columns(
    case: str, packed: bool, tmp_path: Path
) -> None:
    ratings, name, text = BESIDE[case]
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(text.encode()) if packed else text.encode())
    said: list[str] = []
    assert item_titles.beside(tmp_path / ratings, said.append) == {"4": "Beta"}
    (note,) = said
    assert note.startswith(f"{path}: 1 titles, items from the ")


def test_a_file_beside_the_ratings_that_gives_no_titles_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "movies.csv").write_text("movieId,title\n4\n")
    (tmp_path / "books.csv").write_text("book_id,title\n4,\n")
    (tmp_path / "items.csv").write_bytes(b"PAR1")
    (tmp_path / "titles.tsv").write_text("item\ttitle\n4\tBeta\n")
    (tmp_path / "products.csv").mkdir()
    said: list[str] = []
    assert item_titles.beside(tmp_path / "ratings.csv", said.append) == {"4": "Beta"}
    starts = ["no titles are shown ", f"{tmp_path / 'books.csv'}: 0 titles, "] * 2
    starts[3] = f"{tmp_path / 'titles.tsv'}: 1 titles, items from the column item, titles from "
    assert [line.startswith(start) for line, start in zip(said, starts, strict=True)] == [True] * 4


def test_the_ratings_are_no_titles_of_themselves(tmp_path: Path) -> None:
    path = tmp_path / "books.csv"
    path.write_text("book_id,title,user,rating\n4,Beta,1,5\n")
    assert item_titles.beside(path, pytest.fail) == {}


def test_columns_of_the_ratings_hold_for_titles_beside_them(tmp_path: Path) -> None:
    (tmp_path / "titles.csv").write_text("asin,parent_asin,title\n7,4,Beta\n")
    named = Columns.parse("item=parent_asin,user=0")
    assert item_titles.beside(tmp_path / "r.csv", print, named) == {"4": "Beta"}


def test_a_layout_without_titles_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_text("item_id:token\tclass:token_seq\n1\tDrama\n")
    with pytest.raises(EncodingError, match="no column of titles is known .* item_id:token, class"):
        item_titles.read(path, BY_USUAL_NAMES, print)
    said: list[str] = []
    assert item_titles.beside(tmp_path / "x.inter", said.append) == {}
    assert len(said) == 1
    assert said[0].startswith("no titles are shown from a file beside the ratings: ")
    assert item_titles.beside(tmp_path / "mine.txt", print) == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("movies.csv", "movieId,title\n1,A\n2\n"),
        ("u.item", "1|A\n2\n"),
        ("movies.dat", "1::A\n2\n"),
        ("x.item", "item_id:token\tmovie_title:token_seq\n1\tA\n2\n"),
    ],
)
def test_a_malformed_line_of_titles_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(EncodingError, match=r":\d: 1 columns, expected 2"):
        item_titles.read(tmp_path / name, BY_USUAL_NAMES, print)


def test_control_characters_are_removed_from_titles(tmp_path: Path) -> None:
    (tmp_path / "u.item").write_text("1|\x1b[2JBoo\x85|\n")
    assert item_titles.read(tmp_path / "u.item", BY_USUAL_NAMES, print) == {"1": "[2JBoo"}


TITLES: dict[str, tuple[str, str, dict[str, str]]] = {
    "B1, a blank line at the end": ("t.csv", "movieId,title\n3,A\n4,B\n\n", {"3": "A", "4": "B"}),
    "B3, a long overview": ("t.csv", f"movieId,title,overview\n3,A,{LONG}\n", {"3": "A"}),
    "B4, a year between": (
        "t.csv",
        "movieId,year,title\n4,2000,Beta\n7,1999.0,Alpha (1999)\n8,,C\n",
        {"4": "Beta (2000)", "7": "Alpha (1999)", "8": "C"},
    ),
    "B5, the id second": ("t.item", "title:token_seq\titem_id:token\nBeta\t4\n", {"4": "Beta"}),
    "B6, books": ("t.item", "item_id:token\tbook_title:token_seq\n4\tBeta\n", {"4": "Beta"}),
    "a name": ("t.csv", "name,id\nBeta,4\n", {"4": "Beta"}),
    "empty titles": ("t.csv", "id,title\n4,\n5,  \n", {}),
    "a title of lines": ("t.csv", 'id,title\n4,"A\nB"\n', {"4": "A B"}),
    "a title too long": ("t.csv", f"id,title\n4,{LONG}\n", {"4": "x" * 199 + "…"}),
    "Goodbooks": (
        "books.csv",
        "book_id,isbn,original_publication_year,original_title,title\n4,i,2008.0,O,T\n",
        {"4": "T (2008)"},
    ),
}


@pytest.mark.parametrize("case", TITLES)
def test_titles_go_by_name(case: str, tmp_path: Path) -> None:
    file, text, expected = TITLES[case]
    (tmp_path / file).write_text(text)
    assert item_titles.read(tmp_path / file, BY_USUAL_NAMES, print) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "movieId\n1\n2\n",
            ":1: no column of titles is known by its name; the columns are movieId",
        ),
        ("title\nA\n", ":1: no column of items is known by its name; the columns are title"),
        ("1,A\n", ":1: no column of titles: the first line has 1, A"),
        ("id,title,item_title\n1,A,B\n", ":1: title and item_title may both be the column of"),
        ("id,title\n1,A\n2\n", ":3: 1 columns, expected 2"),
        ('id,title\n1,"A\n', ":2: broken CSV quoting"),
        ("", ": the file is empty"),
    ],
)
def test_what_is_wrong_with_titles_stops_a_command_only_if_they_were_named(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "movies.csv"
    path.write_text(text)
    with pytest.raises(EncodingError) as refusal:
        item_titles.read(path, BY_USUAL_NAMES, print)
    assert f"{path}{message}" in str(refusal.value)
    said: list[str] = []
    assert item_titles.beside(tmp_path / "mine.csv", said.append) == {}
    assert said == [f"no titles are shown from a file beside the ratings: {refusal.value}"]


def test_titles_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("nr,titel\n4,Beta\n")
    named = Columns.parse("item=nr,title=titel")
    assert item_titles.read(path, named, print) == {"4": "Beta"}
    with pytest.raises(EncodingError, match="the column name is not there; the columns are nr"):
        item_titles.read(path, Columns.parse("item=nr,title=name"), print)
