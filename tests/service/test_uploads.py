# SPDX-License-Identifier: Apache-2.0
"""The intake of uploads: durable, repeatable, closed in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ppmf_secure.protocols.admission import IntakeClosedError, SerialError
from ppmf_service.uploads import Outcome, Receipt, upload_digest
from ppmf_spec.errors import RangeError
from tests.support.services import CLOSES, START, Pair, message, opened, pair


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Pair]:
    made = pair(tmp_path)
    yield made
    made.close()


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
    with pytest.raises(RangeError):
        uploads.put(session.id, 0, 2, second)
    assert uploads.withdraw(session.id, 1, 3) is Outcome.REPLACED
    assert uploads.withdraw(session.id, 1, 3) is Outcome.SAME
    assert uploads.receipt(session.id, 1) == Receipt(3, b"", True, None)
    assert uploads.count(session.id) == 0


def test_the_closing_holds_every_upload_that_was_acknowledged(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    sent = [message(servers, session, row) for row in range(2)]
    for row, data in enumerate(sent):
        uploads.put(session.id, row, 1, data)
    assert uploads.freeze(session.id) == 2
    assert uploads.freeze(session.id) == 2
    assert list(uploads.frozen(session.id)) == sent
    assert uploads.put(session.id, 0, 1, sent[0]) is Outcome.SAME
    with pytest.raises(IntakeClosedError):
        uploads.put(session.id, 2, 1, message(servers, session, 2))


def test_the_clock_closes_the_intake_before_anybody_freezes_it(servers: Pair) -> None:
    session, uploads = opened(servers), servers.recsys.uploads
    servers.clock.advance(CLOSES - START - 1)
    uploads.put(session.id, 0, 1, message(servers, session, 0))
    servers.clock.advance(1)
    with pytest.raises(IntakeClosedError):
        uploads.put(session.id, 1, 1, message(servers, session, 1))
