# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for what the tests of the command do not run: a package index, the script for SPU."""

from __future__ import annotations

from pathlib import Path

import pytest

from ppmf.bench import spu
from ppmf.data import movielens
from tests.support.toy_wheel import pin_of, write_wheel

FAKE = """
import json, sys, time
request = json.load(sys.stdin)
if request["rank"] == 22:
    sys.exit(3)
if request["rank"] == 33:
    time.sleep(600)
entry = lambda name: {
    "part": name, "seconds": 1.5, "bytes_sent": 10, "largest_difference": 0.25}
print(json.dumps({"spu": "0", "protocol": "CHEETAH", "field": "FM64",
                  "parts": [entry("set-up"), *map(entry, request["parts"])]}))
"""
"""Answers what it was asked, ends with a status at rank 22, and never ends at rank 33."""


@pytest.fixture
def fake_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The stand-in is run instead of the script for SPU."""
    script = tmp_path / "fake.py"
    script.write_text(FAKE)
    monkeypatch.setattr(spu, "SCRIPT", script)


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    """The wheel, as a package index holds it."""
    folder = tmp_path / "index"
    folder.mkdir()
    return write_wheel(folder)


@pytest.fixture
def pin(wheel: Path) -> movielens.Pin:
    """What is pinned of the wheel."""
    return pin_of(wheel)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's cache, which does not exist yet."""
    folder = tmp_path / "cache" / "ml-100k"
    monkeypatch.setattr(movielens, "cache_folder", lambda: folder)
    return folder
