# SPDX-License-Identifier: Apache-2.0
"""How the hashes of bit times vector are distributed over batch keys."""

from __future__ import annotations

import pytest

from ppmf_secure.primitives.hashing import MAX_CALLS
from ppmf_secure.protocols.bit_products import _batches, _blocks, rows_of_a_batch


@pytest.mark.req("PPMF-BIT-003", "PPMF-BIT-008")
def test_two_words_take_one_block() -> None:
    assert [_blocks(length) for length in range(1, 6)] == [1, 1, 2, 2, 3]


@pytest.mark.req("PPMF-BIT-003", "PPMF-BIT-008")
@pytest.mark.parametrize(("length", "rows"), [(1, 4096), (2, 4096), (5, 1365), (11, 682)])
def test_no_batch_key_serves_more_calls_than_it_may(length: int, rows: int) -> None:
    """Both keys of a transfer give so many blocks each."""
    assert rows_of_a_batch(length) == rows
    assert 2 * _blocks(length) * rows <= MAX_CALLS < 2 * _blocks(length) * (rows + 1)
    for count, batches in ((1, 1), (rows, 1), (rows + 1, 2), (2 * rows + 1, 3)):
        found = list(_batches(count, length))
        assert len(found) == batches
        assert [row for part in found for row in range(part.start, part.stop)] == list(range(count))
