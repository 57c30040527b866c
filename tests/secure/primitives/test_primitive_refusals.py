# SPDX-License-Identifier: Apache-2.0
"""What shares, coins, seals, the hash and the transfers refuse, to the character."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
import pytest

from ppmf_secure.primitives import base_transfers, hashing, sealing, shares, transfer_extension
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_spec.errors import EncodingError, PpmfError, RangeError, StateError
from tests.support.refusals import refusal_of

ODD = np.array([1, 0], dtype=np.uint64)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.uint64)


@cache
def secret() -> SecretKey:
    return SecretKey.generate(512, Coins.seeded("refusals"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: hashing.check_calls(16385),
            "16385 calls of the hash under one key: at most 16384",
        ),
        (lambda: Coins(bytes(31)), "a Coins key has 32 bytes"),
        (lambda: Coins.seeded("").below(0), "the bound of a uniform integer is at least 1"),
    ],
)
def test_wrong_arguments_are_refused(call: Callable[[], object], message: str) -> None:
    assert refusal_of(call, ValueError) == message


@pytest.mark.req("PPMF-ERR-002")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (
            lambda: shares.check_length(bytes(3), 4, "a message"),
            EncodingError,
            "a message: 3 bytes where 4 are due",
        ),
        (
            lambda: sealing.check_key(bytes(31), "the key"),
            EncodingError,
            "the key: 31 bytes instead of 32",
        ),
        (
            lambda: sealing.check_key(bytes(32), "the key"),
            RangeError,
            "the key: a point of small order",
        ),
        (
            lambda: sealing.check_seal(bytes(81), 32, "the seal"),
            EncodingError,
            "the seal: 81 bytes instead of 80",
        ),
        (
            lambda: sealing.SealingKey(bytes(32)).open(
                (9).to_bytes(32, "little") + bytes(48), b"", 32, "the seal"
            ),
            StateError,
            "the seal: it was made for another key, session or user, or altered",
        ),
        (
            lambda: transfer_extension.ExtensionSender(
                ODD, np.zeros((128, 16), np.uint8), b""
            ).extend(b"", 300),
            EncodingError,
            "OT columns for 300 transfers: 6144 bytes expected, 0 received",
        ),
        (
            lambda: base_transfers.answer(secret().public, b"", Coins.seeded("")),
            EncodingError,
            "base OT request: 0 bytes instead of 16384",
        ),
        (
            lambda: base_transfers.reveal(secret(), b""),
            EncodingError,
            "base OT answer: 0 bytes instead of 5504",
        ),
        (
            lambda: base_transfers.reveal(
                secret(), secret().public.write([secret().public.plain(1 << 384)] * 43)
            ),
            RangeError,
            "base OT answer: the plaintext of ciphertext 0 is too large",
        ),
    ],
)
def test_bad_input_is_refused(
    call: Callable[[], object], error: type[PpmfError], message: str
) -> None:
    assert refusal_of(call, error) == message
