# SPDX-License-Identifier: Apache-2.0
"""Which ratings a command uses: the order of the sources, and what it says of the one it took."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf.data import movielens, rating_sources
from ppmf_spec.errors import EncodingError, PeerError
from tests.support.toy_wheel import INTER, ITEM, serving


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


def test_the_path_precedes_the_environment_which_precedes_the_cache(tmp_path: Path) -> None:
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


def test_an_unwritable_cache_leads_to_the_synthetic_set(
    cache: Path, wheel: Path, pin: movielens.Pin
) -> None:
    cache.parent.write_text("a file where the folder should be")
    source = rating_sources.find(environ={}, pin=pin, download=serving(wheel))
    assert source.kind is rating_sources.Kind.SYNTHETIC
    assert "No real data because" in source.notice


def test_a_folder_stands_for_the_ratings_file_in_it(tmp_path: Path) -> None:
    for name in ("toy.inter", "ratings.dat", "u.data", "ratings.csv"):
        (tmp_path / name).touch()
        assert rating_sources.ratings_file(tmp_path) == tmp_path / name
    other = tmp_path / "two"
    other.mkdir()
    (other / "a.inter").touch()
    (other / "b.inter").touch()
    with pytest.raises(EncodingError, match="2 .inter files; expected"):
        rating_sources.ratings_file(other)
