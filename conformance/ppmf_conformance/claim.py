# SPDX-License-Identifier: Apache-2.0
"""The claim of conformance that a run supports, ready to be pasted (PPMF-CON-001, -048)."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from ppmf_conformance.cases import Case, features_of
from ppmf_conformance.reports import Context
from ppmf_conformance.results import Exit, Outcome, Summary

LEVELS = {
    "function": (
        *("params.*", "ratings.parse", "init", "step", "words.*", "prox", "half_step"),
        *("train.fixed", "profiles.*", "predict.*"),
    ),
    "wire": ("wire.*",),
    "blocks": (
        *("session.*", "share.*", "code.*", "upload.*", "closing.make", "admission.*", "ahe.*"),
        *("hash.*", "base.*", "ot.*", "bitmul.*", "conversion.*", "circuit.*", "garble.*"),
        "resume.*",
    ),
    "lattice": ("rlwe.*",),
    "party": ("party.run",),
    "interruption": ("party.resume",),
    "trace": ("party.trace",),
    "service": ("enrol.*", "invitation.*", "receipt.*"),
    "link": ("link.*",),
    "oracle": ("train.real", "distance"),
}
"""The levels of chapter 7, "What can be claimed", each with globs of its operations."""


def lines(summary: Summary, context: Context, vectors: Sequence[Case]) -> list[str]:
    """The claim, line by line; none where a case failed or was not put (PPMF-CON-048).

    vectors: all cases that there are.
    """
    hello = summary.hello
    if hello is None or summary.exit is not Exit.AS_EXPECTED:
        return []
    if {result.case.id for result in summary.results} != {case.id for case in vectors}:
        return []
    known = [result for result in summary.results if result.verdict == "known"]
    failed = {feature for result in known for feature in result.case.features}
    passed = [
        level
        for level, globs in LEVELS.items()
        if _of(globs, features_of(vectors)) <= hello.features - failed
    ]
    reached = _of([glob for level in passed for glob in LEVELS[level]], features_of(vectors))
    others = sorted(hello.features - reached)
    asked = sum(result.outcome is Outcome.PASS for result in summary.results)
    found = [
        f"claim: {hello.name} {hello.version} passes {asked} cases of ppmf conformance "
        f"{context.version}, vectors sha256 {context.vectors}",
        f"  levels: {', '.join(passed) or 'none'}; roles: {', '.join(hello.roles) or 'none'}",
    ]
    if others:
        found.append(f"  other features: {', '.join(others)}")
    if known:
        found.append("  known failures: " + ", ".join(result.case.id for result in known))
    else:
        found.append("  known failures: none")
    return found


def _of(globs: Sequence[str], features: frozenset[str]) -> frozenset[str]:
    return frozenset(one for one in features if any(fnmatchcase(one, glob) for glob in globs))
