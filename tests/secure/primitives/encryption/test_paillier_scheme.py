# SPDX-License-Identifier: Apache-2.0
"""The homomorphic matrix product over Paillier: shares, lengths, freshness, refusals."""

from __future__ import annotations

from functools import cache
from math import prod

import gmpy2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout, Uses
from ppmf_secure.primitives.encryption.paillier import peer
from ppmf_secure.primitives.encryption.paillier.multiexp import best_window, levels
from ppmf_secure.primitives.encryption.paillier.owner import PaillierOwner
from ppmf_secure.primitives.encryption.paillier.peer import PaillierPeer, PaillierRows
from ppmf_secure.primitives.encryption.paillier.scheme import PaillierScheme, paillier_scheme
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_secure.primitives.shares import ring_mask
from ppmf_spec.errors import EncodingError, ParametersError, RangeError

Words = NDArray[np.uint64]
SCHEME = paillier_scheme("paillier-512-insecure")
OWN = np.zeros((3, 4), dtype=np.uint64)
"""A peer's share that adds nothing."""
LAST = 2**64 - 1

words = st.integers(0, LAST) | st.sampled_from([0, 1, LAST])


@cache
def _owner(label: str = "Q") -> PaillierOwner:
    return SCHEME.generate(Coins.seeded(label))


def _peer() -> PaillierPeer:
    return SCHEME.peer(_owner().public)


def _take_in(matrix: Words, layout: Layout, label: str = "rows") -> PaillierRows:
    own = Coins.seeded(f"{label}/own").words(matrix.shape)
    encrypted = list(_owner().encrypt_rows(matrix - own, layout, Coins.seeded(label)))
    assert [len(row) for row in encrypted] == SCHEME.group_bytes(layout)
    taken = _peer().rows(encrypted, layout, own)
    assert isinstance(taken, PaillierRows)
    return taken


def _check(x: Words, matrix: Words, layout: Layout, uses: Uses) -> None:
    """Shares of both sides add up to X M mod 2^64 in every block, for the rows wanted."""
    answer, p_shares = _take_in(matrix, layout).multiply(x, uses, Coins.seeded("answer"))
    assert len(answer) == SCHEME.answer_bytes(layout, uses)
    q_shares = _owner().decrypt(answer, layout, uses)
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
    rows, wanted = draw(st.integers(1, 6)), draw(st.integers(0, 4))
    blocks = tuple(draw(st.lists(st.integers(0, 5), min_size=1, max_size=3)))
    uses = []
    for _ in blocks:
        start = draw(st.integers(0, wanted))
        uses.append(slice(start, draw(st.integers(start, wanted))))
    matrix = draw(arrays(np.uint64, (rows, sum(blocks)), elements=words))
    x = draw(arrays(np.uint64, (wanted, rows), elements=words))
    outputs, ring = draw(st.sampled_from([1, 64, 1 << 20])), draw(st.sampled_from([64, 47, 32]))
    return x, matrix, Layout(rows, blocks, outputs, ring), uses


@pytest.mark.req("PPMF-AHE-002")
@settings(max_examples=50)
@given(case=_cases())
def test_shares_add_up_to_the_product(case: tuple[Words, Words, Layout, list[slice]]) -> None:
    _check(*case)


@pytest.mark.req("PPMF-AHE-002", "PPMF-AHE-007")
@pytest.mark.parametrize("x_value", [0, LAST])
@pytest.mark.parametrize("m_value", [0, LAST])
@pytest.mark.parametrize("rows", [1, 2, 64])
def test_extreme_values_everywhere(x_value: int, m_value: int, rows: int) -> None:
    """Three columns: a full ciphertext of two slots, then a ragged one."""
    x = np.full((2, rows), x_value, dtype=np.uint64)
    matrix = np.full((rows, 3), m_value, dtype=np.uint64)
    _check(x, matrix, Layout(rows, (3,), 6), [slice(0, 2)])


@pytest.mark.req("PPMF-AHE-007")
def test_the_largest_mask_on_the_largest_sum_stays_in_its_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Slots, "mask", lambda self, _: (1 << (self.width - 1)) - 1)
    x, matrix = np.full((1, 8), LAST, dtype=np.uint64), np.full((8, 4), LAST, dtype=np.uint64)
    _check(x, matrix, Layout(8, (4,), 4), [slice(0, 1)])


def test_a_matrix_of_no_columns_and_uses_of_no_rows() -> None:
    matrix = np.zeros((3, 0), dtype=np.uint64)
    _check(np.ones((2, 3), dtype=np.uint64), matrix, Layout(3, (0, 0), 1), [slice(0, 2)] * 2)
    matrix = np.ones((3, 2), dtype=np.uint64)
    _check(np.ones((2, 3), dtype=np.uint64), matrix, Layout(3, (2,), 1), [slice(1, 1)])


def test_powers_that_do_not_fit_are_made_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    coins, layout = Coins.seeded("kept"), Layout(3, (4,), 64)
    matrix, x = coins.words((3, 4)), coins.words((2, 3))
    kept = _take_in(matrix, layout)
    monkeypatch.setattr(peer, "_KEPT_BYTES", 0)
    dropped = _take_in(matrix, layout)
    size = 2 * 3 * levels(best_window(3)) * 128
    monkeypatch.setattr(peer, "_KEPT_BYTES", size)
    just = _take_in(matrix, layout)
    monkeypatch.setattr(peer, "_KEPT_BYTES", size - 1)
    not_quite = _take_in(matrix, layout)
    for rows, stored in ((kept, True), (dropped, False), (just, True), (not_quite, False)):
        rows.multiply(x, [slice(0, 2)], coins)
        assert [bool(bases._stored) for bases in rows._columns] == [stored, stored]
    _check(x, matrix, layout, [slice(0, 2)])


@pytest.mark.req("PPMF-AHE-009", "PPMF-AHE-010")
def test_every_part_of_an_answer_is_fresh() -> None:
    coins, layout = Coins.seeded("fresh"), Layout(3, (4, 1), 64)
    rows, x = _take_in(coins.words((3, 5)), layout), coins.words((3, 3))
    x[1] = x[0]
    uses = [slice(0, 3), slice(0, 3)]
    size = _owner()._secret.public.ciphertext_bytes
    ciphertexts, p_shares = [], []
    for _ in range(2):
        answer, shares = rows.multiply(x, uses, coins)
        ciphertexts += [answer[at : at + size] for at in range(0, len(answer), size)]
        p_shares += [int(word) for share in shares for word in share.ravel()]
    assert len(set(ciphertexts)) == len(ciphertexts) == 18
    assert len(set(p_shares)) == len(p_shares) == 30


@pytest.mark.req("PPMF-AHE-009")
def test_the_randomness_of_an_answer_is_not_that_of_the_product() -> None:
    """With the secret key: c = (1 + N)^m z, and z is not the product of the rows' own powers."""
    coins, layout = Coins.seeded("randomness"), Layout(4, (1,), 4)
    matrix, x = coins.words((4, 1)), coins.words((1, 4))
    encrypted = list(_owner().encrypt_rows(matrix, layout, coins))
    answer, _ = _peer().rows(encrypted, layout, matrix).multiply(x, [slice(0, 1)], coins)
    secret = _owner()._secret
    public = secret.public

    def residue(data: bytes) -> int:
        (ciphertext,) = public.read(data, 1, "test")
        message = secret.decrypt(ciphertext)
        return int(ciphertext * gmpy2.invert(public.plain(message), public.square) % public.square)

    unmasked = prod(
        int(gmpy2.powmod(residue(row), int(power), public.square))
        for row, power in zip(encrypted, x[0], strict=True)
    )
    own = residue(answer) * int(gmpy2.invert(unmasked, public.square)) % int(public.square)
    assert own != 1
    assert gmpy2.powmod(own, (secret._p - 1) * (secret._q - 1), public.square) == 1


@pytest.mark.req("PPMF-AHE-010")
def test_q_decrypts_masks_over_their_whole_range() -> None:
    """What Q sees beside its share is of the mask's size, not the product's."""
    coins, layout = Coins.seeded("range"), Layout(2, (1,), 1)
    slots, secret = Slots.of(512, layout), _owner()._secret
    rows = _take_in(np.zeros((2, 1), dtype=np.uint64), layout)
    answer, _ = rows.multiply(np.zeros((40, 2), dtype=np.uint64), [slice(0, 40)], coins)
    plaintexts = [secret.decrypt(c) for c in secret.public.read(answer, 40, "answer")]
    assert max(plaintexts) >> (slots.width - 2) == 1
    assert len({p >> (slots.width - 9) for p in plaintexts}) > 30


@pytest.mark.req("PPMF-AHE-007")
@pytest.mark.parametrize("bits", [512, 2048, 3072])
@pytest.mark.parametrize("rows", [1, 2, 3, 943, 944, 10**6])
@pytest.mark.parametrize("outputs", [1, 2, 3, 1 << 20])
def test_the_budget_of_a_slot(bits: int, rows: int, outputs: int) -> None:
    slots = Slots.of(bits, Layout(rows, (1,), outputs))
    mask = 1 << (slots.width - 1)
    largest = rows * LAST * (2 * LAST)
    assert largest + mask - 1 < 1 << slots.width
    assert outputs * largest << 41 <= mask < 4 * outputs * rows << 170
    assert slots.count * slots.width <= bits - 1 < (slots.count + 1) * slots.width


@pytest.mark.req("PPMF-AHE-007")
def test_slots_at_the_size_of_movielens() -> None:
    assert Slots.of(3072, Layout(943, (1682, 1682), 3_000_000)) == Slots(203, 15)
    assert Slots.of(2048, Layout(943, (1682, 1682), 3_000_000)) == Slots(203, 10)


@pytest.mark.req("PPMF-AHE-007")
def test_slots_at_the_edges() -> None:
    """One slot of all bits but one is enough; a matrix of no blocks has slots all the same."""
    assert Slots.of(512, Layout(1, (1,), 1 << 340)) == Slots(511, 1)
    assert Slots.of(512, Layout(1 << 2, (1,), 1 << 338)) == Slots(511, 1)
    assert Slots.of(512, Layout(1, (), 1)) == Slots.of(512, Layout(1, (0,), 1)) == Slots(171, 2)


@pytest.mark.req("PPMF-AHE-008")
@given(values=st.lists(st.integers(0, 2**200 - 1), max_size=4))
def test_slots_hold_what_was_packed(values: list[int]) -> None:
    slots = Slots(200, 4)
    packed = slots.pack(values)
    assert packed < 1 << 800
    assert slots.unpack(packed, len(values)) == [value % 2**64 for value in values]


@pytest.mark.req("PPMF-AHE-007")
def test_layouts_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ParametersError, match="512 bits hold no slot of 514 bits"):
        Slots.of(512, Layout(1, (1,), 1 << 343))
    for layout in (Layout(0, (1,), 1), Layout(1, (1,), 0), Layout(1, (-1,), 1)):
        with pytest.raises(ParametersError, match="matrix layout"):
            SCHEME.fit([layout])


@pytest.mark.req("PPMF-AHE-001")
def test_suites_by_name() -> None:
    for name, bits, secure in [
        ("paillier-3072", 3072, True),
        ("paillier-2048", 2048, False),
        ("paillier-1024-insecure", 1024, False),
        ("paillier-768-insecure", 768, False),
        ("paillier-512-insecure", 512, False),
    ]:
        found = paillier_scheme(name)
        assert (found.name, found.bits, found.secure) == (name, bits, secure)
        again = PaillierScheme(bits)
        assert (again.name, again.bits, again.secure) == (name, bits, secure)
    for unknown in ("paillier-512", "paillier", "rlwe-8192", ""):
        with pytest.raises(ParametersError, match="paillier-3072"):
            paillier_scheme(unknown)


def test_keys_of_another_suite_are_refused() -> None:
    with pytest.raises(EncodingError, match="64 bytes instead of 96"):
        paillier_scheme("paillier-768-insecure").peer(_owner().public)
    with pytest.raises(RangeError, match="small prime"):
        SCHEME.peer(b"\xff" + bytes(63))


def _rows_and_layout() -> tuple[list[bytes], Layout]:
    layout = Layout(3, (3, 1), 12)
    matrix = Coins.seeded("bad rows").words((3, 4))
    return list(_owner().encrypt_rows(matrix, layout, Coins.seeded("bad rows"))), layout


@pytest.mark.req("PPMF-AHE-005")
def test_bad_rows_are_named() -> None:
    rows, layout = _rows_and_layout()
    size = _owner()._secret.public.ciphertext_bytes
    with pytest.raises(EncodingError, match="2 rows instead of 3"):
        _peer().rows(rows[:2], layout, OWN)
    with pytest.raises(EncodingError, match="encrypted row 1: 383 bytes instead of 384"):
        _peer().rows([rows[0], rows[1][1:], rows[2]], layout, OWN)
    with pytest.raises(RangeError, match=r"encrypted row 2: ciphertext 1 is outside \(0, N\^2\)"):
        _peer().rows(
            [*rows[:2], rows[2][:size] + b"\xff" * size + rows[2][2 * size :]], layout, OWN
        )
    factor = int(_owner()._secret._p).to_bytes(size, "big")
    with pytest.raises(RangeError, match="encrypted row 0: ciphertext 0 is not prime to N"):
        _peer().rows([factor + rows[0][size:], *rows[1:]], layout, OWN)


@pytest.mark.req("PPMF-AHE-005")
def test_bad_answers_are_named() -> None:
    rows, layout = _rows_and_layout()
    uses = [slice(0, 1), slice(1, 2)]
    x = np.ones((2, 3), dtype=np.uint64)
    answer, _ = _peer().rows(rows, layout, OWN).multiply(x, uses, Coins.seeded("bad answers"))
    with pytest.raises(EncodingError, match="homomorphic answer: 383 bytes instead of 384"):
        _owner().decrypt(answer[:-1], layout, uses)
    with pytest.raises(RangeError, match="homomorphic answer: ciphertext 2 is outside"):
        _owner().decrypt(answer[:256] + bytes(128), layout, uses)


def test_an_answer_under_another_key_gives_no_product() -> None:
    """Nothing marks the key of a ciphertext: it is out of range for Q, or decrypts to noise."""
    rows, layout = _rows_and_layout()
    uses = [slice(0, 1), slice(0, 0)]
    x = np.ones((1, 3), dtype=np.uint64)
    answer, _ = _peer().rows(rows, layout, OWN).multiply(x, uses, Coins.seeded("wrong key"))
    right = _owner().decrypt(answer, layout, uses)[0]
    for label in ("A", "B", "C"):
        try:
            wrong = _owner(label).decrypt(answer, layout, uses)[0]
        except RangeError:
            continue
        assert not (wrong == right).any()


def test_wrong_shapes_raise_value_errors() -> None:
    rows, layout = _rows_and_layout()
    with pytest.raises(ValueError, match="shape"):
        next(_owner().encrypt_rows(np.zeros((3, 3), dtype=np.uint64), layout, Coins.seeded("")))
    taken = _peer().rows(rows, layout, OWN)
    uses = [slice(0, 2), slice(0, 0)]
    for shape in ((2, 4), (1, 3)):
        with pytest.raises(ValueError, match="X has not"):
            taken.multiply(np.zeros(shape, dtype=np.uint64), uses, Coins.seeded(""))


def test_a_run_is_a_function_of_its_coins() -> None:
    coins, layout = Coins.seeded("repeat"), Layout(3, (4,), 64)
    matrix, x = coins.words((3, 4)), coins.words((2, 3))
    answers = [
        _take_in(matrix, layout).multiply(x, [slice(0, 2)], Coins.seeded(label))[0]
        for label in ("one", "one", "two")
    ]
    assert answers[0] == answers[1] != answers[2]
