# SPDX-License-Identifier: Apache-2.0
"""The wheel is one distribution of importable, typed packages with their licences."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

from tools.packages import PACKAGES, ROOT, TOP_OF


def test_the_wheel_holds_the_packages_and_nothing_else(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    tops = {name.split("/")[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == set(PACKAGES)
    for package in PACKAGES:
        assert f"{package}/py.typed" in names
    assert {Path(name).name for name in names if "/licenses/" in name} == {
        "Apache-2.0.txt",
        "GPL-3.0-or-later.txt",
    }


def test_the_wheel_holds_every_module(wheel: Path) -> None:
    """Hatchling leaves out, without a word, what .gitignore names."""
    packed = set(zipfile.ZipFile(wheel).namelist())
    modules = {
        str(path.relative_to(ROOT / folder))
        for folder in TOP_OF.values()
        for path in (ROOT / folder).glob("ppmf*/**/*.py")
    }
    assert modules - packed == set()


def test_the_packages_import_from_the_wheel(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path)
    shown = subprocess.run(
        [sys.executable, "-c", f"import {', '.join(PACKAGES)} as last; print(last.__file__)"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert Path(shown.strip()).is_relative_to(tmp_path)
