# SPDX-License-Identifier: Apache-2.0
"""The tables of mutation testing name code and tests that exist, and give every reason; samples."""

from __future__ import annotations

import math
import tomllib
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tools.mutation import mutants
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


# -- samples ---------------------------------------------------------------------------------------


def test_a_larger_sample_adds_to_a_smaller_one_and_takes_none_that_mypy_refuses(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    verdicts = ["mypy", "killed", "not run"] * 20
    every = [
        mutants.Mutant(f"m.x_f__mutmut_{number}", "m.py", "f", "", "", verdict)
        for number, verdict in enumerate(verdicts)
    ]
    monkeypatch.setattr(mutants, "read", lambda *_: iter(every))
    refused = {one.key for one in every if one.verdict == "mypy"}
    samples = [mutants.draw("core", Path(), size, seed=1) for size in (0, 7, 30, 99)]
    assert [len(one) for one in samples] == [0, 7, 30, 40]
    assert all(small < large for small, large in pairwise(samples))
    assert not refused & samples[-1]
    assert mutants.draw("core", Path(), 7, seed=1) == samples[1]
    assert mutants.draw("core", Path(), 7, seed=2) != samples[1]


@given(st.integers(1, 5000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_ends_of_an_interval_are_shares_that_the_sample_just_allows(
    found: tuple[int, int],
) -> None:
    dead, counted = found
    share = dead / counted
    low, high = mutants.interval(dead, counted)
    assert 0 <= low <= share + 1e-12
    assert share - 1e-12 <= high <= 1
    for end in (low, high):
        allowed = 1.959964 * math.sqrt(end * (1 - end) / counted)
        assert abs(end - share) == pytest.approx(allowed, abs=1e-6)


def test_nothing_drawn_says_nothing() -> None:
    assert mutants.interval(0, 0) == (0, 1)
