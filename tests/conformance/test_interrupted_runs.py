# SPDX-License-Identifier: Apache-2.0
"""Runs of several epochs under the suite, and servers that go on as they must not."""

from __future__ import annotations

from typing import Any

import pytest

from ppmf_conformance import cases, party_runs
from ppmf_conformance.adapters.party import Parties
from ppmf_conformance.line_protocol import Answer
from ppmf_conformance.our_parties import OwnParties
from ppmf_conformance.results import Outcome
from ppmf_spec.errors import StateError

SUITE = cases.shipped()


def case(case_id: str) -> cases.Case:
    (found,) = SUITE.pick([case_id])
    return found


class Forgetful:
    """Our own parties, which make something else of `party.resume`."""

    def __init__(self, change: Any) -> None:
        self._ours = OwnParties()
        self._change = change

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        found: Answer = self._change(self._ours, case_id, op, given)
        return found


@pytest.mark.req("PPMF-CON-045")
@pytest.mark.parametrize("name", ["start", "ahead", "twice"])
def test_our_servers_go_on_in_the_next_epoch(name: str) -> None:
    for role in ("recsys", "csp"):
        one = case(f"interrupted/{name}-{role}")
        assert "party.resume" in one.features
        assert party_runs.play(one, OwnParties()) == (Outcome.PASS, "")


@pytest.mark.req("PPMF-CON-045")
def test_a_server_that_loses_its_checkpoints_is_found() -> None:
    def change(ours: OwnParties, case_id: str, op: str, given: Any) -> Answer:
        if op == "party.resume":
            party = ours._parties._parties[given["handle"]]
            party.ends.kept._models.clear()
        return ours.run(case_id, op, given)

    outcome, detail = party_runs.play(case("interrupted/later-csp"), Forgetful(change))
    assert outcome is Outcome.FAIL
    assert "message 0 from csp to recsys: resume of" in detail


@pytest.mark.req("PPMF-CON-045")
def test_a_handle_is_freed_by_its_next_epoch() -> None:
    parties = Parties()
    with pytest.raises(StateError, match="no party"):
        parties.resume({"handle": "1", "coins": "x"})
    soon = case("interrupted/too-soon-csp")
    names = ("session", "sealing_secret", "consent_keys")
    given = {name: soon.given[name] for name in names}
    handle = parties.new({"role": "csp", "coins": "x", **given})["handle"]
    with pytest.raises(StateError, match="not yet its shares"):
        parties.resume({"handle": handle, "coins": "y"})
    with pytest.raises(StateError, match="no party"):
        parties.step({"handle": handle, "inbox": []})


@pytest.mark.req("PPMF-CON-046")
def test_what_pure_operations_refuse_has_cases() -> None:
    shown = [one for one in SUITE.cases if "PPMF-CON-046" in one.requirements]
    assert {one.op for one in shown} == {"init", "wire.encode", "share.open"}
    assert {one.expect["status"] for one in shown if one.op == "share.open"} == {"ok"}


@pytest.mark.req("PPMF-CON-047")
def test_a_vector_without_the_content_that_its_hash_is_of_is_refused() -> None:
    for one in SUITE.cases[:50]:
        table = {"op": one.op, "in": one.given, "steps": one.steps, "expect": one.expect}
        assert cases.content_hash(table) == one.content
        assert cases.content_hash({**table, "op": "other"}) != one.content
    assert len({one.content for one in SUITE.cases}) > len(SUITE.cases) // 2
