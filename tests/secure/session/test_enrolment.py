# SPDX-License-Identifier: Apache-2.0
"""Codes, check letters, consent keys and tokens (chapter 8, "Enrolment")."""

from __future__ import annotations

import base64
import hashlib
import hmac
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session import enrolment
from ppmf_secure.session.enrolment import (
    ALPHABET,
    check_value,
    consent_key,
    make_code,
    make_pseudonym,
    make_token,
    read_code,
    read_token,
    token_digest,
    write_code,
)
from ppmf_spec.errors import EncodingError
from ppmf_spec.ids import check_id

CODES = st.binary(min_size=16, max_size=16)


@pytest.mark.req("PPMF-ENR-001")
def test_codes_are_16_bytes_of_the_coins() -> None:
    coins = Coins.seeded("codes")
    assert make_code(coins) == Coins.seeded("codes").bytes(16)
    assert make_code(coins) != make_code(coins)


@given(CODES)
@pytest.mark.req("PPMF-ENR-002")
def test_a_code_is_its_bits_five_in_a_letter(code: bytes) -> None:
    letters = write_code(code)
    assert len(letters) == 27
    bits = "".join(f"{ALPHABET.index(letter):05b}" for letter in letters[:26])
    assert bits == "".join(f"{byte:08b}" for byte in code) + "00"
    assert read_code(letters) == code


def times_x(value: int) -> int:
    """The product with x in the field of 32 elements, from its definition."""
    shifted = value << 1
    return shifted ^ 0b100101 if shifted & 0b100000 else shifted


@given(CODES)
@pytest.mark.req("PPMF-ENR-003")
def test_the_check_letter_is_the_sum_of_the_chapter(code: bytes) -> None:
    letters = [ALPHABET.index(letter) for letter in write_code(code)]
    total = 0
    for at, letter in enumerate(letters[:26], start=1):
        term = letter
        for _ in range(27 - at):
            term = times_x(term)
        total ^= term
    assert letters[26] == total == check_value(letters[:26])


@given(CODES, st.integers(0, 26), st.integers(1, 31))
@pytest.mark.req("PPMF-ENR-003", "PPMF-ENR-004")
def test_one_wrong_letter_is_always_found(code: bytes, at: int, change: int) -> None:
    letters = list(write_code(code))
    letters[at] = ALPHABET[ALPHABET.index(letters[at]) ^ change]
    with pytest.raises(EncodingError, match="a letter is wrong|no code ends so"):
        read_code("".join(letters))


@given(CODES)
@pytest.mark.req("PPMF-ENR-003", "PPMF-ENR-004")
def test_two_letters_that_changed_places_are_always_found(code: bytes) -> None:
    letters = write_code(code)
    for first, second in combinations(range(27), 2):
        if letters[first] != letters[second]:
            places = list(letters)
            places[first], places[second] = places[second], places[first]
            with pytest.raises(EncodingError, match="a letter is wrong|no code ends so"):
                read_code("".join(places))


@given(CODES, st.randoms(use_true_random=False))
@pytest.mark.req("PPMF-ENR-004")
def test_a_code_is_read_however_it_is_typed(code: bytes, random: object) -> None:
    import random as library

    assert isinstance(random, library.Random)
    typed = ""
    for letter in write_code(code):
        same = {"1": "1iIlL", "0": "0oO"}.get(letter, letter + letter.lower())
        typed += random.choice(same) + random.choice(["", "-", " ", " - "])
    assert read_code(typed) == code


@given(st.text(max_size=40))
@pytest.mark.req("PPMF-ENR-004")
def test_any_other_text_is_refused_in_a_line_that_does_not_show_it(text: str) -> None:
    refusals = []
    try:
        assert len(read_code(text)) == 16
    except EncodingError as refusal:
        refusals.append(str(refusal))
    assert all(len(text.strip()) < 4 or text.strip() not in shown for shown in refusals)


@given(CODES)
@pytest.mark.req("PPMF-ENR-005")
def test_a_consent_key_is_hkdf_of_the_code(code: bytes) -> None:
    extracted = hmac.digest(bytes(32), code, "sha256")
    due = hmac.digest(extracted, b"ppmf/v2/consent-key/" + b"\x01", "sha256")
    assert consent_key(code) == due


@given(st.binary(min_size=32, max_size=32))
@pytest.mark.req("PPMF-ENR-006")
def test_a_token_is_base64url_and_recsys_keeps_its_hash(secret: bytes) -> None:
    text = base64.urlsafe_b64encode(secret).decode().rstrip("=")
    assert read_token(text) == secret
    assert token_digest(text) == hashlib.sha256(secret).digest()


@pytest.mark.req("PPMF-ENR-006")
def test_tokens_are_drawn_and_other_texts_refused() -> None:
    coins = Coins.seeded("tokens")
    token = make_token(coins)
    assert read_token(token) == Coins.seeded("tokens").bytes(32)
    assert make_token(coins) != token
    for text in ("", token[:-1], token + "=", token + "A", "é" + token[1:], token[:-1] + "\n",
                 "+" + token[1:], "/" + token[1:], token[:20] + " " + token[21:]):  # fmt: skip
        with pytest.raises(EncodingError, match="token: not of the form"):
            read_token(text)
    for last in set("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"):
        if last in "AEIMQUYcgkosw048":
            assert len(read_token(token[:-1] + last)) == 32
        else:
            with pytest.raises(EncodingError):
                read_token(token[:-1] + last)


@pytest.mark.req("PPMF-ENR-007")
def test_pseudonyms_are_ids_and_uniform() -> None:
    coins = Coins.seeded("pseudonyms")
    made = [make_pseudonym(coins) for _ in range(2000)]
    assert len(set(made)) == len(made)
    for pseudonym in made:
        check_id(pseudonym, "pseudonym")
        assert len(pseudonym) == 12
    for at in range(12):
        assert {pseudonym[at] for pseudonym in made} == set(ALPHABET)


def test_the_alphabet_has_32_letters_that_look_different() -> None:
    assert len(set(ALPHABET)) == 32
    assert not set("ILOU") & set(ALPHABET)
    assert enrolment.CODE_LETTERS == 27
