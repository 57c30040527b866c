# SPDX-License-Identifier: Apache-2.0
"""Every citation in the project resolves: of files, requirements, chapters and sections."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from ppmf_spec.requirements import in_folder
from tests.support.project_text import FILES, Passage, passages, written
from tests.support.text_of_the_spec import CHAPTERS, SPEC, sections
from tools.packages import ROOT

MARKDOWN = re.compile(r"(?<![\w*{}./-])[\w./-]*\w\.md\b")
BELOW_A_FOLDER = re.compile(
    r"(?<![\w*{}./-])(?:"
    + "|".join(sorted({path.parts[0] for path in FILES if len(path.parts) > 1}))
    + r")/[\w./-]*\w\.[a-z]+\b"
)
TEST_FILE = re.compile(r"(?<![\w*{}./-])test_\w+\.py\b")
MADE_BY_TOOLS = ("docs/_build/",)

ID = r"PPMF-[A-Z]{2,5}-\d{3}"
LISTED = re.compile(rf"({ID})((?:(?:,| and|, and| to| or) -\d{{3}}\b)*)")
CUT_TOO_SHORT = re.compile(
    rf"{ID}(?:(?:,| and|, and| to| or) -\d{{3}})*(?:,| and|, and| to| or) \d{{3}}(?=[,;:.)\"]|$)"
)

NUMBERS = r"\d+(?:(?:, and |, | and | to | or )\d+)*"
QUOTED = r'"[^"]+"(?:(?:, and |, | and )"[^"]+")*'
CHAPTER = re.compile(rf"\b[Cc]hapters? ({NUMBERS})(?:, ({QUOTED}))?")
SECTION = re.compile(rf"\b[Ss]ections? ({QUOTED})")
NUMBERED_SECTION = re.compile(r"\b[Ss]ections? \d")
OTHER_SOURCE = re.compile(r"\bRFC\b|\bSP 800-|\bSEC 1\b|\b(?:19|20)\d\d\b|\bed\.")
"""Documents of others, whose sections have numbers; those of the specification have none."""
NEAR = 120
"""Characters before a citation in which the document of others is named."""


@cache
def requirements() -> frozenset[str]:
    return frozenset(in_folder(SPEC))


@cache
def headings() -> dict[int, frozenset[str]]:
    """The sections of each chapter by its number, which its file name begins with."""
    return {int(chapter.name[:2]): frozenset(sections(chapter)) for chapter in CHAPTERS}


def names_a_file(cited: str, citing: Path) -> bool:
    """From the root, from the citing file's folder, or as the end of a file's path."""
    parts = Path(cited).parts
    below = (ROOT / citing.parent / cited).resolve()
    return below.is_file() or any(path.parts[-len(parts) :] == parts for path in FILES)


def of_another_source(passage: Passage, cited: re.Match[str]) -> bool:
    before = passage.text[max(0, cited.start() - NEAR) : cited.start()]
    return OTHER_SOURCE.search(before) is not None


def files_cited(passage: Passage) -> Iterator[str]:
    patterns = (MARKDOWN, BELOW_A_FOLDER, TEST_FILE)
    cited = [found for pattern in patterns for found in pattern.findall(passage.text)]
    for found in dict.fromkeys(cited):
        if not found.startswith(MADE_BY_TOOLS) and not names_a_file(found, passage.file):
            yield f"no file {found}"


def requirements_cited(passage: Passage) -> Iterator[str]:
    for first, others in LISTED.findall(passage.text):
        for number in (first[-3:], *re.findall(r"\d{3}", others)):
            if first[:-3] + number not in requirements():
                yield f"no requirement {first[:-3]}{number}"
    for found in CUT_TOO_SHORT.findall(passage.text):
        yield f"a requirement cut too short: {found}"


def chapters_cited(passage: Passage) -> Iterator[str]:
    for found in CHAPTER.finditer(passage.text):
        numbers, quoted = found.groups(default="")
        cited = [int(number) for number in re.findall(r"\d+", numbers)]
        if not set(cited) & set(headings()) and of_another_source(passage, found):
            continue
        yield from (f"no chapter {number}" for number in cited if number not in headings())
        here = {name for number in cited for name in headings().get(number, ())}
        for name in re.findall(r'"([^"]+)"', quoted):
            if name not in here:
                yield f'no section "{name}" in chapter {numbers}'


def sections_cited(passage: Passage) -> Iterator[str]:
    everywhere = frozenset().union(*headings().values())
    for quoted in SECTION.findall(passage.text):
        for name in re.findall(r'"([^"]+)"', quoted):
            if name not in everywhere:
                yield f'no section "{name}"'
    for found in NUMBERED_SECTION.finditer(passage.text):
        if not of_another_source(passage, found):
            yield f"{found[0]}: sections of the specification have no numbers"


KINDS = (files_cited, requirements_cited, chapters_cited, sections_cited)


def faults(path: Path, source: str) -> list[str]:
    return [
        f"{path}:{passage.line}: {fault}"
        for passage in passages(path, source)
        for cited in KINDS
        for fault in cited(passage)
    ]


@pytest.mark.parametrize("path", written(), ids=str)
def test_every_citation_resolves(path: Path) -> None:
    assert faults(path, (ROOT / path).read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("see ABSENT.md", "no file ABSENT.md"),
        ("see spec/08-absent.md", "no file spec/08-absent.md"),
        ("see tests/absent/data.toml", "no file tests/absent/data.toml"),
        ("as test_absent.py shows", "no file test_absent.py"),
        ("(PPMF-FIX-999)", "no requirement PPMF-FIX-999"),
        ("(PPMF-FIX-001, -999)", "no requirement PPMF-FIX-999"),
        ("PPMF-FIX-001 to\n-998", "no requirement PPMF-FIX-998"),
        ("PPMF-FIX-001 to 004", "a requirement cut too short: PPMF-FIX-001 to 004"),
        ("chapter 9", "no chapter 9"),
        ("chapters 2, 3 and 11", "no chapter 11"),
        ('(chapter 3, "The\nabsence")', 'no section "The absence" in chapter 3'),
        ('section "The absence".', 'no section "The absence"'),
        ("(section 5)", "section 5: sections of the specification have no numbers"),
    ],
)
def test_a_citation_of_what_is_not_there_is_found(text: str, fault: str) -> None:
    for path, source in (
        (Path("docs/page.md"), text),
        (Path("spec/ppmf_spec/module.py"), f'"""{text}"""'),
        (Path("tests/spec/test_module.py"), f'def test_it() -> None:\n    """{text}"""\n'),
        (Path("tests/spec/test_module.py"), "\n".join(f"# {line}" for line in text.split("\n"))),
        (Path("adapter.mjs"), "\n".join(f"// {line}" for line in text.split("\n"))),
    ):
        assert [found.partition(": ")[2] for found in faults(path, source)] == [fault]


@pytest.mark.parametrize(
    "text",
    [
        "README.md and spec/02-functionality.md, beside 03-parameters.md",
        "PPMF-FIX-001, -002 and -003, PPMF-PAR-001 to -004",
        'chapters 2, 3 and 5; chapter 2, "Rows and ratings" and "The start"; chapter 4\'s words',
        'the section "Circuits"',
        "RFC 8949, section 4.2; Mathematical Programming 146, 2014, section 3",
    ],
)
def test_a_citation_of_what_is_there_passes(text: str) -> None:
    assert faults(Path("docs/page.md"), text) == []


def test_the_strings_of_a_test_are_data() -> None:
    source = 'def test_it() -> None:\n    assert parse("PPMF-FIX-999", "ABSENT.md")\n'
    assert faults(Path("tests/spec/test_it.py"), source) == []
    assert len(faults(Path("spec/ppmf_spec/it.py"), source)) == 2
