# SPDX-License-Identifier: Apache-2.0
"""RecSys' interface with two open sessions, for requests that nearly are right."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ppmf_service.api.users_api import upload_cap, users_app
from ppmf_spec.roles import RECSYS
from tests.support.served import config_of
from tests.support.services import message, opened, pair, proposal_of
from tools.fuzz.interface import Interface
from tools.fuzz.requests import Material


@contextmanager
def opened_interface(folder: Path) -> Iterator[Interface]:
    """The interface, over a database in that folder."""
    servers = pair(folder)
    proposal = proposal_of(servers.recsys.members.users())
    sessions = [
        opened(servers, one) for one in (proposal, replace(proposal, nonce=bytes(15) + b"\1"))
    ]
    messages = [
        message(servers, session, row, serial)
        for session in sessions
        for row in range(len(session.users))
        for serial in (1, 2, 3)
    ]
    digests = [hashlib.sha256(one).hexdigest().encode() for one in messages]
    material = Material(
        [session.id.hex().encode() for session in sessions],
        [servers.tokens[user].encode() for user in sessions[0].users],
        messages,
        digests,
    )
    database = servers.recsys.database
    app = users_app(config_of(RECSYS, folder / "recsys"), database, servers.clock)
    cap = max(upload_cap(session, row) for session in sessions for row in range(3))
    try:
        yield Interface(app, database, cap, material)
    finally:
        servers.close()
