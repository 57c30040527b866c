# SPDX-License-Identifier: Apache-2.0
"""`ppmf oracle`: what each of its modes writes, and what it announces."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest

from ppmf import main
from ppmf_reference import exact
from ppmf_spec import profiles, ratings
from ppmf_spec.parameters import Parameters
from tests.support.command_line import Capture, refused
from tests.support.trained_run import Run


@pytest.mark.req("PPMF-FIX-051")
def test_secure_training_equals_the_oracle_byte_for_byte(trained: Run, tmp_path: Path) -> None:
    out = tmp_path / "fixed.json"
    assert (
        main.main(
            ["oracle", str(trained.ratings), "--params", str(trained.params), "--out", str(out)]
        )
        == 0
    )
    assert out.read_bytes() == (trained.out / "item_profiles.json").read_bytes()


def test_the_catalogue_may_be_a_table_and_adds_items(trained: Run, tmp_path: Path) -> None:
    users = tmp_path / "users.txt"
    present = sorted(set(ratings.read(trained.ratings).users) | {"777"})
    users.write_text("".join(f"{user}\n" for user in present))
    command = ["oracle", str(trained.ratings), "--params", str(trained.params)]
    command += ["--catalogue", str(trained.ratings.with_name("movies.csv"))]
    command += ["--user-list", str(users), "--out", str(tmp_path / "all.json")]
    assert main.main(command) == 0
    assert profiles.read(tmp_path / "all.json").items == tuple(map(str, range(1, 41)))


def test_ids_taken_from_the_ratings_are_announced(
    trained: Run, tmp_path: Path, capsys: Capture
) -> None:
    command = ["oracle", str(trained.ratings), "--params", str(trained.params)]
    assert main.main([*command, "--out", str(tmp_path / "V.json")]) == 0
    said = capsys.readouterr().err
    assert "the public user list is the 9 ids in" in said
    assert "the public item catalogue is the 8 ids in" in said


def test_exact_rationals_are_written_as_fractions(trained: Run, tmp_path: Path) -> None:
    params = tmp_path / "P.toml"
    params.write_text('rank = 1\niterations = 1\nstep_rule = "count"\n')
    out = tmp_path / "exact.json"
    command = ["oracle", str(trained.ratings), "--params", str(params), "--mode", "exact"]
    assert main.main([*command, "--out", str(out)]) == 0
    written = json.loads(out.read_text())
    assert written["format"] == "ppmf-item-exact/1"
    parameters = Parameters.from_toml(params)
    rows = exact.train(ratings.quantise(ratings.read(trained.ratings), parameters), parameters)
    read = [
        [Fraction(text) for text in (*row, bias)]
        for row, bias in zip(written["factors"], written["bias"], strict=True)
    ]
    assert read == [[Fraction(int(x.p), int(x.q)) for x in row] for row in rows]


def test_enclosures_contain_the_exact_result(trained: Run, tmp_path: Path) -> None:
    """With one inner step: the rationals of two have more digits than Python reads as a number."""
    written = {}
    params = tmp_path / "params.toml"
    params.write_text(f"{trained.params.read_text()}inner_steps = 1\n")
    for mode in ("exact", "certified"):
        out = tmp_path / f"{mode}.json"
        command = ["oracle", str(trained.ratings), "--params", str(params)]
        assert main.main([*command, "--mode", mode, "--out", str(out)]) == 0
        written[mode] = json.loads(out.read_text())
    enclosure = written["certified"]
    assert enclosure["format"] == "ppmf-item-enclosure/1"
    assert enclosure["items"] == written["exact"]["items"]
    assert enclosure["undecided"] == []
    largest = Fraction(enclosure["largest_radius"])
    assert 0 < largest < Fraction(1, 1 << 60)
    for balls, points in [
        (enclosure["bias"], written["exact"]["bias"]),
        *zip(enclosure["factors"], written["exact"]["factors"], strict=True),
    ]:
        for (middle, radius), point in zip(balls, points, strict=True):
            assert abs(Fraction(middle) - Fraction(point)) <= Fraction(radius) <= largest


RATINGS = "userId,movieId,rating\n1,10,4\n1,11,3.5\n2,10,1\n"


def test_unknown_and_repeated_ids_of_a_catalogue_are_refused(
    tmp_path: Path, capsys: Capture
) -> None:
    file, catalogue = tmp_path / "ratings.csv", tmp_path / "items.txt"
    file.write_text(RATINGS)
    command = ["oracle", str(file), "--catalogue", str(catalogue), "--out", str(tmp_path / "V")]
    catalogue.write_text("10\n12\n")
    line = refused(capsys, command)
    assert "ratings.csv:3: the item id is not in " in line
    assert "items.txt (2 ids one a line, no header, the first is 10)" in line
    assert "this holds for 1 of 3 ratings and 1 different ids" in line
    catalogue.write_text("10\n11\n10\n")
    assert "items.txt:3: the item id 10 is listed twice, first in line 1" in refused(
        capsys, command
    )
    catalogue.write_text("10\n\n11\n")
    assert "items.txt:2: an empty line, expected 1" in refused(capsys, command)
