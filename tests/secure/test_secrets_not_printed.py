# SPDX-License-Identifier: Apache-2.0
"""What holds a secret does not print it: not in a log, a traceback with locals, or a pickle."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import is_dataclass

import numpy as np
import pytest

from ppmf_secure.primitives import sealing, shares
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import SecretKey
from ppmf_secure.protocols import ratings_product, server_state, sub_problem, transfers
from ppmf_secure.session import checkpoint
from tests.support.refusals import refusal_of
from tests.support.two_servers import ideal_transfers, ideal_words

PUBLIC = {transfers.Site, ratings_product.Orientation}
"""The only records of these modules that may be printed: names and public shapes."""

SECRET = [
    record
    for module in (checkpoint, sub_problem, transfers, ratings_product, shares, server_state)
    for record in vars(module).values()
    if isinstance(record, type)
    and is_dataclass(record)
    and record.__module__ == module.__name__
    and record not in PUBLIC
]


@pytest.mark.parametrize("record", SECRET, ids=lambda record: record.__name__)
def test_a_record_of_shares_or_keys_has_no_repr_of_its_own(record: type) -> None:
    assert "__repr__" not in vars(record)


def test_the_records_of_secrets_are_found() -> None:
    assert {record.__name__ for record in SECRET} >= {
        "Transfers",
        "SharedWords",
        "SharedSide",
        "SubProblem",
    }


def test_offsets_keys_and_coins_are_not_printed() -> None:
    transfers = ideal_transfers("repr")
    words = ideal_words("repr", transfers, np.ones((2, 2), dtype=np.uint8))
    text = repr((transfers, words, Coins.seeded("x"), SecretKey.generate(512, Coins.seeded("k"))))
    for number in (*transfers[0].offset, *words[0].sender_keys.ravel()):
        assert str(number) not in text


@pytest.mark.req("PPMF-ERR-002")
@pytest.mark.parametrize(
    "key",
    [lambda: SecretKey.generate(512, Coins.seeded("k")), lambda: sealing.SealingKey(bytes(32))],
)
def test_secret_keys_are_not_pickled(key: Callable[[], object]) -> None:
    message = refusal_of(lambda: pickle.dumps(key()), TypeError)
    assert message == "a secret key is not to be pickled"
