# SPDX-License-Identifier: Apache-2.0
"""A proxy that loses, repeats and reorders: nothing that was acknowledged is lost or goes back."""

from __future__ import annotations

import hashlib
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_service import logs, submission
from ppmf_service.client import UserClient
from ppmf_service.clock import SystemClock
from ppmf_service.user_folder import UserFolder
from ppmf_spec.errors import PeerError
from ppmf_spec.roles import RECSYS
from tests.support.faulty_proxy import Fault, FaultyProxy
from tests.support.served import Served, served
from tests.support.services import CLOSES

ACTIONS = st.lists(st.sampled_from(["rate 1", "rate 2", "again", "withdraw"]), max_size=6)
FAULTS = st.lists(st.sampled_from(Fault), max_size=40)


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_log", logs.Log(least=100))


@pytest.mark.req("PPMF-API-005", "PPMF-API-018")
@settings(max_examples=30)
@given(ACTIONS, FAULTS)
def test_whatever_the_proxy_does_the_last_acknowledged_state_stands(
    actions: list[str], faults: list[Fault]
) -> None:
    with tempfile.TemporaryDirectory() as name, served(Path(name)) as servers:
        _play(servers, Path(name) / "user", actions, faults)


def _play(servers: Served, path: Path, actions: list[str], faults: list[Fault]) -> None:
    session = servers.session()
    proxy = FaultyProxy(servers.transport(RECSYS), iter(faults))
    client = servers.client("u1", servers.http(recsys=proxy))
    uploads = servers.pair.recsys.uploads
    stars, present = 3, False
    for action in actions:
        stars = {"rate 1": 1, "rate 2": 2}.get(action, stars)
        before = uploads.receipt(session.id, 0)
        folder = UserFolder(path)  # as a program that is started anew
        try:
            if action == "withdraw":
                if not before.serial:
                    continue
                receipt = submission.withdraw(client, folder, session)
                present = False
            else:
                row = Row(np.array([0]), np.array([stars]))
                receipt = submission.submit(client, folder, session, row, Coins.system()).receipt
                present = True
        except PeerError:
            continue  # no answer: it may have arrived or not
        stored = uploads.receipt(session.id, 0)
        assert (stored.serial, stored.withdrawn) == (receipt.serial, not present)
        assert stored.digest == (receipt.digest or b"")
        assert stored.serial >= before.serial
    last = uploads.receipt(session.id, 0)
    for answer in proxy.deliver_late():
        assert answer.status_code in (200, 201, 404, 409)
    after = uploads.receipt(session.id, 0)
    assert after.serial >= last.serial
    if after.serial == last.serial:
        assert after == last
    servers.pair.clock.advance(max(0, CLOSES - servers.pair.clock.now()))
    uploads.freeze(session.id)
    frozen = [hashlib.sha256(one).digest() for one in uploads.frozen(session.id)]
    assert frozen == ([after.digest] if after.digest else [])


class Hasty(SystemClock):
    """The clock of a program that waits for a hundredth of the time."""

    def sleep(self, seconds: float) -> None:
        """Wait."""
        super().sleep(seconds / 100)


@pytest.mark.req("PPMF-API-008")
def test_many_users_at_once_are_all_stored_and_none_twice(tmp_path: Path) -> None:
    count = 40
    with served(tmp_path, users=count, most_under_way=4) as servers:
        session = servers.session()
        users = session.users

        def one(user: str) -> tuple[int, bytes]:
            folder = UserFolder(tmp_path / f"user {user}")
            row = Row(np.array([0]), np.array([1]))
            address = f"192.0.2.{users.index(user) + 1}"
            client = UserClient(servers.invitation(user), servers.http(address), Hasty())
            sent = submission.submit(client, folder, session, row, Coins.system())
            assert sent.receipt.digest is not None
            return sent.receipt.serial, sent.receipt.digest

        with ThreadPoolExecutor(8) as pool:
            receipts = list(pool.map(one, users))
        uploads = servers.pair.recsys.uploads
        assert uploads.count(session.id) == count
        for row, (serial, digest) in enumerate(receipts):
            found = uploads.receipt(session.id, row)
            assert (serial, found.serial, found.digest) == (1, 1, digest)
        text = servers.metrics.text().decode()
        assert f'ppmf_uploads_total{{outcome="created"}} {count}.0' in text
