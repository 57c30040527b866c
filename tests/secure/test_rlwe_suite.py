# SPDX-License-Identifier: Apache-2.0
"""The homomorphic matrix product over lattices: shares, lengths, noise, freshness, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from functools import cache
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ppmf_secure.ahe import rlwe_owner, rlwe_peer
from ppmf_secure.ahe.base import EncryptedRows, Layout, Uses
from ppmf_secure.ahe.rlwe import RlweSuite, suite
from ppmf_secure.ahe.rlwe_owner import RlweOwner
from ppmf_secure.ahe.rlwe_params import STANDARD, TOY, Budget
from ppmf_secure.ahe.rlwe_rounding import Rounding
from ppmf_secure.ahe.rlwe_sampling import uniform
from ppmf_secure.ahe.rlwe_wire import read_residues
from ppmf_secure.coins import Coins
from ppmf_spec.errors import EncodingError, ParametersError, RangeError

Words = NDArray[np.uint64]
FULL, SMALL = suite("rlwe-8192"), suite("rlwe-64-insecure")
NINE_KEPT = RlweSuite(replace(TOY, kept=9))
"""Drops one prime alone, so that the noise of a product stays visible in an answer."""
LAST = 2**64 - 1

words = st.integers(0, LAST) | st.sampled_from([0, 1, 2**63 - 1, 2**63, LAST])


@cache
def _owner(chosen: RlweSuite, label: str = "Q") -> RlweOwner:
    return chosen.generate(Coins.seeded(label))


def _take_in(
    chosen: RlweSuite, matrix: Words, layout: Layout, label: str = "rows"
) -> EncryptedRows:
    encrypted = list(_owner(chosen).encrypt_rows(matrix, layout, Coins.seeded(label)))
    assert {len(row) for row in encrypted} == {chosen.row_bytes(layout)}
    return chosen.peer(_owner(chosen).public).rows(encrypted, layout)


def _check(chosen: RlweSuite, x: Words, matrix: Words, layout: Layout, uses: Uses) -> None:
    """Shares of both sides add up to X M mod 2^64 in every block, for the rows wanted."""
    answer, p_shares = _take_in(chosen, matrix, layout).multiply(x, uses, Coins.seeded("answer"))
    assert len(answer) == chosen.answer_bytes(layout, uses)
    q_shares = _owner(chosen).decrypt(answer, layout, uses)
    offsets = np.cumsum((0, *layout.blocks))
    for block, use in enumerate(uses):
        wanted = x[use] @ matrix[:, offsets[block] : offsets[block + 1]]
        assert p_shares[block].dtype == q_shares[block].dtype == np.uint64
        assert np.array_equal(p_shares[block] + q_shares[block], wanted)
        assert wanted.shape == (use.stop - use.start, layout.blocks[block])


@st.composite
def _cases(draw: st.DrawFn) -> tuple[Words, Words, Layout, list[slice]]:
    """Sums of up to three matrix products of 8 terms; rows of up to four ciphertexts of 64."""
    rows, wanted = draw(st.integers(1, 20)), draw(st.integers(0, 5))
    widths = st.integers(0, 5) | st.sampled_from([31, 32, 33, 63, 64, 65, 100])
    blocks = tuple(draw(st.lists(widths, min_size=1, max_size=3)))
    uses = []
    for _ in blocks:
        start = draw(st.integers(0, wanted))
        uses.append(slice(start, draw(st.integers(start, wanted))))
    matrix = draw(arrays(np.uint64, (rows, sum(blocks)), elements=words, fill=words))
    x = draw(arrays(np.uint64, (wanted, rows), elements=words))
    return x, matrix, Layout(rows, blocks, draw(st.sampled_from([1, 64, 1 << 20]))), uses


@pytest.mark.req("PPMF-AHE-002", "PPMF-RLW-012")
@settings(max_examples=100, deadline=None)
@given(case=_cases())
def test_shares_add_up_to_the_product(case: tuple[Words, Words, Layout, list[slice]]) -> None:
    _check(SMALL, *case)


@pytest.mark.req("PPMF-AHE-002", "PPMF-RLW-012")
@pytest.mark.parametrize("x_value", [0, 2**63 - 1, 2**63, LAST])
@pytest.mark.parametrize("m_value", [0, 2**63, LAST])
def test_extreme_values_everywhere(x_value: int, m_value: int) -> None:
    """At full size: sixty-four rows of 2 x 20 columns."""
    x = np.full((2, 64), x_value, dtype=np.uint64)
    matrix = np.full((64, 40), m_value, dtype=np.uint64)
    _check(FULL, x, matrix, Layout(64, (20, 20), 1 << 22), [slice(0, 2), slice(1, 2)])


@pytest.mark.req("PPMF-AHE-002", "PPMF-RLW-011")
def test_rows_of_several_full_size_ciphertexts() -> None:
    """The second ciphertext has columns of both blocks, the last one is short."""
    coins = Coins.seeded("several")
    matrix, x = coins.words((3, 2 * 8300)), coins.words((4, 3))
    layout = Layout(3, (8300, 8300), 1 << 22)
    _check(FULL, x, matrix, layout, [slice(0, 4), slice(0, 1)])
    # of the first, nothing is wanted here: it is not sent
    sizes = [FULL.answer_bytes(layout, [slice(0, n), slice(0, 1)]) for n in (0, 1)]
    residues = [2 * 8192 + 8300, 3 * 8192 + 2 * 8300]
    assert sizes == [4 * 8 * -(-count // 3) for count in residues]
    _check(FULL, x, matrix, layout, [slice(0, 0), slice(1, 2)])


def test_large_matrices_are_stored_in_three_bytes_a_residue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    coins, layout = Coins.seeded("large"), Layout(300, (40, 40), 1 << 10)
    matrix, x = coins.words((300, 80)), coins.words((3, 300))
    for large, width in ((300 * 208 * 40, 4), (300 * 208 * 40 - 1, 2)):
        monkeypatch.setattr(rlwe_peer, "_LARGE_BYTES", large)
        rows = _take_in(SMALL, matrix, layout)
        assert isinstance(rows, rlwe_peer.RlweRows)
        assert rows._first[0]._blocks[0].low.itemsize == width
        _check(SMALL, x, matrix, layout, [slice(0, 3), slice(1, 2)])


def test_many_rows_are_multiplied_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    coins, layout = Coins.seeded("groups"), Layout(3, (40, 40, 5), 1 << 10)
    matrix, x = coins.words((3, 85)), coins.words((9, 3))
    uses = [slice(0, 8), slice(3, 5), slice(7, 9)]
    monkeypatch.setattr(rlwe_peer, "_ANSWERS_AT_ONCE", 3)
    _check(SMALL, x, matrix, layout, uses)


def test_a_matrix_of_no_columns_and_uses_of_no_rows() -> None:
    x = np.ones((2, 3), dtype=np.uint64)
    matrix = np.zeros((3, 0), dtype=np.uint64)
    _check(SMALL, x, matrix, Layout(3, (0, 0), 1), [slice(0, 2)] * 2)
    layout = Layout(3, (2,), 1)
    _check(SMALL, x, np.ones((3, 2), dtype=np.uint64), layout, [slice(1, 1)])
    assert SMALL.answer_bytes(layout, [slice(1, 1)]) == 0


@pytest.mark.req("PPMF-RLW-011")
def test_lengths_at_the_size_of_movielens() -> None:
    """338 MB of rows, and 31 MB of answers an iteration, for both servers together."""
    uses = (slice(0, 76), slice(0, 10))
    rows = answers = 0
    for count, packed in ((1682, 943), (943, 1682)):
        layout = Layout(count, (packed, packed), 20 * 86 * 2625)
        rows += 2 * count * FULL.row_bytes(layout)
        answers += 2 * FULL.answer_bytes(layout, uses)
    assert (rows, answers) == (338_731_840, 31_379_968)


def _secret(chosen: RlweSuite) -> list[int]:
    owner, degree = _owner(chosen), chosen.lattice.degree
    one = np.zeros((1, degree), dtype=np.int32)
    one[0, 0] = 1
    return [int(value) for value in owner._times_secret(one)[0]]


def _errors(
    chosen: RlweSuite, answer: bytes, layout: Layout, uses: Sequence[slice], shares: list[Words]
) -> list[Fraction]:
    """The errors of all phases of one-ciphertext answers, in units of q' / q, by big integers."""
    lattice = chosen.lattice
    primes, kept = lattice.kept_primes, lattice.kept_modulus
    secret, degree = _secret(chosen), lattice.degree
    many = max(use.stop for use in uses)
    counts = [share.size for share in shares]
    count = many * degree + sum(counts)
    residues = read_residues([answer], count, primes, ["answer"])[:, 0].tolist()
    basis = [kept // p * pow(kept // p, -1, p) for p in primes]
    values = [
        sum(int(r) * b for r, b in zip(column, basis, strict=True)) % kept
        for column in zip(*residues, strict=True)
    ]
    errors, at, start = [], many * degree, 0
    for share, use in zip(shares, uses, strict=True):
        for number, row in enumerate(range(use.start, use.stop)):
            first = values[row * degree : (row + 1) * degree]
            for column in range(share.shape[1]):
                place = start + column
                product = sum(
                    first[k] * (secret[place - k] if k <= place else -secret[place - k + degree])
                    for k in range(degree)
                )
                phase = values[at] + product
                error = Fraction(phase) - Fraction(kept * int(share[number, column]), 2**64)
                error -= kept * round(error / kept)
                errors.append(error * lattice.modulus / kept)
                at += 1
        start += share.shape[1]
    return errors


def _answer_errors(chosen: RlweSuite, layout: Layout, label: str) -> list[Fraction]:
    """Of ten rows of X, all entries -2^63."""
    coins = Coins.seeded(label)
    matrix = coins.words((layout.rows, sum(layout.blocks)))
    x = np.full((10, layout.rows), 2**63, dtype=np.uint64)
    uses = [slice(0, 10), slice(0, 4)]
    answer, _ = _take_in(chosen, matrix, layout).multiply(x, uses, coins)
    shares = _owner(chosen).decrypt(answer, layout, uses)
    return _errors(chosen, answer, layout, uses, shares)


@pytest.mark.req("PPMF-RLW-009")
def test_the_noise_is_that_of_the_flood() -> None:
    layout = Layout(4, (20, 10), 1 << 33)
    budget = Budget.of(TOY, layout)
    errors = _answer_errors(SMALL, layout, "noise")
    flood = 2**budget.flood_bits
    switching = Fraction((TOY.degree + 2) * TOY.modulus, 2 * TOY.kept_modulus)
    assert len(errors) == 240
    assert max(map(abs, errors)) <= budget.noise + flood + switching
    counts = np.bincount([int((e / flood + 1) * 4) for e in errors], minlength=8)
    assert len(counts) == 8
    assert float(((counts - 30.0) ** 2 / 30).sum()) < 7 + 6 * 14**0.5


@pytest.mark.req("PPMF-RLW-007")
@pytest.mark.parametrize("worst", [False, True])
def test_the_noise_without_its_flood_is_below_its_bound(
    worst: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And close to it, when every error is the largest there is."""
    layout = Layout(4, (20, 10), 1)
    budget = Budget.of(TOY, layout)

    def middle(coins: Coins, bits: int, count: int) -> NDArray[np.float64]:
        limbs = np.zeros((-(-bits // 24), count))
        limbs[-1] = 2.0 ** ((bits - 1) % 24)
        return limbs

    monkeypatch.setattr(rlwe_peer, "flood", middle)
    if worst:
        for module in (rlwe_peer, rlwe_owner):
            monkeypatch.setattr(module, "binomial", lambda coins, shape: np.full(shape, 21.0))
    largest = max(map(abs, _answer_errors(NINE_KEPT, layout, "bare")))
    switching = Fraction((TOY.degree + 2) * TOY.primes[-1], 2)
    assert largest <= budget.noise + switching
    assert largest > budget.noise * Fraction(9, 10) if worst else largest > budget.noise / 50


@pytest.mark.req("PPMF-RLW-007")
@pytest.mark.parametrize("limb", [0.0, 2.0**24 - 1])
def test_the_largest_flood_at_the_edge_of_the_budget(
    limb: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    layout = Layout(4, (20, 10), 1 << 38)
    assert Budget.of(TOY, layout).flood_bits == 148
    with pytest.raises(ParametersError, match=r"flood of 2\^149"):
        Budget.of(TOY, replace(layout, outputs=1 << 39))

    def edge(coins: Coins, bits: int, count: int) -> NDArray[np.float64]:
        limbs = np.full((-(-bits // 24), count), limb)
        limbs[-1] = min(limb, 2.0 ** ((bits - 1) % 24 + 1) - 1)
        return limbs

    monkeypatch.setattr(rlwe_peer, "flood", edge)
    coins = Coins.seeded("edge")
    matrix, x = coins.words((4, 30)), coins.words((10, 4))
    _check(SMALL, x, matrix, layout, [slice(0, 10), slice(2, 4)])


@pytest.mark.req("PPMF-RLW-008", "PPMF-RLW-009")
def test_every_part_of_an_answer_is_fresh() -> None:
    coins, layout = Coins.seeded("fresh"), Layout(3, (40, 41), 64)
    rows, x = _take_in(SMALL, coins.words((3, 81)), layout), coins.words((3, 3))
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
    encrypted = [row for _ in range(2) for row in _owner(SMALL).encrypt_rows(matrix, layout, coins)]
    assert len({row[:32] for row in encrypted}) == 20
    assert len({row[32:40] for row in encrypted}) == 20


@pytest.mark.req("PPMF-RLW-008")
def test_the_first_component_is_not_that_of_the_product(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a u + e2 adds to c1 differs from row to row, and is not small."""
    layout, coins = Layout(2, (5,), 4), Coins.seeded("u")
    rows = _take_in(SMALL, coins.words((2, 5)), layout)
    x = np.zeros((8, 2), dtype=np.uint64)
    answer, _ = rows.multiply(x, [slice(0, 8)], coins)
    residues = read_residues([answer], 8 * 69, TOY.kept_primes, ["answer"])[:, 0]
    first = residues[:, : 8 * 64].reshape(4, 8, 64)
    assert len({row.tobytes() for row in first[0]}) == 8
    for prime_residues, prime in zip(first, TOY.kept_primes, strict=True):
        assert np.abs(prime_residues).mean() == pytest.approx(prime / 4, rel=0.15)


@pytest.mark.req("PPMF-RLW-008")
def test_an_answer_holds_a_fresh_encryption_of_zero(monkeypatch: pytest.MonkeyPatch) -> None:
    """For X = 0 and a known u, before the rounding: c1 = a u + e2, c0 = b u + e1 + ..."""
    layout, coins, degree = Layout(2, (64,), 4), Coins.seeded("zero"), TOY.degree
    rows = _take_in(SMALL, coins.words((2, 64)), layout)
    given: list[NDArray[np.float64]] = []
    switch = Rounding.switch

    def spy(self: Rounding, residues: NDArray[np.float64], out: NDArray[np.int32]) -> None:
        given.append(residues.copy())
        switch(self, residues, out)

    def no_flood(coins: Coins, bits: int, count: int) -> NDArray[np.float64]:
        limbs = np.zeros((-(-bits // 24), count))
        limbs[-1] = 2.0 ** ((bits - 1) % 24)
        return limbs

    shift = np.zeros((4, degree), dtype=np.int8)
    shift[:, 1] = 1  # u = X: the product is a shift by one place, the last entry negated
    monkeypatch.setattr(Rounding, "switch", spy)
    monkeypatch.setattr(rlwe_peer, "flood", no_flood)
    monkeypatch.setattr(rlwe_peer, "ternary", lambda coins, shape: shift)
    answer, shares = rows.multiply(np.zeros((4, 2), np.uint64), [slice(0, 4)], coins)
    public = _owner(SMALL).public
    a = np.empty((10, degree), dtype=np.int32)
    uniform(public[:32], TOY.primes, a)
    b = read_residues([public[32:]], degree, TOY.primes, ["b"])[:, 0]
    masks = [-int(share) * TOY.modulus for share in shares[0].ravel()]
    nearest = [(mask + 2**63) >> 64 for mask in masks]
    for values, key, added in zip(given, (a, b), ([0] * len(nearest), nearest), strict=True):
        product = np.concatenate([-key[:, -1:], key[:, :-1]], axis=1)
        errors = []
        for row, each, prime in zip(values, product, TOY.primes, strict=True):
            fresh = row.astype(np.int64) - np.tile(each, 4) - [value % prime for value in added]
            errors.append((fresh + prime // 2) % prime - prime // 2)
        assert all(np.array_equal(error, errors[0]) for error in errors)
        assert np.abs(errors[0]).max() <= 21
        assert errors[0].var() == pytest.approx(10.5, rel=0.4)
    assert len(given) == 2
    assert np.array_equal(_owner(SMALL).decrypt(answer, layout, [slice(0, 4)])[0], -shares[0])


@pytest.mark.req("PPMF-AHE-001")
def test_suites_by_name() -> None:
    assert (FULL.name, FULL.secure, FULL.lattice) == ("rlwe-8192", True, STANDARD)
    assert (SMALL.name, SMALL.secure, SMALL.lattice) == ("rlwe-64-insecure", False, TOY)
    for unknown in ("rlwe-64", "rlwe", "paillier-3072", ""):
        with pytest.raises(ParametersError, match="rlwe-8192"):
            suite(unknown)


@pytest.mark.req("PPMF-RLW-007")
def test_layouts_out_of_budget_are_refused() -> None:
    for layout in (Layout(0, (1,), 1), Layout(60_000, (1,), 1 << 25)):
        with pytest.raises(ParametersError):
            FULL.row_bytes(layout)
        with pytest.raises(ParametersError):
            FULL.answer_bytes(layout, [slice(0, 1)])
        with pytest.raises(ParametersError):
            _owner(FULL).decrypt(b"", layout, [slice(0, 1)])


@pytest.mark.req("PPMF-ERR-002", "PPMF-ERR-003", "PPMF-RLW-013")
def test_bad_keys_are_named() -> None:
    public = _owner(SMALL).public
    with pytest.raises(EncodingError, match="lattice public key: 1792 bytes where 218512 are due"):
        FULL.peer(public)
    with pytest.raises(RangeError, match=r"lattice public key: a residue is outside \[0, 2642239"):
        SMALL.peer(public[:32] + b"\xff" * 8 + public[40:])


def _rows_and_layout() -> tuple[list[bytes], Layout]:
    layout = Layout(9, (3, 2), 18)
    matrix = Coins.seeded("bad rows").words((9, 5))
    return list(_owner(SMALL).encrypt_rows(matrix, layout, Coins.seeded("bad rows"))), layout


@pytest.mark.req("PPMF-ERR-002", "PPMF-ERR-003", "PPMF-RLW-013")
def test_bad_rows_are_named() -> None:
    rows, layout = _rows_and_layout()
    peer = SMALL.peer(_owner(SMALL).public)
    with pytest.raises(EncodingError, match="8 rows instead of 9"):
        peer.rows(rows[:8], layout)
    with pytest.raises(EncodingError, match="encrypted row 8: 191 bytes where 192 are due"):
        peer.rows([*rows[:8], rows[8][1:]], layout)
    bad = rows[8][:-8] + b"\xff" * 8
    with pytest.raises(RangeError, match=r"encrypted row 8: a residue is outside \[0, 2642137\)"):
        peer.rows([*rows[:8], bad], layout)


@pytest.mark.req("PPMF-ERR-002", "PPMF-ERR-003", "PPMF-RLW-013")
def test_bad_answers_are_named() -> None:
    rows, layout = _rows_and_layout()
    uses = [slice(0, 1), slice(1, 2)]
    x = np.ones((2, 9), dtype=np.uint64)
    taken = SMALL.peer(_owner(SMALL).public).rows(rows, layout)
    answer, _ = taken.multiply(x, uses, Coins.seeded("bad answers"))
    length = len(answer)
    with pytest.raises(EncodingError, match=f"homomorphic answer: {length - 1} bytes where"):
        _owner(SMALL).decrypt(answer[:-1], layout, uses)
    with pytest.raises(RangeError, match="homomorphic answer: a residue is outside"):
        _owner(SMALL).decrypt(b"\xff" * 8 + answer[8:], layout, uses)


def test_an_answer_under_another_key_gives_no_product() -> None:
    """Nothing marks the key of a ciphertext: it decrypts to noise."""
    rows, layout = _rows_and_layout()
    uses = [slice(0, 1), slice(0, 0)]
    x = np.ones((1, 9), dtype=np.uint64)
    taken = SMALL.peer(_owner(SMALL).public).rows(rows, layout)
    answer, _ = taken.multiply(x, uses, Coins.seeded("wrong key"))
    right = _owner(SMALL).decrypt(answer, layout, uses)[0]
    for label in ("A", "B", "C"):
        assert not (_owner(SMALL, label).decrypt(answer, layout, uses)[0] == right).any()


def test_shapes_are_the_callers_duty() -> None:
    rows, layout = _rows_and_layout()
    encrypted = _owner(SMALL).encrypt_rows(np.zeros((9, 4), np.uint64), layout, Coins.seeded(""))
    with pytest.raises(ValueError, match="shape"):
        next(encrypted)
    taken = SMALL.peer(_owner(SMALL).public).rows(rows, layout)
    uses = [slice(0, 2), slice(0, 0)]
    for shape in ((2, 10), (1, 9)):
        with pytest.raises(ValueError, match="X has not"):
            taken.multiply(np.zeros(shape, dtype=np.uint64), uses, Coins.seeded(""))


def test_a_run_is_a_function_of_its_coins() -> None:
    coins, layout = Coins.seeded("repeat"), Layout(3, (4,), 64)
    matrix, x = coins.words((3, 4)), coins.words((2, 3))
    answers = [
        _take_in(SMALL, matrix, layout).multiply(x, [slice(0, 2)], Coins.seeded(label))[0]
        for label in ("one", "one", "two")
    ]
    assert answers[0] == answers[1] != answers[2]


def test_the_arguments_are_left_as_they_were() -> None:
    coins, layout = Coins.seeded("arguments"), Layout(3, (4,), 64)
    matrix, x = coins.words((3, 8))[:, ::2], coins.words((4, 3))[::2]
    before = matrix.copy(), x.copy()
    _check(SMALL, x, matrix, layout, [slice(0, 2)])
    assert np.array_equal(before[0], matrix)
    assert np.array_equal(before[1], x)
    assert prod(before[0].shape) == 12
