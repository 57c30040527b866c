# SPDX-License-Identifier: Apache-2.0
"""The claim that a run of the suite prints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ppmf_conformance import cases, claim
from ppmf_conformance.line_protocol import Hello
from ppmf_conformance.reports import Context
from ppmf_conformance.results import Outcome, Result, Summary
from tests.conformance.test_conformance_chapter import levels

SUITE = cases.shipped()
CONTEXT = Context("1.2", SUITE.digest, {}, {}, cases.features_of(SUITE.cases))
FEATURES = frozenset({"wire.encode", "wire.decode", "wire.receive", "init"})
HELLO = Hello("mine", "3", "C", "", FEATURES, ("csp",))


def run(hello: Hello = HELLO) -> Summary:
    results = [
        Result(one, Outcome.PASS if one.features <= hello.features else Outcome.UNDECLARED, "", 0)
        for one in SUITE.cases
    ]
    return Summary(("mine",), hello, results)


def claimed(summary: Summary) -> str:
    return "\n".join(claim.lines(summary, CONTEXT, SUITE.cases))


@pytest.mark.req("PPMF-CON-001", "PPMF-CON-048")
def test_a_claim_names_all_that_it_has_to() -> None:
    found = claimed(run())
    for text in ("mine 3", "1.2", SUITE.digest, "levels: wire;", "roles: csp"):
        assert text in found
    assert "other features: init" in found
    assert "known failures: none" in found


@pytest.mark.req("PPMF-CON-048")
def test_a_level_with_a_known_failure_is_not_claimed() -> None:
    summary = run()
    at = next(n for n, one in enumerate(summary.results) if one.case.op == "wire.decode")
    known = replace(summary.results[at], outcome=Outcome.FAIL, known="not done")
    summary.results[at] = known
    found = claimed(summary)
    assert "levels: none" in found
    assert f"known failures: {known.case.id}" in found


@pytest.mark.req("PPMF-CON-048")
def test_a_run_that_failed_or_was_of_some_cases_claims_nothing() -> None:
    summary = run()
    at = next(n for n, one in enumerate(summary.results) if one.case.op == "wire.decode")
    summary.results[at] = replace(summary.results[at], outcome=Outcome.FAIL)
    assert claimed(summary) == ""
    assert claimed(Summary(("mine",), HELLO, run().results[:-1])) == ""
    assert claimed(Summary(("mine",))) == ""


@pytest.mark.req("PPMF-CON-001")
def test_the_levels_are_those_of_the_chapter() -> None:
    assert {name: sorted(globs) for name, globs in claim.LEVELS.items()} == {
        name: sorted(globs) for name, globs in levels().items()
    }
