# SPDX-License-Identifier: Apache-2.0
"""Run the notebooks of the documentation, and write what their cells show into them.

`python -m tools.notebooks` does that for every notebook in docs/examples. A cell is run as Jupyter
runs it, as far as a notebook of plain Python can tell: all cells in one namespace, in order, and
the value of a last expression is shown as its text. Magics and plots are not known here.
"""

from __future__ import annotations

import ast
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

from tools.packages import ROOT

FOLDER = ROOT / "docs" / "examples"


def code_cells(notebook: dict[str, Any]) -> list[dict[str, Any]]:
    """The cells of a notebook that hold code, in order."""
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]


def shown_by(sources: list[str]) -> Iterator[str | None]:
    """What each cell shows, run in order in one namespace; None for a cell that shows nothing."""
    names: dict[str, Any] = {}
    for number, source in enumerate(sources, start=1):
        tree = ast.parse(source)
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        exec(compile(tree, f"cell {number}", "exec"), names)
        if last is None:
            yield None
            continue
        assert isinstance(last, ast.Expr)
        value = eval(compile(ast.Expression(last.value), f"cell {number}", "eval"), names)
        yield None if value is None else repr(value)


def outputs_of(text: str | None, number: int) -> list[dict[str, Any]]:
    """The `outputs` of a cell that shows this text (nbformat 4.5)."""
    if text is None:
        return []
    return [
        {
            "data": {"text/plain": text.splitlines(keepends=True)},
            "execution_count": number,
            "metadata": {},
            "output_type": "execute_result",
        }
    ]


def run(path: Path) -> dict[str, Any]:
    """The notebook as it is after a run; its files are written to a folder that is thrown away."""
    notebook: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    cells = code_cells(notebook)
    with tempfile.TemporaryDirectory() as folder, chdir(folder):
        shown = list(shown_by(["".join(cell["source"]) for cell in cells]))
    for number, (cell, text) in enumerate(zip(cells, shown, strict=True), start=1):
        cell["execution_count"] = number
        cell["outputs"] = outputs_of(text, number)
    return notebook


def text_of(notebook: dict[str, Any]) -> str:
    """The notebook's file, as Jupyter writes it."""
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def main() -> None:
    """Run every notebook and write it anew."""
    for path in sorted(FOLDER.glob("*.ipynb")):
        path.write_text(text_of(run(path)), encoding="utf-8")
        print(os.fspath(path.relative_to(ROOT)))


if __name__ == "__main__":
    main()
