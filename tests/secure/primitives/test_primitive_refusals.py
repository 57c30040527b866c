# SPDX-License-Identifier: Apache-2.0
"""What shares, coins, seals, the hash and the transfers refuse, to the character."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ppmf_secure.primitives import hashing, sealing, shares, transfer_extension
from ppmf_secure.primitives.base_transfers import BaseChooser, BaseSender
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError, PpmfError, RangeError, StateError
from tests.support.refusals import refusal_of

ODD = np.array([1, 0], dtype=np.uint64)


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.uint64)


def base_sender() -> BaseSender:
    return BaseSender(b"", Coins.seeded("refusals"))


def base_chooser() -> BaseChooser:
    return BaseChooser(np.zeros(128, np.uint8), b"", Coins.seeded("refusals"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: hashing.check_calls(8193),
            "8193 calls of the hash under one key: at most 8192",
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
            lambda: base_sender().seed_pairs(b""),
            EncodingError,
            "base request: 0 bytes where 8448 are due",
        ),
        (
            lambda: base_sender().seed_pairs(bytes(8448)),
            RangeError,
            "base request: transfer 0: not a point of P-256",
        ),
        (
            lambda: base_chooser().seeds(bytes(34)),
            EncodingError,
            "base answer: 34 bytes where 33 are due",
        ),
        (
            lambda: base_chooser().seeds(bytes(33)),
            RangeError,
            "base answer: not a point of P-256",
        ),
    ],
)
def test_bad_input_is_refused(
    call: Callable[[], object], error: type[PpmfError], message: str
) -> None:
    assert refusal_of(call, error) == message
