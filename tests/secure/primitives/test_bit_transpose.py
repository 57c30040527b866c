# SPDX-License-Identifier: Apache-2.0
"""The word-parallel transposition against the plain one on unpacked bits."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives.bit_transpose import row_buffer, transpose
from ppmf_secure.primitives.coins import Coins

Words = NDArray[np.uint64]


def _bits(words: Words) -> NDArray[np.uint8]:
    """The bits of each row, lowest of the first word first."""
    return np.unpackbits(np.ascontiguousarray(words).view(np.uint8), axis=1, bitorder="little")


def _transposed(rows: Words) -> Words:
    out = np.empty((64 * rows.shape[1], 2), dtype=np.uint64)
    transpose(rows.copy(), out)
    return out


@given(words=st.integers(0, 40), label=st.text(max_size=8))
def test_the_result_is_the_transpose_of_the_bits(words: int, label: str) -> None:
    rows = Coins.seeded(label).words((128, words))
    assert np.array_equal(_bits(_transposed(rows)), _bits(rows).T)


@given(row=st.integers(0, 127), column=st.integers(0, 191))
def test_a_single_bit_is_transposed_to_its_place(row: int, column: int) -> None:
    rows = np.zeros((128, 3), dtype=np.uint64)
    rows[row, column // 64] = np.uint64(1 << column % 64)
    expected = np.zeros((192, 2), dtype=np.uint64)
    expected[column, row // 64] = np.uint64(1 << row % 64)
    assert np.array_equal(_transposed(rows), expected)


def test_a_row_buffer_gives_what_a_plain_array_gives() -> None:
    plain = Coins.seeded("row buffer").words((128, 64))
    rows = row_buffer(64)
    rows[:] = plain
    out = np.empty((64 * 64, 2), dtype=np.uint64)
    transpose(rows, out)
    assert np.array_equal(out, _transposed(plain))


@given(words=st.integers(0, 2048))
def test_rows_of_a_buffer_start_an_odd_number_of_cache_lines_apart(words: int) -> None:
    buffer = row_buffer(words)
    assert buffer.shape == (128, words)
    assert buffer.strides[0] % 128 == 64
