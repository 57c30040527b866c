# SPDX-License-Identifier: Apache-2.0
"""The hash against its formula block by block, and the keys of batches."""

from __future__ import annotations

import hashlib
import struct
from itertools import combinations

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.hashing import (
    MAX_CALLS,
    BatchKeys,
    PadHash,
    TweakedHash,
    expand,
    hash_blocks,
)

KEYS = BatchKeys(b"session", 3)


def slow_hash(key: bytes, low: int, high: int, tweak: int) -> tuple[int, int]:
    """Pi(pi(x) ^ i) ^ pi(x) of one block, on Python integers."""

    def pi(block: int) -> int:
        encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        return int.from_bytes(encryptor.update(block.to_bytes(16, "little")), "little")

    inner = pi(low | high << 64)
    result = pi(inner ^ tweak) ^ inner
    return result & (1 << 64) - 1, result >> 64


@pytest.mark.req("PPMF-HSH-001")
@given(st.integers(1, 9), st.integers(0, 2**64 - 10), st.integers(0, 2**32))
def test_hash_blocks_is_the_formula_row_by_row(rows: int, first: int, seed: int) -> None:
    x = Coins.seeded(f"tccr/{seed}").words((rows, 2))
    key = KEYS.key("test", seed)
    hashed = hash_blocks(KEYS.cipher("test", seed), x, first)
    assert [tuple(row) for row in hashed.tolist()] == [
        slow_hash(key, low, high, first + row) for row, (low, high) in enumerate(x.tolist())
    ]


@pytest.mark.req("PPMF-HSH-005")
@given(st.integers(1, 6), st.integers(1, 5), st.integers(1, 7), st.integers(0, 2**32))
def test_expand_gives_each_block_of_each_row_a_tweak_of_its_own(
    rows: int, blocks: int, per_batch: int, seed: int
) -> None:
    """A key and tweaks from 0 for every batch of rows."""
    x = Coins.seeded(f"expand/{seed}").words((rows, 2))
    count = -(-rows // per_batch)
    ciphers = [KEYS.cipher("test", seed, batch) for batch in range(count)]
    hashed = expand(ciphers, x, blocks, per_batch)
    assert hashed.shape == (rows, blocks, 2)
    for number, (low, high) in enumerate(x.tolist()):
        batch, row = divmod(number, per_batch)
        for block in range(blocks):
            expected = slow_hash(KEYS.key("test", seed, batch), low, high, row * blocks + block)
            assert tuple(hashed[number, block].tolist()) == expected


def test_hash_blocks_leaves_its_input() -> None:
    x = Coins.seeded("left").words((5, 2))
    before = x.copy()
    first = hash_blocks(KEYS.cipher("a"), x, 7)
    assert np.array_equal(first, hash_blocks(KEYS.cipher("a"), x, 7))
    assert np.array_equal(x, before)


def test_expand_takes_a_view_with_gaps_and_leaves_it() -> None:
    wide = Coins.seeded("strided").words((4, 3, 2))
    before = wide.copy()
    hashed = expand([KEYS.cipher("a")], wide[:, 1], 2, 4)
    assert np.array_equal(hashed, expand([KEYS.cipher("a")], wide[:, 1].copy(), 2, 4))
    assert np.array_equal(wide, before)


def test_a_tweaked_hash_can_be_used_again() -> None:
    """Two blocks for each of three elements, of which two are a batch."""
    tweaks = np.array([[4, 4, 9], [5, 6, 7]], dtype=np.uint64)
    hashing = TweakedHash(tweaks, 2)
    assert hashing.batches == 2
    for label in ("first", "second"):
        x = Coins.seeded(label).words((2, 3, 2))
        hashing.blocks[:] = x
        hashed = hashing([KEYS.cipher(label, batch) for batch in range(2)])
        for row in range(2):
            for element in range(3):
                low, high = x[row, element].tolist()
                key = KEYS.key(label, element // 2)
                expected = slow_hash(key, low, high, int(tweaks[row, element]))
                assert tuple(hashed[row, element].tolist()) == expected


def test_the_hashes_replace_the_blocks_in_place() -> None:
    x = Coins.seeded("in place").words((3, 2))
    hashing = TweakedHash(np.arange(3, dtype=np.uint64)[None], 3)
    hashing.blocks[0] = x
    assert hashing([KEYS.cipher("in place")]) is hashing.blocks
    assert np.array_equal(hashing.blocks[0], hash_blocks(KEYS.cipher("in place"), x, 0))


@pytest.mark.req("PPMF-HSH-005")
def test_both_kinds_of_keys_have_the_same_tweaks_and_buffers_are_used_again() -> None:
    pads = PadHash(3, 4, kinds=2)
    for label in ("first", "second"):
        pads.keys[:] = keys = Coins.seeded(label).words((2, 4, 2))
        hashed = pads(KEYS.cipher(label))
        assert hashed.shape == (2, 3, 4, 2)
        for kind in range(2):
            alone = expand([KEYS.cipher(label)], keys[kind], 3, 4)
            assert np.array_equal(hashed[kind], alone.swapaxes(0, 1))
        assert np.array_equal(pads.keys, keys)
        hashed[:] = 0  # what is returned may be changed


def test_a_key_too_few_or_too_many_is_an_error() -> None:
    """No batch stays unhashed."""
    hashing = TweakedHash(np.arange(3, dtype=np.uint64)[None], 2)
    x = np.zeros((3, 2), dtype=np.uint64)
    for count in (1, 3):
        ciphers = [KEYS.cipher("count", batch) for batch in range(count)]
        with pytest.raises(ValueError, match="zip"):
            hashing(ciphers)
        with pytest.raises(ValueError, match="zip"):
            expand(ciphers, x, 1, 2)


@pytest.mark.req("PPMF-HSH-008")
def test_a_full_batch_passes_and_one_call_more_is_refused() -> None:
    key = KEYS.cipher("a")
    x = np.zeros((MAX_CALLS, 2), dtype=np.uint64)
    assert len(np.unique(hash_blocks(key, x, 0), axis=0)) == MAX_CALLS
    fits = MAX_CALLS // 4
    assert expand([key, key], x[: fits + 1], 4, fits).size == 2 * MAX_CALLS + 8
    too_many = np.zeros((MAX_CALLS + 1, 2), dtype=np.uint64)
    with pytest.raises(ValueError, match="8193 calls"):
        hash_blocks(key, too_many, 0)
    with pytest.raises(ValueError, match="at most 8192"):
        expand([key], x[: fits + 1], 4, fits + 1)
    with pytest.raises(ValueError, match="8196 calls"):
        TweakedHash(np.zeros((4, 2 * fits), dtype=np.uint64), fits + 1)
    assert PadHash(2, MAX_CALLS // 4, kinds=2)(key).size == 2 * MAX_CALLS
    with pytest.raises(ValueError, match="8196 calls"):
        PadHash(2, MAX_CALLS // 4 + 1, kinds=2)


@pytest.mark.req("PPMF-HSH-002")
def test_batches_that_differ_in_anything_have_different_keys() -> None:
    keys = [
        BatchKeys(b"session", 0).key("garbling", 1, 2),
        BatchKeys(b"session", 1).key("garbling", 1, 2),
        BatchKeys(b"sessioN", 0).key("garbling", 1, 2),
        BatchKeys(b"session", 0).key("transfer", 1, 2),
        BatchKeys(b"session", 0).key("garbling", 2, 1),
        BatchKeys(b"session", 0).key("garbling", 1, 2, 0),
        BatchKeys(b"session", 0).key("garbling", 1),
        BatchKeys(b"session", 0).key("garbling"),
        BatchKeys(b"session" + bytes(8), 0).key("garbling", 1, 2),
        BatchKeys(b"session", 0).key("garbling" + "\2" + "\0" * 7, 2),
        BatchKeys(b"session", 0).key("garbling" + "\2" + "\0" * 7 + "\1" + "\0" * 7, 2),
    ]
    assert all(a != b for a, b in combinations(keys, 2))
    assert all(len(key) == 16 for key in keys)


@pytest.mark.req("PPMF-HSH-002")
@pytest.mark.parametrize("indices", [(), (7,), (7, 2**64 - 1, 0)])
def test_a_key_is_the_hash_of_what_names_its_batch(indices: tuple[int, ...]) -> None:
    """Bytes by hand: fields after their lengths, all numbers as eight little-endian bytes."""

    def number(value: int) -> bytes:
        return bytes(value >> 8 * place & 255 for place in range(8))

    text = b"ppmf/v2/batch-key/" + number(7) + b"session" + number(259)
    text += number(5) + "été".encode() + number(len(indices))
    for index in indices:
        text += number(index)
    assert BatchKeys(b"session", 259).key("été", *indices) == hashlib.sha256(text).digest()[:16]


def test_a_batch_key_is_the_same_for_both_parties() -> None:
    assert BatchKeys(b"s", 5).key("p", 1) == BatchKeys(b"s", 5).key("p", 1)
    block = bytes(range(16))
    ours, theirs = BatchKeys(b"s", 5).cipher("p", 1), BatchKeys(b"s", 5).cipher("p", 1)
    assert ours.update(block) == theirs.update(block)


@pytest.mark.req("PPMF-HSH-002")
def test_keys_do_not_depend_on_those_made_before() -> None:
    """What keys have in common is hashed once; a change of any part of it is noticed."""
    batches: list[tuple[str, tuple[int, ...]]] = [
        ("a", (1, 2, 3)),
        ("a", (1, 2, 4)),
        ("a", (1, 3, 4)),
        ("a", (2, 3, 4)),
        ("b", (2, 3, 4)),
        ("b", (3, 4)),
        ("b", (0, 3, 4)),
        ("b", (4,)),
        ("b", ()),
    ]
    keys = BatchKeys(b"session", 3)
    for purpose, indices in batches:
        assert keys.key(purpose, *indices) == BatchKeys(b"session", 3).key(purpose, *indices)


def test_an_index_outside_the_words_of_a_key_is_an_error() -> None:
    with pytest.raises(struct.error):
        KEYS.key("p", -1)
    with pytest.raises(struct.error):
        KEYS.key("p", 2**64)
