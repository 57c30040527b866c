# SPDX-License-Identifier: Apache-2.0
"""The states of a session are those of the chapter's table."""

from __future__ import annotations

import re

import pytest

from ppmf_service.states import TRANSITIONS, State
from ppmf_spec.errors import StateError
from tests.support.services import Pair, opened
from tools.packages import ROOT

CHAPTER = (ROOT / "spec" / "08-service.md").read_text(encoding="utf-8")
ENDS = {State.FAILED, State.ABANDONED}


def of_the_chapter() -> dict[State, set[State]]:
    """The table of states, as it reads, with the sentence below it."""
    rows = re.findall(r"^\| `([a-z-]+)` \| [^|]+ \| ([^|]+) \|$", CHAPTER, re.M)
    found = {State(name): {State(one) for one in re.findall("`(.+?)`", to)} for name, to in rows}
    assert "Every state but the last three may also be followed by `failed` and" in CHAPTER
    return {state: to | ENDS if to else to for state, to in found.items()}


@pytest.mark.req("PPMF-SRV-004")
def test_the_transitions_are_those_of_the_chapter() -> None:
    assert of_the_chapter() == TRANSITIONS
    assert list(TRANSITIONS) == list(State)


@pytest.mark.req("PPMF-SRV-004")
@pytest.mark.parametrize("first", State)
def test_no_other_change_is_made(servers: Pair, first: State) -> None:
    session, database = opened(servers), servers.recsys.database
    sessions = servers.recsys.sessions
    for second in State:
        with database.transaction() as connection:
            connection.execute("UPDATE sessions SET state = ?", (first,))
        before = sessions.events(session.id)
        if second is first or second in TRANSITIONS[first]:
            assert sessions.move(session.id, second, because="why").state is second
            assert len(sessions.events(session.id)) == len(before) + (second is not first)
        else:
            with pytest.raises(StateError, match=f"{second} does not follow {first}"):
                sessions.move(session.id, second)
            assert sessions.get(session.id).state is first
            assert sessions.events(session.id) == before
