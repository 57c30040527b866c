# SPDX-License-Identifier: Apache-2.0
"""The upload: messages that users make, RecSys takes and CSP opens, and what each refuses."""

from __future__ import annotations

import hmac
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_reference import rating_code as in_integers
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.protocols.upload import (
    SEAL_BYTES,
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
from tests.support.chi_square import bytes_deviate
from tests.support.sessions import SEALING, consent_keys, session_of

KEY = SEALING
NOTHING = Row(np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64))
"""What a user rated who rated nothing."""


def _session(users: tuple[str, ...] = ("1", "2"), nonce: int = 0) -> Session:
    return session_of(Parameters(rank=1), users, ("7", "8", "9"), "ideal", bytes([nonce] * 16))


def _upload(session: Session, user: str, row: Row, coins: str = "coins") -> wire.Upload:
    return upload(session, user, 1, row, consent_keys(session)[user], Coins.seeded(coins))


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


@pytest.mark.req("PPMF-WIR-008", "PPMF-COD-005")
def test_an_upload_of_1682_items_has_1216_bytes() -> None:
    session = session_of(Parameters(), ("1", "2"), tuple(map(str, range(1, 1683))))
    sent = _upload(session, "1", NOTHING)
    assert (len(sent.masked), len(sent.sealed)) == (1052, 112)
    assert len(wire.encode(wire.Envelope(session.id, 0, 0, sent))) == 1216


@pytest.mark.req("PPMF-COD-003")
def test_a_rating_off_the_scale_is_not_uploaded() -> None:
    with pytest.raises(RangeError, match="^a rating is none of -5 to 4$"):
        _upload(_session(), "1", Row(np.array([0]), np.array([5])))


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


@pytest.mark.req("PPMF-UPL-014")
def test_a_user_who_uploads_anew_draws_a_fresh_seed() -> None:
    session, coins = _session(), Coins.seeded("user")
    keys = consent_keys(session)
    first, second = (upload(session, "1", 1, NOTHING, keys["1"], coins) for _ in range(2))
    assert first.masked != second.masked
    assert first.sealed != second.sealed


@pytest.mark.req("PPMF-UPL-010", "PPMF-UPL-011")
@pytest.mark.parametrize("rated", [0, 400])
def test_masked_bits_look_uniform(rated: int) -> None:
    """Of a user who rated nothing and of one who rated everything alike, upload after upload."""
    session = session_of(Parameters(rank=1), ("1", "2"), tuple(map(str, range(400))))
    row = Row(np.arange(rated), np.full(rated, 4))
    coins = Coins.seeded(f"uniform {rated}")
    sent = [upload(session, "1", 1, row, bytes(32), coins) for _ in range(40)]
    assert not bytes_deviate(b"".join(bytes(each.masked) for each in sent))


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


@pytest.mark.req("PPMF-UPL-012", "PPMF-UPL-013")
def test_what_consents_and_seals_are_bound_to() -> None:
    session, key = _session(), bytes(range(32))
    text = b"ppmf/v2/consent/" + session.id + b"\1\2\0\0\0\0\0\0" + "é".encode()
    assert consent(key, session, "é", 513) == hmac.digest(key, text, "sha256")
    sealed = seal_upload(session, "é", b"s" * 32 + b"c" * 32, b"m" * 32)
    info = b"ppmf/v2/seal/" + session.id + "é".encode()
    assert KEY.open(sealed, info, 64, "seal") == b"s" * 32 + b"c" * 32


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
