# SPDX-License-Identifier: Apache-2.0
"""Chapter 7 and the suite say the same: operations and their members, levels, statuses, edits."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from ppmf_conformance import schema
from ppmf_conformance.adapters import oracle, secure_operations
from ppmf_conformance.adapters.broken_oracle import FAULTS
from ppmf_conformance.cases import Case, shipped
from ppmf_conformance.results import Exit
from ppmf_spec.requirements import collect
from tests.support.command_line import commands

CHAPTER = Path(__file__).parents[2] / "spec" / "07-conformance.md"
TEXT = CHAPTER.read_text(encoding="utf-8")
REQUIREMENTS = collect([CHAPTER])
SUITE = shipped()


def table(head: str) -> list[list[str]]:
    """The cells of the table with that head."""
    below = TEXT.partition(f"| {head} |\n")[2].partition("\n\n")[0]
    return [
        [cell.strip() for cell in line.strip("|").split("|")] for line in below.splitlines()[1:]
    ]


def quoted(text: str) -> list[str]:
    return re.findall(r"`([^`]+)`", text)


def operations() -> dict[str, tuple[set[str], set[str]]]:
    """By operation the members of `in` and of `out` that its row names.

    A row may say "the same" of what stands above it.
    """
    found: dict[str, tuple[set[str], set[str]]] = {}
    last: tuple[set[str], set[str]] = (set(), set())
    for name, given, out in table("operation | `in` | `out`"):
        members = []
        for cell, before in zip((given, out), last, strict=True):
            here = set(quoted(cell))
            for word, of_object in objects().items():
                if word in cell:
                    here |= of_object
            members.append(here | before if "the same" in cell else here)
        last = (members[0], members[1])
        found[name.strip("`")] = last
    return found


def objects() -> dict[str, set[str]]:
    """The members of what the rows of `link.*` name by one word, from the text below the table."""
    frame, _, message = (
        TEXT.partition("a frame is an object of")[2]
        .partition("\n\n")[0]
        .partition("A control message is an object of")
    )
    return {"frame": set(quoted(frame)), "control message": set(quoted(message))}


def levels() -> dict[str, list[str]]:
    rows = table("level | what the implementation does | operations")
    return {name.strip("*"): quoted(globs) for name, _, globs in rows}


def members(case: Case) -> tuple[set[str], set[str]]:
    shown = {*case.expect.get("out", {}), *case.expect.get("enclosure", {}), *case.steps}
    return set(case.given), shown


def test_the_table_of_operations_is_that_of_the_adapters() -> None:
    ours = {*oracle.OPERATIONS, *secure_operations.OPERATIONS}
    assert sorted(operations()) == sorted(ours)
    assert {case.op for case in SUITE.cases} == {*ours, "party.run"}


@pytest.mark.parametrize("operation", sorted(operations()))
def test_a_row_names_the_members_of_its_cases(operation: str) -> None:
    given, out = operations()[operation]
    steps = set(quoted(TEXT.partition("\nSteps are, of")[2].partition("\n\n")[0]))
    for case in SUITE.cases:
        if case.op == operation:
            has_given, has_out = members(case)
            assert has_given <= given, case.id
            assert has_out <= out | steps, case.id


def test_the_plan_of_a_circuit_is_described() -> None:
    described = set(quoted(TEXT.partition("`plan` holds what")[2].partition("\n\n")[0]))
    plans = [case.given["plan"] for case in SUITE.cases if "plan" in case.given]
    assert {name for plan in plans for name in plan} == described - {"tau", "theta", "fields"}


@pytest.mark.req("PPMF-CON-001")
def test_every_operation_is_of_one_level() -> None:
    for operation in (*operations(), "party.run"):
        at = [
            name
            for name, globs in levels().items()
            if any(fnmatchcase(operation, g) for g in globs)
        ]
        assert len(at) == 1, operation


@pytest.mark.req("PPMF-CON-015")
def test_the_statuses_of_a_run_are_those_of_the_chapter() -> None:
    text = REQUIREMENTS["PPMF-CON-015"].text.partition(";")[0]
    assert sorted(map(int, re.findall(r"\d", text))) == sorted(Exit)


@pytest.mark.req("PPMF-CON-004", "PPMF-CON-006", "PPMF-CON-007")
def test_the_forms_of_lines_are_those_of_the_chapter() -> None:
    forms = schema.named("protocol")["$defs"]
    statuses = {form["properties"]["status"]["const"] for form in forms["answer"]["oneOf"]}
    assert statuses <= set(quoted(REQUIREMENTS["PPMF-CON-006"].text))
    named = set(quoted(REQUIREMENTS["PPMF-CON-004"].text))
    about = forms["hello"]["properties"]["implementation"]["required"]
    assert {*forms["hello"]["required"], *about} <= named
    assert set(forms["hello"]["properties"]["roles"]["items"]["enum"]) <= named


@pytest.mark.req("PPMF-CON-033")
def test_the_edits_are_those_of_the_chapter() -> None:
    tampers = [case.given["tamper"] for case in SUITE.cases if case.given.get("tamper")]
    edits = {tamper["edit"] for tamper in tampers}
    copies = (tamper for tamper in tampers if tamper["edit"] in {"extra", "again"})
    edits |= {copy["value"] for copy in copies if not copy["field"]}  # an edit of the whole copy
    text = REQUIREMENTS["PPMF-CON-033"].text.partition("The `edit` is")[2]
    assert edits == set(quoted(text)) - {"value", "also"}


@pytest.mark.req("PPMF-CON-018")
def test_there_is_an_adapter_for_every_fault_of_the_chapter() -> None:
    """Two faults of our broken adapter are more than the chapter asks for."""
    text = REQUIREMENTS["PPMF-CON-018"].text.partition("Among them")[2]
    assert len(FAULTS.keys() - {"mute", "chatty"}) == len(
        re.findall(r"\bone\s+(?:that|whose)", text)
    )


def test_the_command_has_the_options_of_the_chapter() -> None:
    shown = TEXT.partition("The suite of the distribution is run by")[2].partition("\n\n")[0]
    ours = {
        name.removeprefix("conformance "): command
        for name, command in commands().items()
        if name.startswith("conformance ")
    }
    options = {name for each in ours["run"].params for name in each.opts}
    assert {text for text in quoted(shown) if text.startswith("--")} == options & {
        "--only",
        "--known-failures",
        "--deadline",
        "--report",
    }
    named = {text.split()[2] for text in quoted(shown) if text.startswith("ppmf conformance ")}
    assert named == set(ours)
