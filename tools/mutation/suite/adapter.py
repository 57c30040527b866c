# SPDX-License-Identifier: Apache-2.0
"""An adapter in Python that runs on a copy of a package: `adapter COPY PACKAGE MODULE SECONDS`.

COPY is the folder that holds the copy of PACKAGE, and comes before the installed one. The process
may use SECONDS of processor time. With one more argument, a file, every answer adds a line to it
that names the case and the functions of the copy that were called for it.
"""

from __future__ import annotations

import importlib
import json
import resource
import runpy
import sys
from collections.abc import Mapping
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

MEMORY = 4 << 30  # bytes; a mutant that shifts the wrong way may ask for any amount


def main() -> None:
    """Run the adapter's module as a program."""
    copy, package, module, seconds, *trace = sys.argv[1:]
    resource.setrlimit(resource.RLIMIT_CPU, (int(seconds), int(seconds) + 1))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    sys.path.insert(0, copy)
    where = importlib.import_module(package).__file__
    assert where is not None
    assert Path(copy) in Path(where).parents, f"{package} comes from {where}"
    if trace:
        _trace(Path(trace[0]), f"{copy}/{package}/")
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__")


def _trace(file: Path, folder: str) -> None:
    """Note which functions below a folder each answer calls."""
    from ppmf_conformance.adapters import line_server

    called: set[CodeType] = set()
    plain = line_server.answer

    def note(frame: FrameType, event: str, _: Any) -> None:
        if event == "call":
            called.add(frame.f_code)

    def answer(call: Mapping[str, Any], operations: Mapping[str, Any]) -> dict[str, Any]:
        called.clear()
        sys.setprofile(note)
        try:
            return plain(call, operations)
        finally:
            sys.setprofile(None)
            named = (name_of(code, folder) for code in set(called))
            line = {"id": call["id"], "called": sorted({name for name in named if name})}
            with file.open("a", encoding="utf-8") as to:
                to.write(json.dumps(line) + "\n")

    line_server.answer = answer


def name_of(code: CodeType, folder: str) -> str:
    """A function as `module.py:Class.method`; empty for one that is not below the folder."""
    if not code.co_filename.startswith(folder):
        return ""
    name = code.co_qualname.partition(".<locals>")[0]
    return f"{code.co_filename.removeprefix(folder)}:{name}"


if __name__ == "__main__":
    main()
