# SPDX-License-Identifier: Apache-2.0
"""The tables of mutation testing name code and tests that exist, and give every reason."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from tools.packages import ROOT, TOP_OF

TARGETS = tomllib.loads((ROOT / "tools" / "mutation" / "targets.toml").read_text(encoding="utf-8"))
SAID = tomllib.loads((ROOT / "tools" / "mutation" / "survivors.toml").read_text(encoding="utf-8"))


def one_line(text: str) -> str:
    return " ".join(text.split())


@pytest.mark.parametrize("entry", SAID["mutant"], ids=lambda entry: entry["function"])
def test_every_argued_mutant_is_of_an_existing_line(entry: dict[str, Any]) -> None:
    package = entry["module"].partition("/")[0]
    source = (ROOT / TOP_OF[package] / entry["module"]).read_text(encoding="utf-8")
    assert f"def {entry['function'].rpartition('.')[2]}(" in source
    assert one_line(entry["before"]) in one_line(source)
    assert entry["before"] not in entry["after"]


def test_every_verdict_has_its_reason() -> None:
    for entry in [*SAID["class"], *SAID["mutant"]]:
        assert entry["verdict"] in {"equivalent", "accepted"}
        assert entry["reason"].endswith((".", ")"))


@pytest.mark.parametrize("target", TARGETS)
def test_a_target_names_modules_and_tests_that_exist(target: str) -> None:
    wanted = TARGETS[target]
    folder = ROOT / TOP_OF[wanted["package"]] / wanted["package"]
    assert [pattern for pattern in wanted["modules"] if not list(folder.glob(pattern))] == []
    left_out = [name for name in wanted.get("without", []) if not (folder / name).is_file()]
    assert left_out == []
    assert [name for name in wanted["tests"] if not (ROOT / name).exists()] == []
    below = (path for name in wanted["tests"] for path in (ROOT / name).rglob("test_*.py"))
    files = {path.stem for path in [*below, *map(Path, wanted["tests"])]}
    assert set(wanted.get("first", ())) <= files
