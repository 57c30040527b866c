# SPDX-License-Identifier: Apache-2.0
"""Public lists of users and items, from tables and one a line."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf.data import id_lists
from ppmf.data.columns import BY_USUAL_NAMES, Columns, Role
from ppmf_spec.errors import EncodingError, RangeError
from tests.support.command_line import Capture
from tests.support.tables import RATINGS, items, run

LISTS: dict[str, tuple[str, str]] = {
    "A, a header alone": ("items.csv", "movie_id\n2\n10\n"),
    "A3, quoted": ("items.csv", '"movieId","title"\n"2","A"\n"10","B, or\nnot B"\n'),
    "A4, u.item": ("u.item", "2|Film A|x\n10|Film B|y\n"),
    "movies.dat": ("movies.dat", "2::Film A::x\n10::Film B; or not::y\n"),
    "the second column": ("items.csv", "title,movieId\nA,2\nB,10\n"),
    "one a line": ("items.txt", "2\n10\n"),
    "one a line, quoted": ("items.txt", '"2"\n"10"\n'),
    "RecBole": ("x.item", "title:token_seq\titem_id:token\nA\t2\nB\t10\n"),
    "id": ("items.csv", "id,name\n2,A\n10,B\n"),
    "Goodbooks": ("books.csv", "id,book_id,isbn,title\n7,2,x,A\n8,10,y,B\n"),
}


@pytest.mark.req("PPMF-FIX-003", "PPMF-FIX-004")
@pytest.mark.parametrize("name", LISTS)
def test_a_list_gives_its_ids_and_nothing_else(name: str, tmp_path: Path, capsys: Capture) -> None:
    file, text = LISTS[name]
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / file).write_text(text)
    assert run(tmp_path, str(tmp_path / "ratings.csv"), "--catalogue", str(tmp_path / file)) == 0
    assert items(tmp_path) == ["2", "10"]
    said = capsys.readouterr().err
    assert f"the public item catalogue is {tmp_path / file} (2 ids " in said
    assert "the first is 2)" in said


def test_an_old_list_is_latin_1_in_its_titles_alone(tmp_path: Path) -> None:
    path = tmp_path / "u.item"
    path.write_bytes(b"1|Mis\xe9rables\n2|B\n")
    assert id_lists.read(path, Role.ITEM, BY_USUAL_NAMES).ids == ("1", "2")
    path.write_bytes(b"1|A\n\xe9|B\n")
    with pytest.raises(EncodingError, match=r"u\.item:2: not UTF-8 text"):
        id_lists.read(path, Role.ITEM, BY_USUAL_NAMES)


def test_users_are_listed_in_a_table_too(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "users.csv").write_text("name,user_id\nA,2\nB,1\nC,7\n")
    command = [str(tmp_path / "ratings.csv"), "--user-list", str(tmp_path / "users.csv")]
    assert run(tmp_path, *command) == 0
    assert "(3 ids from the column user_id, the first is 2)" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("film_nummer\n2\n10\n", ":1: film_nummer is no usual name of a column of items, and no "),
        ("nummer,titel\n2,A\n", ":1: no column of items is known by its name; the first line has"),
        ("userId\n2\n10\n", ":1: no column of items is known by its name; the columns are userId"),
        ("2\n10,11\n", ":2: 2 columns, expected 1"),
        ("2\n\n10\n", ":2: an empty line"),
        ("2\n 10\n", ":2: the item id is empty, padded with blanks"),
        ("movieId\n", ": no item ids below the header"),
        ('movieId\n"2\n', ":2: broken CSV quoting"),
    ],
)
def test_a_list_that_is_none_is_refused(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text(text)
    with pytest.raises((EncodingError, RangeError)) as refusal:
        id_lists.read(path, Role.ITEM, BY_USUAL_NAMES)
    assert f"{path}{message}" in str(refusal.value)


def test_a_name_in_columns_holds_for_lists_that_have_it(tmp_path: Path) -> None:
    path = tmp_path / "items.csv"
    path.write_text("film_nummer\n2\n10\n")
    named = Columns.parse("user=0,item=film_nummer,rating=2")
    assert id_lists.read(path, Role.ITEM, named).ids == ("2", "10")
    path.write_text("asin,parent_asin\n7,2\n8,10\n")
    assert id_lists.read(path, Role.ITEM, Columns.parse("item=parent_asin")).ids == ("2", "10")
    path.write_text("movieId\n2\n10\n")  # the name is one of the ratings' columns alone
    assert id_lists.read(path, Role.ITEM, Columns.parse("item=film_nummer")).ids == ("2", "10")


@pytest.mark.req("PPMF-FIX-009")
@pytest.mark.parametrize(
    ("option", "role", "place", "count"),
    [
        ("--catalogue", "item", 2, "2 of 4 ratings and 1 different ids"),
        ("--user-list", "user", 2, "4 of 4 ratings and 2 different ids"),
    ],
)
def test_ratings_outside_a_list_name_the_list(
    option: str, role: str, place: int, count: str, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "ratings.csv").write_text(RATINGS)
    (tmp_path / "list.csv").write_text("id\n10\n11\n")
    assert run(tmp_path, str(tmp_path / "ratings.csv"), option, str(tmp_path / "list.csv")) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"ratings.csv:{place}: the {role} id is not in {tmp_path / 'list.csv'}" in line
    assert "(2 ids from the column id, the first is 10)" in line
    assert count in line
