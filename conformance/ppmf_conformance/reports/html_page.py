# SPDX-License-Identifier: Apache-2.0
"""The report for people: one page by requirement, which needs no network and no other file."""

from __future__ import annotations

import html
from importlib.resources import files
from typing import Any

from ppmf_conformance import json_text
from ppmf_conformance.reports import Report
from ppmf_conformance.reports.ndjson import record
from ppmf_conformance.visible_text import visible


def render(report: Report) -> bytes:
    """The page. It contains the results as JSON, which its script shows and filters."""
    template = (files(__package__) / "page.html").read_text(encoding="utf-8")
    summary = report.summary
    hello = summary.hello
    name = "an implementation that did not introduce itself"
    if hello is not None:
        name = visible(f"{hello.name} {hello.version} ({hello.language})")
    data: dict[str, Any] = {
        "name": name,
        "suite": report.context.version,
        "vectors": report.context.vectors,
        "command": list(summary.command),
        "counts": summary.counts,
        "exit": int(summary.exit),
        "refusal": summary.refusal,
        "dead": list(summary.dead_patterns),
        "titles": dict(report.context.titles),
        "cases": [
            {**record(result, summary.command), "comment": result.case.comment}
            for result in summary.results
        ],
    }
    # In a script element only `</` and `<!--` could end or change what JSON says.
    text = json_text.line(data).replace("<", "\\u003c")
    page = template.replace("{{TITLE}}", html.escape(f"ppmf conformance: {name}"))
    return page.replace("{{DATA}}", text).encode("utf-8")
