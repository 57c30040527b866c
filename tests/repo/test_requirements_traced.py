# SPDX-License-Identifier: Apache-2.0
"""Every MUST of the function and of the protocol is named by a test, or excused with a reason."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

import pytest

from ppmf_spec.requirements import collect, in_folder
from requirement_marks import marks, places

ROOT = Path(__file__).resolve().parents[2]
TRACED = ("02-*.md", "04-*.md")
EXCUSED = Path(__file__).with_name("untested.toml")


def excused() -> dict[str, str]:
    return tomllib.loads(EXCUSED.read_text())


def traced() -> set[str]:
    """The ids that must be tested: every MUST of the traced chapters."""
    chapters = [path for like in TRACED for path in sorted((ROOT / "spec").glob(like))]
    assert len(chapters) == len(TRACED)
    return {name for name, found in collect(chapters).items() if found.level == "MUST"}


def test_every_must_is_tested_or_excused() -> None:
    assert sorted(traced() - set(places(ROOT)) - set(excused())) == []


def test_every_mark_names_a_requirement() -> None:
    known = set(in_folder(ROOT / "spec"))
    assert {name: at for name, at in places(ROOT).items() if name not in known} == {}


def test_an_excuse_is_needed_and_gives_its_reason() -> None:
    excuses = excused()
    assert sorted(set(excuses) - traced()) == [], "no such requirement"
    assert sorted(set(excuses) & set(places(ROOT))) == [], "tested after all"
    assert [name for name, reason in excuses.items() if len(str(reason).split()) < 4] == []


def test_marks_are_found_on_functions_modules_and_parameters() -> None:
    source = """
import pytest
pytestmark = pytest.mark.req("A")
@pytest.mark.req("B", "C")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.req("D"))])
def test_it(x): ...
"""
    assert {ast.literal_eval(argument) for _, argument in marks(source)} == {"A", "B", "C", "D"}


def test_a_mark_that_hides_its_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text("pytestmark = pytest.mark.req(NAME)\n")
    with pytest.raises(ValueError, match=r"tests/test_it.py:1"):
        places(tmp_path)
