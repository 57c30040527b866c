# SPDX-License-Identifier: Apache-2.0
"""The enrolment that each server keeps, and what a lost invitation costs."""

from __future__ import annotations

import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.admission import Intake, SerialError, examine, read_closing
from ppmf_secure.session.enrolment import consent_key, make_code, make_token, token_digest
from ppmf_secure.session.session import Session
from ppmf_service.states import State
from ppmf_service.uploads import Receipt, read_upload, upload_digest
from ppmf_spec.errors import EncodingError, RangeError
from tests.support.services import Pair, message, opened, proposal_of, to

COINS = Coins.seeded("tests/enrolment")


def admitted(servers: Pair, session: Session) -> set[int]:
    """Whom CSP would admit, of what RecSys has."""
    intake = Intake(session)
    for data in servers.recsys.uploads.frozen(session.id):
        intake.take(read_upload(session, data))
    keys = servers.csp.members.consent_keys(session, COINS)
    sealing = servers.csp.sessions.sealing_key(session.id)
    return set(examine(session, sealing, keys, read_closing(session, intake.close())))


@pytest.mark.req("PPMF-ENR-005", "PPMF-ENR-006")
def test_recsys_keeps_digests_of_tokens_and_csp_consent_keys_and_no_more(servers: Pair) -> None:
    files = {
        role: b"".join(
            path.read_bytes() for path in sorted(server.path.parent.iterdir()) if path.is_file()
        )
        for role, server in (("recsys", servers.recsys), ("csp", servers.csp))
    }
    for user, token in servers.tokens.items():
        digest, code = token_digest(token), servers.codes[user]
        assert digest in files["recsys"]
        assert consent_key(code) in files["csp"]
        assert digest not in files["csp"]
        assert consent_key(code) not in files["recsys"]
        for content in files.values():
            assert token.encode() not in content
            assert code not in content


def test_a_token_leads_to_a_row_of_each_session(servers: Pair) -> None:
    members = servers.recsys.members
    whole = opened(servers)
    part = opened(servers, proposal_of(("u2", "u3"), nonce=1), "part")
    digests = {user: token_digest(token) for user, token in servers.tokens.items()}
    assert [members.token_row(whole.id, digests[user]) for user in whole.users] == [0, 1, 2]
    assert [members.token_row(part.id, digests[user]) for user in whole.users] == [None, 0, 1]
    assert members.token_row(whole.id, bytes(32)) is None
    assert members.token_user(digests["u2"]) == "u2"
    assert members.token_user(bytes(32)) is None


@pytest.mark.req("PPMF-ENR-008")
def test_a_new_token_withdraws_what_was_sent_under_the_old_one(servers: Pair) -> None:
    server = servers.recsys
    session, closed = opened(servers), opened(servers, proposal_of(("u1", "u2"), nonce=1), "2")
    sent = {one.id: message(servers, one, 0, 3) for one in (session, closed)}
    for key, data in sent.items():
        server.uploads.put(key, 0, 3, data)
    server.uploads.put(session.id, 1, 1, message(servers, session, 1))
    server.uploads.freeze(closed.id)
    token = make_token(COINS)
    server.members.enrol_tokens({"u1": token_digest(token)})
    assert server.members.token_user(token_digest(servers.tokens["u1"])) is None
    assert server.members.token_user(token_digest(token)) == "u1"
    assert server.uploads.receipt(session.id, 0) == Receipt(3, b"", True, None)
    assert server.uploads.count(session.id) == 1
    # a closing that was made stays as it is
    digest = upload_digest(sent[closed.id])
    assert server.uploads.receipt(closed.id, 0) == Receipt(3, digest, False, None)
    # whoever has the old bytes cannot bring them back
    with pytest.raises(SerialError):
        server.uploads.put(session.id, 0, 3, sent[session.id])
    server.uploads.put(session.id, 0, 4, message(servers, session, 0, 4))
    # the same token once more is no new one
    server.members.enrol_tokens({"u1": token_digest(token)})
    assert server.uploads.count(session.id) == 2


@pytest.mark.req("PPMF-ENR-008")
def test_what_was_sent_under_an_old_code_is_not_admitted(servers: Pair) -> None:
    session = opened(servers)
    for row in range(3):
        servers.recsys.uploads.put(session.id, row, 1, message(servers, session, row))
    code = make_code(COINS)
    servers.csp.members.enrol_consent_keys({"u2": consent_key(code)})
    servers.codes["u3"] = make_code(COINS)
    servers.csp.members.enrol_consent_keys({"u3": consent_key(servers.codes["u3"])})
    servers.recsys.uploads.put(session.id, 2, 2, message(servers, session, 2, 2))
    servers.recsys.uploads.freeze(session.id)
    assert admitted(servers, session) == {0, 2}


@pytest.mark.req("PPMF-ENR-008")
def test_who_is_removed_takes_no_part(servers: Pair) -> None:
    session = opened(servers)
    for row in range(3):
        servers.recsys.uploads.put(session.id, row, 1, message(servers, session, row))
    servers.recsys.members.remove(["u3", "nobody"])
    assert servers.recsys.uploads.count(session.id) == 2
    assert servers.recsys.members.users() == ("u1", "u2")
    servers.recsys.uploads.freeze(session.id)
    servers.csp.members.remove(["u1"])
    assert admitted(servers, session) == {1}
    first, second = (servers.csp.members.consent_keys(session, COINS) for _ in range(2))
    assert first["u1"] != second["u1"]
    assert first["u2"] == second["u2"] == consent_key(servers.codes["u2"])


def test_an_enrolment_is_kept_whole_or_not_at_all(servers: Pair) -> None:
    members = servers.recsys.members
    for bad, error in (
        ({"u4": bytes(32), " u5": bytes(32)}, EncodingError),
        ({"u4": bytes(32), "u5": bytes(31)}, RangeError),
    ):
        with pytest.raises(error):
            members.enrol_tokens(bad)
    assert members.users() == ("u1", "u2", "u3")
    members.enrol_tokens({"u10": bytes(32)})
    assert members.users() == ("u1", "u10", "u2", "u3")
    assert set(members.enrolled("token")) == {user for user, _ in members.all()}
    assert members.enrolled("consent") == []


def test_a_session_that_ended_is_left_alone(servers: Pair) -> None:
    session = opened(servers)
    servers.recsys.uploads.put(session.id, 0, 1, message(servers, session, 0))
    to(servers.recsys, session, State.ABANDONED)
    servers.recsys.members.enrol_tokens({"u1": bytes(32)})
    assert servers.recsys.uploads.count(session.id) == 1
