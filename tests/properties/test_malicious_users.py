# SPDX-License-Identifier: Apache-2.0
"""Whatever bytes users upload, V is F_fix's V for some rows of valid ratings."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_reference import fixed, rating_code
from ppmf_secure.effects import Program, Send
from ppmf_secure.parties import training
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.protocols.conversion import convert
from ppmf_secure.protocols.transfers import Transfers
from ppmf_secure.protocols.upload import consent, keystream, seal_upload, upload_bytes
from ppmf_secure.session.checkpoint import RatingShares
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.rating_scale import RatingScale
from ppmf_spec.roles import RECSYS, USERS, Role
from tests.support.ideal import ideal_suite
from tests.support.ratings import ratings_of
from tests.support.sessions import consent_keys, session_of
from tests.support.strategies import small_parameter_sets
from tests.support.three_parties import run_epoch
from tests.support.toy_runs import run_toy


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
    ratings = ratings_of(len(session.users), items, table)
    return fixed.train(replace(ratings, scale=RatingScale.of(params)), params)


SCALES = st.sampled_from(
    [
        {},
        {"rating_frac_bits": 0},
        {"rating_min": Fraction(2), "rating_max": Fraction(2) + Fraction(1, 4)},
        {"rating_frac_bits": 4, "rating_min": Fraction(9, 4), "rating_max": Fraction(29, 8)},
    ]
)
"""Ratings of four bits, of three, of none, and of five whose top bit is no power of two."""


@pytest.mark.req("PPMF-UPL-016", "PPMF-COD-006", "PPMF-CNV-002")
@settings(max_examples=40)
@given(
    params=small_parameter_sets(iterations=2, frac_bits=12),
    scale=SCALES,
    n=st.integers(1, 4),
    m=st.integers(1, 5),
    data=st.data(),
)
def test_any_bytes_change_v_as_some_row_of_ratings_would(
    params: Parameters, scale: dict[str, Any], n: int, m: int, data: st.DataObject
) -> None:
    """Every user sends any masked bits, with a seal of any seed."""
    try:
        params = replace(params, **scale)
        bounds(params, n, m)
    except ParametersError:
        params = Parameters(rank=1, iterations=1, **scale)
    users, items = (tuple(str(number + 1) for number in range(count)) for count in (n, m))
    session = session_of(params, users, items)
    size = upload_bytes(session)
    seeds = {user: data.draw(st.binary(min_size=32, max_size=32)) for user in users}
    uploads = [
        upload_of(session, user, data.draw(st.binary(min_size=size, max_size=size)), seeds[user])
        for user in users
    ]
    assert trained(session, uploads) == said(session, uploads, seeds)


@pytest.mark.req("PPMF-UPL-016")
def test_every_bit_at_once_is_the_highest_rating_of_everything() -> None:
    session = session_of(Parameters(rank=1, iterations=2), ("1", "2"), ("1", "2", "3"))
    seeds = {user: bytes(32) for user in session.users}
    ones = [bytes(byte ^ 255 for byte in keystream(session, u, seeds[u])) for u in session.users]
    uploads = [
        upload_of(session, u, masked, bytes(32)) for u, masked in zip("12", ones, strict=True)
    ]
    highest = ratings_of(2, 3, {(i, j): 4 for i in range(2) for j in range(3)})
    assert trained(session, uploads) == fixed.train(highest, session.parameters)


# -- one loud user ---------------------------------------------------------------------------------

USERS_OF_A_CROWD, ITEMS_OF_A_CROWD = 40, 8
CROWD = Parameters(rank=2, iterations=3)
WHISPER = (5, 3)
"""A user and an item. Whether this user rated it is what the loud one wants to hear in V."""


def crowd() -> dict[tuple[int, int], int]:
    """Ratings of a crowd, of which user 0 rated nothing."""
    draw = np.random.default_rng(1)
    table = {
        (i, j): int(draw.integers(-5, 5))
        for i in range(1, USERS_OF_A_CROWD)
        for j in range(ITEMS_OF_A_CROWD)
        if draw.random() < 0.5
    }
    return {**table, WHISPER: 4}


def change(one: ItemProfiles, other: ItemProfiles) -> int:
    """The largest difference of a factor of two Vs, in units of 2^-f."""
    return int(np.abs(one.factors.astype(np.int64) - other.factors.astype(np.int64)).max())


def heard(own: Mapping[int, int]) -> int:
    """By how much V changes with the whisper, where user 0 has these ratings."""
    table = {**crowd(), **{(0, item): x for item, x in own.items()}}
    silent = {pair: x for pair, x in table.items() if pair != WHISPER}
    both = (ratings_of(USERS_OF_A_CROWD, ITEMS_OF_A_CROWD, one) for one in (table, silent))
    return change(*(fixed.train(one, CROWD) for one in both))


def heard_with_weight(weight: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The same, where user 0 could hand in an arithmetic share of any w, as in version 1."""
    converted = convert

    def forged(transfers: Transfers, *given: Any) -> Program[RatingShares]:
        shares = yield from converted(transfers, *given)
        if transfers.garbles:
            shares.rated[0, [WHISPER[1]]] += np.uint64(weight % (1 << 64))
        return shares

    table = crowd()
    silent = {pair: x for pair, x in table.items() if pair != WHISPER}
    with monkeypatch.context() as patch:
        patch.setattr(training, "convert", forged)
        both = (ratings_of(USERS_OF_A_CROWD, ITEMS_OF_A_CROWD, one) for one in (table, silent))
        return change(*(run_toy(one, CROWD, ideal_suite()) for one in both))


@pytest.mark.req("PPMF-UPL-016")
def test_no_user_hears_more_of_another_than_a_user_with_ratings_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With a weight that is no bit, one user makes V depend on another's rating many times as much
    as it should. Bits of any upload are a row, and with no row is the rating heard so.
    """
    honest = heard({})
    assert heard_with_weight(0, monkeypatch) == honest
    assert heard_with_weight(-16, monkeypatch) > 20 * honest
    draw = Coins.seeded("loud user")
    size = RatingCode.of(CROWD).row_bytes(ITEMS_OF_A_CROWD)
    rows = [rating_code.row(draw.bytes(size), ITEMS_OF_A_CROWD, CROWD) for _ in range(20)]
    assert max(heard(row) for row in rows) <= 2 * honest
