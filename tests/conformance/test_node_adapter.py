# SPDX-License-Identifier: Apache-2.0
"""The example in JavaScript: what it declares, and, where there is a Node, that it is right."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

import ppmf_conformance.adapters as adapters
from ppmf_conformance import cases, runner

FOLDER = Path(adapters.__path__[0]) / "node"
SUITE = cases.shipped()
CHAPTER_2 = {
    "params.validate", "params.bound", "ratings.parse", "init", "words.round", "words.descend",
    "prox", "step", "half_step", "train.fixed", "profiles.write", "profiles.read",
    "predict.ridge", "predict.similar",
}  # fmt: skip


def declared() -> set[str]:
    """The features that the adapter's own text lists: its tables of operations, and the parties."""
    texts = [path.read_text() for path in (FOLDER / "operations").glob("*.mjs")]
    tables = [re.split(r"^export const [A-Z]+ = {", text, flags=re.M)[-1] for text in texts]
    found = [re.findall(r'^  "?([a-z_]+(?:\.[a-z_]+)?)"?[:,]', table, re.M) for table in tables]
    return {"party.run", "party.resume", "party.trace"}.union(*found)


def test_the_node_adapter_declares_operations_that_have_cases() -> None:
    asked = {feature for case in SUITE.cases for feature in case.features}
    assert declared() - asked == set()
    assert declared() >= CHAPTER_2


def imports(path: Path) -> list[str]:
    return re.findall(r'from "([^"]+)"', path.read_text())


def is_within(path: Path, source: str, folder: Path) -> bool:
    return source.startswith(".") and (path.parent / source).resolve().is_relative_to(folder)


def test_the_node_adapter_imports_nothing_but_node_itself() -> None:
    for path in FOLDER.rglob("*.mjs"):
        for source in imports(path):
            allowed = source.startswith("node:") or is_within(path, source, FOLDER)
            assert allowed, f"{path.name} imports {source}"


def test_what_a_user_runs_needs_no_node() -> None:
    """A page for users imports these modules as they are."""
    paths = list((FOLDER / "users").glob("*.mjs"))
    assert paths
    for path in paths:
        for source in imports(path):
            assert is_within(path, source, FOLDER / "users"), f"{path.name} imports {source}"
        assert not re.search(r"\b(Buffer|process|require|global)\b", path.read_text()), path.name


def passes(chosen: tuple[cases.Case, ...], least: int) -> None:
    """Put these cases to the adapter; so many at least must be of its features."""
    node = shutil.which("node")
    if node is None:
        return  # its declared features are looked at above, which is all that can be without it
    summary = runner.run(runner.Plan((node, str(FOLDER / "adapter.mjs")), chosen))
    assert summary.hello is not None, summary.refusal
    assert summary.hello.features == declared()
    assert [(r.case.id, r.detail) for r in summary.results if r.fails] == []
    assert summary.hello.roles == ("users", "recsys", "csp")
    assert summary.asked > least


def test_the_node_adapter_passes_all_but_whole_runs_and_some_of_these() -> None:
    runs = [case for case in SUITE.cases if case.op == "party.run" and case.family != "chunks"]
    others = [case for case in SUITE.cases if case.op != "party.run"]
    passes((*others, *runs[::12]), 1700)


@pytest.mark.slow
def test_the_node_adapter_passes_all_cases_that_it_declares() -> None:
    passes(SUITE.cases, 2000)
