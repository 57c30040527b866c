# SPDX-License-Identifier: Apache-2.0
"""The table of uploads against a model of it, with retries, crashes and new tokens between."""

from __future__ import annotations

import shutil
import tempfile
from functools import cache
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ppmf_secure.protocols.admission import IntakeClosedError, SerialError
from ppmf_secure.session.enrolment import token_digest
from ppmf_service.states import State
from ppmf_service.uploads import Outcome, Receipt, upload_digest
from tests.support.services import Server, message, opened, pair

USERS = 3
ROWS, SERIALS, VARIANTS = st.integers(0, USERS - 1), st.integers(1, 4), st.sampled_from("ab")
Known = tuple[int, bytes | None]
"""The serial of the last that came, and the message, or None for a withdrawal."""


class CrashError(Exception):
    """The process ends here."""


class UploadsByModel(RuleBasedStateMachine):
    """The model: what came last from each user, and whether the intake is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.servers = pair(self.folder / "0")
        self.session = opened(self.servers)
        self.server = self.servers.recsys
        self.known: dict[int, Known] = {}
        self.closed: list[bytes] | None = None
        self.starts = 0
        self.message = cache(
            lambda row, serial, label: message(self.servers, self.session, row, serial, label)
        )

    def teardown(self) -> None:
        self.server.close()
        self.servers.close()
        shutil.rmtree(self.folder)

    def due(self, row: int, serial: int, data: bytes | None) -> Outcome | type[Exception]:
        """What the model answers."""
        last = self.known.get(row)
        if last == (serial, data):
            return Outcome.SAME
        if self.closed is not None:
            return IntakeClosedError
        if last is not None and serial <= last[0]:
            return SerialError
        self.known[row] = (serial, data)
        fresh = last is None or (last[1] is None and data is not None)
        return Outcome.CREATED if fresh else Outcome.REPLACED

    @rule(row=ROWS, serial=SERIALS, label=VARIANTS, again=st.booleans())
    def put(self, row: int, serial: int, label: str, again: bool) -> None:
        data = self.message(row, serial, label)
        for _ in range(1 + again):
            due = self.due(row, serial, data)
            if isinstance(due, Outcome):
                assert self.server.uploads.put(self.session.id, row, serial, data) is due
            else:
                with pytest.raises(due):
                    self.server.uploads.put(self.session.id, row, serial, data)

    @rule(row=ROWS, serial=SERIALS)
    def withdraw(self, row: int, serial: int) -> None:
        due = self.due(row, serial, None)
        if isinstance(due, Outcome):
            assert self.server.uploads.withdraw(self.session.id, row, serial) is due
        else:
            with pytest.raises(due):
                self.server.uploads.withdraw(self.session.id, row, serial)

    @rule(row=ROWS, label=VARIANTS)
    def new_token(self, row: int, label: str) -> None:
        """A lost invitation: what was sent under the old token is withdrawn, with its serial."""
        user = self.session.users[row]
        digest = token_digest("A" * 41 + label.upper() + "A")
        had = self.server.members.token_user(digest)
        if had is not None:
            return
        self.server.members.enrol_tokens({user: digest})
        if row in self.known and self.closed is None:
            self.known[row] = (self.known[row][0], None)

    @precondition(lambda self: self.closed is None)
    @rule()
    def freeze(self) -> None:
        present = [data for _, (_, data) in sorted(self.known.items())]
        self.closed = [data for data in present if data is not None]
        assert self.server.uploads.freeze(self.session.id) == len(self.closed)

    @rule()
    def start_again(self) -> None:
        self.server.close()
        self.server.open()

    @rule(row=ROWS, what=st.sampled_from(["put", "withdraw", "freeze"]))
    def crash(self, row: int, what: str) -> None:
        """The process is killed in the middle of a transaction: its files as they are then are
        found by the next one. What was not committed is gone, and was not acknowledged.
        """
        self.starts += 1
        place = self.folder / str(self.starts)
        serial = self.known.get(row, (0, None))[0] + 1

        def killed() -> None:
            with self.server.database.transaction():
                try:
                    if what == "put":
                        data = self.message(row, serial, "a")
                        self.server.uploads.put(self.session.id, row, serial, data)
                    elif what == "withdraw":
                        self.server.uploads.withdraw(self.session.id, row, serial)
                    else:
                        self.server.uploads.freeze(self.session.id)
                except IntakeClosedError:
                    assert self.closed is not None
                shutil.copytree(self.server.path.parent, place)
                raise CrashError

        with pytest.raises(CrashError):
            killed()
        self.server.close()
        self.server = Server(place, self.servers.clock)

    @invariant()
    def as_the_model_says(self) -> None:
        for row in range(USERS):
            serial, data = self.known.get(row, (0, None))
            digest = b"" if data is None else upload_digest(data)
            withdrawn = data is None and row in self.known
            found = self.server.uploads.receipt(self.session.id, row)
            assert found == Receipt(serial, digest, withdrawn, None)
        present = [one[1] for one in self.known.values() if one[1] is not None]
        assert self.server.uploads.count(self.session.id) == len(present)
        state = self.server.sessions.get(self.session.id).state
        assert state is (State.OPEN if self.closed is None else State.CLOSED)
        if self.closed is not None:
            assert list(self.server.uploads.frozen(self.session.id)) == self.closed


@pytest.mark.req("PPMF-SRV-005", "PPMF-SRV-010", "PPMF-SRV-011", "PPMF-SRV-012", "PPMF-ENR-008")
class TestUploadsByModel(UploadsByModel.TestCase):  # type: ignore[misc,valid-type]
    """Hypothesis draws the steps."""

    settings = settings(max_examples=15, stateful_step_count=25)
