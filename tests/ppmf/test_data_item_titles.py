# SPDX-License-Identifier: Apache-2.0
"""Titles of items: the files beside the ratings, their layouts, and what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf.data import item_titles
from ppmf.data.columns import BY_USUAL_NAMES
from ppmf_spec.errors import EncodingError


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


def test_a_layout_without_titles_gives_none(tmp_path: Path) -> None:
    path = tmp_path / "x.item"
    path.write_text("item_id:token\tclass:token_seq\n1\tDrama\n")
    with pytest.raises(EncodingError, match="no column of titles is known .* item_id:token, class"):
        item_titles.read(path, BY_USUAL_NAMES, print)
    said: list[str] = []
    assert item_titles.beside(tmp_path / "x.inter", said.append) == {}
    assert len(said) == 1
    assert "no titles are shown" in said[0]
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
