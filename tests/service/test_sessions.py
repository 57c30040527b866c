# SPDX-License-Identifier: Apache-2.0
"""The steps of a session's states, and what a session has."""

from __future__ import annotations

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.admission import write_rows
from ppmf_secure.session import proposals, set_up
from ppmf_service.states import State
from ppmf_spec.errors import EncodingError, PeerError, StateError
from tests.support.services import (
    Pair,
    opened,
    to,
)
from tests.support.sessions import SIGNING

USERS = ("u1", "u2", "u3")


def test_progress_and_errors_are_kept_for_the_operator(servers: Pair) -> None:
    session, sessions = opened(servers), servers.recsys.sessions
    to(servers.recsys, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
    sessions.began(session.id, 3)
    sessions.progress(session.id, "users", 5, 20)
    sessions.note_error(session.id, PeerError("csp is away"))
    row = sessions.get(session.id)
    assert (row.epoch, row.phase, row.done, row.total) == (3, "users", 5, 20)
    assert row.last_error == ("peer", "csp is away")
    assert row.state is State.TRAINING
    row = sessions.fail(session.id, StateError("x" * 1000))
    assert row.state is State.FAILED
    assert row.last_error == ("state", "x" * 500)
    assert sessions.events(session.id)[-1].because.startswith("state: xxx")


def test_a_tag_key_is_drawn_once(servers: Pair) -> None:
    session, sessions = opened(servers), servers.recsys.sessions
    first = sessions.tag_key(session.id, Coins.seeded("one"))
    assert sessions.tag_key(session.id, Coins.seeded("two")) == first
    assert len(first) == 32


def test_one_admission_and_one_v(servers: Pair) -> None:
    session, sessions = opened(servers), servers.recsys.sessions
    sessions.admit(session.id, write_rows((0, 2), 3))
    sessions.admit(session.id, write_rows((0, 2), 3))
    with pytest.raises(StateError, match="a second admission"):
        sessions.admit(session.id, write_rows((0,), 3))
    assert sessions.get(session.id).admitted_count == 2
    to(servers.recsys, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
    for _ in range(2):
        assert sessions.publish(session.id, bytes(32)).state is State.FINISHED
    with pytest.raises(StateError, match="a second V"):
        sessions.publish(session.id, bytes(31) + b"\x01")


@pytest.mark.req("PPMF-SRV-016")
def test_a_receipt_is_of_recsys_of_this_session_and_of_one_v(servers: Pair) -> None:
    session, sessions = opened(servers), servers.csp.sessions
    to(servers.csp, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
    digest, other = bytes(range(32)), bytes(32)
    right = proposals.sign_receipt(SIGNING["recsys"], session.id, digest)
    text = b"ppmf/v2/receipt/" + session.id + digest
    assert right == set_up.sign(SIGNING["recsys"], text[16:], label=text[:16])
    for wrong in (
        proposals.sign_receipt(SIGNING["csp"], session.id, digest),
        proposals.sign_receipt(SIGNING["recsys"], bytes(32), digest),
        proposals.sign_receipt(SIGNING["recsys"], session.id, other),
        set_up.sign(SIGNING["recsys"], session.id + digest),
        bytes(64),
    ):
        with pytest.raises(StateError, match="RecSys' receipt"):
            sessions.receipt(session.id, digest, wrong)
    assert sessions.get(session.id).state is State.TRAINING
    for _ in range(2):
        row = sessions.receipt(session.id, digest, right)
        assert (row.state, row.receipt, row.profiles_digest) == (State.FINISHED, right, digest)
    second = proposals.sign_receipt(SIGNING["recsys"], session.id, other)
    with pytest.raises(StateError, match="a second V"):
        sessions.receipt(session.id, other, second)
    with pytest.raises(EncodingError, match="digest of V"):
        sessions.receipt(session.id, digest[:-1], right)
