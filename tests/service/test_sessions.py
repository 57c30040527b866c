# SPDX-License-Identifier: Apache-2.0
"""How a session comes about at both servers, every step more than once."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.admission import write_rows
from ppmf_secure.session import proposals, set_up
from ppmf_secure.session.enrolment import token_digest
from ppmf_service.sessions import MOST_READ, UnknownSessionError, short, took_part
from ppmf_service.states import State
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, ParametersError, PeerError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.services import (
    EXPIRES,
    START,
    Pair,
    opened,
    proposal_of,
    to,
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


def test_few_sessions_are_in_memory_however_many_there_were(servers: Pair) -> None:
    """Each may have a hundred thousand users and items, and expires one day."""
    sessions, members = servers.recsys.sessions, servers.recsys.members
    for nonce in range(MOST_READ + 2):
        session = opened(servers, proposal_of(USERS, nonce=nonce), str(nonce))
        assert sessions.signed_session(session.id).session == session
        assert members.token_row(session.id, token_digest(servers.tokens["u2"])) == 1
    assert len(sessions._read) == len(members._rows) == MOST_READ


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


def finished(servers: Pair, admitted: tuple[int, ...], nonce: int, items: int = 4) -> bytes:
    """A session of these users that was trained."""
    session = opened(servers, proposal_of(USERS, items, nonce=nonce), str(nonce))
    for server in (servers.recsys, servers.csp):
        server.sessions.admit(session.id, write_rows(admitted, 3), remember=server is servers.csp)
        to(server, session, State.CLOSED, State.SETTING_UP, State.TRAINING)
    digest = nonce.to_bytes(32, "big")
    servers.recsys.sessions.publish(session.id, digest)
    receipt = proposals.sign_receipt(SIGNING["recsys"], session.id, digest)
    servers.csp.sessions.receipt(session.id, digest, receipt)
    return session.id


@pytest.mark.req("PPMF-SRV-018")
def test_csp_compares_who_takes_part_with_the_last_training_of_the_same_items(
    servers: Pair,
) -> None:
    sessions = servers.csp.sessions

    def numbers(key: bytes, users: tuple[str, ...]) -> tuple[bytes, int, int, int]:
        found = sessions.difference(key, users)
        assert found is not None
        return found.last, found.joined, found.left, found.stayed

    def digest(key: bytes, users: tuple[str, ...]) -> bytes:
        return sessions.to_show(key, users)

    new = opened(servers, proposal_of(USERS, nonce=99), "new")
    assert sessions.difference(new.id, USERS) is None
    first = finished(servers, (0, 1), 1)
    finished(servers, (0, 1, 2), 2, items=5)  # of other items
    assert numbers(new.id, USERS) == (first, 1, 0, 2)
    assert numbers(new.id, ("u1",)) == (first, 0, 1, 1)
    assert numbers(new.id, ("u3",)) == (first, 1, 2, 0)
    assert digest(new.id, USERS) == digest(new.id, USERS[::-1])
    assert digest(new.id, ("u1",)) != digest(new.id, ("u2",))  # though as many differ
    before = digest(new.id, ("u1", "u2"))
    # an admission is enough: that session may be finished while this one waits
    third = opened(servers, proposal_of(USERS, nonce=3), "3")
    sessions.admit(third.id, write_rows((1, 2), 3), remember=True)
    last = third.id
    assert sessions.difference(third.id, USERS) is None
    assert numbers(new.id, ("u2", "u3")) == (last, 0, 0, 2)
    assert digest(new.id, ("u1", "u2")) != before


@pytest.mark.req("PPMF-SRV-024")
def test_what_is_confirmed_is_what_was_shown(servers: Pair) -> None:
    sessions = servers.csp.sessions
    finished(servers, (0, 1), 1)
    new = opened(servers, proposal_of(USERS, nonce=99), "new")
    sessions.move(new.id, State.CLOSED)
    assert not sessions.get(new.id).to_confirm
    shown, other = (sessions.to_show(new.id, users) for users in (USERS, ("u1",)))
    sessions.show(new.id, shown, StateError("1 joined"))
    row = sessions.get(new.id)
    assert (row.shown, row.last_error, row.to_confirm) == (
        shown,
        ("state", "1 joined"),
        True,
    )
    sessions.show(new.id, other, StateError("1 left"))  # while the operator looked
    with pytest.raises(StateError, match="others would take part now; look again"):
        sessions.confirm(new.id, shown)
    assert sessions.get(new.id).confirmed is None
    sessions.confirm(new.id, other)
    assert not sessions.get(new.id).to_confirm
    sessions.show(new.id, shown, StateError("1 joined"))
    assert sessions.get(new.id).to_confirm


@pytest.mark.req("PPMF-SRV-018")
def test_csp_keeps_digests_of_those_who_took_part(servers: Pair) -> None:
    finished(servers, (0, 2), 1)
    items = strict_cbor.encode(("i1", "i2", "i3", "i4"))
    catalogue = hashlib.sha256(b"ppmf/v2/catalogue/" + items).digest()
    found = {row[0] for row in servers.csp.database.rows("SELECT user FROM trained")}
    due = {
        hashlib.sha256(b"ppmf/v2/took-part/" + catalogue + user).digest() for user in (b"u1", b"u3")
    }
    assert found == due == {took_part(catalogue, user) for user in ("u1", "u3")}


@pytest.mark.req("PPMF-SRV-005")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_server_that_starts_again_knows_its_sessions(servers: Pair, role: Role) -> None:
    session, server = opened(servers), servers.of(role)
    before = server.sessions.all()
    server.close()
    server.open()
    assert server.sessions.all() == before
    assert server.sessions.signed_session(session.id).session == session


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


def test_a_session_is_shown_by_its_first_digits() -> None:
    assert short(bytes.fromhex("00112233445566778899")) == "001122334455"
