# SPDX-License-Identifier: Apache-2.0
"""Vectors of whole runs that are interrupted and go on in later epochs (chapter 4, "Interruption").

Where a run is stopped says which checkpoints the servers hold then: none, both the same, or one of
them one more than the other.
"""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.oracle import OPERATIONS
from tools.vectors.family import Family
from tools.vectors.ranked_runs import KINDS, Kind, given_of
from tools.vectors.whole_runs import Lengths, add, lengths, lengths_by_epoch, output

_LATE = "RES-001 RES-002 RES-003 RES-005 RES-007 RES-014 RES-015 RES-016 ADM-010 CNV-009"
_SIZES = {"iterations": "3"}

KIND = Kind({**KINDS["plain"].parameters, **_SIZES}, (3, 4), "rlwe-64-insecure")
COUNT = Kind({**KINDS["l1-count"].parameters, **_SIZES}, (2, 3), "paillier-512-insecure")

_WORDS_OF_ITERATION = "transfer-payload"


def families() -> list[Family]:
    """The family `interrupted`."""
    family = Family("interrupted", "Three-party runs of several epochs.", OPERATIONS)
    for slug, comment, kind, stops in (
        ("start", "before a checkpoint: from the public start", KIND, ["start"]),
        ("later", "both servers hold the checkpoint of iteration 1", COUNT, ["later"]),
        ("ahead", "CSP holds a checkpoint more than RecSys", KIND, ["ahead"]),
        ("end", "without the last message: both hold two checkpoints", COUNT, ["end"]),
        ("twice", "in iteration 2, and again in iteration 3", KIND, ["later", "end"]),
    ):
        given = _given(slug, kind, stops)
        expect = {"status": "ok", "out": {**output(given), "refused": []}}
        _add_both(family, slug, f"interrupted {comment}", given, expect)
    _tampered(family)
    soon = _given("soon", COUNT, [])
    soon["interrupts"] = [{"from": "recsys", "to": "csp", "number": "0"}]
    first = lengths({**soon, "interrupts": []})
    for role in ("recsys", "csp"):
        add(
            family,
            f"too-soon-{role}",
            "ERR-004 CON-045",
            f"{role} under test; stopped before the closing has come, with nothing kept",
            {**soon, "roles": [role]},
            {"status": "reject", "class": "state"},
            first,
            beside={"later": []},
            flags="negative",
            seed=soon["coins"],
        )
    return [family]


def _given(slug: str, kind: Kind, stops: list[str]) -> dict[str, Any]:
    """The input of a run that is stopped once for each of these places."""
    given: dict[str, Any] = {**given_of(f"interrupted-{slug}", kind), "interrupts": []}
    for stop in stops:
        given["interrupts"].append(_place(stop, lengths(given)))
    return given


def _place(stop: str, found: Lengths) -> dict[str, str]:
    """The message that is lost, in an epoch with these messages.

    Of CSP's messages with arithmetic shares of new words there is one an inner step, the last of
    which ends an iteration; they are the payloads before the last tables and after them.
    """
    names = [name for name, _ in found["csp>recsys"]]
    answers = [at for at, name in enumerate(names) if name == "product-answer"]
    number = {
        "start": answers[0],  # in the second half-step
        "later": answers[1],  # in the third: iteration 1 is finished
        "ahead": _before(names, "transfer-payload", answers[3]),
        "end": len(names) - 1,
    }[stop]
    return {"from": "csp", "to": "recsys", "number": str(number)}


def _before(names: list[str], name: str, at: int) -> int:
    """The number of the last message of that name, with arithmetic shares of new words, before the
    products of columns that precede the answer at `at`.
    """
    tables = max(number for number in range(at) if names[number] == "garbled-tables")
    return next(number for number in range(tables, at) if names[number] == name)


def _add_both(
    family: Family,
    slug: str,
    comment: str,
    given: dict[str, Any],
    expect: dict[str, Any],
    roles: tuple[str, ...] = ("recsys", "csp"),
    **more: Any,
) -> None:
    first, *later = lengths_by_epoch({**given, "tamper": None})
    for role in roles:
        add(
            family,
            f"{slug}-{role}",
            more.get("requirements", f"CON-045 {_LATE}"),
            f"{role} under test; {comment}",
            {**given, "roles": [role]},
            expect,
            first,
            beside={"later": later},
            flags=more.get("flags", "positive"),
            seed=given["coins"],
        )


_TAMPERED: tuple[tuple[str, str, str, str, str, str], ...] = (
    ("names-cut", "RES-003", "field", "checkpoints", "cut", "encoding"),
    ("names-more", "RES-003", "field", "checkpoints", "more", "encoding"),
    ("decision-cut", "ADM-010", "field", "decision", "cut", "encoding"),
    ("decision-zero", "ADM-010", "field", "decision", "zero", "state"),
    ("last", "RES-016", "field", "last", "5", "state"),
    ("epoch", "RES-016 ERR-006", "epoch", "", "", "state"),
    ("number", "RES-016 ERR-006", "number", "", "", "state"),
    ("rename", "RES-003 ERR-006", "rename", "", "", "state"),
)


def _tampered(family: Family) -> None:
    """Messages of the second epoch that are refused."""
    given = _given("tampered", COUNT, ["later"])
    for slug, requirements, edit, field, value, kind in _TAMPERED:
        for role, sender in (("recsys", "csp"), ("csp", "recsys")):
            link = {"from": sender, "to": role, "number": "0", "epoch": "1"}
            tamper = {**link, "edit": edit, "field": field, "value": value}
            _add_both(
                family,
                f"tampered-{slug}",
                f"the resume of {sender}: {slug}",
                {**given, "tamper": tamper},
                {"status": "reject", "class": kind},
                (role,),
                requirements=f"CON-045 {requirements} ERR-001",
                flags="negative tampered",
            )
