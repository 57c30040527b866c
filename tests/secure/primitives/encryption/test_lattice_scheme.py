# SPDX-License-Identifier: Apache-2.0
"""The homomorphic matrix product over lattices: shares, lengths, noise, refusals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, PeerKey, Uses
from ppmf_secure.primitives.encryption.lattice import layout as layout_module
from ppmf_secure.primitives.encryption.lattice import owner as owner_module
from ppmf_secure.primitives.encryption.lattice import peer as peer_module
from ppmf_secure.primitives.encryption.lattice.params import STANDARD, TOY, Budget
from ppmf_secure.primitives.encryption.lattice.scheme import RlweScheme, rlwe_scheme
from ppmf_secure.primitives.encryption.lattice.stored import StoredRows
from ppmf_secure.primitives.encryption.lattice.wire import read_residues
from ppmf_secure.primitives.shares import ring_mask
from ppmf_spec.errors import EncodingError, ParametersError, RangeError
from tests.support.chi_square import deviates
from tests.support.lattice_schemes import FULL, SMALL, owner_of, secrets_of, take_in

Words = NDArray[np.uint64]
FINE = RlweScheme(TOY, keep_most=True)
"""Drops one prime alone, so that the noise of a product stays visible in an answer."""
MANY = 1 << 33
"""Outputs for which a small lattice needs all ten primes."""
LAST = 2**64 - 1
OWN = np.zeros((9, 22), dtype=np.uint64)
"""A peer's share that adds nothing."""

words = st.integers(0, LAST) | st.sampled_from([0, 1, 2**63 - 1, 2**63, LAST])


def _check(chosen: RlweScheme, x: Words, matrix: Words, layout: Layout, uses: Uses) -> None:
    """Shares of both sides add up to X M mod 2^64 in every block, for the rows wanted."""
    answer, p_shares = take_in(chosen, matrix, layout).multiply(x, uses, Coins.seeded("answer"))
    assert len(answer) == chosen.fit([layout]).answer_bytes(layout, uses)
    q_shares = owner_of(chosen, layout).decrypt(answer, layout, uses)
    offsets = np.cumsum((0, *layout.blocks))
    for block, use in enumerate(uses):
        wanted = x[use] @ matrix[:, offsets[block] : offsets[block + 1]]
        assert p_shares[block].dtype == q_shares[block].dtype == np.uint64
        ring = ring_mask(layout.ring_bits)
        assert np.array_equal((p_shares[block] + q_shares[block]) & ring, wanted & ring)
        assert (q_shares[block] <= ring).all()
        assert wanted.shape == (use.stop - use.start, layout.blocks[block])


@st.composite
def _cases(draw: st.DrawFn) -> tuple[Words, Words, Layout, list[slice]]:
    """Sums of up to three matrix products of 8 terms; groups of 1 to 64 rows; up to two pieces."""
    rows, wanted = draw(st.integers(1, 20) | st.just(70)), draw(st.integers(0, 5))
    widths = st.integers(0, 9) | st.sampled_from([16, 17, 31, 32, 33, 63, 64, 65, 100])
    blocks = tuple(draw(st.lists(widths, min_size=1, max_size=3)))
    uses = []
    for _ in blocks:
        start = draw(st.integers(0, wanted))
        uses.append(slice(start, draw(st.integers(start, wanted))))
    matrix = draw(arrays(np.uint64, (rows, sum(blocks)), elements=words, fill=words))
    x = draw(arrays(np.uint64, (wanted, rows), elements=words))
    outputs, ring = draw(st.sampled_from([1, 64, 1 << 20])), draw(st.sampled_from([64, 47, 32]))
    return x, matrix, Layout(rows, blocks, outputs, ring), uses


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


@pytest.mark.req("PPMF-AHE-002", "PPMF-RLW-011", "PPMF-RLW-015")
def test_rows_of_several_full_size_pieces() -> None:
    """Two pieces of each block, under four secrets, with one c1 for a row of X."""
    coins = Coins.seeded("several")
    matrix, x = coins.words((3, 2 * 8300)), coins.words((4, 3))
    layout = Layout(3, (8300, 8300), 1 << 22)
    scheme = FULL.fit([layout])
    assert scheme.key_bytes == 32 + 4 * 8 * 10 * -(-8192 // 3)
    _check(FULL, x, matrix, layout, [slice(0, 4), slice(0, 1)])
    # rows that W does not want have a c1 for R alone
    sizes = [scheme.answer_bytes(layout, [slice(0, n), slice(0, 3)]) for n in (0, 1, 4)]
    residues = [3 * 8192 + 3 * 8300, 3 * 8192 + 4 * 8300, 4 * 8192 + 7 * 8300]
    assert sizes == [4 * 8 * -(-count // 3) for count in residues]
    _check(FULL, x, matrix, layout, [slice(0, 0), slice(1, 2)])


@pytest.mark.req("PPMF-RLW-004")
def test_one_key_serves_matrices_of_all_widths() -> None:
    """Of one piece, whose rows are packed, and of two: the key has the secrets of the larger."""
    coins = Coins.seeded("both")
    layouts = [Layout(5, (10, 10), MANY), Layout(3, (100, 100), MANY)]
    scheme, own = SMALL.fit(layouts), Coins.seeded("own")
    owner = scheme.generate(coins)
    assert len(owner.public) == scheme.key_bytes == 32 + 4 * 8 * 10 * 22
    assert [scheme.context.packing(layout).size for layout in layouts] == [4, 1]
    for layout in layouts:
        matrix, mine = coins.words(layout.shape), own.words(layout.shape)
        x, uses = coins.words((2, layout.rows)), [slice(0, 2), slice(1, 2)]
        groups = list(owner.encrypt_rows(matrix - mine, layout, coins))
        taken = scheme.peer(owner.public).rows(groups, layout, mine)
        answer, p_shares = taken.multiply(x, uses, coins)
        q_shares = owner.decrypt(answer, layout, uses)
        for use, one, other, part in zip(
            uses, p_shares, q_shares, np.split(matrix, 2, axis=1), strict=True
        ):
            assert np.array_equal(one + other, x[use] @ part)


def test_large_matrices_are_stored_in_three_bytes_a_residue(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Three hundred rows of 40 columns a block: each has a ciphertext, and 80 numbers of c0."""
    coins, layout = Coins.seeded("large"), Layout(300, (40, 40), 1 << 31)
    matrix, x = coins.words((300, 80)), coins.words((3, 300))
    for large, width, size in ((300 * 144 * 40, 4, 4), (300 * 144 * 40 - 1, 2, 3)):
        monkeypatch.setattr(layout_module, "LARGE_BYTES", large)
        rows, scheme = take_in(SMALL, matrix, layout), SMALL.fit([layout])
        assert isinstance(rows, peer_module.RlweRows)
        store = rows.store
        assert isinstance(store, StoredRows)
        for stored in (store._first._values, *store._second):
            assert stored._low.itemsize == width
        assert scheme.is_compact(layout) == (size == 3)
        assert scheme.stored_bytes(layout) == 300 * 144 * 10 * size
        _check(SMALL, x, matrix, layout, [slice(0, 3), slice(1, 2)])


def test_the_terms_of_an_answer() -> None:
    """Ten groups of two rows: those of c1 and of c0, modulo ten primes."""
    layout = Layout(19, (20, 20), MANY)
    terms = SMALL.fit([layout]).answer_terms(layout, [slice(1, 3), slice(0, 2)])
    assert terms == 10 * (3 * 64 * 10 + 4 * 20 * 19)


def test_many_rows_are_multiplied_in_groups(monkeypatch: pytest.MonkeyPatch) -> None:
    coins, layout = Coins.seeded("groups"), Layout(7, (20, 20, 5), 1 << 10)
    matrix, x = coins.words((7, 45)), coins.words((9, 7))
    uses = [slice(0, 8), slice(3, 5), slice(7, 9)]
    monkeypatch.setattr(peer_module, "_ANSWERS_AT_ONCE", 3)
    _check(SMALL, x, matrix, layout, uses)


def test_a_matrix_of_no_columns_and_uses_of_no_rows() -> None:
    x = np.ones((2, 3), dtype=np.uint64)
    matrix = np.zeros((3, 0), dtype=np.uint64)
    _check(SMALL, x, matrix, Layout(3, (0, 0), 1), [slice(0, 2)] * 2)
    layout = Layout(3, (2,), 1)
    _check(SMALL, x, np.ones((3, 2), dtype=np.uint64), layout, [slice(1, 1)])
    assert SMALL.fit([layout]).answer_bytes(layout, [slice(1, 1)]) == 0


@pytest.mark.req("PPMF-RLW-011")
def test_lengths_at_the_size_of_movielens() -> None:
    """338 MB of rows, and 31 MB of answers an iteration, for both servers together."""
    uses = (slice(0, 76), slice(0, 10))
    rows = answers = 0
    for count, packed in ((1682, 943), (943, 1682)):
        layout = Layout(count, (packed, packed), 20 * 86 * 2625)
        scheme = FULL.fit([layout])
        rows += 2 * sum(scheme.group_bytes(layout))
        answers += 2 * scheme.answer_bytes(layout, uses)
    assert (rows, answers) == (338_449_728, 31_379_968)


def _errors(
    chosen: RlweScheme, answer: bytes, layout: Layout, uses: Sequence[slice], shares: list[Words]
) -> list[Fraction]:
    """The errors of all phases of an answer whose use 0 has all rows of X, in units of q' / q, by
    big integers.
    """
    lattice = chosen.fit([layout]).lattice
    primes, kept = lattice.kept_primes, lattice.kept_modulus
    secrets, degree = secrets_of(owner_of(chosen, layout)), lattice.degree
    many = uses[0].stop
    counts = [share.size for share in shares]
    count = many * degree + sum(counts)
    residues = read_residues([answer], count, primes, ["answer"])[:, 0].tolist()
    basis = [kept // p * pow(kept // p, -1, p) for p in primes]
    values = [
        sum(int(r) * b for r, b in zip(column, basis, strict=True)) % kept
        for column in zip(*residues, strict=True)
    ]
    errors, at = [], many * degree
    for share, use, secret in zip(shares, uses, secrets.tolist(), strict=True):
        for number, row in enumerate(range(use.start, use.stop)):
            first = values[row * degree : (row + 1) * degree]
            for place in range(share.shape[1]):
                product = sum(
                    first[k] * (secret[place - k] if k <= place else -secret[place - k + degree])
                    for k in range(degree)
                )
                phase = values[at] + product
                error = Fraction(phase) - Fraction(kept * int(share[number, place]), 2**64)
                error -= kept * round(error / kept)
                errors.append(error * lattice.modulus / kept)
                at += 1
    return errors


def _answer_errors(chosen: RlweScheme, layout: Layout, label: str) -> list[Fraction]:
    """Of ten rows of X, all entries -2^63."""
    coins = Coins.seeded(label)
    matrix = coins.words((layout.rows, sum(layout.blocks)))
    x = np.full((10, layout.rows), 2**63, dtype=np.uint64)
    uses = [slice(0, 10), slice(0, 4)]
    answer, _ = take_in(chosen, matrix, layout).multiply(x, uses, coins)
    shares = owner_of(chosen, layout).decrypt(answer, layout, uses)
    return _errors(chosen, answer, layout, uses, shares)


@pytest.mark.req("PPMF-RLW-009")
def test_the_noise_is_that_of_the_flood() -> None:
    layout = Layout(4, (20, 10), 1 << 33)
    budget = Budget.of(TOY, layout)
    errors = _answer_errors(SMALL, layout, "noise")
    flood, lattice = 2**budget.flood_bits, SMALL.fit([layout]).lattice
    switching = Fraction((TOY.degree + 2) * lattice.modulus, 2 * lattice.kept_modulus)
    assert len(errors) == 240
    assert max(map(abs, errors)) <= budget.noise + flood + switching
    counts = np.bincount([int((e / flood + 1) * 4) for e in errors], minlength=8)
    assert len(counts) == 8
    assert not deviates(counts)


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

    monkeypatch.setattr(peer_module, "flood", middle)
    if worst:
        for module in (peer_module, owner_module):
            monkeypatch.setattr(module, "binomial", lambda coins, shape: np.full(shape, 21.0))
    largest = max(map(abs, _answer_errors(FINE, layout, "bare")))
    lattice = FINE.fit([layout]).lattice
    assert lattice.kept == len(lattice.primes) - 1
    switching = Fraction((TOY.degree + 2) * lattice.primes[-1], 2)
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

    monkeypatch.setattr(peer_module, "flood", edge)
    coins = Coins.seeded("edge")
    matrix, x = coins.words((4, 30)), coins.words((10, 4))
    _check(SMALL, x, matrix, layout, [slice(0, 10), slice(2, 4)])


@pytest.mark.req("PPMF-AHE-001")
def test_suites_by_name() -> None:
    assert (FULL.name, FULL.secure, FULL.lattice) == ("rlwe-8192", True, STANDARD)
    assert (SMALL.name, SMALL.secure, SMALL.lattice) == ("rlwe-64-insecure", False, TOY)
    again = RlweScheme(STANDARD), RlweScheme(TOY)
    assert [each.name for each in again] == [FULL.name, SMALL.name]
    assert [each.secure for each in again] == [True, False]
    assert [each.lattice for each in again] == [STANDARD, TOY]
    layout = Layout(3, (60, 10), MANY)
    sizes = [each.fit([layout]).group_bytes(layout) for each in again]
    assert sizes == [[32 + 80 * 70], [32 + 80 * 24] * 3]
    for unknown in ("rlwe-64", "rlwe", "paillier-3072", ""):
        with pytest.raises(ParametersError, match="rlwe-8192"):
            rlwe_scheme(unknown)


@pytest.mark.req("PPMF-RLW-007")
def test_layouts_out_of_budget_are_refused() -> None:
    for layout in (Layout(0, (1,), 1), Layout(60_000, (1,), 1 << 25)):
        with pytest.raises(ParametersError):
            FULL.fit([layout])


@pytest.mark.req("PPMF-ERR-002", "PPMF-ERR-003", "PPMF-RLW-013")
def test_bad_keys_are_named() -> None:
    layout = Layout(9, (3, 2), MANY)
    public = owner_of(SMALL, layout).public
    with pytest.raises(EncodingError, match="lattice public key: 3552 bytes where 436992 are due"):
        FULL.fit([layout]).peer(public)
    with pytest.raises(RangeError, match=r"lattice public key: a residue is outside \[0, 2641921"):
        SMALL.fit([layout]).peer(public[:32] + b"\xff" * 8 + public[40:])


def _groups_and_layout() -> tuple[list[bytes], Layout]:
    """Of nine rows in groups of two; the fifth group has one row."""
    layout = Layout(9, (20, 2), MANY)
    matrix, coins = Coins.seeded("bad rows").words(layout.shape), Coins.seeded("bad rows")
    return list(owner_of(SMALL, layout).encrypt_rows(matrix, layout, coins)), layout


def _peer(layout: Layout) -> PeerKey:
    return SMALL.fit([layout]).peer(owner_of(SMALL, layout).public)


@pytest.mark.req("PPMF-ERR-002", "PPMF-ERR-003", "PPMF-RLW-013")
def test_bad_groups_are_named() -> None:
    groups, layout = _groups_and_layout()
    peer = _peer(layout)
    with pytest.raises(EncodingError, match="4 groups instead of 5"):
        peer.rows(groups[:4], layout, OWN)
    with pytest.raises(EncodingError, match="encrypted group 3: 1231 bytes where 1232 are due"):
        peer.rows([*groups[:3], groups[3][1:], groups[4]], layout, OWN)
    with pytest.raises(EncodingError, match="encrypted group 4: 1232 bytes where 672 are due"):
        peer.rows([*groups[:4], groups[3]], layout, OWN)
    bad = groups[4][:-8] + b"\xff" * 8
    with pytest.raises(RangeError, match=r"encrypted group 4: a residue is outside \[0, 2624513\)"):
        peer.rows([*groups[:4], bad], layout, OWN)
    intake = peer.intake(layout, OWN)
    for group in groups[:4]:
        intake.add([group])
    with pytest.raises(EncodingError, match="more than 5 groups"):
        intake.add([groups[4], groups[4]])


@pytest.mark.req("PPMF-ERR-002", "PPMF-ERR-003", "PPMF-RLW-013")
def test_bad_answers_are_named() -> None:
    groups, layout = _groups_and_layout()
    uses, owner = [slice(0, 1), slice(1, 2)], owner_of(SMALL, layout)
    x = np.ones((2, 9), dtype=np.uint64)
    taken = _peer(layout).rows(groups, layout, OWN)
    answer, _ = taken.multiply(x, uses, Coins.seeded("bad answers"))
    length = len(answer)
    with pytest.raises(EncodingError, match=f"homomorphic answer: {length - 1} bytes where"):
        owner.decrypt(answer[:-1], layout, uses)
    with pytest.raises(RangeError, match="homomorphic answer: a residue is outside"):
        owner.decrypt(b"\xff" * 8 + answer[8:], layout, uses)


def test_an_answer_under_another_key_gives_no_product() -> None:
    """Nothing marks the key of a ciphertext: it decrypts to noise."""
    groups, layout = _groups_and_layout()
    uses = [slice(0, 1), slice(0, 0)]
    x = np.ones((1, 9), dtype=np.uint64)
    taken = _peer(layout).rows(groups, layout, OWN)
    answer, _ = taken.multiply(x, uses, Coins.seeded("wrong key"))
    right = owner_of(SMALL, layout).decrypt(answer, layout, uses)[0]
    for label in ("A", "B", "C"):
        other = owner_of(SMALL, layout, label)
        assert not (other.decrypt(answer, layout, uses)[0] == right).any()


def test_wrong_shapes_raise_value_errors() -> None:
    groups, layout = _groups_and_layout()
    zeros = np.zeros((9, 21), dtype=np.uint64)
    encrypted = owner_of(SMALL, layout).encrypt_rows(zeros, layout, Coins.seeded(""))
    with pytest.raises(ValueError, match="shape"):
        next(encrypted)
    taken = _peer(layout).rows(groups, layout, OWN)
    uses = [slice(0, 2), slice(0, 0)]
    for shape in ((2, 10), (1, 9)):
        with pytest.raises(ValueError, match="X has not"):
            taken.multiply(np.zeros(shape, dtype=np.uint64), uses, Coins.seeded(""))


def test_a_run_is_a_function_of_its_coins() -> None:
    coins, layout = Coins.seeded("repeat"), Layout(3, (4,), 64)
    matrix, x = coins.words((3, 4)), coins.words((2, 3))
    answers = [
        take_in(SMALL, matrix, layout).multiply(x, [slice(0, 2)], Coins.seeded(label))[0]
        for label in ("one", "one", "two")
    ]
    assert answers[0] == answers[1] != answers[2]


def test_the_arguments_are_unchanged() -> None:
    coins, layout = Coins.seeded("arguments"), Layout(3, (4,), 64)
    matrix, x = coins.words((3, 8))[:, ::2], coins.words((4, 3))[::2]
    before = matrix.copy(), x.copy()
    _check(SMALL, x, matrix, layout, [slice(0, 2)])
    assert np.array_equal(before[0], matrix)
    assert np.array_equal(before[1], x)
    assert prod(before[0].shape) == 12
