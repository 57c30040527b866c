# SPDX-License-Identifier: Apache-2.0
"""The judgement of an answer: an outcome, and one line that says where the answer differs."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from ppmf_conformance import json_text
from ppmf_conformance.cases import Case
from ppmf_conformance.enclosures import refutation
from ppmf_conformance.line_protocol import Answer
from ppmf_conformance.results import Outcome

Verdict = tuple[Outcome, str]
PASS: Verdict = (Outcome.PASS, "")


def judge(case: Case, answer: Answer) -> Verdict:
    """The outcome of an answer that keeps the protocol (PPMF-CON-007, -012)."""
    expect = case.expect
    match answer.status:
        case "unsupported":
            return Outcome.UNSUPPORTED, "declared, and then not supported"
        case "error":
            return Outcome.ERROR, f"the adapter's own fault: {answer.message}"
        case "reject":
            return _rejected(expect, answer)
        case _:
            if expect["status"] == "reject":
                return Outcome.FAIL, f"accepted where a refusal ({expect['class']}) is due"
            return _accepted(case, answer.out)


def _rejected(expect: dict[str, Any], answer: Answer) -> Verdict:
    if expect["status"] != "reject":
        return Outcome.FAIL, f"refused ({answer.kind}): {answer.message}"
    if answer.kind != expect["class"]:
        return Outcome.FAIL, f"refused with {answer.kind} where {expect['class']} is due"
    for text in expect.get("names", []):
        if text not in answer.message:
            return Outcome.FAIL, f"the message does not name {text!r}: {answer.message}"
    for secret in expect.get("hides", []):
        if secret in answer.message:
            return Outcome.FAIL, "the message contains a secret"
    return PASS


def _accepted(case: Case, out: dict[str, Any]) -> Verdict:
    """Compare intermediate values first: the earliest that differs says more than the result."""
    for name, value in case.steps.items():
        if name in out and out[name] != value:
            return Outcome.FAIL, "steps: " + difference(value, out[name], name)
    due = case.expect.get("out", {})
    enclosed = case.expect.get("enclosure", {})
    for name, value in due.items():
        if name not in out:
            return Outcome.FAIL, f"{name}: missing in the answer"
        if out[name] != value:
            return Outcome.FAIL, difference(value, out[name], name)
    for name, value in enclosed.items():
        if name not in out:
            return Outcome.FAIL, f"{name}: missing in the answer"
        wrong = refutation(value, out[name], Fraction(case.expect["radius"]), name)
        if wrong:
            return Outcome.FAIL, wrong
    unknown = set(out) - set(due) - set(enclosed) - set(case.steps)
    if unknown:
        return Outcome.FAIL, f"{min(unknown)}: no member of this answer"
    return PASS


def difference(expected: Any, found: Any, at: str) -> str:
    """The first place where two JSON values differ, and both values there (PPMF-CON-012)."""
    if isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            return f"{at}: {len(found)} entries, not {len(expected)}"
        for number, (one, other) in enumerate(zip(expected, found, strict=True)):
            if one != other:
                return difference(one, other, f"{at}[{number}]")
    if isinstance(expected, dict) and isinstance(found, dict):
        for name in expected:
            if name not in found:
                return f"{at}.{name}: missing"
            if expected[name] != found[name]:
                return difference(expected[name], found[name], f"{at}.{name}")
        extra = set(found) - set(expected)
        if extra:
            return f"{at}.{min(extra)}: unknown member"
    return f"{at}: {_short(found)}, not {_short(expected)}"


def _short(value: Any) -> str:
    text = json_text.line(value)
    return text if len(text) <= 80 else text[:77] + "..."
