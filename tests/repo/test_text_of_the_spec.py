# SPDX-License-Identifier: Apache-2.0
"""How the chapters are written: where they are normative, how a sub-protocol is told.

Each rule is one that chapter 4 or the notation of chapter 2 states of the specification itself.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ppmf_spec.requirements import in_folder, parse
from ppmf_spec.wire import MESSAGES
from tests.support.text_of_the_spec import CHAPTERS, SPEC, prose, sections

PROTOCOL = SPEC / "04-protocol.md"

SUB_PROTOCOLS = (
    "The upload",
    "Who takes part",
    "Homomorphic encryption: integer matrix times encrypted rows",
    "Oblivious transfer",
    "Base transfers",
    "Extension",
    "Garbled circuits",
    "Bit times vector",
    "From bits to shares",
    "The product with the ratings",
    "Steps",
    "A half-step",
    "Output",
    "Interruption",
)

LEVELS = re.compile(r"\b(MUST|SHOULD|MAY|SHALL|REQUIRED|RECOMMENDED|OPTIONAL)\b")
WHAT_THE_WORDS_MEAN = "The words MUST and\nSHOULD are meant as in RFC 2119"


def test_there_are_at_least_120_requirements() -> None:
    assert len(in_folder(SPEC)) >= 120


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_what_is_normative_is_numbered(chapter: Path) -> None:
    assert LEVELS.findall(prose(chapter).replace(WHAT_THE_WORDS_MEAN, "")) == []


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_requirement_says_no_more_than_its_level(chapter: Path) -> None:
    for found in parse(chapter.read_text(encoding="utf-8"), chapter.name):
        said = LEVELS.findall(re.sub(r"level\s+SHOULD", "", found.text))
        assert set(said) <= {found.level, "MAY"}, found.id


@pytest.mark.parametrize("heading", SUB_PROTOCOLS)
def test_a_sub_protocol_states_functionality_steps_assumptions_and_cost(heading: str) -> None:
    text = sections(PROTOCOL)[heading].partition(":::{req}")[0]
    cost = text.partition("*Cost.*")[2]
    if heading == "Oblivious transfer":  # two sub-protocols, of which each is told below
        assert "*Functionality.*" in text
        return
    assert "*Functionality.*" in text
    assert re.search(r"\*Assumptions?\.\*", text)
    assert "bytes" in cost
    assert re.search(r"\brounds?\b", cost)
    numbers = [int(number) for number in re.findall(r"^(\d+)\. ", text, re.M)]
    assert len(numbers) >= 2
    assert numbers == list(range(1, len(numbers) + 1))


def test_no_other_part_of_the_protocol_sends_a_message() -> None:
    told = "".join(sections(PROTOCOL)[heading] for heading in SUB_PROTOCOLS)
    assert [name for name in MESSAGES if f"`{name}`" not in told] == []
    with_a_functionality = {
        h for h, text in sections(PROTOCOL).items() if "*Functionality.*" in text
    }
    assert with_a_functionality == set(SUB_PROTOCOLS)


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_programs_of_a_chapter_are_included_from_files(chapter: Path) -> None:
    for kind in re.findall(r"^```(\S.*)$", chapter.read_text(encoding="utf-8"), re.M):
        assert kind == "json" or kind.startswith("{literalinclude} ")
