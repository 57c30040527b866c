# SPDX-License-Identifier: Apache-2.0
"""Where columns lie in ciphertexts and rows in answers: small cases by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ppmf_secure.primitives.encryption.interface import Layout, length
from ppmf_secure.primitives.encryption.lattice.layout import (
    ROWS_AT_ONCE,
    AnswerPart,
    LatticeContext,
    Piece,
    Segment,
    answer_pieces,
    pieces,
    residues,
)
from ppmf_secure.primitives.encryption.lattice.params import TOY
from tests.support.lattice_schemes import FULL, SMALL

FOURTEEN = Layout(3, (5, 0, 9), 1)
FIRST = Segment(0, slice(0, 5), slice(0, 5))
SECOND = Segment(2, slice(0, 3), slice(5, 8))
THIRD = Segment(2, slice(3, 9), slice(0, 6))


@pytest.mark.req("PPMF-RLW-006")
def test_columns_fill_ciphertexts_block_after_block() -> None:
    """Fourteen columns of two blocks, and one that has none, in ciphertexts of eight."""
    assert pieces(FOURTEEN, 8) == [
        Piece(slice(0, 8), (FIRST, SECOND)),
        Piece(slice(8, 14), (THIRD,)),
    ]
    assert [piece.used for piece in pieces(FOURTEEN, 8)] == [8, 6]
    assert [segment.width for segment in (FIRST, SECOND, THIRD)] == [5, 3, 6]
    assert pieces(Layout(3, (8, 8), 1), 8) == [
        Piece(slice(0, 8), (Segment(0, slice(0, 8), slice(0, 8)),)),
        Piece(slice(8, 16), (Segment(1, slice(0, 8), slice(0, 8)),)),
    ]
    assert pieces(Layout(3, (0, 0), 1), 8) == pieces(Layout(3, (), 1), 8) == []


@pytest.mark.req("PPMF-RLW-008", "PPMF-RLW-011")
def test_an_answer_holds_what_is_wanted_of_each_ciphertext() -> None:
    found = pieces(FOURTEEN, 8)
    one, two = answer_pieces(found, [slice(2, 4), slice(0, 7), slice(3, 6)])
    assert (one.piece, one.rows.tolist()) == (0, [2, 3, 4, 5])
    assert one.parts == (AnswerPart(FIRST, slice(2, 4), 0), AnswerPart(SECOND, slice(3, 6), 1))
    assert (two.piece, two.rows.tolist()) == (1, [3, 4, 5])
    assert two.parts == (AnswerPart(THIRD, slice(3, 6), 0),)
    assert [part.shape for part in (*one.parts, *two.parts)] == [(2, 5), (3, 3), (3, 6)]
    assert residues([one, two], 8) == (4 * 8 + 2 * 5 + 3 * 3) + (3 * 8 + 3 * 6)
    assert one.rows.dtype == np.intp


def test_rows_between_two_uses_are_not_in_an_answer() -> None:
    (one, _) = answer_pieces(pieces(FOURTEEN, 8), [slice(0, 1), slice(0, 0), slice(5, 6)])
    assert one.rows.tolist() == [0, 5]
    assert [part.place for part in one.parts] == [0, 1]


def test_ciphertexts_of_which_nothing_is_wanted_are_left_out() -> None:
    found = pieces(FOURTEEN, 8)
    (one,) = answer_pieces(found, [slice(0, 1), slice(0, 1), slice(4, 4)])
    assert (one.piece, one.rows.tolist(), one.parts) == (
        0,
        [0],
        (AnswerPart(FIRST, slice(0, 1), 0),),
    )
    assert answer_pieces(found, [slice(0, 0), slice(0, 9), slice(4, 2)]) == []
    assert residues([], 8) == 0
    assert [length(use) for use in (slice(0, 3), slice(2, 2), slice(4, 2))] == [3, 0, 0]


@pytest.mark.parametrize(
    ("group", "rows"),
    [
        (slice(0, 2), slice(0, 0)),
        (slice(1, 3), slice(0, 1)),
        (slice(2, 6), slice(0, 4)),
        (slice(3, 5), slice(1, 3)),
        (slice(5, 9), slice(3, 4)),
        (slice(6, 8), slice(4, 4)),
        (slice(0, 9), slice(0, 4)),
    ],
)
def test_which_rows_of_a_part_are_in_a_group(group: slice, rows: slice) -> None:
    """Four rows, from the third of the ciphertext's on."""
    assert AnswerPart(FIRST, slice(10, 14), 2).within(group) == rows


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-004", "PPMF-RLW-006", "PPMF-RLW-011")
def test_lengths_of_what_is_sent() -> None:
    """Seeds of 32 bytes; three residues a word of 8, modulo ten primes, or four in an answer."""
    context, layout = LatticeContext(TOY), Layout(3, (60, 0, 10), 1)
    assert context.public_bytes() == 32 + 8 * 10 * 22
    assert context.row_bytes(layout) == SMALL.row_bytes(layout) == 32 + 8 * 10 * 24
    assert FULL.row_bytes(layout) == 32 + 8 * 10 * 24
    uses = [slice(0, 2), slice(0, 0), slice(1, 3)]
    count = (3 * 64 + 2 * 60 + 2 * 4) + (2 * 64 + 2 * 6)
    assert context.answer_bytes(layout, uses) == 8 * 4 * -(-count // 3)
    assert ROWS_AT_ONCE == 8  # a question of speed, but of the order of the coins too
    assert context.lattice is TOY
    seeds = [bytes(32), bytes(range(32))]
    drawn = context.expand(seeds, 2)
    assert drawn.shape == (10, 2, 2, 64)
    assert drawn.dtype == np.int32
    assert context.negacyclic.transform(np.ones(64)).shape == (32,)
    assert context.rounding.lift(np.ones(2, dtype=np.uint64)).tolist() == [[1, 1]] * 10
