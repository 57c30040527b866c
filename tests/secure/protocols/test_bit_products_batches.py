# SPDX-License-Identifier: Apache-2.0
"""How the hashes of bit times vector are distributed over batch keys."""

from __future__ import annotations

import pytest

from ppmf_secure.primitives.hashing import MAX_CALLS
from ppmf_secure.protocols.bit_products import _batches, _blocks
from ppmf_secure.protocols.transfers import Site
from ppmf_spec.roles import CSP
from tests.support.two_servers import ideal_transfers


@pytest.mark.req("PPMF-BIT-003", "PPMF-BIT-006")
def test_two_words_take_one_block() -> None:
    assert [_blocks(length) for length in range(1, 6)] == [1, 1, 2, 2, 3]


@pytest.mark.req("PPMF-BIT-003", "PPMF-BIT-006")
@pytest.mark.parametrize("length", [2, 5])
def test_no_batch_key_serves_more_calls_than_it_may(length: int) -> None:
    transfers, _ = ideal_transfers("batches")
    step = MAX_CALLS // (2 * _blocks(length))  # both keys of a transfer, so many blocks each
    rows = 2 * step + 7
    found = [part for _, part in _batches(transfers, Site("test"), CSP, 0, (rows, length))]
    assert found == [slice(0, step), slice(step, 2 * step), slice(2 * step, rows)]
