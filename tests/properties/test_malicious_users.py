# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes users upload, V is F_fix's V for some rows of valid ratings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppmf_reference import fixed, rating_code
from ppmf_secure.effects import Program, Send
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.upload import consent, keystream, seal_upload
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.roles import RECSYS, USERS, Role
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.sessions import consent_keys
from tests.support.three_parties import run_epoch


def upload_of(
    session: Session, user: str, masked: bytes, seed: bytes, serial: int = 1
) -> wire.Upload:
    """The upload of a user who sends these masked bits, with a seal of that seed."""
    payload = seed + consent(consent_keys(session)[user], session, user, serial)
    return wire.Upload(user, serial, masked, seal_upload(session, user, payload, bytes(32)))


def trained(session: Session, uploads: list[wire.Upload]) -> ItemProfiles:
    """V, where the users send these messages."""

    def users() -> Program[None]:
        for each in uploads:
            yield Send(RECSYS, each)

    def change(role: Role, program: Program[Any]) -> Program[Any]:
        return users() if role is USERS else program

    nobody = ratings_of(len(session.users), len(session.items), {})
    results = run_epoch(
        session,
        ideal_suite(),
        lambda role: Coins.seeded(f"malicious/{role}"),
        ratings=nobody,
        change=change,
    )
    found = results[RECSYS]
    assert isinstance(found, ItemProfiles)
    return found


def said(session: Session, uploads: list[wire.Upload], seeds: Mapping[str, bytes]) -> ItemProfiles:
    """F_fix of the rows that the exclusive ors of masked bits and masks are."""
    params, items = session.parameters, len(session.items)
    table = {}
    for row, each in enumerate(uploads):
        mask = keystream(session, each.user, seeds[each.user])
        plain = bytes(a ^ b for a, b in zip(bytes(each.masked), mask, strict=True))
        for item, x in rating_code.row(plain, items, params).items():
            table[row, item] = x
    return fixed.train(ratings_of(len(session.users), items, table), params)
