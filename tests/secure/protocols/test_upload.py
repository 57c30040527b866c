# SPDX-License-Identifier: Apache-2.0
"""The upload: messages that users make, RecSys takes and CSP opens, and what each refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.effects import Phase, Receive, Refuse, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.parties.users import users
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.upload import (
    SEALED_BYTES,
    Intake,
    expand_seed,
    open_seed,
    upload,
    user_rows,
)
from ppmf_secure.session.session import Session
from ppmf_spec import wire
from ppmf_spec.errors import EncodingError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.rating_scale import DEFAULT_SCALE
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS
from tests.support.ideal import ideal_suite
from tests.support.messages import message_of

KEY = SealingKey.generate(Coins.seeded("test key"))
ROWS = np.zeros((2, 3), dtype=np.uint64)
"""Those of a user who rated nothing, over three items."""


def _session(users: tuple[str, ...] = ("1", "2"), nonce: int = 0) -> Session:
    return Session(Parameters(rank=1), users, ("7", "8", "9"), "ideal", bytes([nonce] * 16))


def _upload(session: Session, user: str, rows: np.ndarray, coins: str = "coins") -> wire.Upload:
    return upload(session, user, rows, KEY.public, Coins.seeded(coins))


@pytest.mark.req("PPMF-ERR-014")
def test_the_fields_of_an_upload_are_looked_at_in_their_order() -> None:
    session = _session()
    good = _upload(session, "1", ROWS)
    intake = Intake(session)
    intake.take(good)
    cut, small = good.masked[:-1], bytes(SEALED_BYTES)
    for change, error, why in (
        ({"user": "9", "masked": cut, "sealed": small}, RangeError, "not on the user list"),
        ({"masked": cut, "sealed": small}, EncodingError, "masked rows"),
        ({"masked": good.masked[::-1], "sealed": small[1:]}, EncodingError, "sealed seed"),
        ({"masked": good.masked[::-1], "sealed": small}, RangeError, "sealed seed"),
        ({"sealed": good.sealed[:-1] + b"\0"}, StateError, "a second upload"),
    ):
        with pytest.raises(error, match=why):
            intake.take(replace(good, **change))


@pytest.mark.req("PPMF-UPL-001", "PPMF-UPL-003")
@given(
    w=st.lists(st.integers(0, 1), min_size=3, max_size=3),
    x=st.lists(st.integers(-5, 4), min_size=3, max_size=3),
    coins=st.text("uv", max_size=5),
)
def test_the_two_servers_shares_are_the_rows(w: list[int], x: list[int], coins: str) -> None:
    session = _session()
    rows = np.array([w, x], dtype=np.int64).astype(np.uint64)
    intake = Intake(session)
    for user in session.users:
        intake.take(_upload(session, user, rows, coins + user))
    assert intake.missing == 0
    shares = intake.shares()
    sealed = intake.sealed_seeds()
    for row, user in enumerate(session.users):
        seed = open_seed(session, user, KEY, sealed[row * SEALED_BYTES : (row + 1) * SEALED_BYTES])
        mask = expand_seed(session, user, seed)
        assert (shares.rated[row] + mask[0]).tolist() == w
        assert (shares.rating[row] + mask[1]).astype(np.int64).tolist() == x


@pytest.mark.req("PPMF-UPL-006")
def test_a_retry_is_taken_and_a_second_upload_refused() -> None:
    session = _session()
    intake = Intake(session)
    first = _upload(session, "1", ROWS)
    intake.take(first)
    intake.take(first)
    assert intake.missing == 1
    with pytest.raises(StateError, match="user 1: a second upload"):
        intake.take(_upload(session, "1", ROWS, "other coins"))
    intake.take(_upload(session, "2", ROWS))
    assert intake.missing == 0, "what was taken before stays taken"


@pytest.mark.req("PPMF-UPL-008")
def test_a_seed_is_bound_to_its_session_and_user() -> None:
    session = _session()
    sealed = _upload(session, "1", ROWS).sealed
    open_seed(session, "1", KEY, sealed)
    with pytest.raises(StateError, match="user 2: it was made for another key, session or user"):
        open_seed(session, "2", KEY, sealed)
    with pytest.raises(StateError, match="user 1: it was made for another key, session or user"):
        open_seed(_session(nonce=1), "1", KEY, sealed)


@pytest.mark.req("PPMF-UPL-006", "PPMF-ERR-003")
def test_malformed_uploads_name_the_user() -> None:
    session = _session()
    intake = Intake(session)
    good = _upload(session, "1", ROWS)
    with pytest.raises(RangeError, match="'3': not on the user list"):
        intake.take(replace(good, user="3"))
    with pytest.raises(EncodingError, match="user 1: masked rows: 47 bytes where 48"):
        intake.take(replace(good, masked=good.masked[:-1]))
    with pytest.raises(EncodingError, match="seed of user 1: 79 bytes instead of 80"):
        intake.take(replace(good, sealed=good.sealed[1:]))
    with pytest.raises(RangeError, match="seed of user 1: a point of small order"):
        intake.take(replace(good, sealed=bytes(SEALED_BYTES)))
    assert intake.missing == 2


@pytest.mark.req("PPMF-UPL-001")
def test_rows_of_users_with_and_without_ratings() -> None:
    wide = 2**53 + 1  # no binary64, through which a cast could go
    ratings = Ratings(
        users=("1", "2", "3"),
        items=("1", "2"),
        user=np.array([0, 2]),
        item=np.array([1, 0]),
        value=np.array([-5, wide]),
        scale=replace(DEFAULT_SCALE, highest=Fraction(wide)),
    )
    rows = dict(user_rows(ratings))
    assert list(rows) == ["1", "2", "3"]
    assert rows["1"].astype(np.int64).tolist() == [[0, 1], [0, -5]]
    assert rows["2"].tolist() == [[0, 0], [0, 0]]
    assert rows["3"].astype(np.int64).tolist() == [[1, 0], [wide, 0]]


@pytest.mark.req("PPMF-UPL-009", "PPMF-ERR-003")
@pytest.mark.parametrize(
    ("key", "error", "message"),
    [
        (bytes(31), EncodingError, "^CSP's key for seals: 31 bytes"),
        (bytes(32), RangeError, "^CSP's key for seals: "),
    ],
)
def test_users_refuse_an_invalid_key_for_seals(
    key: bytes, error: type[Exception], message: str
) -> None:
    program = users(_session(), [("1", ROWS)], Coins.seeded("u"))
    assert [type(next(program)) for _ in range(2)] == [Phase, Receive]
    with pytest.raises(error, match=message):
        program.send(message_of(wire.UserKey, key=key))


@pytest.mark.req("PPMF-UPL-007")
def test_recsys_waits_for_every_user() -> None:
    session = _session()
    program = recsys(session, ideal_suite(), Coins.seeded("recsys"))
    while not isinstance(next(program), Receive):
        pass
    effect = program.send(_upload(session, "2", ROWS))
    assert isinstance(effect, Receive)
    effect = program.send(_upload(session, "2", ROWS, "again"))
    assert isinstance(effect, Refuse), "a bad upload is refused,"
    effect = next(program)
    assert isinstance(effect, Receive), "and costs nobody else's"
    effect = program.send(_upload(session, "1", ROWS))
    assert isinstance(effect, Send)
    assert effect.to == CSP != RECSYS


@pytest.mark.req("PPMF-UPL-009", "PPMF-ERR-003")
def test_csp_refuses_sealed_seeds_of_another_length() -> None:
    session = _session()
    program = csp(session, ideal_suite(), Coins.seeded("csp"))
    effects = [next(program) for _ in range(4)]
    assert [type(effect) for effect in effects[:3]] == [Phase, Send, Phase]
    with pytest.raises(EncodingError, match="^sealed seeds: 159 bytes where 160 are due$"):
        program.send(message_of(wire.SealedSeeds, sealed=bytes(159)))


@pytest.mark.req("PPMF-UPL-006")
@pytest.mark.parametrize("changed", ["masked", "sealed"])
def test_a_second_upload_may_differ_in_neither_part(changed: str) -> None:
    session = _session()
    first, other = (_upload(session, "1", ROWS, coins) for coins in ("first", "other"))
    intake = Intake(session)
    intake.take(first)
    with pytest.raises(StateError, match="user 1: a second upload, and not the bytes of the first"):
        intake.take(replace(first, **{changed: getattr(other, changed)}))


@pytest.mark.req("PPMF-UPL-006")
def test_a_long_name_of_an_unknown_user_is_cut() -> None:
    intake = Intake(_session())
    with pytest.raises(RangeError, match=f"^upload of '{'x' * 40}': not on the user list$"):
        intake.take(message_of(wire.Upload, user="x" * 50))


@pytest.mark.req("PPMF-UPL-005")
def test_a_user_who_uploads_anew_draws_a_fresh_seed() -> None:
    session, coins = _session(), Coins.seeded("user")
    first, second = (upload(session, "1", ROWS, KEY.public, coins) for _ in range(2))
    assert first.masked != second.masked
    assert first.sealed != second.sealed
