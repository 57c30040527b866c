# SPDX-License-Identifier: Apache-2.0
"""The numbered requirements, parsed out of the chapters of the specification.

A requirement is a MyST directive of sphinx-needs, one normative sentence or paragraph:

    :::{req} Short title
    :id: PPMF-FIX-001
    :level: MUST
    The normative sentence.
    :::

Requirements are written down in the chapters alone; tests, vectors and reports name them by id.
One that no longer holds keeps its number and its place in a list of its chapter, with the level
WITHDRAWN and a sentence that says what stands in its place. Nothing is asked of anybody by it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from ppmf_spec.errors import EncodingError

Level = Literal["MUST", "SHOULD", "WITHDRAWN"]

_LEVELS: Final[tuple[Level, ...]] = get_args(Level)
_FENCE = re.compile(r"(:{3,})\{req\}(?:[ \t]+(.*))?").fullmatch
_OPTION = re.compile(r":([a-z_]+):[ \t]*(.*)").fullmatch
_ID = re.compile(r"PPMF-[A-Z]{2,5}-[0-9]{3}").fullmatch
_CODE = re.compile(r"(`{3,}|~{3,})").match


@dataclass(frozen=True, slots=True)
class Requirement:
    """One requirement: `text` is its body, lines joined as written; `line` counts from 1."""

    id: str
    level: Level
    title: str
    text: str
    file: str
    line: int

    @property
    def withdrawn(self) -> bool:
        """Whether it no longer holds: no test, code or case names it."""
        return self.level == "WITHDRAWN"


def parse(text: str, file: str) -> Iterator[Requirement]:
    """The requirements of one chapter, in order.

    Directives inside a fenced code block are examples and are passed over. Raises EncodingError,
    naming file and line, for one that is not closed or not as it should be.
    """
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        if code := _CODE(lines[number]):
            number = _closing(lines, number, code.group(1))
        elif fence := _FENCE(lines[number].rstrip()):
            where = f"{file}:{number + 1}"
            end = _closing(lines, number, fence.group(1))
            if end == len(lines):
                raise EncodingError(f"{where}: the requirement is not closed")
            title = (fence.group(2) or "").strip()
            yield _requirement(title, lines[number + 1 : end], file, number + 1)
            number = end
        number += 1


def _closing(lines: list[str], opening: int, fence: str) -> int:
    """The line of the fence that closes the block, or the end of the text."""
    for number in range(opening + 1, len(lines)):
        if lines[number].rstrip() == fence:
            return number
    return len(lines)


def _requirement(title: str, body: list[str], file: str, line: int) -> Requirement:
    where = f"{file}:{line}"
    options: dict[str, str] = {}
    rest = list(body)
    while rest and (option := _OPTION(rest[0].rstrip())):
        name, value = option.groups()
        if name in options:
            raise EncodingError(f"{where}: option {name} is given twice")
        options[name] = value
        rest.pop(0)
    text = "\n".join(rest).strip()
    identifier = options.get("id", "")
    if not _ID(identifier):
        raise EncodingError(f"{where}: id {identifier!r} is not of the form PPMF-XXX-nnn")
    level = next((known for known in _LEVELS if known == options.get("level")), None)
    if level is None:
        raise EncodingError(f"{where}: {identifier} has no level MUST, SHOULD or WITHDRAWN")
    if not title or not text:
        raise EncodingError(f"{where}: {identifier} lacks a title or a text")
    return Requirement(identifier, level, title, text, file, line)


def collect(chapters: Iterable[Path]) -> dict[str, Requirement]:
    """Every requirement of the chapters by id, in order of appearance.

    Raises EncodingError for an id that occurs twice, naming both places, and as `parse`.
    """
    found: dict[str, Requirement] = {}
    for chapter in chapters:
        for requirement in parse(chapter.read_text(encoding="utf-8"), str(chapter)):
            first = found.setdefault(requirement.id, requirement)
            if first is not requirement:
                raise EncodingError(
                    f"{requirement.file}:{requirement.line}: {requirement.id} "
                    f"is already at {first.file}:{first.line}"
                )
    return found


def in_folder(folder: Path) -> dict[str, Requirement]:
    """Every requirement of the chapters (`*.md`) in a folder such as spec/, in chapter order."""
    return collect(sorted(folder.glob("*.md")))
