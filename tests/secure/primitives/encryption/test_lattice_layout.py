# SPDX-License-Identifier: Apache-2.0
"""Where rows and columns lie in ciphertexts, and rows in answers: small cases by hand."""

from __future__ import annotations

import numpy as np
import pytest

from ppmf_secure.primitives.encryption.interface import Layout, length
from ppmf_secure.primitives.encryption.lattice.layout import (
    GROUPS_AT_ONCE,
    LARGEST_GROUP,
    AnswerPart,
    AnswerShape,
    LatticeContext,
    Packing,
    Segment,
    stored_residues,
)
from ppmf_secure.primitives.encryption.lattice.params import TOY
from tests.support.lattice_schemes import FULL, SMALL

FIRST, SECOND = AnswerPart(0, slice(2, 4), 0, 5), AnswerPart(2, slice(3, 6), 1, 9)


@pytest.mark.req("PPMF-RLW-015")
@pytest.mark.parametrize(
    ("degree", "width", "size"),
    [
        (8192, 0, 128),
        (8192, 1, 128),
        (8192, 64, 128),
        (8192, 65, 64),
        (8192, 943, 8),
        (8192, 1024, 8),
        (8192, 1025, 4),
        (8192, 4096, 2),
        (8192, 4097, 1),
        (8192, 8192, 1),
        (8192, 9000, 1),
        (64, 1, 64),
        (64, 3, 16),
        (64, 32, 2),
        (64, 33, 1),
        (64, 65, 1),
    ],
)
def test_how_many_rows_share_a_ciphertext(degree: int, width: int, size: int) -> None:
    """Bands are as wide as the widest block, or wider; more than 128 rows there never are."""
    assert LARGEST_GROUP == 128
    for blocks in ((width, width), (width, 0), (width // 2, width)):
        packing = Packing.of(degree, Layout(1000, blocks, 1))
        assert (packing.size, packing.band) == (size, degree // size)
        assert packing.groups == -(-1000 // size)


@pytest.mark.req("PPMF-RLW-015")
def test_blocks_are_cut_separately() -> None:
    """Into ciphertexts of eight coefficients: two pieces of the first block, two of the second."""
    packing = Packing.of(8, Layout(3, (10, 16), 1))
    assert packing.segments == [
        Segment(0, slice(0, 8), slice(0, 8), 0),
        Segment(0, slice(8, 10), slice(8, 10), 2),
        Segment(1, slice(0, 8), slice(10, 18), 1),
        Segment(1, slice(8, 16), slice(18, 26), 3),
    ]
    assert [segment.width for segment in packing.segments] == [8, 2, 8, 8]
    assert (packing.secrets, packing.columns, packing.groups) == (4, 26, 3)
    assert stored_residues(packing) == 3 * 8 + 3 * 26
    assert Packing.of(8, Layout(3, (0, 0), 1)).segments == []
    assert [Packing.of(8, Layout(3, blocks, 1)).secrets for blocks in ((), (0, 0), (8, 8))] == [
        *(0, 2, 2),
    ]


@pytest.mark.req("PPMF-RLW-015")
def test_groups_in_batches_of_equally_many_rows() -> None:
    packing = Packing.of(8, Layout(15, (4, 4), 1))
    assert (packing.size, packing.groups) == (2, 8)
    assert list(packing.batches(3)) == [slice(0, 3), slice(3, 6), slice(6, 7), slice(7, 8)]
    assert [packing.rows_of(groups) for groups in packing.batches(4)] == [
        *(slice(0, 8), slice(8, 14), slice(14, 15)),
    ]
    assert list(Packing.of(8, Layout(1, (4, 4), 1)).batches()) == [slice(0, 1)]
    full = Packing.of(8, Layout(16, (4, 4), 1))
    assert list(full.batches()) == [slice(0, 8)]


@pytest.mark.req("PPMF-RLW-008", "PPMF-RLW-011")
def test_an_answer_holds_one_c1_for_a_row_and_what_is_wanted_of_each_block() -> None:
    layout = Layout(3, (5, 7, 9), 1)
    shape = AnswerShape.of(16, layout, [slice(2, 4), slice(4, 4), slice(3, 6)])
    assert shape.rows.tolist() == [2, 3, 4, 5]
    assert shape.rows.dtype == np.intp
    assert shape.parts == (FIRST, SECOND)
    assert [part.shape for part in shape.parts] == [(2, 5), (3, 9)]
    assert [part.rows for part in shape.parts] == [slice(0, 2), slice(1, 4)]
    assert shape.counts == [4 * 16, 2 * 5, 3 * 9]
    numbers = np.arange(2 * 101, dtype=np.int32).reshape(2, 101)
    assert [part.shape for part in shape.split(numbers)] == [(2, 64), (2, 10), (2, 27)]
    assert shape.split(numbers)[2][0, 0] == 74


def test_rows_between_two_uses_are_not_in_an_answer() -> None:
    shape = AnswerShape.of(8, Layout(3, (5, 9), 1), [slice(0, 1), slice(5, 6)])
    assert shape.rows.tolist() == [0, 5]
    assert [part.place for part in shape.parts] == [0, 1]


def test_an_answer_of_which_nothing_is_wanted_is_empty() -> None:
    shape = AnswerShape.of(8, Layout(3, (5, 9), 1), [slice(0, 0), slice(4, 2)])
    assert (shape.rows.tolist(), shape.parts, shape.counts) == ([], (), [0])
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
    """Four rows, from the third of the answer's on."""
    assert AnswerPart(0, slice(10, 14), 2, 5).within(group) == rows


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-004", "PPMF-RLW-006", "PPMF-RLW-011")
def test_lengths_of_what_is_sent() -> None:
    """Seeds of 32 bytes; three residues a word of 8, modulo ten primes, or four in an answer."""
    layout = Layout(3, (30, 0, 10), 1 << 33)  # as many outputs as need all ten primes
    context, scheme = LatticeContext(TOY, [layout]), SMALL.fit([layout])
    assert context.public_bytes() == scheme.key_bytes == 32 + 3 * 8 * 10 * 22
    assert scheme.group_bytes(layout) == [32 + 8 * 10 * 27, 32 + 8 * 10 * 14]
    assert FULL.fit([layout]).group_bytes(layout) == [32 + 8 * 10 * 40]
    uses = [slice(0, 2), slice(0, 0), slice(1, 3)]
    count = 3 * 64 + 2 * 30 + 2 * 10
    assert context.answer_bytes(layout, uses) == 8 * 4 * -(-count // 3)
    assert GROUPS_AT_ONCE == 8  # a question of speed, but of the order of the coins too
    assert context.lattice is TOY
    drawn = context.expand([bytes(32), bytes(range(32))])
    assert drawn.shape == (10, 2, 64)
    assert drawn.dtype == np.int32
    assert context.negacyclic.transform(np.ones(64)).shape == (32,)
    assert context.rounding.lift(np.ones(2, dtype=np.uint64)).tolist() == [[1, 1]] * 10
