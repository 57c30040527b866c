# SPDX-License-Identifier: Apache-2.0
"""The report for programs: one JSON object a line, written as results come in (PPMF-CON-016).

The first line describes the run and the last is the summary; between them is one line a case. Two
runs of one implementation give the same bytes but for members named `milliseconds`.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ppmf_conformance import json_text
from ppmf_conformance.line_protocol import PROTOCOL, Hello
from ppmf_conformance.reports import Context
from ppmf_conformance.results import Result, Summary, reproduction


class Writer:
    """The writer of a report. Each line is flushed, so that it stays if the suite is killed."""

    def __init__(self, path: Path, context: Context, command: Sequence[str]) -> None:
        self._file = path.open("w", encoding="utf-8")
        self._context = context
        self._command = list(command)

    def hello(self, hello: Hello | None) -> None:
        """Write the line of the run (PPMF-CON-001)."""
        about: dict[str, Any] = {
            "record": "run",
            "suite": self._context.version,
            "vectors": self._context.vectors,
            "protocol": PROTOCOL,
            "command": self._command,
            "implementation": implementation(hello),
        }
        if hello is not None:
            about |= {
                "features": sorted(hello.features),
                "roles": list(hello.roles),
                "unknown_features": self._context.unknown_features(hello),
            }
        self._line(about)

    def result(self, result: Result) -> None:
        """Write the line of a case."""
        self._line(record(result, self._command))

    def summary(self, summary: Summary) -> None:
        """Write the last line."""
        self._line(
            {
                "record": "summary",
                "exit": int(summary.exit),
                "asked": summary.asked,
                "counts": summary.counts,
                "dead_patterns": list(summary.dead_patterns),
                "refusal": summary.refusal,
            }
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def _line(self, value: dict[str, Any]) -> None:
        self._file.write(json_text.line(value) + "\n")
        self._file.flush()


def implementation(hello: Hello | None) -> dict[str, str] | None:
    """The members by which a report names the implementation; None without an introduction."""
    if hello is None:
        return None
    return {
        "name": hello.name,
        "version": hello.version,
        "language": hello.language,
        "issues": hello.issues,
    }


def record(result: Result, command: Sequence[str]) -> dict[str, Any]:
    """The members of a case's line in a report."""
    found: dict[str, Any] = {
        "record": "case",
        "id": result.case.id,
        "op": result.case.op,
        "content": result.case.content,
        "level": result.case.level,
        "requirements": list(result.case.requirements),
        "flags": list(result.case.flags),
        "verdict": result.verdict,
        "outcome": result.outcome.value,
        "milliseconds": result.milliseconds,
    }
    if result.detail:
        found["detail"] = result.detail
    if result.known is not None:
        found["known"] = result.known
    if result.verdict not in ("pass", "undeclared"):
        found["reproduce"] = reproduction(result.case.id, command)
    return found
