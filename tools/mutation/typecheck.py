# SPDX-License-Identifier: Apache-2.0
"""mypy for mutmut: `typecheck.py PACKAGE mypy`, run inside a target's folder of mutants.

`make check` would not pass with a mutant that `mypy --strict` refuses, so that mutant is dead and
no test is run for it. mutmut writes all mutants of a function as functions beside it; the errors
that mypy reports for this layout, and not for a mutant, are omitted. The last argument only tells
mutmut whose format the output has.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

LAYOUT = {"ignore-without-code", "unused-ignore", "no-redef"}


def spans(module: str) -> dict[str, tuple[int, int]]:
    """The first and last line of every function that mutmut wrote, but for constructors.

    The copies of a constructor define its attributes anew, and mypy minds.
    """
    index = Path(f"{module}.spans")
    if not index.exists():
        return {}
    found = json.loads(index.read_text(encoding="utf-8"))["spans"]
    return {name: tuple(lines) for name, lines in found.items() if "ǁ__init__" not in name}


def main() -> None:
    """Print mypy's errors inside mutants, one JSON object a line."""
    command = [sys.executable, "-m", "mypy", "--output=json", "--cache-dir=../mypy"]
    done = subprocess.run(
        [*command, f"src/{sys.argv[1]}"],
        env=os.environ | {"MYPYPATH": "src"},
        stdout=subprocess.PIPE,
        encoding="utf-8",
    )
    functions: dict[str, dict[str, tuple[int, int]]] = {}
    for line in done.stdout.splitlines():
        error = json.loads(line)
        module = str(error["file"])
        inside = functions.setdefault(module, spans(module))
        mutant = any(
            first <= error["line"] <= last and not name.endswith("_orig")
            for name, (first, last) in inside.items()
        )
        if mutant and error["code"] not in LAYOUT:
            print(line)


if __name__ == "__main__":
    main()
