# SPDX-License-Identifier: Apache-2.0
"""Tables of any kind: how they are packed, what is refused, Parquet."""

from __future__ import annotations

import gzip
import importlib
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf.data import id_lists, item_titles, rating_sources, tables
from ppmf.data.columns import BY_USUAL_NAMES, Role
from ppmf_spec.errors import EncodingError, RangeError
from ppmf_spec.extras import MissingExtraError
from tests.support.command_line import Capture
from tests.support.tables import RATINGS, items, read, run


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


@pytest.mark.parametrize(
    ("text", "separator"),
    [
        ("a,b;user;item;rating;c|d\nx,y;1;10;4;z|z\n", ";"),
        ("user|item|rating|a,b;c\n1|10|4|x,y;z\n", "|"),
        ('"note, or; none",user,item,rating\nx,1,10,4\n', ","),
        ("1;10;4|x,y\n", ";"),
        ("a|b::10::4::9\n", "::"),
        ("a,b\t10\t4\n", "\t"),
    ],
)
def test_the_separator_is_the_one_that_gives_names_or_stands_first(
    text: str, separator: str, tmp_path: Path
) -> None:
    path = tmp_path / "r.txt"
    path.write_text(text)
    assert tables.read(path, BY_USUAL_NAMES).separator == separator


def test_parquet_is_bounded_by_what_it_holds(
    package: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run of equal values takes next to no space in the file."""
    path = tmp_path / "r.parquet"
    parquet(package, path, {name: [1] * 100_000 for name in ("user", "item", "rating")})
    size = path.stat().st_size
    assert size < 100_000
    monkeypatch.setattr(tables, "LARGEST", 2 * size)
    with pytest.raises(EncodingError, match=f"more than {2 * size:,} bytes, the most that is read"):
        read(path)
