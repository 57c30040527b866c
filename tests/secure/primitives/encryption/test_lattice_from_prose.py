# SPDX-License-Identifier: Apache-2.0
"""The lattice suites against chapter 4 read with plain integers: each role with each, by bytes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice.owner import RlweOwner
from ppmf_secure.primitives.encryption.lattice.params import STANDARD, TOY
from ppmf_secure.primitives.encryption.lattice.scheme import FittedRlwe
from ppmf_spec.errors import EncodingError, RangeError
from tests.support import lattice_by_hand as by_hand
from tests.support.chi_square import deviates
from tests.support.lattice_by_hand import Polynomial, Shape
from tests.support.lattice_schemes import FULL, SMALL, secrets_of

Words = NDArray[np.uint64]
Shares = dict[tuple[int, int, int], int]

SHAPES = {
    "two rows a group": Shape(64, 3, 20, 1 << 12, (range(2), range(1, 2))),
    "full groups": Shape(64, 16, 8, 1 << 12, (range(1, 3), range(2))),
    "a band a coefficient": Shape(64, 65, 1, 1, (range(1), range(2))),
    "the least that fills a ciphertext": Shape(64, 3, 33, 1, (range(1), range(1, 2))),
    "a whole ciphertext": Shape(64, 2, 64, 1, (range(2), range(1))),
    "three pieces": Shape(64, 5, 130, 1 << 12, (range(2, 5), range(3))),
    "a block unasked": Shape(64, 2, 66, 1, (range(0), range(2))),
    "8192, the largest groups": Shape(8192, 130, 64, 1 << 22, (range(1), range(2))),
    "8192, groups of two": Shape(8192, 3, 4096, 1 << 22, (range(1), range(1))),
    "8192, two pieces": Shape(8192, 2, 8195, 1 << 22, (range(1), range(1))),
    "a ring of 46 bits": Shape(64, 9, 20, 1 << 20, (range(3), range(2)), 46),
    "the narrowest ring": Shape(64, 3, 70, 1, (range(1, 3), range(2)), 32),
    "8192, a ring of 47 bits": Shape(8192, 40, 300, 1 << 20, (range(2), range(1)), 47),
}
GROUPS = {
    "two rows a group": (2, 2),
    "full groups": (8, 2),
    "a band a coefficient": (64, 2),
    "the least that fills a ciphertext": (1, 3),
    "three pieces": (1, 5),
    "8192, the largest groups": (128, 2),
    "8192, groups of two": (2, 2),
}
"""Rows of a group, and groups, as they were counted by hand."""
LAST = 2**64 - 1


def layout(shape: Shape) -> Layout:
    return Layout(shape.rows, (shape.width, shape.width), shape.outputs, shape.ring)


def uses(shape: Shape) -> tuple[slice, ...]:
    return tuple(slice(use.start, use.stop) for use in shape.uses)


def fitted(shape: Shape) -> FittedRlwe:
    return (FULL if shape.degree == 8192 else SMALL).fit([layout(shape)])


@cache
def numbers(case: str) -> tuple[Words, Words, Words]:
    """M, P's share of it, and X, with the extreme words in M and X."""
    shape, coins = SHAPES[case], Coins.seeded(case)
    matrix, own = coins.words((2, shape.rows, 2 * shape.width))
    x = coins.words((max(use.stop for use in shape.uses), shape.rows))
    matrix[0, :2] = [2**63, LAST]
    matrix[-1, -2:] = [0, 1]
    x[0, :2] = [2**63, LAST]
    return matrix, own, x


@cache
def owner(case: str) -> RlweOwner:
    return fitted(SHAPES[case]).generate(Coins.seeded("owner"))


@cache
def secrets(case: str) -> list[Polynomial]:
    """Of that owner: the products of 1 and its secrets."""
    return [[int(value) for value in secret] for secret in secrets_of(owner(case))]


@cache
def rows(case: str) -> list[bytes]:
    """The groups in which that owner encrypts its share."""
    matrix, own, _ = numbers(case)
    encrypted = owner(case).encrypt_rows(matrix - own, layout(SHAPES[case]), Coins.seeded("rows"))
    return list(encrypted)


def by_place(shares: Sequence[Words], shape: Shape) -> Shares:
    """Shares in arrays, by row of X, block, column."""
    return {
        (row, block, column): int(share[row - use.start, column])
        for block, (share, use) in enumerate(zip(shares, shape.uses, strict=True))
        for row in use
        for column in range(shape.width)
    }


def check(case: str, one: Shares, other: Shares) -> None:
    shape = SHAPES[case]
    matrix, _, x = numbers(case)
    assert set(one) == set(other)
    assert len(one) == sum(len(use) for use in shape.uses) * shape.width
    for (row, block, column), share in one.items():
        entries = matrix[:, block * shape.width + column].tolist()
        exact = sum(v * m for v, m in zip(x[row].tolist(), entries, strict=True))
        assert 0 <= share < 2**shape.ring
        assert (share + other[row, block, column] - exact) % 2**shape.ring == 0


@pytest.mark.req("PPMF-RLW-001")
def test_the_parameters() -> None:
    assert STANDARD.primes == TOY.primes == by_hand.PRIMES
    assert (STANDARD.degree, TOY.degree) == (8192, 64)


@pytest.mark.req("PPMF-RLW-002")
def test_the_expansion_of_a_seed() -> None:
    """Long enough that words are refused: one in 1600 for the largest prime."""
    seed = bytes(range(7, 39))
    shape = SHAPES["8192, two pieces"]
    expanded = fitted(shape).context.expand([seed])[:, 0]
    assert expanded.shape == (len(shape.primes), 8192)
    polynomial = by_hand.expansion(seed, 8192, shape.primes)
    for residues, p in zip(expanded.tolist(), shape.primes, strict=True):
        assert [r % p for r in residues] == [value % p for value in polynomial]


@pytest.mark.req("PPMF-RLW-017")
@pytest.mark.parametrize("case", SHAPES)
def test_how_many_primes_a_session_has(case: str) -> None:
    lattice = fitted(SHAPES[case]).lattice
    assert (lattice.primes, lattice.kept_primes) == SHAPES[case].moduli


@pytest.mark.req("PPMF-RLW-015")
@pytest.mark.parametrize("case", GROUPS)
def test_how_rows_are_packed(case: str) -> None:
    shape = SHAPES[case]
    packing = fitted(shape).context.packing(layout(shape))
    assert (packing.size, packing.groups) == (shape.group, shape.groups) == GROUPS[case]


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-004", "PPMF-RLW-005")
@pytest.mark.parametrize("case", ["two rows a group", "three pieces", "8192, two pieces"])
def test_a_public_key(case: str) -> None:
    """A b for each secret: two, or two for each piece; all with one a."""
    shape, public = SHAPES[case], owner(case).public
    degree, size = shape.degree, 8 * len(shape.primes) * -(-shape.degree // 3)
    assert len(secrets(case)) == shape.secrets
    assert len(public) == 32 + shape.secrets * size
    assert len({tuple(secret) for secret in secrets(case)}) == shape.secrets
    a = by_hand.expansion(public[:32], degree, shape.primes)
    found = set()
    for number, secret in enumerate(secrets(case)):
        assert set(secret) == {-1, 0, 1}
        part = public[32 + number * size : 32 + (number + 1) * size]
        b = by_hand.unpack(part, degree, shape.primes)
        masked = by_hand.product(a, secret)
        errors = [by_hand.centred(v + m, shape.q) for v, m in zip(b, masked, strict=True)]
        assert max(map(abs, errors)) <= 21
        assert float(np.var(errors)) == pytest.approx(10.5, rel=0.6 if degree == 64 else 0.1)
        found.add(tuple(errors))
    assert len(found) == shape.secrets


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-005", "PPMF-RLW-006", "PPMF-RLW-015")
@pytest.mark.parametrize("case", SHAPES)
def test_encrypted_rows(case: str) -> None:
    """Their length, and that nothing but a short error lies between them and the encodings."""
    shape, (matrix, own, _) = SHAPES[case], numbers(case)
    errors = []
    assert len(rows(case)) == shape.groups
    for group, data in enumerate(rows(case)):
        places = [
            (row, block, column)
            for row in shape.rows_of(group)
            for block in (0, 1)
            for column in range(shape.width)
        ]
        assert len(data) == 32 + 8 * len(shape.primes) * -(-len(places) // 3)
        c1 = by_hand.expansion(data[:32], shape.degree, shape.primes)
        masks = [by_hand.product(c1, secret) for secret in secrets(case)]
        sent = by_hand.unpack(data[32:], len(places), shape.primes)
        for number, (row, block, column) in zip(sent, places, strict=True):
            piece, k = shape.place(row, column)
            at = block * shape.width + column
            entry = int((matrix - own)[row, at])
            mask = masks[2 * piece + block][k]
            errors.append(by_hand.centred(number + mask - shape.encoding(entry), shape.q))
    assert len(errors) == matrix.size
    assert max(map(abs, errors)) <= 21
    assert float(np.var(errors)) == pytest.approx(10.5, rel=0.4)


@pytest.mark.req(
    "PPMF-AHE-002",
    "PPMF-AHE-013",
    "PPMF-RLW-004",
    "PPMF-RLW-006",
    "PPMF-RLW-011",
    "PPMF-RLW-014",
    "PPMF-RLW-015",
    "PPMF-RLW-008",
    "PPMF-RLW-009",
    "PPMF-RLW-010",
    "PPMF-RLW-016",
)
@pytest.mark.parametrize("case", SHAPES)
def test_our_peer_with_an_owner_from_prose(case: str) -> None:
    """Rows by hand, answered by the program, decrypted by hand."""
    shape, (matrix, own, x) = SHAPES[case], numbers(case)
    hand = by_hand.Owner(shape, by_hand.Coins(case))
    encrypted = hand.encrypt((matrix - own).tolist(), shape)
    taken = fitted(shape).peer(hand.public).rows(encrypted, layout(shape), own)
    answer, shares = taken.multiply(x, uses(shape), Coins.seeded("answer"))
    check(case, by_place(shares, shape), hand.decrypt(answer, shape))


@pytest.mark.req(
    "PPMF-AHE-002",
    "PPMF-AHE-013",
    "PPMF-RLW-004",
    "PPMF-RLW-006",
    "PPMF-RLW-011",
    "PPMF-RLW-014",
    "PPMF-RLW-015",
    "PPMF-RLW-012",
)
@pytest.mark.parametrize("case", SHAPES)
def test_our_owner_with_a_peer_from_prose(case: str) -> None:
    """Rows by the program, answered by hand, decrypted by the program."""
    shape, (_, own, x) = SHAPES[case], numbers(case)
    hand = by_hand.Peer(shape, owner(case).public, by_hand.Coins(case))
    answer, shares = hand.answer(x.tolist(), rows(case), own.tolist(), shape)
    check(case, by_place(owner(case).decrypt(answer, layout(shape), uses(shape)), shape), shares)


@pytest.mark.req("PPMF-RLW-009", "PPMF-RLW-010")
def test_an_answer_holds_the_product_and_a_flood() -> None:
    """Phases less the encoded share: over the whole of [-2^tau, 2^tau), and not beyond."""
    shape = Shape(64, 3, 32, 1 << 33, (range(8), range(8)))
    coins = Coins.seeded("flood")
    x = coins.words((8, 3))
    hand = by_hand.Owner(shape, by_hand.Coins("flood"))
    encrypted = hand.encrypt(coins.words((3, 64)).tolist(), shape)
    taken = fitted(shape).peer(hand.public).rows(encrypted, layout(shape), coins.words((3, 64)))
    answer, _ = taken.multiply(x, uses(shape), coins)
    found = hand.decrypt(answer, shape)
    values = by_hand.unpack(answer, 2 * 8 * 64, shape.kept)
    scale, spread = shape.q // shape.q_kept, []
    masks = {
        (row, block): by_hand.product(values[64 * row : 64 * row + 64], hand.secrets[block])
        for row in range(8)
        for block in (0, 1)
    }
    for number, (block, row, k) in zip(values[8 * 64 :], shape.wanted, strict=True):
        phase = (number + masks[row, block][k]) * shape.q
        exact = shape.encoding(found[row, block, k])
        spread.append(by_hand.centred(phase // shape.q_kept - exact, shape.q))
    edge = 2**shape.flood_bits
    slack = 2 ** (shape.flood_bits - 40) + 33 * scale
    assert -edge - slack <= min(spread)
    assert max(spread) <= edge + slack
    eighths = [min(7, max(0, (value + edge) * 4 // edge)) for value in spread]
    counts = np.bincount(eighths, minlength=8)
    assert not deviates(counts)


@pytest.mark.req("PPMF-RLW-013")
@pytest.mark.parametrize("what", ["key", "group", "last group", "answer"])
def test_a_word_that_does_not_hold_three_residues_is_refused(what: str) -> None:
    """The word p^3 - 1 is the last; p^2 is none where the third residue is a continuation."""
    case = "two rows a group"
    shape, (_, own, x), groups = SHAPES[case], numbers(case), rows(case)
    scheme, public = fitted(shape), owner(case).public
    peer = scheme.peer(public)
    answer, _ = peer.rows(groups, layout(shape), own).multiply(
        x, uses(shape), Coins.seeded("answer")
    )
    count, start, good = {
        "key": (64, 32, public),
        "group": (4 * 20, 32, groups[0]),
        "last group": (2 * 20, 32, groups[1]),
        "answer": (2 * 64 + 3 * 20, 0, answer),
    }[what]

    def take(data: bytes) -> None:
        if what == "key":
            scheme.peer(data)
        elif what == "group":
            peer.rows([data, groups[1]], layout(shape), own)
        elif what == "last group":
            peer.rows([groups[0], data], layout(shape), own)
        else:
            owner(case).decrypt(data, layout(shape), uses(shape))

    height, p = -(-count // 3), by_hand.PRIMES[0]
    take(good[:start] + (p**3 - 1).to_bytes(8, "little") + good[start + 8 :])
    with pytest.raises(RangeError, match="a residue is outside"):
        take(good[:start] + (p**3).to_bytes(8, "little") + good[start + 8 :])
    with pytest.raises(EncodingError, match="bytes where"):
        take(good + bytes(8))
    assert 3 * height > count, "there is a continuation"
    last = start + 8 * (height - 1)
    with pytest.raises(RangeError, match="a residue is outside"):
        take(good[:last] + (p * p).to_bytes(8, "little") + good[last + 8 :])
