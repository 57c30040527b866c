# SPDX-License-Identifier: Apache-2.0
"""The matrix product between two servers against its ideal: the product of the secrets."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ppmf_secure.effects import Program
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, ProductScheme
from ppmf_secure.protocols import ratings_product
from ppmf_secure.protocols.ratings_product import (
    BATCH_BYTES,
    Orientation,
    RatingsProduct,
    orientations,
    set_up_products,
)
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Side
from ppmf_spec.wire import EncryptedRows
from tests.support.ideal import ideal_suite
from tests.support.messages import message_of
from tests.support.two_servers import Words, run_both

NAMES = (CSP, RECSYS)


def _set_up_both(
    chosen: ProductScheme, orientation: Orientation, shares: list[tuple[Words, Words]], label: str
) -> list[RatingsProduct]:
    coins = [Coins.seeded(f"{label}/{me}") for me in NAMES]
    scheme = chosen.fit([orientation.layout])
    keys = [scheme.generate(c) for c in coins]
    programs: list[Program[list[RatingsProduct]]] = [
        set_up_products(
            NAMES[p],
            scheme,
            keys[p],
            scheme.peer(keys[1 - p].public),
            [(orientation, shares[p])],
            coins[p],
        )
        for p in range(2)
    ]
    return [products[0] for products in run_both(*programs)]


@pytest.mark.req("PPMF-PRD-006", "PPMF-PRD-007")
@settings(max_examples=8)
@given(
    rows=st.integers(1, 4),
    width=st.integers(1, 5),
    columns=st.integers(1, 4),
    name=st.sampled_from(["ideal", "paillier-512-insecure", "rlwe-64-insecure"]),
    label=st.text("rs", max_size=4),
)
def test_the_servers_shares_add_up_to_the_product(
    rows: int, width: int, columns: int, name: str, label: str
) -> None:
    chosen = ideal_suite().products if name == "ideal" else cipher_suite(name).products
    uses = (slice(0, columns), slice(0, max(1, columns - 1)))
    orientation = Orientation(Side.USERS, Layout(rows, (width, width), 10_000), uses)
    coins = Coins.seeded(label)
    shares = [(coins.words((rows, width)), coins.words((rows, width))) for _ in range(2)]
    columns_of = [coins.words((columns, rows)) for _ in range(2)]
    products = _set_up_both(chosen, orientation, shares, label)
    results = run_both(*(products[p].of_shares(columns_of[p]) for p in range(2)))
    everything = columns_of[0] + columns_of[1]
    for block, use in enumerate(uses):
        secret = shares[0][block] + shares[1][block]
        assert np.array_equal(results[0][block] + results[1][block], everything[use] @ secret)
    local = [product.of_public(everything) for product in products]
    for block, use in enumerate(uses):
        secret = shares[0][block] + shares[1][block]
        assert np.array_equal(local[0][block] + local[1][block], everything[use] @ secret)


@pytest.mark.req("PPMF-PRD-003")
def test_large_matrices_go_in_several_messages() -> None:
    """A row of the ideal suite is 8 bytes a column, so these take three messages."""
    width = BATCH_BYTES // 32
    orientation = Orientation(Side.ITEMS, Layout(5, (width, width), 1), (slice(0, 1), slice(0, 1)))
    coins = Coins.seeded("large")
    shares = [(coins.words((5, width)), coins.words((5, width))) for _ in range(2)]
    first, second = _set_up_both(ideal_suite().products, orientation, shares, "large")
    x = [coins.words((1, 5)) for _ in range(2)]
    results = run_both(first.of_shares(x[0]), second.of_shares(x[1]))
    expected = (x[0] + x[1]) @ (shares[0][1] + shares[1][1])
    assert np.array_equal(results[0][1] + results[1][1], expected)


@pytest.mark.req("PPMF-PRD-003", "PPMF-ERR-003")
def test_rows_that_are_short_or_out_of_turn_are_refused() -> None:
    orientation = Orientation(Side.USERS, Layout(1, (1, 1), 1), (slice(0, 1), slice(0, 1)))
    chosen = ideal_suite().products.fit([orientation.layout])
    zero = np.zeros((1, 1), dtype=np.uint64)

    def waiting() -> Program[list[RatingsProduct]]:
        key = chosen.generate(Coins.seeded("k"))
        peer = chosen.peer(key.public)
        program = set_up_products(
            CSP, chosen, key, peer, [(orientation, (zero, zero))], Coins.seeded("c")
        )
        program.send(None)
        program.send(None)
        return program

    with pytest.raises(EncodingError, match="encrypted rows packing users from 0: 3 bytes"):
        waiting().send(message_of(EncryptedRows, packing="users", first=0, rows=bytes(3)))
    with pytest.raises(StateError, match="were due, not items from 0"):
        waiting().send(message_of(EncryptedRows, packing="items", first=0, rows=bytes(16)))


@pytest.mark.req("PPMF-PRD-003")
def test_rows_longer_than_a_batch_go_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ratings_product, "BATCH_BYTES", 1)
    assert list(ratings_product.group_batches([8, 8, 8])) == [range(0, 1), range(1, 2), range(2, 3)]


@pytest.mark.req("PPMF-PRD-003")
def test_as_many_groups_in_a_message_as_the_first_allows() -> None:
    """The last group may be shorter; what it leaves is not used."""
    size = BATCH_BYTES // 3
    batches = list(ratings_product.group_batches([size, size, size, size, 9]))
    assert batches == [range(0, 3), range(3, 5)]
    assert list(ratings_product.group_batches([9])) == [range(0, 1)]


@pytest.mark.req("PPMF-PRD-002", "PPMF-PRD-004")
@pytest.mark.parametrize(("bias", "over_w"), [(True, slice(0, 8)), (False, slice(2, 5))])
def test_the_outputs_of_a_run_are_those_of_both_orientations(bias: bool, over_w: slice) -> None:
    """Of rank 2: y_1, y_2, the bias and their products; without a bias the products alone."""
    params = Parameters(rank=2, iterations=3, bias=bias)
    columns = over_w.stop - over_w.start + 2
    for orientation in orientations(params, 7, 5):
        assert orientation.uses == (over_w, slice(0, 2))
        assert orientation.layout.outputs == 3 * columns * 12
