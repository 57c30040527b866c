# SPDX-License-Identifier: Apache-2.0
"""`ppmf recommend` and `ppmf similar`: the user's side of published profiles."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from ppmf import main
from ppmf.estimator import PrivateMF
from ppmf_reference import ridge
from ppmf_spec import profiles, ratings
from ppmf_spec.profiles import ItemProfiles
from tests.support.command_line import Capture
from tests.support.trained_run import Run


@pytest.fixture
def published(trained: Run) -> ItemProfiles:
    return profiles.read(trained.out / "item_profiles.json")


@pytest.fixture
def file(trained: Run) -> str:
    return str(trained.out / "item_profiles.json")


def rows(capsys: Capture) -> list[list[str]]:
    """The rows of a table that were shown, place first."""
    lines = capsys.readouterr().out.splitlines()
    return [line.split() for line in lines if line.split() and line.split()[0].isdigit()]


def mine(folder: Path, *lines: str) -> str:
    path = folder / "mine.csv"
    path.write_text("\n".join(["userId,movieId,rating", *lines]) + "\n")
    return str(path)


@pytest.mark.req("PPMF-RDG-005", "PPMF-RDG-006", "PPMF-RDG-007")
def test_recommendations_are_those_of_the_oracle(
    published: ItemProfiles, file: str, tmp_path: Path, capsys: Capture
) -> None:
    first, second = published.items[2], published.items[5]
    own = mine(tmp_path, f"me,{first},4.5", f"me,{second},1")
    assert main.main(["recommend", "--profiles", file, "--ratings", own, "--top", "3"]) == 0
    fitted = ridge.profile({2: Fraction(9, 2), 5: Fraction(1)}, published)
    expected = [
        [str(place), published.items[one.row], f"{float(ridge.clip(one.rating, published)):.2f}"]
        for place, one in enumerate(ridge.top_n(fitted, published, [2, 5], 3), start=1)
    ]
    assert rows(capsys) == expected


@pytest.mark.req("PPMF-RDG-005", "PPMF-RDG-006")
def test_predictions_beyond_the_scale_are_shown_at_its_end_in_their_own_order(
    tmp_path: Path, capsys: Capture
) -> None:
    published = ItemProfiles(
        items=("1", "2", "3", "4"),
        frac_bits=8,
        factors=np.array([[256], [240], [256], [-256]]),
        bias=np.array([0, 300, 510, -300]),
        rating_offset=Fraction(3),
        rating_min=Fraction(1, 2),
        rating_max=Fraction(5),
        rating_frac_bits=1,
        ridge=Fraction(1, 64),
    )
    profiles.write(tmp_path / "V.json", published)
    command = ["recommend", "--profiles", str(tmp_path / "V.json")]
    assert main.main([*command, "--ratings", mine(tmp_path, "me,1,5")]) == 0
    assert rows(capsys) == [["1", "3", "5.00"], ["2", "2", "5.00"], ["3", "4", "1.83"]]
    model = PrivateMF.from_profiles(published)
    assert [(one.item, one.rating) for one in model.recommend({1: 5})][:2] == [("3", 5), ("2", 5)]


def test_markup_in_titles_is_shown_literally(
    trained: Run, file: str, tmp_path: Path, capsys: Capture
) -> None:
    """Neither square brackets nor words between colons mean anything to the terminal."""
    user = ratings.read(trained.ratings).users[0]
    command = ["recommend", "--profiles", file, "--ratings", str(trained.ratings)]
    assert main.main([*command, "--user", user]) == 0
    shown = rows(capsys)
    assert shown
    assert all(row[2:-1] == ["[bold]", row[1], ":smile:"] for row in shown)


def test_a_user_who_rated_every_item_gets_a_message(
    published: ItemProfiles, file: str, tmp_path: Path, capsys: Capture
) -> None:
    own = mine(tmp_path, *(f"me,{item},3" for item in published.items))
    assert main.main(["recommend", "--profiles", file, "--ratings", own]) == 0
    assert "every item with a profile is rated already" in capsys.readouterr().out


def test_ratings_of_unknown_items_may_be_left_out(
    published: ItemProfiles, file: str, tmp_path: Path, capsys: Capture
) -> None:
    own = mine(tmp_path, f"me,{published.items[0]},4", "me,999,5")
    command = ["recommend", "--profiles", file, "--ratings", own]
    assert main.main(command) == 2
    assert "mine.csv:3: the item has no profile" in capsys.readouterr().err
    assert main.main([*command, "--ignore-unknown"]) == 0
    assert "1 of 2 ratings are of unknown items" in capsys.readouterr().err


@pytest.mark.req("PPMF-RDG-004")
@pytest.mark.parametrize(
    ("stars", "what"),
    [("9", "off the scale"), ("0", "off the scale"), ("3.3", "not on the grid")],
)
def test_a_bad_rating_names_its_line_and_not_its_value(
    stars: str, what: str, published: ItemProfiles, file: str, tmp_path: Path, capsys: Capture
) -> None:
    own = mine(tmp_path, f"me,{published.items[0]},4", f"me,{published.items[1]},{stars}")
    assert main.main(["recommend", "--profiles", file, "--ratings", own]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("ppmf: error (range): ")
    assert f"mine.csv:3: the rating is {what}" in line


def test_repeated_ratings_and_files_of_several_users_are_refused(
    published: ItemProfiles, file: str, tmp_path: Path, capsys: Capture
) -> None:
    item = published.items[0]
    own = mine(tmp_path, f"me,{item},4", f"me,{item},4")
    assert main.main(["recommend", "--profiles", file, "--ratings", own]) == 2
    assert "mine.csv:3: the user rates the item twice, first at " in capsys.readouterr().err
    own = mine(tmp_path, f"me,{item},4", f"you,{item},4")
    assert main.main(["recommend", "--profiles", file, "--ratings", own]) == 2
    assert "ratings of 2 users; name one by --user" in capsys.readouterr().err
    assert main.main(["recommend", "--profiles", file, "--ratings", own, "--user", "nobody"]) == 2
    assert "no ratings of user 'nobody'" in capsys.readouterr().err


@pytest.mark.req("PPMF-RDG-008")
def test_similar_items_are_those_of_the_oracle(
    trained: Run, published: ItemProfiles, file: str, capsys: Capture
) -> None:
    titles = str(trained.ratings.with_name("movies.csv"))
    item = published.items[3]
    assert main.main(["similar", item, "--profiles", file, "--titles", titles, "--top", "4"]) == 0
    expected = [published.items[one.row] for one in ridge.similar(published, 3, 4)]
    assert [row[1] for row in rows(capsys)] == expected


def test_an_unknown_item_is_reported_in_one_line(file: str, capsys: Capture) -> None:
    assert main.main(["similar", "nothing", "--profiles", file]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("item_profiles.json: no item 'nothing'")
