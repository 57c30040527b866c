# SPDX-License-Identifier: Apache-2.0
"""Messages that show that a party did not draw anew."""

from __future__ import annotations

from typing import Any

import pytest

from ppmf_conformance import cases, party_runs
from ppmf_conformance.fresh_fields import FreshFields
from ppmf_conformance.our_parties import OwnParties
from ppmf_conformance.results import Outcome
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_spec.wire import BaseAnswer, EncryptedRows, ServerKey, TransferColumns, Upload

pytestmark = pytest.mark.req("PPMF-CON-049")

MODULUS = (1 << 128) - 159
"""Of 16 bytes; what the ciphertexts hold is nothing, so that none need be a product of primes."""


def rows(*numbers: int) -> EncryptedRows:
    return EncryptedRows("items", 0, b"".join(n.to_bytes(32, "big") for n in numbers))


def known() -> FreshFields:
    found = FreshFields()
    assert found.fault(ServerKey("paillier-128-insecure", MODULUS.to_bytes(16, "big"))) == ""
    return found


def test_a_field_that_is_not_public_is_sent_once() -> None:
    found = FreshFields()
    assert found.fault(TransferColumns(b"c" * 16)) == ""
    assert found.fault(TransferColumns(b"d" * 16)) == ""
    assert found.fault(TransferColumns(b"c" * 16)) == "columns as in an earlier message"
    assert found.fault(BaseAnswer(b"d" * 16)) == "point as in an earlier message"


def test_short_fields_may_be_the_same_by_chance() -> None:
    found = FreshFields()
    assert found.fault(Upload("a", 1, b"m" * 15, b"s" * 15)) == ""
    assert found.fault(Upload("b", 1, b"m" * 15, b"s" * 15)) == ""


def test_a_key_of_an_earlier_epoch_is_none_of_a_later() -> None:
    found = FreshFields()
    assert found.fault(ServerKey("rlwe-64-insecure", b"k" * 40)) == ""
    again = found.fault(ServerKey("rlwe-64-insecure", b"k" * 40))
    assert again == "product_key as in an earlier message"


def test_a_ciphertext_has_a_randomiser() -> None:
    wrong = known().fault(rows(2, 1 + 5 * MODULUS))
    assert wrong == "ciphertext 1 of rows has no randomiser"


def test_a_ciphertext_has_a_randomiser_of_its_own() -> None:
    found = known()
    assert found.fault(rows(2, 3 + MODULUS)) == ""
    wrong = "ciphertext 0 of rows has the randomiser of another"
    assert found.fault(rows(3 + 2 * MODULUS)) == wrong


def test_rows_of_a_lattice_are_no_ciphertexts_of_paillier() -> None:
    found = FreshFields()
    assert found.fault(ServerKey("rlwe-64-insecure", b"k" * 40)) == ""
    assert found.fault(rows(1, 1 + MODULUS)) == ""


def test_a_server_whose_rows_anybody_can_read_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    (case,) = cases.shipped().pick(["parties/lipschitz-csp"])
    assert party_runs.play(case, OwnParties())[0] is Outcome.PASS

    def unsafe(key: Any, message: int, _: object) -> Any:
        return key.public.plain(message)

    monkeypatch.setattr(SecretKey, "encrypt", unsafe)
    outcome, detail = party_runs.play(case, OwnParties())
    assert outcome is Outcome.FAIL
    assert detail.endswith("encrypted-rows: ciphertext 0 of rows has no randomiser")
