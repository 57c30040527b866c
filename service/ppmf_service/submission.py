# SPDX-License-Identifier: GPL-3.0-or-later
"""Uploading as a user's program does it: once, again, another time, or not any more.

Each function may be ended at any moment and called again. What it is about to send is on the disk
before it is sent (PPMF-API-018).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.session.session import Session
from ppmf_service.client import Receipt, UserClient
from ppmf_service.user_folder import Last, UserFolder, made_of
from ppmf_spec.errors import StateError

_MOST_SERIAL = (1 << 64) - 1


@dataclass(frozen=True, slots=True)
class Submitted:
    """What RecSys acknowledged.

    sent: how many bytes the upload has. before: whether RecSys had it already.
    """

    receipt: Receipt
    sent: int
    before: bool


def submit(
    client: UserClient, folder: UserFolder, session: Session, row: Row, coins: Coins
) -> Submitted:
    """Upload a row, in the place of what was uploaded before, if it is another one.

    The same ratings again are the same bytes again, unless RecSys says that something newer came
    from this user. Whoever calls this has asked the user about a trial (PPMF-API-023). Raises as
    `UserClient.put`, `UserFolder.last` and `UserFolder.exclusively`.
    """
    with folder.exclusively():
        return _submit(client, folder, session, row, coins)


def withdraw(client: UserClient, folder: UserFolder, session: Session) -> Receipt:
    """Withdraw what was uploaded. Raises as `submit`, and StateError if nothing was."""
    with folder.exclusively():
        return _withdraw(client, folder, session)


def _submit(
    client: UserClient, folder: UserFolder, session: Session, row: Row, coins: Coins
) -> Submitted:
    made = made_of(client.invitation, row)
    last, there = folder.last(session.id), client.receipt(session)
    if last is not None and last.data and last.made_of == made:
        digest = hashlib.sha256(last.data).digest()
        if there is not None and (there.serial, there.digest) == (last.serial, digest):
            return Submitted(there, len(last.data), before=True)
        if there is None or there.serial < last.serial:
            return _send(client, folder, session, last)
    serial = _next(last, there)
    data = client.make(session, serial, row, coins)
    last = Last(session.id, serial, made, data, acknowledged=False)
    folder.keep(last)
    return _send(client, folder, session, last)


def _withdraw(client: UserClient, folder: UserFolder, session: Session) -> Receipt:
    last, there = folder.last(session.id), client.receipt(session)
    if there is not None and there.withdrawn and (last is None or last.serial <= there.serial):
        return there
    if there is None and last is None:
        raise StateError("nothing was uploaded in this session")
    if last is None or last.data or (there is not None and there.serial > last.serial):
        last = Last(session.id, _next(last, there), b"", b"", acknowledged=False)
        folder.keep(last)
    receipt = client.withdraw(session, last.serial)
    folder.keep(replace(last, acknowledged=True))
    return receipt


def _send(client: UserClient, folder: UserFolder, session: Session, last: Last) -> Submitted:
    client.check_open(session)
    receipt = client.put(session, last.data)
    folder.keep(replace(last, acknowledged=True))
    return Submitted(receipt, len(last.data), before=False)


def _next(last: Last | None, there: Receipt | None) -> int:
    """A serial that is larger than each that was used. Raises StateError if there is none."""
    used = max(0 if last is None else last.serial, 0 if there is None else there.serial)
    if used >= _MOST_SERIAL:
        raise StateError(f"RecSys says that serial {used} was used, and there is none after it")
    return used + 1
