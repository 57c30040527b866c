# SPDX-License-Identifier: Apache-2.0
"""Bit times vector against its ideal: the product itself, on shares made in the clear."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives import hashing
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.shares import SharedWords, to_bits
from ppmf_secure.protocols.bit_products import times_vectors, to_arithmetic
from ppmf_secure.protocols.transfers import Site, Transfers
from ppmf_spec.errors import EncodingError
from ppmf_spec.wire import TransferPayload
from tests.support.messages import message_of
from tests.support.two_servers import ideal_transfers, ideal_words, run_both

EDGES = (0, 1, 2**63, 2**64 - 1, 2**63 - 1)


def _signed(values: np.ndarray, width: int) -> list[int]:
    return [v - (1 << width) if v >> (width - 1) else v for v in map(int, values)]


@pytest.mark.req("PPMF-BIT-001")
@given(
    width=st.integers(1, 17),
    count=st.integers(1, 9),
    length=st.integers(1, 5),
    signed=st.booleans(),
    label=st.text("abc", max_size=8),
    data=st.data(),
)
def test_shares_of_the_product_add_up(
    width: int, count: int, length: int, signed: bool, label: str, data: st.DataObject
) -> None:
    transfers = ideal_transfers(label)
    values = np.array(
        data.draw(st.lists(st.integers(0, 2**width - 1), min_size=count, max_size=count)),
        dtype=np.uint64,
    )
    entry = st.sampled_from(EDGES) | st.integers(0, 2**64 - 1)
    size = count * length
    vectors = np.array(
        data.draw(st.lists(entry, min_size=size, max_size=size)), dtype=np.uint64
    ).reshape(count, length)
    mine = Coins.seeded(label).words((count, length))
    words = ideal_words(label, transfers, to_bits(values, width))
    site = Site("test")
    results = run_both(
        times_vectors(transfers[0], words[0], mine, site, signed=signed),
        times_vectors(transfers[1], words[1], vectors - mine, site, signed=signed),
    )
    numbers = _signed(values, width) if signed else [int(v) for v in values]
    expected = [[n * int(v) % 2**64 for v in row] for n, row in zip(numbers, vectors, strict=True)]
    assert (results[0] + results[1]).tolist() == expected


@pytest.mark.req("PPMF-BIT-002")
@given(width=st.integers(2, 20), label=st.text("abc", max_size=8), data=st.data())
def test_words_become_arithmetic_shares(width: int, label: str, data: st.DataObject) -> None:
    values = np.array(
        data.draw(st.lists(st.integers(0, 2**width - 1), min_size=1, max_size=20)), dtype=np.uint64
    )
    transfers = ideal_transfers(label)
    words = ideal_words(label, transfers, to_bits(values, width))
    shares = run_both(
        to_arithmetic(transfers[0], words[0], Site("test")),
        to_arithmetic(transfers[1], words[1], Site("test")),
    )
    assert (shares[0] + shares[1]).astype(np.int64).tolist() == _signed(values, width)


def test_many_words_go_in_several_messages() -> None:
    """More words than a chunk, and more hash calls than a batch key may serve."""
    transfers = ideal_transfers("long")
    coins = Coins.seeded("long")
    values, vectors = coins.words(9000) & np.uint64(7), coins.words((9000, 3))
    words = ideal_words("long", transfers, to_bits(values, 3))
    zero = np.zeros_like(vectors)
    results = run_both(
        times_vectors(transfers[0], words[0], vectors, Site("test"), signed=False),
        times_vectors(transfers[1], words[1], zero, Site("test"), signed=False),
    )
    assert np.array_equal(results[0] + results[1], values[:, None] * vectors)


@pytest.mark.req("PPMF-BIT-003")
def test_no_batch_key_is_used_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two uses of the same transfers, in two places of a run, hash under disjoint keys."""
    seen: list[tuple[object, ...]] = []
    original = hashing.BatchKeys.cipher

    def watched(self: hashing.BatchKeys, purpose: str, *indices: int) -> object:
        seen.append((id(self), purpose, indices))
        return original(self, purpose, *indices)

    monkeypatch.setattr(hashing.BatchKeys, "cipher", watched)
    transfers = ideal_transfers("keys")
    coins = Coins.seeded("keys")
    bits = to_bits(coins.words(5000), 2)
    words = ideal_words("keys", transfers, bits)
    vectors = coins.words((5000, 4))
    for index in range(2):
        site = Site("gradient", (index,))
        run_both(
            *(times_vectors(p, w, vectors, site, signed=True) for p, w in _both(transfers, words))
        )
        site = Site("to-arithmetic", (index,))
        run_both(*(to_arithmetic(p, w, site) for p, w in _both(transfers, words)))
    assert len(seen) > 40
    assert len(seen) == len(set(seen))


def _both(
    transfers: tuple[Transfers, Transfers], words: tuple[SharedWords, ...]
) -> Iterator[tuple[Transfers, SharedWords]]:
    return zip(transfers, words, strict=True)


@pytest.mark.req("PPMF-ERR-003")
def test_a_payload_of_the_wrong_length_is_refused() -> None:
    transfers = ideal_transfers("short")
    words = ideal_words("short", transfers, np.ones((3, 2), dtype=np.uint8))
    program = to_arithmetic(transfers[1], words[1], Site("test"))
    program.send(None)
    with pytest.raises(EncodingError, match="transfer payload: 5 bytes where 48 are due"):
        program.send(message_of(TransferPayload, payload=bytes(5)))
