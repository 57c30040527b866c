# SPDX-License-Identifier: Apache-2.0
"""The comparison with SPU: how it is installed and asked, and what its script computes."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from ppmf.bench import spu
from ppmf.bench.run_sizes import RunSize
from ppmf.bench.spu import Entry
from ppmf_spec.errors import EncodingError, PeerError

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "spu_cheetah.py"


@pytest.mark.usefixtures("fake_script")
def test_spu_parts_are_measured_one_by_one_within_a_time_limit() -> None:
    python = Path(sys.executable)
    about, entries = spu.measure(python, RunSize(5, 4, 1, 2), ["product", "clamp"], 60)
    assert about == {"spu": "0", "protocol": "CHEETAH", "field": "FM64"}
    assert [entry.part for entry in entries] == ["set-up", "product", "clamp"]
    assert entries[1] == Entry("product", 1.5, 10, 0.25, 60)
    about, entries = spu.measure(python, RunSize(5, 4, 33, 2), ["product"], 0.2)
    assert entries == [Entry("product", None, None, None, 0.2)]
    assert entries[0].json()["stopped_after"] == 0.2
    with pytest.raises(PeerError, match="exit status 3"):
        spu.measure(python, RunSize(5, 4, 22, 2), ["product"], 60)


def test_spu_is_installed_once_into_a_place_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    python = tmp_path / "spu" / "bin" / "python"
    commands: list[list[str]] = []

    def fails(command: list[str], reason: str = "") -> str:
        commands.append(command)
        return reason

    monkeypatch.setattr(spu, "environment", lambda: python)
    monkeypatch.setattr(spu, "_fails", fails)
    assert spu.install() == python
    venv, pip = commands
    assert venv[1:] == ["-m", "venv", "--clear", str(tmp_path / "spu")]
    assert (pip[0], pip[-1]) == (str(python), spu.REQUIREMENT)
    commands.clear()
    python.parent.mkdir(parents=True)
    python.touch()
    assert spu.install() == python
    assert [command[1] for command in commands] == ["-c"]
    monkeypatch.setattr(spu, "_fails", lambda command: "no such wheel")
    with pytest.raises(PeerError, match="could not be installed .* no such wheel"):
        spu.install()


def test_without_the_source_tree_there_is_no_comparison(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(spu, "SCRIPT", tmp_path / "nowhere.py")
    with pytest.raises(EncodingError, match="needs the source tree"):
        spu.measure(Path(sys.executable), RunSize(5, 4, 1, 2), ["product"], 60)


@pytest.fixture(scope="module")
def script() -> ModuleType:
    """The stand-alone script, as a module: it imports nothing of SPU until it runs a party."""
    specification = importlib.util.spec_from_file_location("spu_cheetah", SCRIPT)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    sys.modules["spu_cheetah"] = module
    specification.loader.exec_module(module)
    return module


def test_the_spu_script_computes_palm(script: ModuleType) -> None:
    random = np.random.default_rng(5)
    n, m, rank = 7, 6, 2
    W = (random.random((n, m)) < 0.5).astype(np.int64)
    R = W * random.integers(-5, 5, (n, m))
    U, V = (random.uniform(-1, 1, (rows, rank + 1)) for rows in (n, m))
    new_users, new_items = script.iteration(W, R, U, V, rank, np)
    expected = palm(W, R / 2, U, V, rank, script)
    np.testing.assert_allclose(new_users, expected, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        new_items, palm(W.T, R.T / 2, V, expected, rank, script), rtol=0, atol=1e-12
    )


def palm(W: Any, ratings: Any, x: Any, y: Any, rank: int, script: ModuleType) -> Any:
    """A half-step, rating by rating."""
    moved = np.empty_like(x)
    for i, row in enumerate(x):
        gradient = script.RIDGE * row
        curvature = np.zeros(rank + 1)
        for j in np.flatnonzero(W[i]):
            factors = y[j, :rank]
            error = row[:rank] @ factors + row[rank] + y[j, rank] - ratings[i, j]
            gradient = gradient + error * np.append(factors, 1.0)
            curvature += [factors @ factors] * rank + [1.0]
        moved[i] = row - gradient / (curvature + script.DAMPING)
    return np.clip(moved, -2.0, 2.0 - 2.0**-12)


def test_a_bad_request_is_refused(script: ModuleType) -> None:
    with pytest.raises(ValueError, match="parts are"):
        script.Request.read('{"users": 1, "items": 1, "rank": 1, "parts": ["all"]}')
    with pytest.raises(ValueError, match="at least 1"):
        script.Request.read('{"users": 0, "items": 1, "rank": 1}')
