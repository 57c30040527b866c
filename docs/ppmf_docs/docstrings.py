# SPDX-License-Identifier: Apache-2.0
"""Docstrings as this project writes them, made ready for Sphinx: plain text, `code` in backquotes.

A docstring carries no markup, so what reStructuredText would take for markup is escaped: a `|x|` is
no substitution, a trailing underscore is no reference. Text that stands indented between blank
lines, such as a formula or code, is shown as it is; so are doctests and tables.
"""

from __future__ import annotations

import re
from typing import Any

from sphinx.application import Sphinx

_CODE = re.compile(r"`([^`]+)`")
_BORDER = re.compile(r"\s*=+( +=+)+\s*")


def to_rst(lines: list[str]) -> list[str]:
    """The docstring's lines as reStructuredText."""
    result: list[str] = []
    borders = sum(bool(_BORDER.fullmatch(line)) for line in lines)
    passed = 0
    state = "text"
    for before, line in zip(["", *lines], lines, strict=False):
        border = bool(_BORDER.fullmatch(line))
        passed += border
        if border or 0 < passed < borders:
            result.append(line)
            continue
        if line.strip() and (state != "block" or not line.startswith(" ")):
            state = _state(before, line, state)
            if state == "block":
                result += ["::", ""]
        elif not line.strip() and state == "doctest":
            state = "text"
        result.append(_escaped(line) if state == "text" else line)
    return result


def _state(before: str, line: str, state: str) -> str:
    """The kind of text that a line begins or continues: text, a doctest or an indented block."""
    if line.lstrip().startswith(">>>") or (state == "doctest" and before.strip()):
        return "doctest"
    return "block" if line.startswith("    ") and not before.strip() else "text"


def _escaped(line: str) -> str:
    pieces = _CODE.split(line)
    for number, piece in enumerate(pieces):
        if number % 2:
            pieces[number] = f"``{piece}``"
        else:
            plain = piece.replace("\\", "\\\\").replace("*", r"\*").replace("|", r"\|")
            pieces[number] = re.sub(r"(?<=\w)_(?!\w)", r"\\_", plain)
    return "".join(pieces)


def _process(
    _app: Sphinx, _what: str, _name: str, _object: Any, _options: Any, lines: list[str]
) -> None:
    lines[:] = to_rst(lines)


def _skip(
    _app: Sphinx, _what: str, _name: str, found: Any, _skipped: bool, _options: Any
) -> bool | None:
    """Leave out the fields of a named tuple, which its signature and first lines tell."""
    return True if "Alias for field number" in (getattr(found, "__doc__", "") or "") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Convert every docstring that autodoc reads, and leave out what says nothing."""
    app.connect("autodoc-skip-member", _skip)
    app.connect("autodoc-process-docstring", _process)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
