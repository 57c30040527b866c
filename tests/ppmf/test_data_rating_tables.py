# SPDX-License-Identifier: Apache-2.0
"""Ratings from tables as people have them, and the policies for those that would be refused."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf.data import rating_tables, tables
from ppmf.data.rating_tables import AS_FOUND, Duplicates
from ppmf_spec import rating_files
from ppmf_spec.errors import EncodingError
from ppmf_spec.rating_files import RawRatings, write_csv
from tests.support.command_line import Capture
from tests.support.tables import LONG, RATINGS, items, read, run, stars

SHAPES: dict[str, tuple[str, str, str]] = {
    # name: (file, text, --columns); all hold the ratings 1,10,4 and 2,10,3
    "C1, a timestamp first": (
        "r.csv",
        "timestamp,userId,movieId,rating\n9,1,10,4\n9,2,10,3\n",
        "",
    ),
    "C2, the index of pandas": ("r.csv", ",userId,movieId,rating\n0,1,10,4\n1,2,10,3\n", ""),
    "a column called 0": ("r.csv", "userId,movieId,rating,0\n1,10,4,7\n2,10,3,7\n", ""),
    "C3, a long field": ("r.csv", f"userId,movieId,rating,review\n1,10,4,{LONG}\n2,10,3,ok\n", ""),
    "C4, a header in TSV": ("r.tsv", "userId\tmovieId\trating\n1\t10\t4\n2\t10\t3\n", ""),
    "C5, a header in .dat": ("r.dat", "UserID::MovieID::Rating\n1::10::4\n2::10::3\n", ""),
    "C6, an untyped .inter": ("r.inter", "user_id\titem_id\trating\n1\t10\t4\n2\t10\t3\n", ""),
    "Goodbooks": ("ratings.csv", "user_id,book_id,rating\n1,10,4\n2,10,3\n", ""),
    "LensKit": ("ratings.csv", "user,item,rating,timestamp\n1,10,4.0,9\n2,10,3.0,9\n", ""),
    "Surprise, u.data": ("u.data", "1\t10\t4\t9\n2\t10\t3\t9\n", ""),
    "Surprise, semicolons": ("r.txt", "1;10;4;9\n2;10;3;9\n", "user=0,item=1,rating=2"),
    "Surprise, a header and semicolons": ("r.csv", "uid;iid;rating\n1;10;4\n2;10;3\n", ""),
    "Amazon 2014": ("ratings_Books.csv", "1,10,4.0,9\n2,10,3.0,9\n", "user=0,item=1,rating=2"),
    "Amazon 2018": ("Books.csv", "10,1,4.0,9\n10,2,3.0,9\n", "item=0,user=1,rating=2"),
    "Amazon 2023": (
        "Books.csv",
        "rating,parent_asin,user_id,timestamp\n4.0,10,1,9\n3.0,10,2,9\n",
        "",
    ),
    "Amazon 2023, both kinds of items": (
        "Books.csv",
        "rating,title,text,asin,parent_asin,user_id\n4.0,T,t,7,10,1\n3.0,T,t,8,10,2\n",
        "item=parent_asin",
    ),
    "Amazon, reviews": (
        "r.csv",
        "reviewerID,asin,reviewerName,overall\n1,10,A,4.0\n2,10,B,3.0\n",
        "",
    ),
    "Book-Crossing": (
        "r.csv",
        '"User-ID";"ISBN";"Book-Rating"\n"1";"10";"4"\n"2";"10";"3"\n',
        "",
    ),
    "names of the user's own": (
        "r.csv",
        "wer,was,wie\n1,10,4\n2,10,3\n",
        "user=wer,item=was,rating=wie",
    ),
    "numbers beside a header": (
        "r.csv",
        "rating,user,item\n4,1,10\n3,2,10\n",
        "user=1,item=2,rating=0",
    ),
    "a quoted review of lines": (
        "r.csv",
        'userId,movieId,rating,review\n1,10,4,"a,\n""b"""\n2,10,3,\n',
        "",
    ),
    "R's quotes between tabs": (
        "r.tsv",
        '"user"\t"item"\t"rating"\n"1"\t"10"\t4\n"2"\t10\t3\n',
        "",
    ),
    "pipes": ("r.txt", "user|item|score\n1|10|4\n2|10|3\n", ""),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("packing", ["plain", "bom", "crlf", "gz", "zip"])
def test_a_plain_table_of_ratings_trains(
    shape: str, packing: str, tmp_path: Path, capsys: Capture
) -> None:
    name, text, columns = SHAPES[shape]
    content = text.encode()
    path = tmp_path / name
    if packing == "bom":
        content = b"\xef\xbb\xbf" + content
    elif packing == "crlf":
        content = content.replace(b"\n", b"\r\n")
    elif packing == "gz":
        path, content = path.with_name(f"{name}.gz"), gzip.compress(content)
    elif packing == "zip":
        path = path.with_name(f"{name}.zip")
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"folder/{name}", content)
            archive.writestr("__MACOSX/._x", "x")
            archive.writestr("folder/", "")
        content = packed.getvalue()
    path.write_bytes(content)
    raw = read(path, columns)
    assert stars(raw) == [("1", "10", Fraction(4)), ("2", "10", Fraction(3))]
    if packing == "plain":
        assert run(tmp_path, str(path), *(["--columns", columns] if columns else [])) == 0
        assert items(tmp_path) == ["10"]
        assert "error" not in capsys.readouterr().err


def test_five_lines_of_each_kind_train(tmp_path: Path, capsys: Capture) -> None:
    triples = [(1, 7, "4"), (1, 8, "2.5"), (2, 7, "5"), (3, 8, "3"), (3, 9, "1")]
    shapes = {
        "goodbooks.csv": ("user_id,book_id,rating\n", "{0},{1},{2}\n", ""),
        "lenskit.csv": ("user,item,rating,timestamp\n", "{0},{1},{2},9\n", ""),
        "surprise.data": ("", "{0}\t{1}\t{2}\t9\n", ""),
        "surprise.txt": ("", "{0};{1};{2}\n", "user=0,item=1,rating=2"),
        "amazon.csv": ("rating,parent_asin,user_id,timestamp\n", "{2},{1},{0},9\n", ""),
        "amazon_2014.csv": ("", "{0},{1},{2},9\n", "user=0,item=1,rating=2"),
    }
    results = []
    for name, (header, line, columns) in shapes.items():
        path = tmp_path / name
        path.write_text(header + "".join(line.format(*triple) for triple in triples))
        assert run(tmp_path, str(path), *(["--columns", columns] if columns else [])) == 0, name
        results.append((tmp_path / "out.json").read_bytes())
    assert len(set(results)) == 1
    assert items(tmp_path) == ["7", "8", "9"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "userId,movieId\n1,2\n",
            ":1: no column of ratings is known by its name; the columns are ",
        ),
        (
            "kunde,film,note\n1,2,3\n",
            ":1: no column of users is known by its name; the columns are",
        ),
        ("wer,was,wie\n1,2,3\n", ":1: no columns of ratings: the first line has wer, was, wie"),
        (
            "user,asin,parent_asin,rating\n1,2,3,4\n",
            ":1: asin and parent_asin may both be the column of the items; --columns item=NAME",
        ),
        ("userId,user_id,item,rating\n1,2,3,4\n", ":1: userId and user_id may both be the column"),
        ("1,2,3\n", ":1: no usual names of columns in the first line, and 3 columns; if it"),
        ("1;2;3\n", ":1: no usual names of columns in the first line, and 3 columns"),
        ("1\t2\n", ":1: no usual names of columns in the first line, and 2 columns"),
        ('user,item,rating\n1,"2\n",3\n', ":2: the item id is empty, padded with blanks"),
        ('user,item,rating,t\n1,2,3,"\n\n"\n1,3,"3"x,\n', ":5: broken CSV quoting"),
        ('user,item,rating,t\n1,2,3,"\n\n"\n1,3,3,"\n5,5,5,\n', ":5: broken CSV quoting"),
        ('user,item,rating,t\n1,2,3,"\n\n"\n1,3,x,\n', ":5: the rating is not a plain decimal"),
        ("user,item,rating\n1,2,3\n\n1,3,3\n", ":3: an empty line, expected 3 columns"),
        ("\nuser,item,rating\n", ":1: the first line is empty"),
        ("", ": the file is empty"),
        ("user,item,rating\n", ": no ratings below the header"),
    ],
)
def test_another_table_is_refused_in_one_true_line(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text(text)
    with pytest.raises(EncodingError) as refusal:
        read(path)
    assert f"{path}{message}" in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ("user", "--columns: expected user=NAME"),
        ("who=user", "--columns: expected user=NAME"),
        ("user=", "--columns: expected user=NAME"),
        ("user=a,user=b", "--columns: user is given twice"),
        ("user=a,item=a", "--columns: one column is given for two"),
        ("user=who", "r.csv:1: the column who is not there; the columns are user, item, rating, x"),
        ("user=x", "r.csv:1: the column x stands twice"),
        ("user=7", "r.csv:1: 5 columns, numbered from 0: there is no column 7"),
        ("item=0", "r.csv:1: --columns gives one column for two"),
    ],
)
def test_columns_that_are_not_there_are_refused(columns: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating,x,x\n1,2,3,4,5\n")
    with pytest.raises(EncodingError, match=message):
        read(path, columns)


def test_a_file_without_a_header_needs_the_numbers_of_three_columns(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    path.write_text("1,2,3\n")
    for columns in ("user=0,item=1", "user=u,item=i,rating=r"):
        with pytest.raises(EncodingError, match="numbers of the three columns"):
            read(path, columns)
    with pytest.raises(EncodingError, match="there is no column 3"):
        read(path, "user=0,item=1,rating=3")


def test_no_message_repeats_a_rating(tmp_path: Path) -> None:
    path = tmp_path / "r.csv"
    for text in (
        "alice,secret,3\n",
        "alice|secret|3\n",
        "alice secret 3\n",
        "alice\tsecret\t3\tx\tx\n",
        "user,item,rating\nalice,secret,x\n",
        "user,item,rating\nalice,secret\n",
    ):
        path.write_text(text)
        with pytest.raises(EncodingError) as refusal:
            read(path)
        assert "alice" not in str(refusal.value)
        assert "secret" not in str(refusal.value)


@pytest.mark.parametrize("word", [*tables.SEPARATORS, *tables.SEPARATORS.values(), "\\t"])
def test_a_separator_may_be_given(word: str, tmp_path: Path) -> None:
    mark = tables.separator_named(word)
    path = tmp_path / "r.txt"
    others = "".join({",", ";", "|"} - {mark})
    lines = [("user", f"no{others}te", "item", "rating"), ("1", others, "2", "3")]
    path.write_text("".join(f"{mark.join(line)}\n" for line in lines))
    assert stars(read(path, separator=mark)) == [("1", "2", Fraction(3))]


def test_another_separator_is_refused(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "r.csv").write_text(RATINGS)
    assert run(tmp_path, str(tmp_path / "r.csv"), "--separator", "x") == 2
    assert "--separator: expected one of comma, tab, colons" in capsys.readouterr().err


IDS = st.text(st.characters(categories=("L", "N", "P", "S")), min_size=1, max_size=8)
CELLS = st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=12)


@given(
    rows=st.lists(st.tuples(IDS, IDS, st.sampled_from(["1", "2.5", "5"]), CELLS), min_size=1),
    order=st.permutations(range(4)),
    mark=st.sampled_from([",", ";"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_what_the_csv_module_writes_is_read_with_the_true_lines(
    tmp_path_factory: pytest.TempPathFactory,
    rows: list[tuple[str, str, str, str]],
    order: list[int],
    mark: str,
    line_end: str,
) -> None:
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=mark, lineterminator=line_end)
    header = ("userId", "itemId", "rating", "review")
    writer.writerow([header[k] for k in order])
    lines = []
    for row in rows:
        lines.append(text.getvalue().count("\n") + 1)
        writer.writerow([row[k] for k in order])
    path = tmp_path_factory.mktemp("csv") / "r.csv"
    path.write_bytes(text.getvalue().encode())
    raw = read(path)
    assert stars(raw) == [(user, item, Fraction(number)) for user, item, number, _ in rows]
    assert list(raw.lines) == lines


@given(
    head=st.sampled_from(
        ["", "userId,movieId,rating\n", "user_id:token\titem_id:token\trating:float\n"]
    ),
    rows=st.lists(st.tuples(IDS, IDS, st.sampled_from(["1", "2.5"])), max_size=4),
    mark=st.sampled_from([",", "\t", "::"]),
    noise=st.text('0123,.:\t\n"', max_size=12),
)
def test_the_layouts_of_the_specification_are_read_as_it_says(
    tmp_path_factory: pytest.TempPathFactory,
    head: str,
    rows: list[tuple[str, str, str]],
    mark: str,
    noise: str,
) -> None:
    path = tmp_path_factory.mktemp("strict") / "r"
    path.write_bytes((head + "".join(f"{mark.join(row)}\n" for row in rows) + noise).encode())
    try:
        expected = rating_files.read(path)
    except EncodingError:
        return
    assert read(path) == expected


@pytest.mark.req("PPMF-FIX-008")
@pytest.mark.parametrize(
    ("policy", "kept"), [("last", ("5", "1")), ("first", ("4", "1")), ("refuse", None)]
)
def test_a_second_rating_follows_the_policy(
    policy: str, kept: tuple[str, str] | None, tmp_path: Path, capsys: Capture
) -> None:
    path = tmp_path / "r.csv"
    path.write_text("userId,movieId,rating\n1,10,4\n1,11,1\n1,10,5\n")
    status = run(tmp_path, str(path), "--duplicates", policy)
    said = capsys.readouterr().err
    if kept is None:
        assert status == 2
        assert f"{path}:4: the user rates the item twice, first at {path}:2; --duplicates" in said
        return
    assert status == 0
    assert "1 of 3 ratings are left out" in said
    assert f"the {policy} one is kept (--duplicates {policy})" in said
    result = (tmp_path / "out.json").read_bytes()
    path.write_text(f"userId,movieId,rating\n1,10,{kept[0]}\n1,11,{kept[1]}\n")
    assert run(tmp_path, str(path)) == 0
    assert (tmp_path / "out.json").read_bytes() == result


@pytest.mark.req("PPMF-FIX-006")
def test_a_rating_off_the_grid_is_rounded_on_request_alone(tmp_path: Path, capsys: Capture) -> None:
    path = tmp_path / "r.csv"
    path.write_text("userId,movieId,rating\n1,10,4\n1,11,3.25\n2,10,4.2\n")
    assert run(tmp_path, str(path)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{path}:3: the rating is not on the grid: minus 3 it is no multiple of 1/2" in line
    assert "like 2 of 3; --round takes the nearest" in line
    assert run(tmp_path, str(path), "--round") == 0
    assert "2 of 3 ratings are rounded to the nearest multiple of 1/2" in capsys.readouterr().err
    result = (tmp_path / "out.json").read_bytes()
    path.write_text("userId,movieId,rating\n1,10,4\n1,11,3.5\n2,10,4\n")
    assert run(tmp_path, str(path)) == 0
    assert (tmp_path / "out.json").read_bytes() == result
    path.write_text("userId,movieId,rating\n1,10,5.1\n")
    assert run(tmp_path, str(path), "--round") == 2
    assert ":2: the rating is off the scale from 0.5 to 5" in capsys.readouterr().err


def test_ratings_written_are_read_back_as_they_were(tmp_path: Path) -> None:
    raw = RawRatings(("a,b", '"'), ("1", "2|3;4"), (Fraction(5, 2), Fraction(1)))
    write_csv(tmp_path / "r.csv", raw)
    assert stars(read(tmp_path / "r.csv")) == stars(raw)
    assert rating_tables.read(tmp_path / "r.csv", AS_FOUND, pytest.fail) == rating_files.read(
        tmp_path / "r.csv"
    )
    assert list(Duplicates) == ["refuse", "last", "first"]
