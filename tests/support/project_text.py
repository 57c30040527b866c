# SPDX-License-Identifier: Apache-2.0
"""The text of the project: its files, and the passages of prose in them."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.packages import ROOT

MADE = {".git", ".venv", ".cache", ".hypothesis", "__pycache__", "_build", "build", "dist"}

PROSE = {".py", ".md", ".mjs", ".toml", ".cddl", ".css", ".html", ".svg", ".cff", ".yml", ".yaml"}
"""The suffixes of files that people write; data and licences are of others."""

MARKER = re.compile(r"^\s*(?:#+|//+|\*)?\s*")
"""The indentation of a line of prose, and the mark of a comment."""


def tracked() -> list[Path]:
    """Every file that belongs to the project, seen from its root; also outside a clone."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listing = subprocess.run(
            [git, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
            text=True,
        ).stdout
        paths = [Path(name) for name in listing.split("\0") if name]
    else:
        paths = [
            path
            for path in (found.relative_to(ROOT) for found in ROOT.rglob("*"))
            if not MADE & set(path.parts)
        ]
    return [path for path in paths if (ROOT / path).is_file() and not (ROOT / path).is_symlink()]


FILES = tracked()
"""Every file of the project, below the root."""


def written() -> list[Path]:
    """The files with prose in them."""
    return [path for path in FILES if path.suffix in PROSE or path.name in ("Makefile", "run")]


@dataclass(frozen=True)
class Passage:
    """A paragraph, its lines joined by single blanks; `line` is the number of its first line."""

    file: Path
    line: int
    text: str


def passages(path: Path, source: str) -> Iterator[Passage]:
    """The paragraphs of a file.

    Of a test they are those of its comments and docstrings: its other strings are test data.
    """
    for first, text in _commented(source) if _is_test(path) else [(1, source)]:
        number, lines = first, [MARKER.sub("", line) for line in text.split("\n")]
        for paragraph in "\n".join(lines).split("\n\n"):
            joined = " ".join(paragraph.split())
            if joined:
                yield Passage(path, number, joined)
            number += paragraph.count("\n") + 2


def _is_test(path: Path) -> bool:
    return path.suffix == ".py" and path.parts[0] == "tests"


def _commented(source: str) -> Iterator[tuple[int, str]]:
    """The comments and docstrings of a Python file; adjacent comment lines are one text."""
    comments: list[str] = []
    end = -1
    begins = True  # whether a string here would be a statement of its own
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            if comments and token.start[0] != end + 1:
                yield end - len(comments) + 1, "\n".join(comments)
                comments = []
            comments.append(token.string)
            end = token.start[0]
        elif token.type == tokenize.STRING and begins:
            yield token.start[0], token.string.strip("\"'")
        if token.type in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT):
            begins = True
        elif token.type not in (tokenize.COMMENT, tokenize.NL, tokenize.ENCODING):
            begins = False
    if comments:
        yield end - len(comments) + 1, "\n".join(comments)
