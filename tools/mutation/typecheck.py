# SPDX-License-Identifier: Apache-2.0
"""The mutants that mypy refuses.

`make lint` would not pass with a mutant that `mypy --strict` refuses, so that mutant is dead and
no test is run for it. mutmut writes all mutants of a function as functions beside it; the errors
that mypy reports for this layout, and not for a mutant, are left out. mutmut can ask mypy itself,
but would do so in each of its runs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

LAYOUT = {"ignore-without-code", "unused-ignore", "no-redef"}


def spans(module: Path) -> dict[str, tuple[int, int]]:
    """The first and last line of every mutant in a module, but for those of constructors.

    The copies of a constructor define its attributes anew, and mypy minds.
    """
    index = module.with_name(f"{module.name}.spans")
    if not index.exists():
        return {}
    found = json.loads(index.read_text(encoding="utf-8"))["spans"]
    return {
        name: (first, last)
        for name, (first, last) in found.items()
        if "ǁ__init__" not in name and not name.endswith("_orig")
    }


def refused(package: str, mutants: Path) -> set[tuple[str, str]]:
    """Module and name of each mutant of a package that mypy refuses.

    mutants: mutmut's folder. The names are those that mutmut gave to the functions.
    """
    command = [sys.executable, "-m", "mypy", "--output=json", "--cache-dir=../mypy"]
    done = subprocess.run(
        [*command, f"src/{package}"],
        cwd=mutants,
        env=os.environ | {"MYPYPATH": "src"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    inside: dict[str, dict[str, tuple[int, int]]] = {}
    found = set()
    for line in done.stdout.splitlines():
        error = json.loads(line)
        module = str(error["file"])
        if error["code"] in LAYOUT:
            continue
        for name, (first, last) in inside.setdefault(module, spans(mutants / module)).items():
            if first <= error["line"] <= last:
                found.add((module.removeprefix("src/"), name))
    return found
