# SPDX-License-Identifier: Apache-2.0
"""Every secret, error, mask and flood of a lattice ciphertext is drawn for its own use alone."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice import owner as owner_module
from ppmf_secure.primitives.encryption.lattice import peer
from ppmf_secure.primitives.encryption.lattice.params import TOY
from ppmf_secure.primitives.encryption.lattice.rounding import Rounding
from ppmf_secure.primitives.encryption.lattice.sampling import binomial, ternary, uniform
from ppmf_secure.primitives.encryption.lattice.wire import read_residues
from tests.support.lattice_schemes import SMALL, owner_of, secret_of, take_in


@pytest.mark.req("PPMF-RLW-008", "PPMF-RLW-009")
def test_every_part_of_an_answer_is_fresh() -> None:
    coins, layout = Coins.seeded("fresh"), Layout(3, (40, 41), 64)
    rows, x = take_in(SMALL, coins.words((3, 81)), layout), coins.words((3, 3))
    x[1] = x[0]
    uses = [slice(0, 3), slice(0, 3)]
    count = SMALL.answer_bytes(layout, uses) // 32 * 3
    sent, p_shares = [], []
    for _ in range(2):
        answer, shares = rows.multiply(x, uses, coins)
        residues = read_residues([answer], count, TOY.kept_primes, ["answer"])[:, 0]
        sent += [tuple(column) for column in residues[:, : 6 * 64 + 3 * 81].T.tolist()]
        p_shares += [int(word) for share in shares for word in share.ravel()]
    assert len(set(sent)) == len(sent) == 2 * (6 * 64 + 3 * 81)
    assert len(set(p_shares)) == len(p_shares) == 2 * 3 * 81


@pytest.mark.req("PPMF-RLW-006")
def test_encrypted_rows_are_fresh() -> None:
    layout, matrix = Layout(10, (3,), 1), np.zeros((10, 3), dtype=np.uint64)
    coins = Coins.seeded("fresh rows")
    encrypted = [
        row for _ in range(2) for row in owner_of(SMALL).encrypt_rows(matrix, layout, coins)
    ]
    assert len({row[:32] for row in encrypted}) == 20
    assert len({row[32:40] for row in encrypted}) == 20


@pytest.mark.req("PPMF-RLW-008")
def test_the_first_component_of_an_answer_is_not_that_of_the_product(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What a u + e2 adds to c1 differs from row to row, and is not small."""
    layout, coins = Layout(2, (5,), 4), Coins.seeded("u")
    rows = take_in(SMALL, coins.words((2, 5)), layout)
    x = np.zeros((8, 2), dtype=np.uint64)
    answer, _ = rows.multiply(x, [slice(0, 8)], coins)
    residues = read_residues([answer], 8 * 69, TOY.kept_primes, ["answer"])[:, 0]
    first = residues[:, : 8 * 64].reshape(4, 8, 64)
    assert len({row.tobytes() for row in first[0]}) == 8
    for prime_residues, prime in zip(first, TOY.kept_primes, strict=True):
        assert np.abs(prime_residues).mean() == pytest.approx(prime / 4, rel=0.15)


def _negacyclic(key: NDArray[np.int32]) -> NDArray[np.int64]:
    """The matrix K such that u K is u times the key in Z[X] / (X^N + 1)."""
    rows = [key.astype(np.int64)]
    for _ in key[1:]:
        rows.append(np.concatenate([-rows[-1][-1:], rows[-1][:-1]]))
    return np.stack(rows)


def _small(values: NDArray[np.float64] | NDArray[np.int64]) -> NDArray[np.int64]:
    """The small integers that all ten residues (primes, ...) agree on; they are errors."""
    found: list[NDArray[np.int64]] = []
    for row, prime in zip(values.astype(np.int64), TOY.primes, strict=True):
        found.append((row + prime // 2) % prime - prime // 2)
    assert all(np.array_equal(each, found[0]) for each in found)
    assert np.abs(found[0]).max() <= 21
    assert found[0].var() == pytest.approx(10.5, rel=0.4)
    return found[0]


def _all_differ(rows: list[NDArray[np.int64]]) -> bool:
    return len({row.tobytes() for row in rows}) == len(rows)


@pytest.mark.req("PPMF-RLW-006")
def test_encrypted_rows_hold_fresh_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of M = 0, with the secret: e = c0 + c1 s, other errors in every row and piece."""
    layout, degree, count = Layout(10, (60, 40), 1), TOY.degree, 10
    matrix, owner = np.zeros((count, 100), dtype=np.uint64), owner_of(SMALL)
    drawn: list[NDArray[np.float64]] = []

    def recorded(coins: Coins, shape: tuple[int, ...]) -> NDArray[np.float64]:
        drawn.append(binomial(coins, shape))
        return drawn[-1]

    monkeypatch.setattr(owner_module, "binomial", recorded)
    encrypted = list(owner.encrypt_rows(matrix, layout, Coins.seeded("errors")))
    secret = _negacyclic(np.array(secret_of(SMALL), dtype=np.int32))
    names = [f"row {number}" for number in range(count)]
    c0 = read_residues([row[32:] for row in encrypted], 100, TOY.primes, names)
    c1 = np.empty((10, count, 2 * degree), dtype=np.int32)
    for number, row in enumerate(encrypted):
        uniform(row[:32], TOY.primes, c1[:, number])
    product = c1.reshape(10, count, 2, degree) @ secret
    errors = _small(c0 + product.reshape(10, count, 2 * degree)[:, :, :100])
    assert _all_differ([piece[:36] for row in errors for piece in (row[:degree], row[degree:])])
    assert np.array_equal(errors, np.concatenate(drawn))


@pytest.mark.req("PPMF-RLW-008")
def test_an_answer_holds_a_fresh_encryption_of_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """For X = 0, before the rounding: c1 = a u + e2, c0 = b u + e1 + ..., all fresh.

    Four rows in groups of three and one, of two pieces: one u would show X in a difference of c1.
    """
    layout, coins, degree = Layout(2, (100,), 4), Coins.seeded("zero"), TOY.degree
    rows = take_in(SMALL, coins.words((2, 100)), layout)
    given: list[NDArray[np.float64]] = []
    drawn: list[NDArray[np.int8]] = []
    made: list[NDArray[np.float64]] = []
    switch = Rounding.switch

    def spy(self: Rounding, residues: NDArray[np.float64], out: NDArray[np.int32]) -> None:
        given.append(residues.copy())
        switch(self, residues, out)

    def recorded(coins: Coins, shape: tuple[int, ...]) -> NDArray[np.int8]:
        drawn.append(ternary(coins, shape))
        return drawn[-1]

    def recorded_errors(coins: Coins, shape: tuple[int, ...]) -> NDArray[np.float64]:
        made.append(binomial(coins, shape))
        return made[-1]

    def no_flood(coins: Coins, bits: int, count: int) -> NDArray[np.float64]:
        limbs = np.zeros((-(-bits // 24), count))
        limbs[-1] = 2.0 ** ((bits - 1) % 24)
        return limbs

    monkeypatch.setattr(Rounding, "switch", spy)
    monkeypatch.setattr(peer, "binomial", recorded_errors)
    monkeypatch.setattr(peer, "flood", no_flood)
    monkeypatch.setattr(peer, "ternary", recorded)
    monkeypatch.setattr(peer, "_ANSWERS_AT_ONCE", 3)
    answer, shares = rows.multiply(np.zeros((4, 2), np.uint64), [slice(0, 4)], coins)
    public = owner_of(SMALL).public
    a = np.empty((10, degree), dtype=np.int32)
    uniform(public[:32], TOY.primes, a)
    b = read_residues([public[32:]], degree, TOY.primes, ["b"])[:, 0]
    times_a, times_b = (np.stack([_negacyclic(row) for row in key]) for key in (a, b))
    # piece by piece, group by group: one draw of u, c1, and c0 of the only part
    assert [u.shape for u in drawn] == [(3, degree), (1, degree)] * 2
    assert len(given) == 2 * len(drawn)
    first, second = [], []
    columns = [slice(0, degree)] * 2 + [slice(degree, 100)] * 2
    groups = [slice(0, 3), slice(3, 4)] * 2
    for u, c1, c0, here, group in zip(drawn, given[::2], given[1::2], columns, groups, strict=True):
        first.append(c1.reshape(10, len(u), degree) - u @ times_a)
        mask = [-int(share) * TOY.modulus for share in shares[0][group, here].ravel()]
        encoded = [[((m + 2**63) >> 64) % p for m in mask] for p in TOY.primes]
        width = here.stop - here.start
        c0 = (c0 - np.array(encoded)).reshape(10, len(u), width)
        second.append(c0 - (u @ times_b)[:, :, :width])
    e2 = _small(np.concatenate(first, axis=1))
    e1 = [_small(np.concatenate(second[at : at + 2], axis=1)) for at in (0, 2)]
    assert np.array_equal(e2, np.concatenate(made[::2]))
    for errors, at in zip(e1, (1, 5), strict=True):
        expected = [made[at].reshape(3, -1), made[at + 2].reshape(1, -1)]
        assert np.array_equal(errors, np.concatenate(expected))
    assert _all_differ([row for u in drawn for row in u.astype(np.int64)])
    assert _all_differ([*e2, *e1[0]])
    assert _all_differ([row[:36] for errors in e1 for row in errors])
    assert np.array_equal(owner_of(SMALL).decrypt(answer, layout, [slice(0, 4)])[0], -shares[0])
