# SPDX-License-Identifier: Apache-2.0
"""How a session comes about at both servers, every step more than once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import proposals, set_up
from ppmf_service.states import State
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, ParametersError, StateError
from tests.support.services import (
    EXPIRES,
    START,
    Pair,
    proposal_of,
)
from tests.support.sessions import POINTS, SIGNING

USERS = ("u1", "u2", "u3")


def coins() -> Coins:
    return Coins.seeded("tests/sessions")


@pytest.mark.req("PPMF-SRV-006")
def test_a_proposal_is_known_by_its_digest_and_begins_one_session(servers: Pair) -> None:
    proposal, sessions = proposal_of(USERS), servers.csp.sessions
    encoded = strict_cbor.encode(proposal.as_array())
    digest = hashlib.sha256(b"ppmf/v2/proposal/" + encoded).digest()
    row = sessions.propose(proposal)
    assert (row.key, row.proposed, row.id, row.state) == (digest, digest, None, State.PROPOSED)
    assert sessions.proposal(digest) == proposal
    sessions.move(digest, State.ABANDONED)
    assert sessions.propose(proposal).state is State.ABANDONED
    assert len(sessions.all()) == 1
    other = sessions.propose(replace(proposal, nonce=bytes(range(16))))
    assert other.number == row.number + 1
    assert [one.number for one in sessions.active()] == [other.number]


@pytest.mark.req("PPMF-SRV-007")
def test_every_step_may_be_repeated(servers: Pair) -> None:
    recsys, csp, proposal = servers.recsys.sessions, servers.csp.sessions, proposal_of(USERS)
    key = recsys.propose(proposal).key
    with pytest.raises(StateError, match="it is proposed, and has no such part yet"):
        recsys.opened(key)
    csp.propose(proposal)
    found = csp.accept(key, SIGNING["csp"], coins())
    acceptance = csp.acceptance(key)
    for label in ("again", "more"):
        assert csp.accept(key, SIGNING["csp"], Coins.seeded(label)) == found
        assert csp.acceptance(key) == acceptance
    for _ in range(2):
        row = recsys.accepted(key, *acceptance, SIGNING["recsys"])
        assert (row.id, row.state, row.signed) == (found, State.ACCEPTED, True)
    signed = recsys.signed_session(found)
    for _ in range(2):
        assert csp.opened(found, signed.by_recsys).state is State.OPEN
        assert recsys.opened(key).state is State.OPEN
    assert recsys.file(key) == csp.file(found) == set_up.write(signed)
    set_up.check_both(signed)
    assert csp.sealing_key(found).public == acceptance[0].sealing_key
    states = [State.PROPOSED, State.ACCEPTED, State.OPEN]
    for sessions in (recsys, csp):
        assert [event.state for event in sessions.events(found)] == states


@pytest.mark.req("PPMF-SRV-007")
def test_a_second_acceptance_and_other_keys_are_refused(servers: Pair, tmp_path: Path) -> None:
    recsys, csp, proposal = servers.recsys.sessions, servers.csp.sessions, proposal_of(USERS)
    key = recsys.propose(proposal).key
    csp.propose(proposal)
    with pytest.raises(StateError, match="another RecSys"):
        csp.accept(key, SIGNING["csp"], coins(), peer=POINTS["csp"])
    csp.accept(key, SIGNING["csp"], coins(), peer=POINTS["recsys"])
    acceptance, signature = csp.acceptance(key)
    with pytest.raises(StateError, match="another CSP"):
        recsys.accepted(key, acceptance, signature, SIGNING["recsys"], peer=POINTS["recsys"])
    with pytest.raises(StateError, match="another signing key"):
        recsys.accepted(key, acceptance, signature, SIGNING["csp"])
    with pytest.raises(StateError, match="CSP's signature"):
        recsys.accepted(key, acceptance, bytes(64), SIGNING["recsys"])
    with pytest.raises(EncodingError, match="CSP's signature"):
        recsys.accepted(key, acceptance, signature[:-1], SIGNING["recsys"])
    assert recsys.get(key).state is State.PROPOSED
    row = recsys.accepted(key, acceptance, signature, SIGNING["recsys"], peer=POINTS["csp"])
    other = replace(acceptance, nonce=bytes(16))
    with pytest.raises(StateError, match="accepted twice, differently"):
        recsys.accepted(key, other, signature, SIGNING["recsys"])
    assert row.id is not None
    with pytest.raises(StateError, match="RecSys' signature"):
        csp.opened(row.id, signature)
    assert csp.get(key).state is State.ACCEPTED
    assert not csp.get(key).signed


@pytest.mark.req("PPMF-SRV-008")
def test_what_csp_does_not_accept(servers: Pair) -> None:
    csp = servers.csp.sessions

    def accepted(number: int, **more: object) -> None:
        csp.accept(csp.propose(proposal_of(nonce=number, **more)).key, SIGNING["csp"], coins())  # type: ignore[arg-type]

    with pytest.raises(StateError, match="1 of its 4 users have no code"):
        accepted(1, users=(*USERS, "u4"))
    with pytest.raises(ParametersError, match="no suite"):
        accepted(2, users=USERS, suite="ideal-insecure")
    servers.clock.advance(EXPIRES - START)
    with pytest.raises(StateError, match="it has expired"):
        accepted(3, users=USERS)
    assert [row.state for row in csp.all()] == [State.PROPOSED] * 3
    accepted(4, users=USERS, closes=0, expires=0)


def test_csp_has_to_have_a_code_of_each_and_not_a_token(servers: Pair) -> None:
    recsys = servers.recsys.sessions
    row = recsys.propose(proposal_of(USERS))
    with pytest.raises(StateError, match="3 of its 3 users have no code"):
        recsys.accept(row.key, SIGNING["csp"], coins())


def test_times_that_no_database_can_count_are_refused(servers: Pair) -> None:
    proposal = proposal_of(USERS, expires=(1 << 64) - 1)
    with pytest.raises(ParametersError, match="later than this server can count"):
        servers.csp.sessions.propose(proposal)


def test_encodings_are_bounded_and_checked() -> None:
    encoded = proposals.write_proposal(proposal_of(USERS))
    assert proposals.read_proposal(encoded) == proposal_of(USERS)
    for data in (b"", b"\x80", b"\x83\x01\x02\x03", encoded[:-1], encoded + b"\x00"):
        with pytest.raises(EncodingError):
            proposals.read_proposal(data)
        with pytest.raises(EncodingError):
            proposals.read_acceptance(data)
    with pytest.raises(EncodingError, match="more than"):
        proposals.read_proposal(bytes(set_up.MOST_BYTES + 1))
