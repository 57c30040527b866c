# SPDX-License-Identifier: Apache-2.0
"""The first steps of a new user in Python: the README's lines and the notebook do as they say."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from ppmf.data import synthetic_ratings
from ppmf_spec.ratings import write_csv
from tools import notebooks
from tools.packages import ROOT

NOTEBOOKS = sorted(notebooks.FOLDER.glob("*.ipynb"))


def python_of_the_readme() -> str:
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    assert len(blocks) == 1
    return str(blocks[0])


def test_the_readmes_five_lines_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = python_of_the_readme()
    assert len([line for line in code.splitlines() if line.strip()]) == 5
    write_csv(tmp_path / "ratings.csv", synthetic_ratings.ratings(60, 50))
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    assert capsys.readouterr().out.count("Recommendation(item=") == 10


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_shows_what_its_cells_give(path: Path) -> None:
    assert notebooks.text_of(notebooks.run(path)) == path.read_text(encoding="utf-8"), (
        "mend it by: python -m tools.notebooks"
    )


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.name)
def test_a_notebook_is_one_that_jupyter_opens(path: Path) -> None:
    notebook = json.loads(path.read_text(encoding="utf-8"))
    assert (notebook["nbformat"], notebook["nbformat_minor"]) == (4, 5)
    ids = [cell["id"] for cell in notebook["cells"]]
    assert len(set(ids)) == len(ids)
    for cell in notebook["cells"]:
        more = {"outputs", "execution_count"} if cell["cell_type"] == "code" else set()
        assert set(cell) == {"cell_type", "id", "metadata", "source"} | more


def test_the_guide_leads_to_every_notebook() -> None:
    guide = (ROOT / "docs" / "guide.md").read_text(encoding="utf-8")
    assert NOTEBOOKS
    assert [path.name for path in NOTEBOOKS if f"examples/{path.name}" not in guide] == []


# --- the program that runs notebooks ---


def test_cells_share_their_names_and_the_last_expression_is_shown() -> None:
    cells = ["x = 2", "x + 1", "None", "", "def f():\n    return x\nf()"]
    assert list(notebooks.shown_by(cells)) == [None, "3", None, None, "2"]


def test_a_cell_that_fails_fails_the_run() -> None:
    with pytest.raises(ZeroDivisionError):
        list(notebooks.shown_by(["1 / 0"]))
