# SPDX-License-Identifier: Apache-2.0
"""The set-up of a session: signatures, and the file that users fetch and servers keep."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.base_transfers import private_key
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import set_up
from ppmf_secure.session.proposals import read_proposal
from ppmf_secure.session.set_up import MOST_BYTES, agree, check_signature, read, sign, write
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, ParametersError, PpmfError, StateError
from ppmf_spec.parameters import Parameters
from tests.support.p256_by_hand import ORDER, G, encode, times
from tests.support.sessions import POINTS, SIGNING, session_of, signed

SESSION = session_of(
    Parameters(rank=1), ("1", "é"), ("7", "8"), closes=3, expires=9, addresses=("https://a",)
)
FILE = write(signed(SESSION))


@pytest.mark.req("PPMF-SES-012")
@pytest.mark.parametrize("secret", [1, 2, ORDER - 1, 0xC9AFA9D845BA75166B5C215767B1D693])
def test_a_signature_is_that_of_rfc_6979(secret: int) -> None:
    """By hand: RFC 6979, section 3.2, for SHA-256 on P-256, and the formulas of ECDSA."""
    text = b"ppmf/v2/accept/" + SESSION.id
    digest = hashlib.sha256(text).digest()
    z = int.from_bytes(digest, "big")
    material = secret.to_bytes(32, "big") + (z % ORDER).to_bytes(32, "big")
    key, value = bytes(32), b"\1" * 32
    for mark in (b"\0", b"\1"):
        key = hmac.digest(key, value + mark + material, "sha256")
        value = hmac.digest(key, value, "sha256")
    value = hmac.digest(key, value, "sha256")
    k = int.from_bytes(value, "big")
    assert 0 < k < ORDER, "the first candidate nearly always does"
    r = int.from_bytes(encode(times(k, G))[1:], "big") % ORDER
    s = pow(k, -1, ORDER) * (z + r * secret) % ORDER
    made = sign(private_key(secret.to_bytes(32, "big")), SESSION.id)
    assert made == r.to_bytes(32, "big") + s.to_bytes(32, "big")
    check_signature(encode(times(secret, G)), SESSION.id, made, "here")


@pytest.mark.req("PPMF-SES-012")
def test_a_signature_of_another_session_or_key_is_refused() -> None:
    made = sign(SIGNING["csp"], SESSION.id)
    check_signature(POINTS["csp"], SESSION.id, made, "here")
    with pytest.raises(StateError, match="^here: made for another session, or with another key$"):
        check_signature(POINTS["csp"], bytes(32), made, "here")
    with pytest.raises(StateError, match="^here: "):
        check_signature(POINTS["recsys"], SESSION.id, made, "here")
    with pytest.raises(EncodingError, match="^here: 63 bytes where 64 are due"):
        check_signature(POINTS["csp"], SESSION.id, made[:-1], "here")
    with pytest.raises(StateError, match="^here: "):
        check_signature(POINTS["csp"], SESSION.id, b"\xff" * 64, "here")


@pytest.mark.req("PPMF-SES-013")
def test_a_file_comes_back() -> None:
    found = read(FILE)
    assert found == signed(SESSION)
    assert (found.session.id, write(found)) == (SESSION.id, FILE)


@pytest.mark.req("PPMF-SES-013")
@given(at=st.integers(0, 8 * len(FILE) - 1))
def test_a_file_with_one_bit_changed_is_refused(at: int) -> None:
    changed = bytearray(FILE)
    changed[at // 8] ^= 1 << at % 8
    with pytest.raises(PpmfError):
        read(bytes(changed))


@pytest.mark.req("PPMF-SES-013")
@given(data=st.binary(max_size=400))
def test_bytes_that_are_no_file_are_refused(data: bytes) -> None:
    with pytest.raises(EncodingError, match="^session file: "):
        read(data)


@pytest.mark.req("PPMF-SES-013")
def test_a_file_that_is_too_long_is_refused_before_it_is_parsed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(strict_cbor, "decode", None)
    with pytest.raises(EncodingError, match=f"more than {MOST_BYTES} bytes"):
        read(bytes(MOST_BYTES + 1))


@pytest.mark.req("PPMF-SES-016")
@pytest.mark.parametrize(
    "data",
    [
        b"\x85\x6eppmf-session/2\x8b\x60\x9a" + ((1 << 21) + 100).to_bytes(4, "big"),
        b"\x85\x6eppmf-session/2\x8b\x60\x80\x9a" + (1 << 25).to_bytes(4, "big"),
        b"\x85\x6eppmf-session/2\x8b\x60" + b"\x9a\0\x10\0\0" + b"\x61a" * 5,
    ],
)
def test_a_file_that_lists_more_than_a_session_has_is_read_no_further(data: bytes) -> None:
    """What follows the head of a list that is too long is not looked at, and so costs no time."""
    said = "more items than there can be" if len(data) < 30 else "cut short"
    with pytest.raises(EncodingError, match=said):
        read(data)
    with pytest.raises(EncodingError, match=said):
        read_proposal(data[16:])


@pytest.mark.req("PPMF-SES-009", "PPMF-SES-013")
@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (b"rank = 1", b"rank =1 ", "not in their canonical text"),
        (b"rank = 1", b"rank = x", "not TOML"),
        (b"\x65ideal\x02", b"\x65ideal\x00", "least = 0: must be at least 1"),
        (b"\x65ideal\x02", b"\x65ideal\x03", "least = 3: must be from 2 to 2"),
    ],
)
def test_a_file_of_a_session_that_cannot_be_is_refused(old: bytes, new: bytes, line: str) -> None:
    assert FILE.count(old) == 1
    with pytest.raises(ParametersError, match=line):
        read(FILE.replace(old, new))


@pytest.mark.req("PPMF-SES-012")
def test_a_file_needs_the_signatures_of_both() -> None:
    good = signed(SESSION)
    with pytest.raises(StateError, match="^RecSys' signature: "):
        read(write(replace(good, by_recsys=good.by_csp)))
    with pytest.raises(StateError, match="^CSP's signature: "):
        read(write(replace(good, by_csp=good.by_recsys)))


@pytest.mark.req("PPMF-SES-010", "PPMF-SES-011")
def test_each_server_draws_its_own_part() -> None:
    def made(recsys: str, csp: str) -> set_up.Agreed:
        coins = (Coins.seeded(each) for each in (recsys, csp))
        lists = ("1", "2"), ("7",)
        return agree(Parameters(rank=1), *lists, "ideal", recsys=next(coins), csp=next(coins))

    one, other_csp, other_recsys = made("a", "b"), made("a", "c"), made("d", "b")
    assert one.session.proposal == other_csp.session.proposal
    assert one.session.acceptance == other_recsys.session.acceptance
    mine, theirs = one.session.acceptance, other_csp.session.acceptance
    assert mine.nonce != theirs.nonce
    assert mine.sealing_key != theirs.sealing_key
    assert mine.signing_key != theirs.signing_key
    assert one.sealing.public == mine.sealing_key
    assert one.session.proposal.nonce != other_recsys.session.proposal.nonce
    assert one.session.proposal.signing_key != other_recsys.session.proposal.signing_key
    read(write(one.signed))
    assert "SealingKey" not in repr(one)
