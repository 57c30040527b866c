# SPDX-License-Identifier: Apache-2.0
"""Every requirement leads to tests and to code, and the table that says so is the one committed."""

from __future__ import annotations

import ast
import json
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.packages import ROOT
from tools.traceability import COMMAND, TABLE, done_by, in_force, marks, table, verified_by

EXCUSES = Path(__file__).with_name("untraced.toml")

DUE = {
    "02-functionality.md": ("spec", "reference"),
    "03-parameters.md": ("spec",),
    "04-protocol.md": ("spec", "secure"),
    "05-wire.md": ("spec", "secure"),
    "06-security.md": ("secure", "audit"),
    "07-conformance.md": ("conformance", "tools"),
    "08-service.md": ("secure", "service"),
}
"""By chapter where each MUST is met: in one at least of these folders. A SHOULD is, in any."""

TWO_READINGS = ("PPMF-FIX-010", "PPMF-FIX-043")
"""From the first to the second both implementations meet each on their own."""


@pytest.fixture(scope="module")
def fresh() -> str:
    return table(ROOT)


@pytest.fixture(scope="module")
def rows(fresh: str) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = json.loads(fresh)
    return found


def excused(what: str) -> dict[str, str]:
    excuses: dict[str, dict[str, str]] = tomllib.loads(EXCUSES.read_text())
    return excuses[what]


def folders(row: dict[str, Any]) -> set[str]:
    return {place.partition("/")[0] for place in row["code"]}


def holds(row: dict[str, Any]) -> bool:
    return bool(row["level"] != "WITHDRAWN")


def test_the_committed_table_is_current(fresh: str) -> None:
    current = (ROOT / TABLE).read_text(encoding="utf-8") == fresh
    assert current, f"{TABLE} is stale; mend it by: {COMMAND}"


def test_every_chapter_with_requirements_is_traced(rows: dict[str, dict[str, Any]]) -> None:
    assert {row["chapter"] for row in rows.values()} == set(DUE)


def test_every_requirement_is_tested_or_excused(rows: dict[str, dict[str, Any]]) -> None:
    untested = {name for name, row in rows.items() if holds(row) and not row["tests"]}
    assert sorted(untested - set(excused("tests"))) == []


def test_every_requirement_is_met_where_it_is_due(rows: dict[str, dict[str, Any]]) -> None:
    unmet = {
        name
        for name, row in rows.items()
        if row["level"] == "MUST" and not folders(row) & set(DUE[row["chapter"]])
    }
    unmet |= {name for name, row in rows.items() if row["level"] == "SHOULD" and not row["code"]}
    assert sorted(unmet - set(excused("code"))) == []


def test_the_requirements_of_the_function_are_met_by_both_implementations(
    rows: dict[str, dict[str, Any]],
) -> None:
    first, last = TWO_READINGS
    twice = [name for name in rows if name.startswith("PPMF-FIX-") and first <= name <= last]
    assert len(twice) == 23
    for folder in ("reference", "secure"):
        assert [name for name in twice if folder not in folders(rows[name])] == [], folder


def test_a_withdrawn_requirement_leads_nowhere(rows: dict[str, dict[str, Any]]) -> None:
    withdrawn = {name: row for name, row in rows.items() if not holds(row)}
    assert {name for name, row in withdrawn.items() if row["tests"] or row["code"]} == set()
    assert withdrawn.keys() == rows.keys() - set(in_force(ROOT))


def test_every_id_that_tests_and_code_name_exists_and_holds() -> None:
    known = in_force(ROOT)
    for places in (verified_by(ROOT), done_by(ROOT, known)):
        assert {name: at for name, at in places.items() if name not in known} == {}


@pytest.mark.parametrize("what", ["tests", "code"])
def test_an_excuse_is_used_and_gives_its_reason(rows: dict[str, dict[str, Any]], what: str) -> None:
    excuses = excused(what)
    assert sorted(set(excuses) - set(rows)) == [], "no such requirement"
    assert [name for name in excuses if rows[name][what]] == [], "traced after all"
    assert [name for name, reason in excuses.items() if len(reason.split()) < 4] == []


def test_marks_are_found_on_functions_modules_and_parameters() -> None:
    source = """
import pytest
pytestmark = pytest.mark.req("A")
@pytest.mark.req("B", "C")
@pytest.mark.parametrize("x", [pytest.param(1, marks=pytest.mark.req("D"))])
def test_it(x): ...
"""
    assert {ast.literal_eval(argument) for _, argument in marks(source)} == {"A", "B", "C", "D"}


def test_a_test_is_named_by_file_and_function(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text(
        "import pytest\n"
        'pytestmark = pytest.mark.req("A")\n'
        "@pytest.mark.parametrize('x', [1])\n"
        '@pytest.mark.req("B", "A")\n'
        "def test_b(x): ...\n"
    )
    file = "tests/test_it.py"
    assert verified_by(tmp_path) == {"A": [file, f"{file}::test_b"], "B": [f"{file}::test_b"]}


def test_a_mark_without_a_literal_id_is_refused(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_it.py").write_text("pytestmark = pytest.mark.req(NAME)\n")
    with pytest.raises(ValueError, match=r"tests/test_it.py:1"):
        verified_by(tmp_path)


KNOWN = [f"PPMF-{family}-{number:03}" for family in ("FIX", "PAR") for number in range(1, 6)]

MODULE = '''"""Module (PPMF-FIX-001). PPMF-FIX-005 says more; so does "(see PPMF-FIX-005)"."""

EDGE = 1
"""A constant (PPMF-FIX-002)."""

class Thing:
    """A class (PPMF-FIX-003 to -005,
    PPMF-PAR-001)."""

    @property
    def part(self):
        # in a comment (PPMF-PAR-002,
        # -004)
        return 1
'''


def source_tree(root: Path, text: str) -> Path:
    folder = root / "spec" / "ppmf_spec"
    folder.mkdir(parents=True)
    (folder / "module.py").write_text(text)
    return root


def test_code_is_found_by_definition(tmp_path: Path) -> None:
    module = "spec/ppmf_spec/module.py"
    assert done_by(source_tree(tmp_path, MODULE), KNOWN) == {
        "PPMF-FIX-001": [module],
        "PPMF-FIX-002": [f"{module}::EDGE"],
        **{f"PPMF-FIX-{number:03}": [f"{module}::Thing"] for number in (3, 4, 5)},
        "PPMF-PAR-001": [f"{module}::Thing"],
        **{f"PPMF-PAR-{number:03}": [f"{module}::Thing.part"] for number in (2, 4)},
    }


@pytest.mark.parametrize("text", ["(PPMF-FIX-001 to 003)", "(PPMF-FIX-001,-002)", "(PPMF-FIX-001"])
def test_a_list_of_ids_that_cannot_be_read_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(ValueError, match=r"spec/ppmf_spec/module.py:2: no list"):
        done_by(source_tree(tmp_path, f"\n# {text} and more\n"), KNOWN)
