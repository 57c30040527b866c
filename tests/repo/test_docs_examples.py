# SPDX-License-Identifier: Apache-2.0
"""The programs in docs/examples run and print what their pages say."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import numpy as np
import pytest

from ppmf_reference import certified, ratings_from
from ppmf_spec.parameters import Parameters

DOCS = Path(__file__).resolve().parents[2] / "docs"
EXAMPLE = DOCS / "examples" / "check_my_factorisation.py"
THREE_PARTIES = DOCS / "examples" / "three_parties.py"


def test_right_is_inside_and_wrong_is_outside(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    lines = capsys.readouterr().out.splitlines()
    found = dict(re.findall(r"^(.*): (inside|OUTSIDE), largest", "\n".join(lines), re.MULTILINE))
    assert found == {"right": "inside", "biases in the norm": "OUTSIDE"}


def test_the_page_shows_what_it_prints(capsys: pytest.CaptureFixture[str]) -> None:
    runpy.run_path(str(EXAMPLE), run_name="__main__")
    page = (DOCS / "oracle.md").read_text(encoding="utf-8")
    # The last bits of binary64, and so the right one's distance, are the machine's own.
    for line in capsys.readouterr().out.splitlines():
        assert line.partition(", largest")[0] in page


def test_the_pages_first_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    page = (DOCS / "oracle.md").read_text(encoding="utf-8")
    first = re.search(r"```python\n(.*?)```", page, re.DOTALL)
    assert first is not None
    exec(compile(first.group(1), "oracle.md", "exec"), {})
    assert 0 < float(capsys.readouterr().out) < 2**-8


@pytest.mark.parametrize("moved", [2.0**-39, -(2.0**-39), float("nan"), float("inf")])
def test_one_number_beyond_the_allowance_is_outside(moved: float) -> None:
    names = runpy.run_path(str(EXAMPLE))
    stars = np.array([[4.5, 2.0], [5.0, np.nan]])
    params = Parameters(rank=2, iterations=3)
    enclosure = certified.train(ratings_from(stars, params), params)
    V = names["factorise"](stars, params)
    assert names["verdict"](V, enclosure)[0]
    V[1, 2] += moved
    assert not names["verdict"](V, enclosure)[0]


def test_three_parties_in_memory_train_to_the_oracles_profiles(
    capsys: pytest.CaptureFixture[str],
) -> None:
    runpy.run_path(str(THREE_PARTIES), run_name="__main__")
    assert capsys.readouterr().out.endswith("equal to F_fix: True\n")


def test_every_example_is_shown_on_a_page() -> None:
    pages = "".join(page.read_text(encoding="utf-8") for page in DOCS.glob("*.md"))
    for example in DOCS.glob("examples/*.py"):
        assert f"{{literalinclude}} examples/{example.name}\n" in pages, example.name
