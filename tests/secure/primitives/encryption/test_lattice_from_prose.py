# SPDX-License-Identifier: Apache-2.0
"""The lattice suites against chapter 4 read with plain integers: each role with each, by bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.owner import RlweOwner
from ppmf_secure.primitives.encryption.lattice.params import STANDARD, TOY
from ppmf_secure.primitives.encryption.lattice.scheme import RlweScheme, rlwe_scheme
from ppmf_spec.errors import EncodingError, RangeError
from tests.support import lattice_by_hand as by_hand
from tests.support.chi_square import deviates
from tests.support.lattice_by_hand import Polynomial, Shape

Words = NDArray[np.uint64]
Shares = dict[tuple[int, int, int], int]

FULL, SMALL = rlwe_scheme("rlwe-8192"), rlwe_scheme("rlwe-64-insecure")
SHAPES = {
    "one piece": Shape(64, 3, (20, 32), 1 << 12, (range(0, 2), range(1, 2))),
    "four pieces": Shape(64, 5, (70, 130), 1 << 12, (range(2, 5), range(0, 3))),
    "a piece unasked": Shape(64, 2, (64, 3), 1, (range(0, 0), range(0, 2))),
    "8192": Shape(8192, 2, (8190, 5), 1 << 22, (range(0, 1), range(0, 2))),
}
LAST = 2**64 - 1


def chosen(shape: Shape) -> RlweScheme:
    return FULL if shape.degree == 8192 else SMALL


def layout(shape: Shape) -> tuple[Layout, tuple[slice, ...]]:
    uses = tuple(slice(use.start, use.stop) for use in shape.uses)
    return Layout(shape.rows, shape.blocks, shape.outputs), uses


@cache
def numbers(case: str) -> tuple[Words, Words]:
    """M and X, with the extreme words in each."""
    shape, coins = SHAPES[case], Coins.seeded(case)
    matrix = coins.words((shape.rows, sum(shape.blocks)))
    x = coins.words((max(use.stop for use in shape.uses), shape.rows))
    matrix[0, :4] = [0, 2**63, LAST, 1]
    x[0, :2] = [2**63, LAST]
    return matrix, x


@cache
def owner(degree: int) -> RlweOwner:
    return (FULL if degree == 8192 else SMALL).generate(Coins.seeded(f"owner/{degree}"))


@cache
def secret(degree: int) -> Polynomial:
    """Of that owner: the product of 1 and its secret."""
    one = np.zeros((1, degree), dtype=np.int32)
    one[0, 0] = 1
    return [int(value) for value in owner(degree)._times_secret(one)[0]]


def by_place(shares: Sequence[Words], shape: Shape) -> Shares:
    """Shares in arrays, by row of X, block, column."""
    return {
        (row, block, column): int(share[row - use.start, column])
        for block, (share, use) in enumerate(zip(shares, shape.uses, strict=True))
        for row in use
        for column in range(share.shape[1])
    }


def check(case: str, one: Shares, other: Shares) -> None:
    shape = SHAPES[case]
    matrix, x = numbers(case)
    starts = [0, *np.cumsum(shape.blocks).tolist()]
    assert set(one) == set(other)
    assert len(one) == sum(
        len(use) * (stop - start)
        for use, (start, stop) in zip(shape.uses, pairwise(starts), strict=True)
    )
    for (row, block, column), share in one.items():
        entries = matrix[:, starts[block] + column].tolist()
        exact = sum(v * m for v, m in zip(x[row].tolist(), entries, strict=True))
        assert (share + other[row, block, column] - exact) % 2**64 == 0


@pytest.mark.req("PPMF-RLW-001")
def test_the_parameters() -> None:
    assert (STANDARD.primes, STANDARD.kept_primes) == (by_hand.PRIMES, by_hand.KEPT)
    assert (TOY.primes, TOY.kept_primes) == (by_hand.PRIMES, by_hand.KEPT)
    assert (STANDARD.degree, TOY.degree) == (8192, 64)


@pytest.mark.req("PPMF-RLW-002")
def test_the_expansion_of_a_seed() -> None:
    """Long enough that words are refused: one in 1600 for the largest prime."""
    seed = bytes(range(7, 39))
    expanded = SMALL._context.expand([seed], 30)[:, 0]
    assert expanded.shape == (10, 30, 64)
    for number, polynomial in enumerate(by_hand.expansion(seed, 30, 64)):
        for residues, p in zip(expanded[:, number].tolist(), by_hand.PRIMES, strict=True):
            assert [r % p for r in residues] == [value % p for value in polynomial]


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-004", "PPMF-RLW-005")
@pytest.mark.parametrize("degree", [64, 8192])
def test_a_public_key(degree: int) -> None:
    public = owner(degree).public
    assert len(public) == 32 + 80 * -(-degree // 3)
    assert set(secret(degree)) == {-1, 0, 1}
    (a,) = by_hand.expansion(public[:32], 1, degree)
    b = by_hand.unpack(public[32:], degree)
    masked = by_hand.product(a, secret(degree))
    errors = [by_hand.centred(v + m) for v, m in zip(b, masked, strict=True)]
    assert max(map(abs, errors)) <= 21
    assert float(np.var(errors)) == pytest.approx(10.5, rel=0.6 if degree == 64 else 0.1)


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-005", "PPMF-RLW-006")
@pytest.mark.parametrize("case", SHAPES)
def test_encrypted_rows(case: str) -> None:
    """Their length, and that nothing but a short error lies between them and the encodings."""
    shape, (matrix, _) = SHAPES[case], numbers(case)
    columns = shape.columns
    errors = []
    for row, data in zip(
        matrix.tolist(),
        owner(shape.degree).encrypt_rows(matrix, layout(shape)[0], Coins.seeded("rows")),
        strict=True,
    ):
        assert len(data) == 32 + 80 * -(-len(columns) // 3)
        masks = [
            value
            for c1 in by_hand.expansion(data[:32], len(shape.pieces), shape.degree)
            for value in by_hand.product(c1, secret(shape.degree))
        ]
        for number, mask, entry in zip(
            by_hand.unpack(data[32:], len(columns)), masks, row, strict=False
        ):
            errors.append(by_hand.centred(number + mask - by_hand.encoding(entry)))
    assert len(errors) == matrix.size
    assert max(map(abs, errors)) <= 21
    assert float(np.var(errors)) == pytest.approx(10.5, rel=0.4)


@pytest.mark.req(
    "PPMF-AHE-002",
    "PPMF-RLW-006",
    "PPMF-RLW-014",
    "PPMF-RLW-008",
    "PPMF-RLW-009",
    "PPMF-RLW-010",
    "PPMF-RLW-011",
)
@pytest.mark.parametrize("case", SHAPES)
def test_our_peer_with_an_owner_from_prose(case: str) -> None:
    """Rows by hand, answered by the program, decrypted by hand."""
    shape, (matrix, x) = SHAPES[case], numbers(case)
    hand = by_hand.Owner(shape.degree, by_hand.Coins(case))
    own = Coins.seeded("own").words(matrix.shape)
    rows = [hand.encrypt_row(row, shape) for row in (matrix - own).tolist()]
    public, uses = layout(shape)
    taken = chosen(shape).peer(hand.public).rows(rows, public, own)
    answer, shares = taken.multiply(x, uses, Coins.seeded("answer"))
    check(case, by_place(shares, shape), hand.decrypt(answer, shape))


@pytest.mark.req(
    "PPMF-AHE-002", "PPMF-RLW-004", "PPMF-RLW-006", "PPMF-RLW-011", "PPMF-RLW-012", "PPMF-RLW-014"
)
@pytest.mark.parametrize("case", SHAPES)
def test_our_owner_with_a_peer_from_prose(case: str) -> None:
    """Rows by the program, answered by hand, decrypted by the program."""
    shape, (matrix, x) = SHAPES[case], numbers(case)
    public, uses = layout(shape)
    own = Coins.seeded("own").words(matrix.shape)
    rows = list(owner(shape.degree).encrypt_rows(matrix - own, public, Coins.seeded("rows")))
    hand = by_hand.Peer(shape.degree, owner(shape.degree).public, by_hand.Coins(case))
    answer, shares = hand.answer(x.tolist(), rows, own.tolist(), shape)
    check(case, by_place(owner(shape.degree).decrypt(answer, public, uses), shape), shares)


@pytest.mark.req("PPMF-RLW-009", "PPMF-RLW-010")
def test_an_answer_holds_the_product_and_a_flood() -> None:
    """Phases less the encoded share: over the whole of [-2^tau, 2^tau), and not beyond."""
    shape = Shape(64, 3, (64,), 1 << 33, (range(0, 8),))
    coins = Coins.seeded("flood")
    x = coins.words((8, 3))
    hand = by_hand.Owner(64, by_hand.Coins("flood"))
    rows = [hand.encrypt_row(row, shape) for row in coins.words((3, 64)).tolist()]
    taken = SMALL.peer(hand.public).rows(rows, layout(shape)[0], coins.words((3, 64)))
    answer, _ = taken.multiply(x, layout(shape)[1], coins)
    found = hand.decrypt(answer, shape)
    values = by_hand.unpack(answer, 2 * 8 * 64, by_hand.KEPT)
    scale, spread = by_hand.Q // by_hand.Q_KEPT, []
    for row in range(8):
        masks = by_hand.product(values[64 * row : 64 * row + 64], hand.secret)
        for k in range(64):
            phase = (values[8 * 64 + 64 * row + k] + masks[k]) * by_hand.Q
            exact = by_hand.encoding(found[row, 0, k])
            spread.append(by_hand.centred(phase // by_hand.Q_KEPT - exact))
    edge = 2**shape.flood_bits
    slack = 2 ** (shape.flood_bits - 40) + 33 * scale
    assert -edge - slack <= min(spread)
    assert max(spread) <= edge + slack
    eighths = [min(7, max(0, (value + edge) * 4 // edge)) for value in spread]
    counts = np.bincount(eighths, minlength=8)
    assert not deviates(counts)


@pytest.mark.req("PPMF-RLW-013")
@pytest.mark.parametrize("what", ["key", "row", "answer"])
def test_a_word_that_does_not_hold_three_residues_is_refused(what: str) -> None:
    """The word p^3 - 1 is the last; p^2 is none where the third residue is a continuation."""
    shape, (matrix, x) = SHAPES["one piece"], numbers("one piece")
    public, uses = layout(shape)
    rows = list(owner(64).encrypt_rows(matrix, public, Coins.seeded("rows")))
    peer = SMALL.peer(owner(64).public)
    answer, _ = peer.rows(rows, public, matrix).multiply(x, uses, Coins.seeded("answer"))
    count, start, good = {
        "key": (64, 32, owner(64).public),
        "row": (20 + 32, 32, rows[0]),
        "answer": (2 * 64 + 2 * 20 + 32, 0, answer),
    }[what]

    def take(data: bytes) -> None:
        if what == "key":
            SMALL.peer(data)
        elif what == "row":
            peer.rows([data, *rows[1:]], public, matrix)
        else:
            owner(64).decrypt(data, public, uses)

    height, p = -(-count // 3), by_hand.PRIMES[0]
    assert 3 * height > count, "there is a continuation"
    take(good[:start] + (p**3 - 1).to_bytes(8, "little") + good[start + 8 :])
    with pytest.raises(RangeError, match="a residue is outside"):
        take(good[:start] + (p**3).to_bytes(8, "little") + good[start + 8 :])
    with pytest.raises(EncodingError, match="bytes where"):
        take(good + bytes(8))
    last = start + 8 * (height - 1)
    with pytest.raises(RangeError, match="a residue is outside"):
        take(good[:last] + (p * p).to_bytes(8, "little") + good[last + 8 :])
