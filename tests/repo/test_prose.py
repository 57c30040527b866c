# SPDX-License-Identifier: Apache-2.0
"""The prose of the project: what a package's docstring says, and words that do not occur."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from tests.support.project_text import FILES, written
from tools.packages import FOLDERS, ROOT

# In brackets, so that this file does not contain the words that it looks for.
OF_ONE_SEX = re.compile(
    r"(?<![A-Za-z])(?:[Ss]?h[e]|H[e]|[Hh][e]r(?:s|self)?|[Hh][i](?:s|m|mself))(?!\w|-ciphertext)"
)
"""Pronouns of one sex: a user, a party or a reader is "they" or named again."""

OF_A_BUILDING = re.compile(r"\b(?:[Hh][o]use|[Ss]t[r]anger)s?\b")
"""Words that name parts of the project as if it were a building or its guests."""

FOR_THOSE_WHO_IMPORT = Path("ppmf/ppmf")
"""The library: its docstring is about the names that it offers, not about the command's modules."""

PACKAGES = sorted(
    {
        path.parent
        for path in FILES
        if path.suffix == ".py"
        and any(path.is_relative_to(top) for top in (*FOLDERS, "tools", "docs/ppmf_docs"))
    }
)


def lines_with(pattern: re.Pattern[str], path: Path) -> list[str]:
    lines = (ROOT / path).read_text(encoding="utf-8").splitlines()
    return [
        f"{path}:{number}: {found[0]}"
        for number, line in enumerate(lines, start=1)
        for found in pattern.finditer(line)
    ]


@pytest.mark.parametrize("path", written(), ids=str)
def test_no_pronoun_is_of_one_sex(path: Path) -> None:
    assert lines_with(OF_ONE_SEX, path) == []


@pytest.mark.parametrize("path", written(), ids=str)
def test_no_part_is_named_like_a_building(path: Path) -> None:
    assert lines_with(OF_A_BUILDING, path) == []


@pytest.mark.parametrize("package", [p for p in PACKAGES if p != FOR_THOSE_WHO_IMPORT], ids=str)
def test_a_package_says_what_each_of_its_modules_holds(package: Path) -> None:
    """In the docstring, by name and in backquotes."""
    start = ROOT / package / "__init__.py"
    assert start.is_file(), "a folder of modules without __init__.py"
    docstring = ast.get_docstring(ast.parse(start.read_text(encoding="utf-8"))) or ""
    named = {name for quoted in re.findall(r"`([^`]+)`", docstring) for name in quoted.split(".")}
    modules = {path.stem for path in FILES if path.parent == package and path.suffix == ".py"}
    below = {other.name for other in PACKAGES if other.parent == package}
    assert sorted((modules | below) - named - {"__init__", "__main__"}) == []


def test_only_whole_words_are_found() -> None:
    right = ["they", "then", "other", "this", "he-ciphertext", "he_rows", "HE_CIPHERTEXT", "shell"]
    assert [word for word in right if OF_ONE_SEX.search(word)] == []
    wrong = ["Sh" + "e is", "to h" + "er.", "h" + "is own", "_h" + "ers", "h" + "imself"]
    assert all(OF_ONE_SEX.search(word) for word in wrong)
    assert not OF_A_BUILDING.search("households, estranged")
    assert OF_A_BUILDING.search("of this ho" + "use")
