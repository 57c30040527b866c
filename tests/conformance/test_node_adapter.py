# SPDX-License-Identifier: Apache-2.0
"""The example in JavaScript: what it declares, and, where there is a Node, that it is right."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

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
    """The operations that the adapter's own text lists."""
    table = (FOLDER / "adapter.mjs").read_text().partition("const OPERATIONS = {")[2]
    return set(re.findall(r'^  "?([a-z_]+(?:\.[a-z_]+)?)"?: ', table.partition("\n};")[0], re.M))


def test_the_node_adapter_declares_operations_that_have_cases() -> None:
    asked = {feature for case in SUITE.cases for feature in case.features}
    assert declared() - asked == set()
    assert declared() >= CHAPTER_2


def test_the_node_adapter_imports_nothing_but_node_itself() -> None:
    for path in FOLDER.rglob("*.mjs"):
        for source in re.findall(r'from "([^"]+)"', path.read_text()):
            own = source.startswith(".") and (path.parent / source).resolve().is_relative_to(FOLDER)
            assert own or source.startswith("node:"), f"{path.name} imports {source}"


def test_the_node_adapter_passes_all_cases_that_it_declares() -> None:
    node = shutil.which("node")
    if node is None:
        return  # its declared features are looked at above, which is all that can be without it
    summary = runner.run(runner.Plan((node, str(FOLDER / "adapter.mjs")), SUITE.cases))
    assert summary.hello is not None, summary.refusal
    assert summary.hello.features == declared() | {"party.run"}
    assert [(r.case.id, r.detail) for r in summary.results if r.fails] == []
    assert summary.asked > 600
