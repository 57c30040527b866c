# SPDX-License-Identifier: Apache-2.0
"""The costs of a run and the versions it was made with, as tables and as JSON."""

from __future__ import annotations

import json
import platform
from collections.abc import Iterable, Mapping
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from ppmf import console
from ppmf_spec.files import write_atomically

if TYPE_CHECKING:  # the oracle's files are written here too, without ppmf_secure
    from ppmf_secure.primitives.workers import ProcessHealth
    from ppmf_secure.transport.recorded_ends import Measure
    from ppmf_secure.transport.server_process import ServerHealth
    from ppmf_spec.roles import Role

# The packages on which a result would depend if one of them had a fault.
_PACKAGES = ("ppmf", "cryptography", "gmpy2", "numpy", "phe", "python-flint")


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that compute."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = "source tree"
    return found


def write_json(path: Path, content: Mapping[str, object]) -> None:
    """Write a JSON file, UTF-8, readable, all or nothing."""
    lines = [f" {json.dumps(name)}: {_json(value)}" for name, value in content.items()]
    write_atomically(path, ("{\n" + ",\n".join(lines) + "\n}\n").encode())


def _json(value: object) -> str:
    """A value on one line, but a list of lists or tables with one entry a line."""
    entries = list(value) if isinstance(value, list | tuple) else []
    if any(isinstance(entry, list | tuple | dict) for entry in entries):
        return "[\n" + ",\n".join(f"  {_json(entry)}" for entry in entries) + "\n ]"
    return json.dumps(value, ensure_ascii=False)


def measures_json(measures: Iterable[Measure]) -> list[dict[str, object]]:
    """Seconds and bytes by party and phase."""
    return [
        {
            "party": one.party,
            "phase": one.phase,
            "seconds": round(one.seconds, 3),
            "bytes_sent": one.bytes_sent,
            "bytes_received": one.bytes_received,
        }
        for one in measures
    ]


def workers_json(health: Mapping[Role, ServerHealth]) -> dict[str, object]:
    """What the processes of each server took, where there are workers: a member of the report."""
    told = [
        {
            "party": party,
            **_process_json(one.server),
            "workers": [
                {"shards": len(worker.shards), **_process_json(worker.process)}
                for worker in one.workers
            ],
        }
        for party, one in health.items()
        if one.workers
    ]
    return {"processes": told} if told else {}


def _process_json(process: ProcessHealth) -> dict[str, object]:
    return {"cpu_seconds": round(process.cpu_seconds, 3), "memory_bytes": process.most_memory}


def measures_table(measures: Iterable[Measure]) -> None:
    """Print seconds and bytes sent: a row for each phase, two columns for each party, and sums."""
    cells = {(one.phase, one.party): (one.seconds, one.bytes_sent) for one in measures}
    phases = list(dict.fromkeys(phase for phase, _ in cells))
    parties = list(dict.fromkeys(party for _, party in cells))
    headings = ["phase"]
    for party in parties:
        headings += [party, f"{party} sent"]
    rows = []
    for phase in phases:
        row = [phase]
        for party in parties:
            spent, sent = cells.get((phase, party), (0.0, 0))
            row += (
                [console.seconds(spent), console.size(sent)]
                if (phase, party) in cells
                else ["", ""]
            )
        rows.append(row)
    total = ["all"]
    for party in parties:
        mine = [cells[phase, party] for phase in phases if (phase, party) in cells]
        total += [
            console.seconds(sum(spent for spent, _ in mine)),
            console.size(sum(sent for _, sent in mine)),
        ]
    console.table(headings, [*rows, total], right=",".join(headings[1:]))
