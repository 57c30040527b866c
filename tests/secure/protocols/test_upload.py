# SPDX-License-Identifier: Apache-2.0
"""The upload: messages that users make, RecSys takes and CSP opens, and what each refuses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_reference import rating_code as in_integers
from ppmf_secure.effects import Phase, Receive, Refuse, Send
from ppmf_secure.parties.csp import csp
from ppmf_secure.parties.recsys import recsys
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.primitives.sealing import SealingKey
from ppmf_secure.protocols.upload import (
    SEAL_BYTES,
    Intake,
    consent,
    keystream,
    open_seal,
    plain_bits,
    planes,
    seal_upload,
    upload,
    upload_bytes,
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
from tests.support.sessions import SEALING, consent_keys, session_of

KEY = SEALING
NOTHING = Row(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
"""What a user rated who rated nothing."""


def _session(users: tuple[str, ...] = ("1", "2"), nonce: int = 0) -> Session:
    return session_of(Parameters(rank=1), users, ("7", "8", "9"), "ideal", bytes([nonce] * 16))


def _upload(session: Session, user: str, row: Row, coins: str = "coins") -> wire.Upload:
    return upload(session, user, 1, row, consent_keys(session)[user], Coins.seeded(coins))


@pytest.mark.req("PPMF-ERR-014")
def test_the_fields_of_an_upload_are_looked_at_in_their_order() -> None:
    session = _session()
    good = _upload(session, "1", NOTHING)
    intake = Intake(session)
    intake.take(good)
    cut, small = good.masked[:-1], bytes(SEAL_BYTES)
    for change, error, why in (
        ({"user": "9", "masked": cut, "sealed": small}, RangeError, "not on the user list"),
        ({"masked": cut, "sealed": small}, EncodingError, "masked bits"),
        ({"masked": good.masked[::-1], "sealed": small[1:]}, EncodingError, "seal"),
        ({"masked": good.masked[::-1], "sealed": small}, RangeError, "seal"),
        ({"sealed": good.sealed[:-1] + b"\0"}, StateError, "a second upload"),
    ):
        with pytest.raises(error, match=why):
            intake.take(replace(good, **change))


@pytest.mark.req("PPMF-COD-005", "PPMF-UPL-010", "PPMF-UPL-011", "PPMF-UPL-015")
@given(
    rated=st.dictionaries(st.integers(0, 2), st.integers(-5, 4)),
    serial=st.integers(1, 2**64 - 1),
    coins=st.text("uv", max_size=5),
)
def test_the_two_servers_bits_are_those_of_the_row(
    rated: dict[int, int], serial: int, coins: str
) -> None:
    session = _session()
    row = Row(np.array(list(rated), dtype=np.int64), np.array(list(rated.values()), dtype=np.int64))
    sent = upload(session, "1", serial, row, bytes(32), Coins.seeded(coins))
    assert (sent.user, sent.serial) == ("1", serial)
    seed, approval = open_seal(session, "1", KEY, sent.sealed)
    assert approval == consent(bytes(32), session, "1", serial)
    stream = keystream(session, "1", seed)
    assert len(sent.masked) == len(stream) == upload_bytes(session) == 2
    both = planes(session, sent.masked) ^ planes(session, stream)
    plain = plain_bits(session, row)
    assert both.tolist() == planes(session, plain).tolist()
    assert in_integers.row(plain, 3, session.parameters) == rated


@pytest.mark.req("PPMF-COD-003")
def test_a_rating_off_the_scale_is_not_uploaded() -> None:
    with pytest.raises(RangeError, match="^a rating is none of -5 to 4$"):
        _upload(_session(), "1", Row(np.array([0]), np.array([5])))


@pytest.mark.req("PPMF-UPL-006")
def test_a_retry_is_taken_and_a_second_upload_refused() -> None:
    session = _session()
    intake = Intake(session)
    first = _upload(session, "1", NOTHING)
    intake.take(first)
    intake.take(first)
    assert intake.missing == 1
    with pytest.raises(StateError, match="user 1: a second upload"):
        intake.take(_upload(session, "1", NOTHING, "other coins"))
    intake.take(_upload(session, "2", NOTHING))
    assert intake.missing == 0, "what was taken before stays taken"


@pytest.mark.req("PPMF-UPL-006", "PPMF-ERR-003")
def test_malformed_uploads_name_the_user() -> None:
    session = _session()
    intake = Intake(session)
    good = _upload(session, "1", NOTHING)
    with pytest.raises(RangeError, match="'3': not on the user list"):
        intake.take(replace(good, user="3"))
    with pytest.raises(EncodingError, match="user 1: masked bits: 1 bytes where 2"):
        intake.take(replace(good, masked=good.masked[:-1]))
    with pytest.raises(EncodingError, match="upload of user 1: seal: 111 bytes instead of 112"):
        intake.take(replace(good, sealed=good.sealed[1:]))
    with pytest.raises(RangeError, match="upload of user 1: seal: a point of small order"):
        intake.take(replace(good, sealed=bytes(SEAL_BYTES)))
    assert intake.missing == 2


@pytest.mark.req("PPMF-COD-005")
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
    found = {user: (row.items.tolist(), row.values.tolist()) for user, row in rows.items()}
    assert found == {"1": ([1], [-5]), "2": ([], []), "3": ([0], [wide])}


@pytest.mark.req("PPMF-SES-011")
@pytest.mark.parametrize("key", [None, SealingKey(bytes(range(32)))])
def test_csp_needs_the_key_pair_of_the_session(key: SealingKey | None) -> None:
    program = csp(_session(), ideal_suite(), Coins.seeded("csp"), sealing=key)
    next(program)
    with pytest.raises(StateError, match="CSP has not the key pair for the seals of this session"):
        next(program)


@pytest.mark.req("PPMF-UPL-007")
def test_recsys_waits_for_every_user() -> None:
    session = _session()
    program = recsys(session, ideal_suite(), Coins.seeded("recsys"))
    while not isinstance(next(program), Receive):
        pass
    effect = program.send(_upload(session, "2", NOTHING))
    assert isinstance(effect, Receive)
    effect = program.send(_upload(session, "2", NOTHING, "again"))
    assert isinstance(effect, Refuse), "a bad upload is refused,"
    effect = next(program)
    assert isinstance(effect, Receive), "and costs nobody else's"
    effect = program.send(_upload(session, "1", NOTHING))
    assert isinstance(effect, Send)
    assert effect.to == CSP != RECSYS


@pytest.mark.req("PPMF-ERR-003")
def test_csp_refuses_sealed_seeds_of_another_length() -> None:
    session = _session()
    program = csp(session, ideal_suite(), Coins.seeded("csp"), sealing=KEY)
    effects = [next(program) for _ in range(3)]
    assert [type(effect) for effect in effects] == [Phase, Phase, Receive]
    with pytest.raises(EncodingError, match="^sealed seeds: 239 bytes where 240 are due$"):
        program.send(message_of(wire.SealedSeeds, sealed=bytes(239)))


@pytest.mark.req("PPMF-UPL-006")
@pytest.mark.parametrize("changed", ["masked", "sealed"])
def test_a_second_upload_may_differ_in_neither_part(changed: str) -> None:
    session = _session()
    first, other = (_upload(session, "1", NOTHING, coins) for coins in ("first", "other"))
    intake = Intake(session)
    intake.take(first)
    with pytest.raises(StateError, match="user 1: a second upload, and not the bytes of the first"):
        intake.take(replace(first, **{changed: getattr(other, changed)}))


@pytest.mark.req("PPMF-UPL-006")
def test_a_long_name_of_an_unknown_user_is_cut() -> None:
    intake = Intake(_session())
    with pytest.raises(RangeError, match=f"^upload of '{'x' * 40}': not on the user list$"):
        intake.take(message_of(wire.Upload, user="x" * 50))


@pytest.mark.req("PPMF-UPL-014")
def test_a_user_who_uploads_anew_draws_a_fresh_seed() -> None:
    session, coins = _session(), Coins.seeded("user")
    keys = consent_keys(session)
    first, second = (upload(session, "1", 1, NOTHING, keys["1"], coins) for _ in range(2))
    assert first.masked != second.masked
    assert first.sealed != second.sealed


@pytest.mark.req("PPMF-UPL-010")
def test_masks_differ_by_seed_user_and_session() -> None:
    one = keystream(_session(), "1", bytes(32))
    assert one != keystream(_session(), "2", bytes(32))
    assert one != keystream(_session(nonce=1), "1", bytes(32))
    assert one != keystream(_session(), "1", bytes(31) + b"\1")


@pytest.mark.req("PPMF-UPL-012")
def test_consents_differ_by_key_user_serial_and_session() -> None:
    made = [
        consent(key, _session(nonce=nonce), user, serial)
        for key in (bytes(32), bytes(31) + b"\1")
        for nonce in (0, 1)
        for user in ("1", "2")
        for serial in (1, 2, 256)
    ]
    assert len(set(made)) == len(made) == 24


@pytest.mark.req("PPMF-UPL-013", "PPMF-ERR-003")
def test_a_seal_holds_a_seed_and_a_consent() -> None:
    session = _session()
    sealed = seal_upload(session, "1", b"s" * 32 + b"c" * 32, b"m" * 32)
    assert len(sealed) == SEAL_BYTES == 112
    assert open_seal(session, "1", KEY, sealed) == (b"s" * 32, b"c" * 32)
    for other, user in ((session, "2"), (_session(nonce=1), "1")):
        with pytest.raises(StateError, match=f"^seal of user {user}: it was made for another key"):
            open_seal(other, user, KEY, sealed)
    with pytest.raises(EncodingError, match="^seal of user 1: 111 bytes instead of 112$"):
        open_seal(session, "1", KEY, sealed[1:])
    with pytest.raises(RangeError, match="^seal of user 1: a point of small order$"):
        open_seal(session, "1", KEY, bytes(SEAL_BYTES))
