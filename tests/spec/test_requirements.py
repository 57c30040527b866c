# SPDX-License-Identifier: Apache-2.0
"""The parser of requirements, and the chapters it is there for."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppmf_spec import requirements
from ppmf_spec.errors import EncodingError
from ppmf_spec.requirements import Requirement, collect, in_folder, parse

SPEC = Path(__file__).parents[2] / "spec"

GOOD = """\
# A chapter

:::{req} Ties go upwards
:id: PPMF-FIX-001
:level: MUST
A tie MUST go upwards,

whatever its sign.
:::

Some prose.

::::{req} A longer fence
:level: SHOULD
:id: PPMF-PAR-019
One SHOULD: see
:::
not the end
::::
"""


def req(
    title: str = " Title",
    identifier: str = "PPMF-FIX-001",
    level: str = "MUST",
    body: str = "Text.",
) -> str:
    return f":::{{req}}{title}\n:id: {identifier}\n:level: {level}\n{body}\n:::\n"


def test_requirements_in_order_with_their_places() -> None:
    assert list(parse(GOOD, "02.md")) == [
        Requirement(
            "PPMF-FIX-001",
            "MUST",
            "Ties go upwards",
            "A tie MUST go upwards,\n\nwhatever its sign.",
            "02.md",
            3,
        ),
        Requirement(
            "PPMF-PAR-019",
            "SHOULD",
            "A longer fence",
            "One SHOULD: see\n:::\nnot the end",
            "02.md",
            13,
        ),
    ]


def test_examples_in_code_blocks_are_not_requirements() -> None:
    text = f"```\n{req()}```\n~~~~ md\n{req()}~~~~\n{req(identifier='PPMF-RDG-002')}"
    assert [found.id for found in parse(text, "x")] == ["PPMF-RDG-002"]


def test_other_directives_and_prose_are_passed_over() -> None:
    assert list(parse(":::{note} A note\nText\n:::\nPPMF-FIX-001\n", "x")) == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (req()[:-5], "x:1: the requirement is not closed"),
        (req(title=""), "x:1: PPMF-FIX-001 lacks a title or a text"),
        (req(body=""), "x:1: PPMF-FIX-001 lacks a title or a text"),
        (req(identifier="PPMF-FIX-1"), "x:1: id 'PPMF-FIX-1' is not of the form PPMF-XXX-nnn"),
        (req(identifier="PPMF-FIX-001 x"), "x:1: id 'PPMF-FIX-001 x' is not of the form"),
        (":::{req} T\n:level: MUST\nText.\n:::\n", "x:1: id '' is not of the form"),
        (req(level="MAY"), "x:1: PPMF-FIX-001 has no level MUST, SHOULD or W"),
        (":::{req} T\n:id: PPMF-FIX-001\nText.\n:::\n", "has no level MUST, SHOULD or WITHDRAWN"),
        ("\n" + req(body=":id: PPMF-FIX-002\nText."), "x:2: option id is given twice"),
    ],
)
def test_malformed_requirements_are_refused_by_place(text: str, message: str) -> None:
    with pytest.raises(EncodingError, match=re.escape(message)):
        list(parse(text, "x"))


def test_an_id_used_twice_is_an_error_that_names_both_places(tmp_path: Path) -> None:
    one, two = tmp_path / "1.md", tmp_path / "2.md"
    one.write_text(req())
    two.write_text("\n" + req(title=" Another"))
    message = f"{two}:2: PPMF-FIX-001 is already at {one}:1"
    with pytest.raises(EncodingError, match=re.escape(message)):
        collect([one, two])
    with pytest.raises(EncodingError, match="already"):
        collect([one, one])


def test_collect_reads_chapters_in_order(tmp_path: Path) -> None:
    for name, identifier in (("2.md", "PPMF-PAR-001"), ("1.md", "PPMF-RDG-007"), ("x.txt", "bad")):
        (tmp_path / name).write_text(req(identifier=identifier))
    assert list(in_folder(tmp_path)) == ["PPMF-RDG-007", "PPMF-PAR-001"]


def test_the_chapters_parse_and_every_requirement_says_its_level() -> None:
    found = in_folder(SPEC)
    families = {identifier.split("-")[1] for identifier in found}
    assert {"FIX", "PAR", "RDG"} <= families
    for requirement in found.values():
        place = f"{requirement.file}:{requirement.line}"
        if requirement.withdrawn:
            assert re.match(r"PPMF-[A-Z]{2,5}-[0-9]{3} |There is no ", requirement.text), place
            continue
        assert re.search(rf"\b{requirement.level}\b", requirement.text), place


def test_a_withdrawn_requirement_keeps_its_number() -> None:
    (found,) = parse(req(level="WITHDRAWN", body="PPMF-FIX-002 stands in its place."), "x")
    assert found.withdrawn
    assert not any(one.withdrawn for one in parse(GOOD, "x"))


def test_ids_that_the_code_refers_to_exist() -> None:
    """In ppmf_spec itself: a docstring that cites a requirement cites one that is written."""
    found = in_folder(SPEC)
    for module in sorted((SPEC / "ppmf_spec").glob("*.py")):
        cited = re.findall(r"PPMF-[A-Z]{2,5}-[0-9]{3}", module.read_text(encoding="utf-8"))
        missing = sorted(set(cited) - set(found))
        assert not missing, f"{module.name}: {missing}"


BLOCK = ":::{req} Title\n:id: PPMF-FIX-001\n:level: MUST\nIt MUST.\n:::\n"


def test_blanks_at_the_end_of_a_line_of_a_chapter_are_ignored() -> None:
    padded = "".join(f"{line}  \n" for line in BLOCK.splitlines())
    (found,) = requirements.parse(padded, "x")
    assert (found.id, found.level, found.title) == ("PPMF-FIX-001", "MUST", "Title")


def test_an_indented_directive_is_not_a_requirement() -> None:
    assert list(requirements.parse(f"  {BLOCK}", "x")) == []


def test_an_empty_code_block_hides_no_requirement() -> None:
    assert len(list(requirements.parse(f"```\n```\n{BLOCK}", "x"))) == 1


def test_a_directive_that_closes_at_once_lacks_its_id() -> None:
    with pytest.raises(EncodingError, match="x:1: id '' is not of the form PPMF-XXX-nnn"):
        list(requirements.parse(":::{req} Title\n:::\n", "x"))
