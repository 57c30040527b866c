# SPDX-License-Identifier: Apache-2.0
"""The suite as a pytest plugin, in a pytest of its own."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

BROKEN = "ppmf_conformance.adapters.broken_oracle"


def run(folder: Path, *options: str, fault: str = "ridge-doubled") -> tuple[int, str]:
    target = shlex.join([sys.executable, "-m", BROKEN, fault])
    command = ["-p", "ppmf_conformance.pytest_plugin", "-q", "-rsx", "--ppmf-target", target]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *command, *options],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr


def test_every_case_is_a_test(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    status, shown = run(tmp_path, "--ppmf-only", "words/*", "--ppmf-only", "hash/key-*")
    assert status == 0, shown
    assert "43 passed, 5 skipped" in shown
    status, shown = run(tmp_path, "--ppmf-only", "half-step/ridge-once")
    assert status == 1
    assert "the ridge enters the gradient once" in shown
    assert "ppmf conformance run --only half-step/ridge-once -- " in shown


def test_a_known_failure_is_strict(tmp_path: Path) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    known = tmp_path / "known"
    known.write_text("half-step/ridge-once issue 1\n")
    options = ("--ppmf-known-failures", str(known), "--ppmf-only", "half-step/ridge-once")
    status, shown = run(tmp_path, *options)
    assert status == 0, shown
    assert "1 xfailed" in shown
    status, shown = run(tmp_path, *options, fault="round-floor")
    assert status == 1
    assert "XPASS(strict)" in shown
