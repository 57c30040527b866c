# SPDX-License-Identifier: Apache-2.0
"""Copies of an implementation, each with one mutant, and the commands that run them."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from tools.mutation.suite.mutants import HERE, Mutant, Target

_ADAPTER = str(HERE / "adapter.py")


@contextmanager
def copy_of(target: Target, mutant: Mutant | None = None) -> Iterator[Path]:
    """A copy of a target's folder, inside a folder of its own; with a mutant in it, if given.

    The compiled modules are copied too, but for the mutant's, so that a start takes no longer.
    """
    with TemporaryDirectory(prefix="ppmf-mutant-") as made:
        folder = Path(made) / target.root.name
        shutil.copytree(target.root, folder)
        if mutant is not None:
            changed = folder / mutant.module
            for compiled in (changed.parent / "__pycache__").glob(f"{changed.stem}.*"):
                compiled.unlink()
            changed.write_text(mutant.text, encoding="utf-8")
        yield folder


def command(target: Target, folder: Path, trace: Path | None = None) -> list[str]:
    """The adapter of a copy, as a command; `trace` is the file that takes the lines of a trace."""
    if target.adapter.endswith(".mjs"):
        node = shutil.which("node") or "node"
        limit = [shutil.which("prlimit") or "prlimit", f"--cpu={target.seconds}"]
        traced = [] if trace is None else ["--import", str(HERE / "trace.mjs")]
        named = [] if trace is None else ["env", f"TRACE={trace}"]
        return [*limit, *named, node, *traced, str(folder / target.adapter)]
    inside = [str(folder.parent), folder.name, target.adapter, str(target.seconds)]
    traced = [] if trace is None else [str(trace)]
    return [sys.executable, "-B", _ADAPTER, *inside, *traced]
