# SPDX-License-Identifier: Apache-2.0
"""Encoding, lifting, switching, decoding and packing of residues against Python's integers."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import prod
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.encryption.lattice.params import (
    EXACT,
    LARGE_PRIMES,
    REDUCE_MARGIN,
    STANDARD,
    TOY,
    Lattice,
)
from ppmf_secure.primitives.encryption.lattice.ring import combine
from ppmf_secure.primitives.encryption.lattice.rounding import Rounding
from ppmf_secure.primitives.encryption.lattice.sampling import FLOOD_LIMB_BITS
from ppmf_secure.primitives.encryption.lattice.wire import pack, read_residues, unpack, words_for
from ppmf_spec.errors import EncodingError, RangeError

ROUNDING = Rounding(STANDARD, 64)
PRIMES, KEPT = STANDARD.primes, STANDARD.kept_primes
Q, Q_KEPT = STANDARD.modulus, STANDARD.kept_modulus
LAST = 2**64 - 1

words = st.lists(
    st.integers(0, LAST) | st.sampled_from([0, 1, 2**32, 2**63 - 1, 2**63, 2**63 + 1, LAST]),
    min_size=1,
    max_size=4,
)


def _round_half_up(value: Fraction) -> int:
    return (value + Fraction(1, 2)).__floor__()


def _residues(values: list[int], primes: tuple[int, ...]) -> np.ndarray:
    """Centred residues (primes, values)."""
    return np.array([[(v + p // 2) % p - p // 2 for v in values] for p in primes], dtype=float)


@pytest.mark.req("PPMF-RLW-006")
@given(messages=words)
def test_encoding_is_the_nearest_integer(messages: list[int]) -> None:
    limbs = ROUNDING.message_limbs(np.array(messages, dtype=np.uint64))
    for scales, prime in zip(ROUNDING.encoding, PRIMES, strict=True):
        for value, message in zip(combine(scales, limbs).tolist(), messages, strict=True):
            assert (int(value) - _round_half_up(Fraction(Q * message, 2**64))) % prime == 0


@pytest.mark.req("PPMF-RLW-006")
@pytest.mark.parametrize("ring_bits", [64, 47, 32])
def test_encodings_and_errors_modulo_every_prime(ring_bits: int) -> None:
    random, rounding = Random(5), Rounding(STANDARD, ring_bits)
    messages = [0, 1, LAST, 2**63, *(random.randrange(2**64) for _ in range(8))]
    errors = [float(random.choice((-21, 0, 21, random.randrange(-21, 22)))) for _ in messages]
    shape = 3, 4
    rows = np.array(messages, dtype=np.uint64).reshape(shape)
    bare = rounding.encode(rows)
    moved = rounding.encode(rows, np.array(errors).reshape(shape))
    assert bare.shape == moved.shape == (len(PRIMES), 12)
    for at, (message, error) in enumerate(zip(messages, errors, strict=True)):
        nearest = _round_half_up(Fraction(Q * (message % 2**ring_bits), 2**ring_bits))
        for prime, one, other in zip(PRIMES, bare[:, at], moved[:, at], strict=True):
            assert (int(one) - nearest) % prime == 0
            assert int(other) - int(one) == error
            assert abs(other) <= EXACT - REDUCE_MARGIN


@pytest.mark.parametrize("lattice", [TOY, replace(STANDARD, primes=PRIMES[:5], kept=2)])
def test_the_constants_of_a_lattice(lattice: Lattice) -> None:
    """All centred, and the residues that the module's text says they are."""
    rounding, primes, kept = Rounding(lattice, 64), lattice.primes, lattice.kept
    q, low = prod(primes), prod(primes[:kept])
    gone = q // low
    assert rounding.message_limbs(np.array([1], dtype=np.uint64)).tolist() == [
        [q % 2**64 >> 32 if q >> 63 & 1 == 0 else (q % 2**64 >> 32) - 2**32],
        [q % 2**32],
    ]
    table = np.array(rounding._switch_table)
    assert table.shape == (kept, len(primes))
    for i, p in enumerate(primes):
        high, low_part = (int(constant) for constant in rounding.encoding[i])
        assert [high * 2**32 % p, low_part * 2**64 % p] == [p - 1, p - 1]
        assert (int(rounding.lifting[i, 0]) - 2**32) % p == 0
        assert rounding.lifting[i, 1] == 1
        if i < kept:
            assert rounding._from_kept[i] * (low // p) % p == 1
            assert int(table[i, i]) * gone % p == 1
            assert np.count_nonzero(table[i, :kept]) == 1
            found = [int(c) * d % p for c, d in zip(table[i, kept:], primes[kept:], strict=True)]
            assert found == [p - 1] * (len(primes) - kept)
        else:
            assert rounding._to_digits[i - kept] * (gone // p) % p == 1
            assert rounding._inverses[i - kept] == 1 / p
    both = [rounding.encoding, rounding.lifting]
    assert [scales.dtype for scales in both] == [np.float64] * 2
    assert all(np.abs(scales).max() <= max(primes) // 2 for scales in [*both, table])
    assert max(map(abs, [*rounding._to_digits, *rounding._from_kept])) <= max(primes) // 2
    words = np.array([[0, 1, LAST], [2**63, 5 << 40, q % 2**64]], dtype=np.uint64)
    assert rounding.lift(words).shape == (len(primes), 2, 3)


def test_all_that_is_added_to_c0_stays_exact() -> None:
    """At the largest limbs, next to a reduced product and a folded one."""
    bits = 149
    largest = [2.0**31, 2.0**32 - 1, 21.0, 1.0] + [2.0**24 - 1] * -(-bits // FLOOD_LIMB_BITS)
    for scales in ROUNDING.hiding(bits):
        total = sum(abs(int(s)) * int(l) for s, l in zip(scales, largest, strict=True))
        assert total + 8193 * max(PRIMES) <= EXACT - REDUCE_MARGIN


@pytest.mark.req("PPMF-RLW-008", "PPMF-RLW-009")
@given(messages=words, floods=st.lists(st.integers(0, 2**143 - 1), min_size=1, max_size=4))
def test_what_is_added_to_c0(messages: list[int], floods: list[int]) -> None:
    count = min(len(messages), len(floods))
    masks = np.array(messages[:count], dtype=np.uint64)
    limbs = [
        [float(value >> at & (2**24 - 1)) for value in floods[:count]] for at in range(0, 143, 24)
    ]
    errors = np.arange(count, dtype=float) - 21
    hidden = np.vstack([ROUNDING.message_limbs(masks), errors, np.ones(count), *limbs])
    values = ROUNDING.hiding(143) @ hidden
    for row, prime in zip(values, PRIMES, strict=True):
        for at in range(count):
            mask = _round_half_up(Fraction(Q * messages[at], 2**64))
            expected = mask + at - 21 + floods[at] - 2**142
            assert (int(row[at]) - expected) % prime == 0


@pytest.mark.req("PPMF-RLW-008")
@given(values=words)
def test_lifting_is_signed(values: list[int]) -> None:
    lifted = ROUNDING.lift(np.array(values, dtype=np.uint64))
    for row, prime in zip(lifted, PRIMES, strict=True):
        assert np.abs(row).max() <= prime // 2 + 3
        for residue, value in zip(row.tolist(), values, strict=True):
            signed = value - 2**64 if value >= 2**63 else value
            assert (int(residue) - signed) % prime == 0


def _near(modulus: int) -> st.SearchStrategy[int]:
    """Anything, or something close to a multiple of an eighth of the modulus."""
    close = st.builds(
        lambda eighth, off: (eighth * modulus // 8 + off) % modulus,
        st.integers(0, 8),
        st.integers(-3, 3),
    )
    return st.integers(0, modulus - 1) | close


@pytest.mark.req("PPMF-RLW-010")
@given(values=st.lists(_near(Q), min_size=1, max_size=4))
def test_switching_rounds_to_the_nearest(values: list[int]) -> None:
    out = np.empty((len(KEPT), len(values)), dtype=np.int32)
    ROUNDING.switch(_residues(values, PRIMES), out)
    assert np.abs(out).max() <= max(KEPT) // 2 + 3
    for at, value in enumerate(values):
        scaled = Fraction(value * Q_KEPT, Q)
        candidates = [scaled.__floor__(), scaled.__floor__() + 1]
        near = [c for c in candidates if abs(c - scaled) <= Fraction(1, 2) + Fraction(1, 2**40)]
        assert any(all((int(out[i, at]) - c) % p == 0 for i, p in enumerate(KEPT)) for c in near)


def test_sums_close_to_a_half_are_added_in_order() -> None:
    """Halfway, the last bit of the sum for k decides: no matrix product may choose its order."""
    dropped = PRIMES[len(KEPT) :]
    gone, random = Q // Q_KEPT, Random(1)
    values = [
        random.randrange(Q_KEPT) * gone + gone // 2 + random.randrange(-(2**60), 2**60)
        for _ in range(4000)
    ]
    out = np.empty((len(KEPT), len(values)), dtype=np.int32)
    ROUNDING.switch(_residues(values, PRIMES), out)
    rounded_up = 0
    for at, value in enumerate(values):
        total, left = 0.0, value
        for p in dropped:
            digit = value * pow(gone // p, -1, p) % p
            digit -= p if digit > p // 2 else 0
            total += float(digit) * (1 / p)
            left -= digit * (gone // p)
        nearest = left // gone + round(total)
        assert [int(r) % p for r, p in zip(out[:, at], KEPT, strict=True)] == [
            nearest % p for p in KEPT
        ]
        rounded_up += nearest > value // gone
    assert 1000 < rounded_up < 3000


def test_switching_more_than_fits_at_once() -> None:
    count = (1 << 16) + 5
    one = _residues([Q // 3], PRIMES)
    out = np.empty((len(KEPT), count), dtype=np.int32)
    ROUNDING.switch(np.repeat(one, count, axis=1), out)
    nearest = (Q // 3 * Q_KEPT + Q // 2) // Q
    assert (out == out[:, :1]).all()
    assert [int(v) % p for v, p in zip(out[:, 0], KEPT, strict=True)] == [nearest % p for p in KEPT]


@pytest.mark.req("PPMF-RLW-012")
@given(data=st.data(), count=st.integers(1, 4))
def test_decoding_is_exact_up_to_the_room_left(data: st.DataObject, count: int) -> None:
    """Q v / 2^64 with any error below 2^-65 q' but for the room that the budget keeps."""
    largest = Q_KEPT * (2**40 - 1) // 2**105 - 1  # 1 for the floor below
    shares = data.draw(st.lists(st.integers(0, LAST), min_size=count, max_size=count))
    errors = st.integers(-largest, largest) | st.sampled_from([-largest, largest])
    noisy = [(Q_KEPT * share // 2**64 + data.draw(errors)) % Q_KEPT for share in shares]
    assert ROUNDING.decode(_residues(noisy, KEPT)).tolist() == shares


def _as_bytes(values: list[int], prime: int) -> bytes:
    return pack(np.array(values, dtype=float), prime).astype("<u8").tobytes()


@pytest.mark.req("PPMF-RLW-003")
@given(
    values=st.lists(st.integers(-(LARGE_PRIMES[0] // 2), LARGE_PRIMES[0] // 2), max_size=10),
)
def test_three_residues_are_packed_in_a_word(values: list[int]) -> None:
    prime = LARGE_PRIMES[0]
    data = _as_bytes(values, prime)
    assert len(data) == 8 * words_for(len(values))
    read = read_residues([data, data], len(values), (prime,), ["a", "b"])
    assert read.dtype == np.int32
    assert read.tolist() == [[[value % prime for value in values]] * 2]


@pytest.mark.req("PPMF-RLW-003", "PPMF-RLW-013")
def test_words_of_an_encoding_and_others() -> None:
    """Word i is v_i + p (v_(n+i) + p v_(2n+i)); after five residues a 0 is padding."""
    prime, values = 1_048_583, [1, -1, 524_291, -524_291, 0]
    v = [value % prime for value in [*values, 0]]
    fine = [v[i] + prime * (v[2 + i] + prime * v[4 + i]) for i in (0, 1)]
    assert pack(np.array([values], dtype=np.int32), prime).tolist() == [fine]
    over = [fine[0] + prime**3, fine[1]]
    top = [fine[0] + (prime - 1) * prime**2, fine[1]]
    padded = [fine[0], fine[1] + prime**2]
    last = [2**64 - 1, fine[1]]
    rows = np.array([fine, over, padded, fine, last, top], dtype=np.uint64)
    found, bad = unpack(rows, 5, prime)
    assert found.dtype == np.int32
    assert bad.dtype == np.bool_
    assert bad.tolist() == [False, True, True, False, True, False]
    assert found[[0, 3]].tolist() == [v[:5], v[:5]]
    assert found[5].tolist() == [*v[:4], prime - 1]


@pytest.mark.req("PPMF-RLW-003")
def test_residues_above_a_half_are_packed_too() -> None:
    prime = LARGE_PRIMES[0]
    half = (prime - 1) // 2
    data = _as_bytes([half + 3, -half - 3, half, -half], prime)
    read = read_residues([data], 4, (prime,), ["a"])
    assert read.tolist() == [[[half + 3, half - 2, half, half + 1]]]


@pytest.mark.req("PPMF-ERR-002", "PPMF-ERR-003", "PPMF-RLW-013")
def test_bytes_outside_the_residues_are_refused() -> None:
    prime = LARGE_PRIMES[0]
    good = _as_bytes([1, 2, 3, 4], prime)
    names = ["row 0", "row 1"]
    with pytest.raises(EncodingError, match="row 1: 15 bytes where 16 are due"):
        read_residues([good, good[:-1]], 4, (prime,), names)
    for word in (prime**3, 2**64 - 1):
        bad = good[:8] + word.to_bytes(8, "little")
        with pytest.raises(RangeError, match=rf"row 1: a residue is outside \[0, {prime}\)"):
            read_residues([good, bad], 4, (prime,), names)
    # the first bad row is named, though the other is bad modulo an earlier prime
    both = (prime, LARGE_PRIMES[1])
    late = [good + b"\xff" * 8 + good[8:], b"\xff" * 8 + good[8:] + good]
    with pytest.raises(RangeError, match=rf"row 0: a residue is outside \[0, {both[1]}\)"):
        read_residues(late, 4, both, names)
    # the third of word 1 is padding, and has to be 0
    for value in (prime**2, 5 * prime**2):
        bad = good[:8] + value.to_bytes(8, "little")
        with pytest.raises(RangeError, match="row 0"):
            read_residues([bad, good], 4, (prime,), names)
