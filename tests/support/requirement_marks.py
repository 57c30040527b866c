# SPDX-License-Identifier: Apache-2.0
"""Which tests name which requirement, read from the tests' source without running it."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path


def marks(source: str) -> Iterator[tuple[int, ast.expr]]:
    """Line and argument of each `pytest.mark.req(...)`, wherever in a file it is applied."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.req":
            for argument in node.args:
                yield node.lineno, argument


def places(root: Path) -> dict[str, list[str]]:
    """The places (`tests/…/test_x.py:line`) that name a requirement, by its id.

    Raises ValueError for a mark that does not write the id out, which nobody could search for.
    """
    found: dict[str, list[str]] = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        for line, argument in marks(path.read_text(encoding="utf-8")):
            place = f"{path.relative_to(root)}:{line}"
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise ValueError(f"{place}: a req mark must write the id itself")
            found[argument.value].append(place)
    return dict(found)
