# SPDX-License-Identifier: Apache-2.0
"""The rows of sessions: how they are found, and what stays of them."""

from __future__ import annotations

import pytest

from ppmf_secure.session.enrolment import token_digest
from ppmf_service.recent import MOST_READ
from ppmf_service.session_rows import UnknownSessionError, short
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.services import (
    Pair,
    opened,
    proposal_of,
)

USERS = ("u1", "u2", "u3")


def test_a_session_is_found_by_the_first_digits_of_its_key(servers: Pair) -> None:
    sessions = servers.recsys.sessions
    session = opened(servers)
    row = sessions.get(session.id)
    for digits in (session.id.hex(), session.id.hex()[:6].upper(), row.proposed.hex()[:8]):
        assert sessions.find(digits) == row
    for digits in ("", "xyz", "0" * 64, session.id.hex() + "0"):
        with pytest.raises(UnknownSessionError):
            sessions.find(digits)
    first = {row.proposed.hex()[0], session.id.hex()[0]}
    for number in range(1, 40):
        other = sessions.propose(proposal_of(USERS, nonce=number))
        if other.proposed.hex()[0] in first:
            with pytest.raises(StateError, match="2 sessions begin with"):
                sessions.find(other.proposed.hex()[0])
            break
    with pytest.raises(UnknownSessionError):
        sessions.get(bytes(32))


def test_few_sessions_are_in_memory_however_many_there_were(servers: Pair) -> None:
    """Each may have a hundred thousand users and items, and expires one day."""
    sessions, members = servers.recsys.sessions, servers.recsys.members
    for nonce in range(MOST_READ + 2):
        session = opened(servers, proposal_of(USERS, nonce=nonce), str(nonce))
        assert sessions.signed_session(session.id).session == session
        assert members.token_row(session.id, token_digest(servers.tokens["u2"])) == 1
    assert len(sessions._read) == len(members._rows) == MOST_READ


@pytest.mark.req("PPMF-SRV-005")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_server_that_starts_again_knows_its_sessions(servers: Pair, role: Role) -> None:
    session, server = opened(servers), servers.of(role)
    before = server.sessions.all()
    server.close()
    server.open()
    assert server.sessions.all() == before
    assert server.sessions.signed_session(session.id).session == session


def test_a_session_is_shown_by_its_first_digits() -> None:
    assert short(bytes.fromhex("00112233445566778899")) == "001122334455"
