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
from tests.support.lattice_schemes import SMALL, owner_of, secrets_of, take_in

MANY = 1 << 33
"""Outputs for which a small lattice needs all ten primes."""


@pytest.mark.req("PPMF-RLW-008", "PPMF-RLW-009")
def test_every_part_of_an_answer_is_fresh() -> None:
    coins, layout = Coins.seeded("fresh"), Layout(3, (20, 21), 64)
    rows, x = take_in(SMALL, coins.words((3, 41)), layout), coins.words((3, 3))
    x[1] = x[0]
    uses = [slice(0, 3), slice(0, 3)]
    count = SMALL.fit([layout]).answer_bytes(layout, uses) // 32 * 3
    sent, p_shares = [], []
    for _ in range(2):
        answer, shares = rows.multiply(x, uses, coins)
        residues = read_residues([answer], count, TOY.kept_primes, ["answer"])[:, 0]
        sent += [tuple(column) for column in residues[:, : 3 * 64 + 3 * 41].T.tolist()]
        p_shares += [int(word) for share in shares for word in share.ravel()]
    assert len(set(sent)) == len(sent) == 2 * (3 * 64 + 3 * 41)
    assert len(set(p_shares)) == len(p_shares) == 2 * 3 * 41


@pytest.mark.req("PPMF-RLW-006")
def test_encrypted_rows_are_fresh() -> None:
    """Twenty rows in ten groups of two, twice."""
    layout, matrix = Layout(20, (30,), 1), np.zeros((20, 30), dtype=np.uint64)
    coins, owner = Coins.seeded("fresh rows"), owner_of(SMALL, layout)
    encrypted = [group for _ in range(2) for group in owner.encrypt_rows(matrix, layout, coins)]
    assert len({group[:32] for group in encrypted}) == 20
    assert len({group[32:40] for group in encrypted}) == 20


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
        size = np.minimum(prime_residues, prime - prime_residues)
        assert size.mean() == pytest.approx(prime / 4, rel=0.15)


def _negacyclic(key: NDArray[np.int32] | NDArray[np.int64]) -> NDArray[np.int64]:
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


@pytest.mark.req("PPMF-RLW-006", "PPMF-RLW-015")
def test_encrypted_rows_hold_fresh_errors(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of M = 0, with the secrets: e = c0 + c1 s, other errors in every row and block."""
    layout, degree, count = Layout(20, (30, 20), MANY), TOY.degree, 20
    matrix, owner = np.zeros((count, 50), dtype=np.uint64), owner_of(SMALL, layout)
    drawn: list[NDArray[np.float64]] = []

    def recorded(coins: Coins, shape: tuple[int, ...]) -> NDArray[np.float64]:
        drawn.append(binomial(coins, shape))
        return drawn[-1]

    monkeypatch.setattr(owner_module, "binomial", recorded)
    groups = list(owner.encrypt_rows(matrix, layout, Coins.seeded("errors")))
    names = [f"group {number}" for number in range(10)]
    c0 = read_residues([group[32:] for group in groups], 100, TOY.primes, names)
    c1 = np.empty((10, 10, degree), dtype=np.int32)
    for number, group in enumerate(groups):
        uniform(group[:32], TOY.primes, c1[:, number])
    by_row = c0.reshape(10, count, 50).astype(np.int64)
    for block, place, secret in (
        (slice(0, 30), 0, secrets_of(owner)[0]),
        (slice(30, 50), 1, secrets_of(owner)[1]),
    ):
        product = (c1 @ _negacyclic(secret)).reshape(10, count, degree // 2)
        by_row[:, :, block] += product[:, :, : (30, 20)[place]]
    errors = _small(by_row)
    assert _all_differ([part for row in errors for part in (row[:20], row[30:])])
    assert np.array_equal(errors, np.concatenate(drawn))


@pytest.mark.req("PPMF-RLW-008")
def test_an_answer_holds_a_fresh_encryption_of_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """For X = 0, before the rounding: c1 = a u + e2, c0 = b u + e1 + ..., all fresh.

    Four rows in groups of three and one, of two blocks of two pieces: one u for two rows would show
    X in a difference of c1, but all four secrets of a row have one.
    """
    layout, coins, degree = Layout(2, (100, 70), MANY), Coins.seeded("zero"), TOY.degree
    rows = take_in(SMALL, coins.words((2, 170)), layout)
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
    uses = [slice(0, 4), slice(0, 4)]
    answer, shares = rows.multiply(np.zeros((4, 2), np.uint64), uses, coins)
    owner = owner_of(SMALL, layout)
    size = (len(owner.public) - 32) // 4
    a = np.empty((10, degree), dtype=np.int32)
    uniform(owner.public[:32], TOY.primes, a)
    parts = [owner.public[at : at + size] for at in range(32, len(owner.public), size)]
    keys = read_residues(parts, degree, TOY.primes, ["b"] * 4)
    times_a = np.stack([_negacyclic(row) for row in a])
    times_b = [np.stack([_negacyclic(row) for row in keys[:, secret]]) for secret in range(4)]
    # group by group: one draw of u, c1, and c0 of either block
    assert [u.shape for u in drawn] == [(3, degree), (1, degree)]
    assert len(given) == 3 * len(drawn)
    first, second = [], []
    for number, (u, group) in enumerate(zip(drawn, (slice(0, 3), slice(3, 4)), strict=True)):
        c1, *c0 = given[3 * number : 3 * number + 3]
        first.append(c1.reshape(10, len(u), degree) - u @ times_a)
        for block, (width, found) in enumerate(zip((100, 70), c0, strict=True)):
            mask = [-int(share) * TOY.modulus for share in shares[block][group].ravel()]
            encoded = [[((m + 2**63) >> 64) % p for m in mask] for p in TOY.primes]
            bare = (found - np.array(encoded)).reshape(10, len(u), width)
            bare[:, :, :degree] -= u @ times_b[block]
            bare[:, :, degree:] -= (u @ times_b[2 + block])[:, :, : width - degree]
            second.append(bare)
    e2 = _small(np.concatenate(first, axis=1))
    e1 = [_small(np.concatenate(second[block::2], axis=1)) for block in (0, 1)]
    assert np.array_equal(e2, np.concatenate(made[::3]))
    for block, errors in enumerate(e1):
        expected = [made[1 + block].reshape(3, -1), made[4 + block].reshape(1, -1)]
        assert np.array_equal(errors, np.concatenate(expected))
    assert _all_differ([row for u in drawn for row in u.astype(np.int64)])
    assert _all_differ([*e2])
    assert _all_differ([row[:70] for errors in e1 for row in errors])
    for given_to_q, kept in zip(owner.decrypt(answer, layout, uses), shares, strict=True):
        assert np.array_equal(given_to_q, -kept)


@pytest.mark.req("PPMF-RLW-016")
def test_nothing_of_c0_is_sent_but_band_0_of_the_columns_that_are_wanted() -> None:
    """An answer is as long as that and no longer, and every number of it has a flood."""
    layout, coins = Layout(4, (10, 10), 64), Coins.seeded("bands")
    rows, x = take_in(SMALL, coins.words((4, 20)), layout), coins.words((3, 4))
    uses = [slice(0, 2), slice(2, 3)]
    assert SMALL.fit([layout]).context.packing(layout).size == 4
    answer, _ = rows.multiply(x, uses, coins)
    assert len(answer) == 4 * 8 * -(-(3 * 64 + 3 * 10) // 3)
