# SPDX-License-Identifier: Apache-2.0
"""Measurements of SecretFlow SPU, which runs in an environment of its own.

SPU pins numpy 1.26, so nothing of it is imported here: `benchmarks/spu_cheetah.py`, in the source
tree, is run by that environment's Python.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from ppmf.bench.run_sizes import RunSize
from ppmf_spec.errors import EncodingError, PeerError

REQUIREMENT = "spu==0.9.5"
SCRIPT = Path(__file__).resolve().parents[3] / "benchmarks" / "spu_cheetah.py"
PARTS = ("product", "clamp", "iteration")


@dataclass(frozen=True, slots=True)
class Entry:
    """One piece of work on SPU.

    seconds; bytes_sent by both parties together; difference: the largest from float64. All three
    are None when the work was stopped after `limit` seconds.
    """

    part: str
    seconds: float | None
    bytes_sent: int | None
    difference: float | None
    limit: float

    def json(self) -> dict[str, object]:
        """The JSON object of this for the results file."""
        return {
            "part": self.part,
            "seconds": self.seconds,
            "bytes_sent": self.bytes_sent,
            "largest_difference": self.difference,
            "stopped_after": self.limit if self.seconds is None else None,
        }


def environment() -> Path:
    """The path of the Python that `install` makes, in the user's cache."""
    folder = "Scripts" if os.name == "nt" else "bin"
    return platformdirs.user_cache_path("ppmf") / "spu" / folder / "python"


def install() -> Path:
    """Make SPU's environment through pip, if it is not there. Raises PeerError when pip fails."""
    python = environment()
    if python.exists() and not _fails([str(python), "-c", "import spu.libspu"]):
        return python
    folder = python.parents[1]
    pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    for command in ([sys.executable, "-m", "venv", "--clear", str(folder)], [*pip, REQUIREMENT]):
        if reason := _fails(command):
            raise PeerError(f"SPU could not be installed into {folder}: {reason}")
    return python


def measure(
    python: Path, point: RunSize, parts: Sequence[str], limit: float
) -> tuple[dict[str, object], list[Entry]]:
    """SPU's own description, and the entries of the parts, each at most `limit` seconds long.

    Every part is a run of its own, so that a part which takes too long does not cost the others.
    Progress goes to standard error. Raises PeerError when SPU fails.
    """
    about: dict[str, object] = {}
    entries: list[Entry] = []
    for part in parts:
        request = {
            "users": point.users,
            "items": point.items,
            "rank": point.rank,
            "iterations": point.iterations,
            "parts": [part],
        }
        try:
            result = _run(python, request, limit)
        except subprocess.TimeoutExpired:
            entries.append(Entry(part, None, None, None, limit))
            continue
        about = {name: result[name] for name in ("spu", "protocol", "field")}
        # the script's own warm-up comes first in every run: kept once
        done = [_entry(values, limit) for values in result["parts"]]
        entries += done if not entries else done[1:]
    return about, entries


def _entry(values: Mapping[str, Any], limit: float) -> Entry:
    return Entry(
        str(values["part"]),
        float(values["seconds"]),
        int(values["bytes_sent"]),
        float(values["largest_difference"]),
        limit,
    )


def _run(python: Path, request: Mapping[str, object], limit: float) -> dict[str, Any]:
    if not SCRIPT.is_file():
        raise EncodingError(f"{SCRIPT}: not there; the comparison with SPU needs the source tree")
    # a session of its own: its parties are processes too, and end with it
    with subprocess.Popen(
        [str(python), str(SCRIPT)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as process:
        try:
            output, _ = process.communicate(json.dumps(request), timeout=limit)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    if process.returncode:
        raise PeerError(f"SPU stopped with exit status {process.returncode}; see above")
    result: dict[str, Any] = json.loads(output)
    return result


def _fails(command: Sequence[str]) -> str:
    """The reason why a command fails; empty when it does not fail."""
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if not run.returncode:
        return ""
    return (run.stderr.strip().splitlines() or ["no reason given"])[-1]
