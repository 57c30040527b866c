# SPDX-License-Identifier: Apache-2.0
"""The report for CI: JUnit's XML, with a test suite for each family and a test for each case."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from xml.etree import ElementTree

from ppmf_conformance.reports import Report
from ppmf_conformance.results import Outcome, Result, reproduction

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(report: Report) -> bytes:
    """The XML document."""
    root = ElementTree.Element("testsuites", name="ppmf conformance")
    for family, group in groupby(report.summary.results, key=lambda result: result.case.family):
        root.append(_suite(family, list(group), report))
    ElementTree.indent(root)
    text: bytes = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return text + b"\n"


def _suite(family: str, results: Sequence[Result], report: Report) -> ElementTree.Element:
    suite = ElementTree.Element(
        "testsuite",
        name=family,
        tests=str(len(results)),
        failures=str(sum(_fails(result) for result in results)),
        errors=str(sum(result.fails and not _fails(result) for result in results)),
        skipped=str(sum(_skipped(result) for result in results)),
        time=_seconds(sum(result.milliseconds for result in results)),
    )
    hello = report.summary.hello
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (
        ("suite", report.context.version),
        ("vectors", report.context.vectors),
        *(("unknown feature", line) for line in report.context.unknown_features(hello)),
    ):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for result in results:
        suite.append(_case(result, report.summary.command))
    return suite


def _case(result: Result, command: Sequence[str]) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase",
        classname=f"ppmf.{result.case.family}",
        name=result.case.id,
        time=_seconds(result.milliseconds),
    )
    if result.fails:
        what = "failure" if _fails(result) else "error"
        detail = result.detail or "passes, and is listed as a known failure"
        told = ElementTree.SubElement(case, what, message=_text(detail), type=result.outcome.value)
        told.text = _text(
            f"{', '.join(result.case.requirements)}: {result.case.comment}\n"
            f"{detail}\n{reproduction(result.case.id, command)}\n"
        )
    elif _skipped(result):
        reason = result.known or "not declared"
        ElementTree.SubElement(case, "skipped", message=_text(reason))
    return case


def _fails(result: Result) -> bool:
    """Whether the answer was wrong, rather than missing."""
    return result.fails and result.outcome in (Outcome.FAIL, Outcome.PASS, Outcome.UNSUPPORTED)


def _skipped(result: Result) -> bool:
    return result.verdict in ("undeclared", "known", "advice")


def _seconds(milliseconds: int) -> str:
    return f"{milliseconds / 1000:.3f}"


def _text(text: str) -> str:
    """The text without the control characters that XML does not allow."""
    return _FORBIDDEN.sub("\ufffd", text)
