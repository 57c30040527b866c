# SPDX-License-Identifier: Apache-2.0
"""The report for people: one page by requirement, which needs no network and no other file."""

from __future__ import annotations

import html
from importlib.resources import files
from typing import Any

from ppmf_conformance import json_text
from ppmf_conformance.cases import Case
from ppmf_conformance.line_protocol import Answer
from ppmf_conformance.party_runs import roles
from ppmf_conformance.reports import Report
from ppmf_conformance.reports.ndjson import record
from ppmf_conformance.results import ASKED, PartyCall, Result
from ppmf_conformance.visible_text import visible

LIMIT = 4000
"""The characters of an input or output that the page shows."""


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
        "features": sorted(hello.features) if hello is not None else [],
        "unknown": report.context.unknown_features(hello),
        "roles": list(hello.roles) if hello is not None else [],
        "claim": claim(report),
        "suite": report.context.version,
        "vectors": report.context.vectors,
        "command": list(summary.command),
        "counts": summary.counts,
        "exit": int(summary.exit),
        "refusal": summary.refusal,
        "dead": list(summary.dead_patterns),
        "titles": dict(report.context.titles),
        "sentences": dict(report.context.sentences),
        "cases": [
            {
                **record(result, summary.command),
                "comment": result.case.comment,
                **_looked_into(result),
            }
            for result in summary.results
        ],
    }
    # In a script element only `</` and `<!--` could end or change what JSON says.
    text = json_text.line(data).replace("<", "\\u003c")
    page = template.replace("{{TITLE}}", html.escape(f"ppmf conformance: {name}"))
    return page.replace("{{DATA}}", text).encode("utf-8")


def claim(report: Report) -> str:
    """What a claim of conformance must name, ready to be pasted (PPMF-CON-001).

    It states what was declared and what came of it, and leaves the levels to the reader: a part of
    the cases, as `--only` picks them, allows none.
    """
    summary = report.summary
    hello = summary.hello
    if hello is None:
        return "no claim: there was no introduction"
    counts = ", ".join(f"{number} {verdict}" for verdict, number in summary.counts.items())
    known = [f"{one.case.id} ({one.known})" for one in summary.results if one.verdict == "known"]
    return "\n".join(
        [
            visible(f"{hello.name} {hello.version} ({hello.language})"),
            f"suite {report.context.version}, vectors SHA-256 {report.context.vectors}",
            visible(f"features: {', '.join(sorted(hello.features)) or 'none'}", LIMIT),
            visible(f"roles: {', '.join(hello.roles) or 'none'}", LIMIT),
            f"cases: {counts}",
            f"known failures: {'; '.join(known) or 'none'}",
        ]
    )


def shortened(text: str, limit: int = LIMIT) -> str:
    """The text, cut where it is longer than the limit, with its length."""
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def _looked_into(result: Result) -> dict[str, str]:
    """The input and both outputs of a case that did not pass, as JSON texts."""
    if result.verdict in ("pass", "undeclared"):
        return {}
    case, answer = result.case, result.answer
    found = {
        "in": shortened(json_text.line(case.given or case.steps)),
        "expected": shortened(json_text.line(case.expect)),
    }
    if answer is not None:
        found["answered"] = _told(answer)
    elif result.call is None and result.outcome in ASKED:
        found["answered"] = f"no answer: {result.outcome.value}"
    return found | _call(case, result.call)


def _call(case: Case, call: PartyCall | None) -> dict[str, str]:
    """The call at which a run ended, its input, what was due of it, and what was answered."""
    if call is None:
        return {}
    whose = call.role if call.role in roles(case) else f"our {call.role}"
    found = {"call": f"{call.op} of {whose}", "call_in": shortened(json_text.line(call.given))}
    if call.due is not None:
        found["call_due"] = json_text.line(call.due)
    found["call_answered"] = "no answer" if call.answer is None else _told(call.answer)
    return found


def _told(answer: Answer) -> str:
    told: dict[str, Any] = {"status": answer.status}
    if answer.status == "ok":
        told["out"] = answer.out
    told |= {"class": answer.kind} if answer.kind else {}
    told |= {"message": answer.message} if answer.message else {}
    return shortened(json_text.line(told))
