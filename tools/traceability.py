# SPDX-License-Identifier: Apache-2.0
"""The generator of `spec/trace.json`, the table from requirements to tests and to code.

A test names the requirements that it verifies in a mark: `@pytest.mark.req("PPMF-FIX-001")`. Code
names the requirements that it meets by ids alone in parentheses, in a docstring or a comment:
`(PPMF-FIX-001)`, or several, of which the later ones may omit what repeats:
`(PPMF-FIX-001, -003, PPMF-PAR-001 to -004)`. An id anywhere else is a remark, and is not traced.
The scripts of the page for users are such code too, each file as a whole.

`python -m tools.traceability` writes the table anew. The table holds no line numbers, so that an
edit elsewhere in a file does not make it stale.
"""

from __future__ import annotations

import ast
import json
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import zip_longest
from pathlib import Path

from ppmf_spec.requirements import in_folder
from tools.packages import FOLDERS, ROOT

TABLE = "spec/trace.json"
COMMAND = "make trace"
SOURCES = (*FOLDERS, "tools/vectors")
PAGE = "service/ppmf_service/page"

Places = dict[str, list[str]]
"""By requirement id the places that name it: `FILE`, or `FILE::NAME` inside a definition."""

_ID = r"PPMF-[A-Z]{2,5}-[0-9]{3}"
_GROUP = re.compile(rf"\(({_ID}(?:(?:,| to)[\s#]+(?:{_ID}|-[0-9]{{3}}))*)\)")
_ITEM = re.compile(rf"(to[\s#]+)?({_ID}|-[0-9]{{3}})")


def marks(source: str) -> Iterator[tuple[int, ast.expr]]:
    """The line and the argument of each `pytest.mark.req(...)` of a file."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(
                func=ast.Attribute(
                    value=ast.Attribute(value=ast.Name("pytest"), attr="mark"), attr="req"
                )
            ):
                yield from ((argument.lineno, argument) for argument in node.args)
            case _:
                pass


def verified_by(root: Path) -> Places:
    """The tests that name each requirement.

    Raises ValueError for a mark that does not write the id out, which nobody could search for.
    """
    found: Places = defaultdict(list)
    for path in sorted((root / "tests").rglob("test_*.py")):
        source = path.read_text(encoding="utf-8")
        names = _names(source)
        for line, argument in marks(source):
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                place = f"{path.relative_to(root)}:{line}"
                raise ValueError(f"{place}: a req mark must write the id itself")
            _add(found[argument.value], path.relative_to(root), _innermost(names, line))
    return dict(found)


def done_by(root: Path, known: Sequence[str]) -> Places:
    """The definitions that name each requirement; a range stands for the `known` ids in it, of
    which none is withdrawn.

    Raises ValueError for a parenthesis that begins with an id and is not such a list.
    """
    found: Places = defaultdict(list)
    programs = [path for folder in SOURCES for path in (root / folder).rglob("*.py")]
    scripts = [*(root / PAGE).rglob("*.mjs"), *(root / PAGE).rglob("*.js")]
    for path in sorted(programs + scripts):
        source = path.read_text(encoding="utf-8")
        names = _names(source) if path.suffix == ".py" else []
        groups = {group.start(): group for group in _GROUP.finditer(source)}
        for opening in re.finditer(rf"\({_ID}", source):
            line = source.count("\n", 0, opening.start()) + 1
            if opening.start() not in groups:
                raise ValueError(f"{path.relative_to(root)}:{line}: no list of requirement ids")
            for name in _expanded(groups[opening.start()][1], known):
                _add(found[name], path.relative_to(root), _innermost(names, line))
    return dict(found)


def table(root: Path) -> str:
    """The table as JSON text: every requirement with its tests and its code, of which a withdrawn
    one has none.
    """
    requirements = in_folder(root / "spec")
    tested, done = verified_by(root), done_by(root, in_force(root))
    rows = {
        name: {
            "title": requirement.title,
            "level": requirement.level,
            "chapter": Path(requirement.file).name,
            "tests": tested.get(name, []),
            "code": done.get(name, []),
        }
        for name, requirement in requirements.items()
    }
    return json.dumps(rows, indent=1, ensure_ascii=False) + "\n"


def in_force(root: Path) -> list[str]:
    """The ids of the requirements that are not withdrawn."""
    return [name for name, one in in_folder(root / "spec").items() if not one.withdrawn]


def _add(places: list[str], path: Path, name: str) -> None:
    place = f"{path.as_posix()}::{name}" if name else path.as_posix()
    if place not in places:
        places.append(place)


def _expanded(group: str, known: Sequence[str]) -> Iterator[str]:
    last = ""
    for item in _ITEM.finditer(group):
        name = last[:-4] + item[2] if item[2].startswith("-") else item[2]
        if item[1]:
            yield from (each for each in known if each[:-3] == name[:-3] and last < each < name)
        yield name
        last = name


def _names(source: str) -> list[tuple[int, int, str]]:
    """First and last line of each definition, outer before inner, and its dotted name.

    A constant is as long as the docstring below it.
    """
    found: list[tuple[int, int, str]] = []

    def visit(body: list[ast.stmt], outer: str) -> None:
        for node, after in zip_longest(body, body[1:]):
            match node:
                case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
                    first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                    found.append((first, node.end_lineno or first, outer + node.name))
                    visit(node.body, f"{outer}{node.name}.")
                case ast.Assign(targets=[ast.Name(name)]) | ast.AnnAssign(target=ast.Name(name)):
                    if isinstance(after, ast.Expr):
                        found.append((node.lineno, after.end_lineno or 0, outer + name))
                case _:
                    pass

    visit(ast.parse(source).body, "")
    return found


def _innermost(names: list[tuple[int, int, str]], line: int) -> str:
    inside = [name for first, last, name in names if first <= line <= last]
    return inside[-1] if inside else ""


if __name__ == "__main__":
    (ROOT / TABLE).write_text(table(ROOT), encoding="utf-8")
