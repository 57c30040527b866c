# SPDX-License-Identifier: Apache-2.0
"""The intake of uploads: durable, repeatable, closed in one step."""

from __future__ import annotations

import threading

import pytest

from ppmf_secure.protocols.admission import IntakeClosedError, SerialError, write_rows
from ppmf_service.session_rows import UnknownSessionError
from ppmf_service.states import State
from ppmf_service.uploads import MOST_SERIAL, Outcome, Receipt, upload_digest
from ppmf_spec.errors import EncodingError, RangeError, StateError
from tests.support.services import (
    CLOSES,
    EXPIRES,
    START,
    Pair,
    message,
    opened,
    proposal_of,
    to,
)


@pytest.mark.req("PPMF-SRV-010", "PPMF-ADM-002")
def test_an_upload_is_taken_repeated_replaced_and_refused_if_older(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    first, second = (message(servers, session, 1, serial) for serial in (1, 2))
    assert uploads.put(session.id, 1, 1, first) is Outcome.CREATED
    assert uploads.put(session.id, 1, 1, first) is Outcome.SAME
    other = message(servers, session, 1, 1, "other")
    with pytest.raises(SerialError, match="a second upload of serial 1"):
        uploads.put(session.id, 1, 1, other)
    assert uploads.put(session.id, 1, 2, second) is Outcome.REPLACED
    with pytest.raises(SerialError, match="serial 1 after 2"):
        uploads.put(session.id, 1, 1, first)
    assert uploads.receipt(session.id, 1) == Receipt(2, upload_digest(second), False, None)
    assert uploads.receipt(session.id, 0) == Receipt(0, b"", False, None)
    assert uploads.count(session.id) == 1


@pytest.mark.req("PPMF-SRV-010", "PPMF-ADM-001")
def test_what_is_not_right_is_refused_and_changes_nothing(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    data = message(servers, session, 1, 2)
    uploads.put(session.id, 1, 2, data)
    other = opened(servers, proposal_of(session.users, nonce=1), "other")
    newer = message(servers, session, 1, 3)
    for row, serial, given, error in (
        (0, 3, newer, RangeError),  # another user's row
        (3, 3, newer, RangeError),  # no user's row
        (-1, 3, newer, RangeError),
        (1, 4, newer, RangeError),  # another serial than its own
        (1, 3, newer[:-1], EncodingError),
        (1, 3, newer + b"\x00", EncodingError),
        (1, 3, b"", EncodingError),
        (1, 3, message(servers, other, 1, 3), StateError),
    ):
        with pytest.raises(error):
            uploads.put(session.id, row, serial, given)
    with pytest.raises(UnknownSessionError):
        uploads.put(bytes(32), 1, 3, newer)
    assert uploads.receipt(session.id, 1) == Receipt(2, upload_digest(data), False, None)
    with pytest.raises(RangeError):
        uploads.receipt(session.id, 3)


@pytest.mark.req("PPMF-SRV-011")
def test_a_withdrawal_has_a_serial_of_its_own(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    uploads.put(session.id, 1, 1, message(servers, session, 1))
    with pytest.raises(SerialError):
        uploads.withdraw(session.id, 1, 1)
    assert uploads.withdraw(session.id, 1, 2) is Outcome.REPLACED
    assert uploads.withdraw(session.id, 1, 2) is Outcome.SAME
    assert uploads.receipt(session.id, 1) == Receipt(2, b"", True, None)
    assert uploads.count(session.id) == 0
    # what was lost on the way and comes late
    for serial in (1, 2):
        with pytest.raises(SerialError):
            uploads.put(session.id, 1, serial, message(servers, session, 1, serial))
    assert uploads.put(session.id, 1, 3, message(servers, session, 1, 3)) is Outcome.CREATED
    with pytest.raises(SerialError):
        uploads.withdraw(session.id, 1, 3)


@pytest.mark.req("PPMF-SRV-011")
def test_a_withdrawal_may_come_first_and_has_bounds(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    assert uploads.withdraw(session.id, 0, 5) is Outcome.CREATED
    with pytest.raises(SerialError):
        uploads.put(session.id, 0, 4, message(servers, session, 0, 4))
    for serial in (0, -1, MOST_SERIAL + 1):
        with pytest.raises(RangeError):
            uploads.withdraw(session.id, 0, serial)
    assert uploads.withdraw(session.id, 0, MOST_SERIAL) is Outcome.REPLACED
    assert uploads.receipt(session.id, 0).serial == MOST_SERIAL


def test_the_largest_serial_is_kept_whole(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    for serial in (255, 256, 1 << 63, MOST_SERIAL):
        uploads.put(session.id, 0, serial, message(servers, session, 0, serial))
        assert uploads.receipt(session.id, 0).serial == serial


@pytest.mark.req("PPMF-SRV-012")
def test_the_closing_holds_every_upload_that_was_acknowledged(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    sent = [message(servers, session, row) for row in range(2)]
    for row, data in enumerate(sent):
        uploads.put(session.id, row, 1, data)
    with pytest.raises(StateError, match="not closed"):
        next(uploads.frozen(session.id))
    assert uploads.freeze(session.id, "all are here") == 2
    assert uploads.freeze(session.id) == 2
    assert servers.recsys.sessions.events(session.id)[-1].because == "all are here"
    assert list(uploads.frozen(session.id)) == sent
    assert uploads.put(session.id, 0, 1, sent[0]) is Outcome.SAME
    with pytest.raises(IntakeClosedError):
        uploads.put(session.id, 2, 1, message(servers, session, 2))
    with pytest.raises(IntakeClosedError):
        uploads.withdraw(session.id, 0, 2)
    assert list(uploads.frozen(session.id)) == sent


@pytest.mark.req("PPMF-SRV-012")
def test_uploads_and_the_closing_at_once(servers: Pair) -> None:
    """Whoever is told that an upload was taken is in the closing, and nobody else."""
    made = opened(servers)
    sent = {row: message(servers, made, row) for row in range(3)}
    taken: set[int] = set()
    start = threading.Barrier(4)

    def put(row: int) -> None:
        start.wait()
        try:
            servers.recsys.uploads.put(made.id, row, 1, sent[row])
        except IntakeClosedError:
            return
        taken.add(row)

    threads = [threading.Thread(target=put, args=(row,)) for row in sent]
    for thread in threads:
        thread.start()
    start.wait()
    servers.recsys.uploads.freeze(made.id)
    for thread in threads:
        thread.join()
    assert list(servers.recsys.uploads.frozen(made.id)) == [sent[row] for row in sorted(taken)]


@pytest.mark.req("PPMF-SRV-012")
@pytest.mark.parametrize("when", [CLOSES, EXPIRES])
def test_the_clock_closes_the_intake_before_anybody_freezes_it(servers: Pair, when: int) -> None:
    closes = 0 if when == EXPIRES else CLOSES
    proposal = proposal_of(servers.recsys.members.users(), closes=closes)
    session, uploads = opened(servers, proposal), servers.recsys.uploads
    servers.clock.advance(when - START - 1)
    data = message(servers, session, 0)
    uploads.put(session.id, 0, 1, data)
    servers.clock.advance(1)
    with pytest.raises(IntakeClosedError):
        uploads.put(session.id, 1, 1, message(servers, session, 1))
    with pytest.raises(IntakeClosedError):
        uploads.withdraw(session.id, 0, 2)
    assert uploads.put(session.id, 0, 1, data) is Outcome.SAME


def test_nothing_is_taken_before_the_session_is_open(servers: Pair) -> None:
    uploads = servers.recsys.uploads
    row = servers.recsys.sessions.propose(proposal_of(servers.recsys.members.users()))
    with pytest.raises(StateError, match="it is proposed"):
        uploads.put(row.key, 0, 1, b"")
    with pytest.raises(StateError, match="it is proposed, not open"):
        uploads.freeze(row.key)
    with pytest.raises(StateError, match="not closed"):
        next(uploads.frozen(row.key))


def test_a_receipt_says_who_was_admitted(servers: Pair) -> None:
    session, server = opened(servers), servers.recsys
    for row in (0, 2):
        server.uploads.put(session.id, row, 1, message(servers, session, row))
    server.uploads.freeze(session.id)
    server.sessions.admit(session.id, write_rows((2,), 3))
    assert [server.uploads.receipt(session.id, row).admitted for row in range(3)] == [
        False,
        False,
        True,
    ]


@pytest.mark.req("PPMF-SRV-020")
def test_an_upload_that_the_disk_damaged_is_found(servers: Pair) -> None:
    session, server = opened(servers), servers.recsys
    data = message(servers, session, 0)
    server.uploads.put(session.id, 0, 1, data)
    server.uploads.freeze(session.id)
    flipped = bytes([*data[:-1], data[-1] ^ 1])
    with server.database.transaction() as connection:
        connection.execute("UPDATE uploads SET message = ?", (flipped,))
    with pytest.raises(EncodingError, match="damaged: an upload of session"):
        list(server.uploads.frozen(session.id))


@pytest.mark.req("PPMF-SRV-005", "PPMF-SRV-010")
def test_a_server_that_starts_again_has_what_it_acknowledged(servers: Pair) -> None:
    session, server = opened(servers), servers.recsys
    data = message(servers, session, 0)
    server.uploads.put(session.id, 0, 1, data)
    server.close()
    server.open()
    assert server.uploads.put(session.id, 0, 1, data) is Outcome.SAME
    server.uploads.freeze(session.id)
    server.close()
    server.open()
    assert server.sessions.get(session.id).state is State.CLOSED
    assert list(server.uploads.frozen(session.id)) == [data]
    to(server, session, State.SETTING_UP, State.TRAINING)
    server.close()
    server.open()
    assert server.sessions.get(session.id).state is State.TRAINING
    assert [event.state for event in server.sessions.events(session.id)] == [
        State.PROPOSED,
        State.ACCEPTED,
        State.OPEN,
        State.CLOSED,
        State.SETTING_UP,
        State.TRAINING,
    ]
