# SPDX-License-Identifier: Apache-2.0
"""A catalogue that was trained before: what CSP compares, shows and lets be confirmed."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from ppmf_secure.protocols.admission import write_rows
from ppmf_secure.session import proposals
from ppmf_service import database
from ppmf_service.states import State
from ppmf_service.trained_before import Difference, took_part
from ppmf_spec import strict_cbor
from ppmf_spec.errors import StateError
from tests.support.services import Pair, opened, pair, proposal_of, to
from tests.support.sessions import SIGNING

USERS = ("u1", "u2", "u3")


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


@pytest.mark.req("PPMF-SRV-028")
def test_csp_compares_who_takes_part_with_every_training_of_the_same_items(servers: Pair) -> None:
    sessions = servers.csp.sessions

    def numbers(key: bytes, users: tuple[str, ...]) -> list[tuple[bytes, int, int, int]]:
        return [
            (one.earlier, one.joined, one.left, one.stayed)
            for one in sessions.differences(key, users)
        ]

    def digest(key: bytes, users: tuple[str, ...]) -> bytes:
        return sessions.to_show(key, users)

    new = opened(servers, proposal_of(USERS, nonce=99), "new")
    assert sessions.differences(new.id, USERS) == []
    assert sessions.trained_before(new.id) == []
    first = finished(servers, (0, 1), 1)
    finished(servers, (0, 1, 2), 2, items=5)  # of other items
    assert numbers(new.id, USERS) == [(first, 1, 0, 2)]
    assert numbers(new.id, ("u1",)) == [(first, 0, 1, 1)]
    assert numbers(new.id, ("u3",)) == [(first, 1, 2, 0)]
    assert digest(new.id, USERS) == digest(new.id, USERS[::-1])
    assert digest(new.id, ("u1",)) != digest(new.id, ("u2",))  # though as many differ
    before = digest(new.id, ("u1", "u2"))
    # an admission is enough: that session may be finished while this one waits
    third = opened(servers, proposal_of(USERS, nonce=3), "3")
    sessions.admit(third.id, write_rows((1, 2), 3), remember=True)
    assert numbers(third.id, ("u2", "u3")) == [(first, 1, 1, 1)]
    assert numbers(new.id, ("u2", "u3")) == [(third.id, 0, 0, 2), (first, 1, 1, 1)]
    assert numbers(new.id, ("u1", "u2")) == [(third.id, 1, 1, 1), (first, 0, 0, 2)]
    assert digest(new.id, ("u1", "u2")) != before


@pytest.mark.req("PPMF-SRV-028")
def test_what_was_kept_by_an_earlier_version_is_compared_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = database.MIGRATIONS
    monkeypatch.setattr(database, "MIGRATIONS", now[:3])  # which kept the last training alone
    servers = pair(tmp_path)
    server, users = servers.csp, USERS[:2]
    number = server.sessions.propose(proposal_of(USERS)).number
    catalogue = server.sessions.all()[0].catalogue
    with server.database.transaction() as connection:
        connection.execute("UPDATE sessions SET id = ?", (bytes(32),))
        connection.executemany(
            "INSERT INTO trained (catalogue, user, session) VALUES (?, ?, ?)",
            [(catalogue, took_part(catalogue, user), number) for user in users],
        )
    server.close()
    monkeypatch.setattr(database, "MIGRATIONS", now)
    server.open()
    new = server.sessions.propose(proposal_of(USERS, nonce=9))
    assert server.sessions.differences(new.key, USERS) == [Difference(bytes(32), 1, 0, 2)]
    servers.close()


@pytest.mark.req("PPMF-SRV-029")
def test_what_is_confirmed_is_what_was_shown(servers: Pair) -> None:
    sessions = servers.csp.sessions
    finished(servers, (0, 1), 1)
    new = opened(servers, proposal_of(USERS, nonce=99), "new")
    sessions.move(new.id, State.CLOSED)
    assert not sessions.get(new.id).to_confirm
    shown, other = (sessions.to_show(new.id, users) for users in (USERS, ("u1",)))
    found = sessions.differences(new.id, USERS)
    sessions.show(new.id, shown, StateError("1 joined"), found)
    assert sessions.shown_differences(new.id) == found
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


@pytest.mark.req("PPMF-SRV-028")
def test_csp_keeps_digests_of_those_who_took_part(servers: Pair) -> None:
    finished(servers, (0, 2), 1)
    items = strict_cbor.encode(("i1", "i2", "i3", "i4"))
    catalogue = hashlib.sha256(b"ppmf/v2/catalogue/" + items).digest()
    found = {row[0] for row in servers.csp.database.rows("SELECT user FROM took_part")}
    due = {
        hashlib.sha256(b"ppmf/v2/took-part/" + catalogue + user).digest() for user in (b"u1", b"u3")
    }
    assert found == due == {took_part(catalogue, user) for user in ("u1", "u3")}
