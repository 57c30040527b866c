# SPDX-License-Identifier: Apache-2.0
"""What people bring: tables of ratings, lists of ids and titles in many shapes, all made up."""

from __future__ import annotations

import csv
import gzip
import importlib
import io
import json
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf import main
from ppmf.data import id_lists, item_titles, rating_sources, rating_tables, tables
from ppmf.data.columns import BY_USUAL_NAMES, Columns, Role
from ppmf.data.rating_tables import AS_FOUND, Duplicates, Grid, Reading
from ppmf_spec import rating_files
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.extras import MissingExtraError
from ppmf_spec.rating_files import RawRatings, write_csv

Capture = pytest.CaptureFixture[str]
RATINGS = "userId,movieId,rating\n1,2,4\n1,10,3\n2,2,5\n2,10,1\n"
LONG = "x" * 131_073
"""One character more than the csv module takes unless it is told otherwise."""


def stars(raw: RawRatings) -> list[tuple[str, str, Fraction]]:
    return list(zip(raw.users, raw.items, raw.values, strict=True))


def read(path: Path, columns: str = "", separator: str | None = None) -> RawRatings:
    chosen = Columns.parse(columns) if columns else BY_USUAL_NAMES
    return rating_tables.read(path, Reading(chosen, separator), lambda line: None)


def run(folder: Path, *arguments: str) -> int:
    """The oracle on a toy parameter set; `folder/out.json` is its result."""
    (folder / "small.toml").write_text("rank = 2\niterations = 2\n")
    params, out = str(folder / "small.toml"), str(folder / "out.json")
    return main.main(["oracle", *arguments, "--params", params, "--out", out])


def items(folder: Path) -> list[str]:
    found: list[str] = json.loads((folder / "out.json").read_text())["items"]
    return found


# --- the shapes of ratings ---

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


# --- properties ---

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


@given(content=st.binary(max_size=60) | st.text('user,item;rating0123.:\t\n"|').map(str.encode))
def test_any_bytes_are_read_or_refused_in_one_line(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    path = tmp_path_factory.mktemp("any") / "r"
    path.write_bytes(content)
    calls: list[Callable[[], object]] = [
        lambda: read(path),
        lambda: id_lists.read(path, Role.ITEM, BY_USUAL_NAMES),
        lambda: item_titles.read(path, BY_USUAL_NAMES, lambda line: None),
    ]
    for call in calls:
        outcome = str(path)
        try:
            call()
        except (EncodingError, RangeError) as refusal:
            outcome = str(refusal)
        assert outcome.startswith(str(path))
        assert "\n" not in outcome
    assert item_titles.beside(path.with_name("x.csv"), print) == {}


@given(
    values=st.lists(st.integers(-400, 400).map(lambda k: Fraction(k, 37)), min_size=1),
    bits=st.integers(0, 3),
)
def test_rounding_is_to_the_nearest_and_half_way_up(values: list[Fraction], bits: int) -> None:
    grid = Grid(Fraction(3), bits, Fraction(-20), Fraction(20))
    step = Fraction(1, 2**bits)
    for stars in values:
        nearest = grid.nearest(stars)
        assert grid.holds(nearest)
        assert -step / 2 < stars - nearest <= step / 2 or nearest - stars == step / 2
    assert grid.nearest(Fraction(3) + step / 2) == 3 + step
    assert grid.nearest(Fraction(3) - step / 2) == 3


def test_rounding_stays_on_the_scale() -> None:
    grid = Grid(Fraction(0), 0, Fraction(3, 4), Fraction(17, 4))
    assert grid.nearest(Fraction(17, 4)) == 4
    assert grid.nearest(Fraction(4, 5)) == 1
    edges = Grid(Fraction(0), 0, Fraction(1, 4), Fraction(7, 4))
    assert edges.nearest(Fraction(7, 4)) == 1
    assert edges.nearest(Fraction(1, 4)) == 1


# --- compression, encodings, bounds ---


def test_nothing_is_read_beyond_the_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.csv"
    monkeypatch.setattr(tables, "LARGEST", 1000)
    text = b"user,item,rating\n" + b"1,2,3\n" * 200
    path.write_bytes(text)
    with pytest.raises(EncodingError, match=r"r\.csv: more than 1,000 bytes"):
        read(path)
    path.write_bytes(gzip.compress(text))
    assert path.stat().st_size < 1000
    with pytest.raises(EncodingError, match=r"r\.csv: more than 1,000 bytes"):
        read(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("r.csv", text)
    assert path.stat().st_size < 1000
    with pytest.raises(EncodingError, match=r"r\.csv: more than 1,000 bytes"):
        read(path)


def test_a_damaged_or_foreign_file_is_told_as_what_it_is(tmp_path: Path) -> None:
    path = tmp_path / "r.csv.gz"
    packed = gzip.compress(RATINGS.encode())
    with zipfile.ZipFile(tmp_path / "two.zip", "w") as archive:
        archive.writestr("ratings.csv", RATINGS)
        archive.writestr("movies.csv", RATINGS)
    two = (tmp_path / "two.zip").read_bytes()
    for content, message in (
        (packed[:-9], "r.csv.gz: cannot be decompressed: "),
        (packed[:12] + b"\0\0\0" + packed[15:], "r.csv.gz: cannot be decompressed: "),
        (b"PK\x03\x04 and no more", "r.csv.gz: cannot be decompressed: "),
        (two, "r.csv.gz: a zip archive of 2 files, not one: ratings.csv, movies.csv"),
        (b"BZh91AY&SY", "r.csv.gz: compressed by bzip2; gzip, zip and plain text are read"),
        (RATINGS.encode("utf-16"), "r.csv.gz: not UTF-8 text but UTF-16; save it as UTF-8"),
        (b"\x89PNG\r\n\x1a\n\0\0", "r.csv.gz:1: not UTF-8 text"),
        (b"user,item,rating\n1,2,3\n1,\xe9,3\n", "r.csv.gz:3: not UTF-8 text"),
    ):
        path.write_bytes(content)
        with pytest.raises(EncodingError) as refusal:
            read(path)
        assert message in str(refusal.value)


def test_a_folder_may_hold_a_packed_file(tmp_path: Path) -> None:
    (tmp_path / "ratings.csv.gz").write_bytes(gzip.compress(RATINGS.encode()))
    (tmp_path / "movies.csv").write_text("movieId,title\n2,Alpha\n")
    source = rating_sources.find(tmp_path, environ={})
    assert len(source.raw) == 4
    assert source.titles == {"2": "Alpha"}


# --- Parquet ---


def parquet(module: ModuleType, path: Path, columns: dict[str, list[object]]) -> None:
    if module.__name__ == "polars":
        module.DataFrame(columns).write_parquet(path)
    else:
        importlib.import_module("pyarrow.parquet").write_table(module.table(columns), path)


@pytest.fixture(params=["pyarrow", "polars"])
def package(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package that reads Parquet; the reader finds no other."""
    name: str = request.param
    module: ModuleType = pytest.importorskip(name)
    real = importlib.import_module

    def alone(wanted: str) -> ModuleType:
        if wanted.partition(".")[0] in {"pyarrow", "polars"} - {name}:
            raise ImportError(wanted)
        return real(wanted)

    monkeypatch.setattr(importlib, "import_module", alone)
    return module


def test_parquet_trains(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    path = tmp_path / "r.parquet"
    columns: dict[str, list[object]] = {
        "rating": [4.0, 2.5, 5.0],
        "user_id": [1, 1, 20],
        "item_id": ["é", "b", "é"],
        "more": [[1], [2], [3]],
    }
    parquet(package, path, columns)
    raw = read(path)
    assert raw.users == ("1", "1", "20")
    assert raw.items == ("é", "b", "é")
    assert raw.values == (Fraction(4), Fraction(5, 2), Fraction(5))
    assert raw.where(2) == f"{path}:3"
    assert run(tmp_path, str(path), "--catalogue", str(path)) == 2  # ratings repeat their items
    assert "r.parquet:3: the item id é is listed twice, first in line 1" in capsys.readouterr().err
    assert run(tmp_path, str(path)) == 0
    assert items(tmp_path) == ["b", "é"]
    monkeypatch.setattr(tables, "LARGEST", 1)
    with pytest.raises(EncodingError, match="more than 1 bytes"):
        read(path)


def test_parquet_that_is_no_table_of_ratings_is_refused(
    package: ModuleType, tmp_path: Path
) -> None:
    path = tmp_path / "r.parquet"
    for columns, message in (
        ({"user": [1.0], "item": [2], "rating": [3]}, "the column user has floating-point numbers"),
        (
            {"user": [None, 1], "item": [1, 1], "rating": [3, 3]},
            "r.parquet:1: the user id is empty",
        ),
        ({"user": [1], "item": [2], "stern": [3]}, "columns are user, item, stern"),
        ({"user": [[1]], "item": [2], "rating": [3]}, "the column user cannot be read as text"),
    ):
        parquet(package, path, columns)  # type: ignore[arg-type]
        with pytest.raises(EncodingError) as refusal:
            read(path)
        assert message in str(refusal.value)
    path.write_bytes(b"PAR1 and no more")
    with pytest.raises(EncodingError, match="not a Parquet file that"):
        read(path)


def test_parquet_without_a_package_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    def none(wanted: str) -> ModuleType:
        raise ImportError(wanted)

    monkeypatch.setattr(importlib, "import_module", none)
    path = tmp_path / "r.parquet"
    path.write_bytes(b"PAR1")
    with pytest.raises(MissingExtraError, match="needs pyarrow or polars, and neither"):
        read(path)
    assert run(tmp_path, str(path)) == 2
    assert "ppmf: error (installation): " in capsys.readouterr().err


# --- lists ---

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


# --- titles ---

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
    assert said == [f"no titles are shown: {refusal.value}"]


def test_titles_may_be_named(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("nr,titel\n4,Beta\n")
    named = Columns.parse("item=nr,title=titel")
    assert item_titles.read(path, named, print) == {"4": "Beta"}
    with pytest.raises(EncodingError, match="the column name is not there; the columns are nr"):
        item_titles.read(path, Columns.parse("item=nr,title=name"), print)


# --- policies ---


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
