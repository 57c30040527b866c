# SPDX-License-Identifier: Apache-2.0
"""The two halves of an invitation (chapter 8, "Invitations")."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.enrolment import make_token, write_code
from ppmf_secure.session.invitations import (
    CspHalf,
    Invitation,
    RecSysHalf,
    check_url,
    csp_halves,
    join,
    link,
    read_half,
    read_invitation,
    recsys_halves,
)
from ppmf_spec.errors import EncodingError, PpmfError, RangeError, StateError
from ppmf_spec.ids import check_id

TOKEN = make_token(Coins.seeded("invitations"))
RECSYS = RecSysHalf("K7Q2", TOKEN, "https://recsys.example", "https://csp.example/ppmf")
CSP = CspHalf("K7Q2", bytes(range(16)), bytes(range(32)))


def is_id(text: str) -> bool:
    try:
        check_id(text, "id")
    except EncodingError:
        return False
    return True


IDS = st.text(min_size=1, max_size=12).filter(is_id)


@given(IDS)
@pytest.mark.req("PPMF-ENR-009", "PPMF-ENR-010")
def test_a_half_is_read_back_whatever_the_pseudonym(user: str) -> None:
    recsys = RecSysHalf(user, TOKEN, "https://recsys.example", "http://[::1]:8443")
    csp = CspHalf(user, bytes(16), bytes(32))
    for half in (recsys, csp):
        text = half.text()
        assert text.isascii()
        assert not set(text) - set(
            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~%&="
        )
        assert parse_qs(text)["user"] == [user]
        assert read_half(text) == half
        assert read_half(f" \n{link('https://recsys.example', half)}\r\n") == half
    invitation = join(csp, recsys)
    assert invitation == join(recsys, csp) == read_invitation(invitation.text())
    assert invitation.user == user


@pytest.mark.req("PPMF-ENR-009")
def test_the_lines_are_those_of_the_chapter() -> None:
    assert RECSYS.text() == (
        f"ppmf=2&from=recsys&user=K7Q2&token={TOKEN}&recsys=https%3A%2F%2Frecsys.example"
        "&csp=https%3A%2F%2Fcsp.example%2Fppmf"
    )
    assert CSP.text() == (
        f"ppmf=2&from=csp&user=K7Q2&code={write_code(CSP.code)}&key={CSP.csp_key.hex()}"
    )
    assert link("https://recsys.example", CSP) == f"https://recsys.example/#{CSP.text()}"


@given(st.text(max_size=200))
@pytest.mark.req("PPMF-ENR-010")
def test_other_texts_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(PpmfError) as refusal:
        read_half(text)
    assert str(refusal.value).isprintable()


@given(st.sampled_from([RECSYS, CSP]), st.data())
@pytest.mark.req("PPMF-ENR-010")
def test_a_line_that_was_changed_is_another_half_or_refused(
    half: RecSysHalf | CspHalf, data: st.DataObject
) -> None:
    line = half.text()
    at = data.draw(st.integers(0, len(line) - 1))
    other = data.draw(st.sampled_from("aA0%&=#+é \x00"))
    changed = line[:at] + other + line[at + data.draw(st.integers(0, 1)) :]
    shown = ""
    try:
        found = read_half(changed)
        assert found.text() == changed.strip(" \r\n").rpartition("#")[2]
    except PpmfError as refusal:
        shown = str(refusal)
    assert TOKEN[5:15] not in shown
    assert write_code(CSP.code)[5:15] not in shown


@pytest.mark.req("PPMF-ENR-010")
def test_a_long_text_is_refused_before_it_is_read() -> None:
    with pytest.raises(EncodingError, match="more than 4096 characters"):
        read_half("#" + CSP.text() + "&" * 4096)
    with pytest.raises(EncodingError, match="3 lines"):
        read_invitation(f"{CSP.text()}\n{RECSYS.text()}\n{CSP.text()}\n")


@pytest.mark.req("PPMF-ENR-012")
@pytest.mark.parametrize(
    "url",
    [
        "", "recsys.example", "ftp://a", "https://", "https:///a", "https://a/", "https://a/b/",
        "https://a:", "https://a:65536", "https://a:1e3", "https://a:000001", "https://u@a",
        "https://u:p@a", "https://a?b", "https://a/b?c", "https://a/#b", "https://a/b c",
        "https://a/é", "https://é", "https://a\n", "http://a", "http://localhost.example",
        "http://127.0.0.2", "http://[::2]", "https://[::1", "https://[g]", "HTTPS://a",
        f"https://{'a' * 254}",
    ],
)  # fmt: skip
def test_what_is_no_url_of_a_server(url: str) -> None:
    with pytest.raises(ValueError, match="URL is due"):
        check_url(url)
    half = RecSysHalf("u", TOKEN, "https://recsys.example", url)
    with pytest.raises(RangeError, match="URL is due"):
        read_half(half.text())


@pytest.mark.req("PPMF-ENR-012")
@pytest.mark.parametrize(
    "url",
    ["https://a", "https://A.b-c.1:65535/d/e~!$&'()*+,;=:@%41", "http://localhost:1",
     "http://127.0.0.1", "http://[::1]:8443/x", "https://[2001:db8::1]"],
)  # fmt: skip
def test_what_is_one(url: str) -> None:
    check_url(url)


@pytest.mark.req("PPMF-ENR-011")
def test_only_two_halves_of_one_user_are_joined() -> None:
    other = CspHalf("other", CSP.code, CSP.csp_key)
    for pair in ((RECSYS, RECSYS), (CSP, CSP)):
        with pytest.raises(StateError, match="two halves of the same sender"):
            join(*pair)
    with pytest.raises(StateError, match="of different users"):
        join(RECSYS, other)
    with pytest.raises(StateError, match="of different users"):
        join(other, RECSYS)


@pytest.mark.req("PPMF-ENR-001", "PPMF-ENR-006")
def test_every_user_gets_a_token_and_a_code_of_their_own() -> None:
    coins = Coins.seeded("halves")
    users = [f"u{number}" for number in range(50)]
    tokens = recsys_halves(users, coins, "https://a", "https://b")
    codes = csp_halves(users, coins, bytes(32))
    assert [half.user for half in tokens] == [half.user for half in codes] == users
    assert len({half.token for half in tokens}) == len({half.code for half in codes}) == 50


def test_nothing_secret_is_in_the_repr() -> None:
    shown = repr(Invitation(RECSYS, CSP))
    assert TOKEN not in shown
    assert repr(CSP.code) not in shown
    assert "K7Q2" in shown
