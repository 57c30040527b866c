# SPDX-License-Identifier: Apache-2.0
"""A party's randomness: reproducible, split without overlap, unbiased, never shown."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from math import prod

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import example, given
from hypothesis import strategies as st

from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import StateError
from tests.support.chi_square import bytes_deviate, deviates

CHUNK = 1 << 16
"""Bytes the keystream is read in: draws must not show where one ends."""

labels = st.text(max_size=12)
shapes = st.one_of(
    st.integers(0, 100), st.lists(st.integers(0, 9), min_size=1, max_size=3).map(tuple)
)


@given(label=labels, sizes=st.lists(st.integers(0, 300), max_size=5))
def test_a_label_gives_the_same_stream_every_time(label: str, sizes: list[int]) -> None:
    one, other = Coins.seeded(label), Coins.seeded(label)
    assert [one.bytes(size) for size in sizes] == [other.bytes(size) for size in sizes]


@given(one=labels, other=labels)
def test_two_labels_give_two_streams(one: str, other: str) -> None:
    same = Coins.seeded(one).bytes(32) == Coins.seeded(other).bytes(32)
    assert same == (one == other)


def test_the_stream_is_aes_256_in_counter_mode_under_the_hash_of_the_label() -> None:
    """Rebuilt with another mode of AES: vectors depend on this stream, so it may never change."""
    key = hashlib.sha256(b"ppmf/v1/coins/" + "naïve".encode()).digest()
    counters = b"".join(block.to_bytes(16, "big") for block in range(5))
    expected = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update(counters)
    assert Coins.seeded("naïve").bytes(77) == expected[:77]


@given(first=st.integers(0, 100), second=st.integers(0, 100))
@example(first=CHUNK - 1, second=2)
@example(first=CHUNK, second=CHUNK)
@example(first=3 * CHUNK + 5, second=CHUNK - 5)
def test_two_draws_are_one_draw_of_both_lengths(first: int, second: int) -> None:
    split, whole = Coins.seeded("split"), Coins.seeded("split")
    drawn = split.bytes(first) + split.bytes(second)
    assert len(drawn) == first + second
    assert drawn == whole.bytes(first + second)


def test_the_stream_looks_uniform_and_does_not_repeat() -> None:
    data = Coins.seeded("uniform").bytes(1 << 20)
    assert not bytes_deviate(data)
    blocks = np.frombuffer(data, dtype=np.uint64).reshape(-1, 2)
    assert len(np.unique(blocks, axis=0)) == len(blocks)


@given(shape=shapes)
def test_words_are_the_stream_in_little_endian_order(shape: int | tuple[int, ...]) -> None:
    words = Coins.seeded("words").words(shape)
    size = shape if isinstance(shape, int) else prod(shape)
    stream = Coins.seeded("words").bytes(8 * size)
    assert words.shape == ((shape,) if isinstance(shape, int) else shape)
    assert words.dtype == np.uint64
    assert words.flags.writeable
    assert words.ravel().tolist() == [
        int.from_bytes(stream[at : at + 8], "little") for at in range(0, 8 * size, 8)
    ]


@given(shape=shapes)
def test_bits_are_the_stream_lowest_bit_first(shape: int | tuple[int, ...]) -> None:
    bits = Coins.seeded("bits").bits(shape)
    size = shape if isinstance(shape, int) else prod(shape)
    stream = int.from_bytes(Coins.seeded("bits").bytes((size + 7) // 8), "little")
    assert bits.shape == ((shape,) if isinstance(shape, int) else shape)
    assert bits.dtype == np.uint8
    assert bits.ravel().tolist() == [stream >> place & 1 for place in range(size)]


@given(sizes=st.lists(st.integers(0, 40), max_size=5))
@example(sizes=[8, 1, 16])
def test_a_draw_of_bits_takes_whole_bytes_and_none_in_vain(sizes: list[int]) -> None:
    coins, stream = Coins.seeded("whole bytes"), Coins.seeded("whole bytes")
    for size in sizes:
        drawn = sum(int(bit) << place for place, bit in enumerate(coins.bits(size)))
        whole = int.from_bytes(stream.bytes(-(-size // 8)), "little")
        assert drawn == whole % 2**size
    assert coins.bytes(4) == stream.bytes(4)


@given(bound=st.one_of(st.integers(1, 300), st.integers(1, 1 << 200)), label=labels)
@example(bound=1, label="")
@example(bound=1 << 8, label="")
@example(bound=(1 << 8) + 1, label="")
@example(bound=(1 << 16) - 1, label="")
@example(bound=2, label="")
@example(bound=3, label="")
@example(bound=3, label="a")
@example(bound=5, label="")
def test_below_takes_the_top_bits_of_whole_bytes(bound: int, label: str) -> None:
    """As few bits as bound - 1 has, of as few bytes as hold them, until they are below it."""
    coins, stream = Coins.seeded(label), Coins.seeded(label)
    bits = len(f"{bound - 1:b}") if bound > 1 else 0
    size = -(-bits // 8)
    for _ in range(3):
        found = bound
        while found >= bound:
            found = int.from_bytes(stream.bytes(size), "little") // 2 ** (8 * size - bits)
        assert coins.below(bound) == found
    assert coins.bytes(4) == stream.bytes(4)


@given(bound=st.one_of(st.integers(1, 300), st.integers(1, 1 << 3072)), label=labels)
@example(bound=1, label="")
@example(bound=1 << 8, label="")
@example(bound=(1 << 8) + 1, label="")
def test_below_is_in_range(bound: int, label: str) -> None:
    coins = Coins.seeded(label)
    assert all(0 <= coins.below(bound) < bound for _ in range(5))


@pytest.mark.parametrize("bound", [2, 3, 7, 8, 9, 65, 171, 255, 256, 257, 1000])
def test_below_is_uniform(bound: int) -> None:
    """171 of 256 and 65 of 128: a reduction mod the bound, or a clamp, would show at once."""
    coins = Coins.seeded(f"below {bound}")
    drawn = [coins.below(bound) for _ in range(30 * bound + 5000)]
    assert not deviates(np.bincount(drawn, minlength=bound))


@pytest.mark.parametrize("bits", [64, 127, 128, 2049, 3072])
def test_below_is_uniform_over_large_ranges(bits: int) -> None:
    """The top five bits and the low eight of numbers below 3/4 of a power of two."""
    coins, bound = Coins.seeded(f"large {bits}"), 3 << (bits - 2)
    drawn = [coins.below(bound) for _ in range(4000)]
    top = np.bincount([number >> (bits - 5) for number in drawn], minlength=32)
    assert len(top) == 32
    assert top[24:].sum() == 0
    assert not deviates(top[:24])
    assert not deviates(np.bincount([number & 255 for number in drawn], minlength=256))


@pytest.mark.parametrize("bound", [0, -1, -(1 << 80)])
def test_a_bound_below_one_is_refused(bound: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Coins.seeded("nothing").below(bound)


@given(label=labels, drawn_before=st.integers(0, 100))
def test_a_child_does_not_depend_on_what_was_drawn_nor_disturb_it(
    label: str, drawn_before: int
) -> None:
    parent, untouched = Coins.seeded("parent"), Coins.seeded("parent")
    parent.bytes(drawn_before)
    child = parent.child(label).bytes(48)
    assert child == Coins.seeded("parent").child(label).bytes(48)
    assert untouched.bytes(drawn_before + 48)[drawn_before:] == parent.bytes(48)


def test_a_childs_key_is_a_hash_of_its_parents() -> None:
    """By hand, as the stream above: vectors depend on it."""
    key = bytes(range(32))
    text = b"ppmf/v1/coins-child/" + key + "naïve".encode()
    expected = Coins(hashlib.sha256(text).digest()).bytes(48)
    assert Coins(key).child("naïve").bytes(48) == expected


@given(names=st.lists(labels.map("x".__add__), min_size=2, max_size=6, unique=True))
def test_family_members_have_streams_of_their_own(names: list[str]) -> None:
    parent = Coins.seeded("family")
    members = [parent, Coins.seeded("other family").child(names[0])]
    for name in names:
        child = parent.child(name)
        members += [Coins.seeded(name), child, *(child.child(other) for other in names)]
    # labels run together are labels of other streams
    members += [Coins.seeded("family" + name) for name in names]
    members += [parent.child(name + names[0]) for name in names if name + names[0] not in names]
    streams = [member.bytes(32) for member in members]
    assert len(set(streams)) == len(streams)


@pytest.mark.parametrize("other", ["sibling", "parent", "grandchild"])
def test_a_childs_stream_is_independent_of_its_relatives(other: str) -> None:
    parent = Coins.seeded("independence")
    child = parent.child("one")
    relative = {
        "sibling": parent.child("two"),
        "parent": parent,
        "grandchild": child.child("one"),
    }[other]
    size = 1 << 16
    ours = np.frombuffer(child.bytes(size), dtype=np.uint8)
    theirs = np.frombuffer(relative.bytes(size), dtype=np.uint8)
    assert not bytes_deviate((ours ^ theirs).tobytes())
    assert not bytes_deviate((ours - theirs).tobytes())


@pytest.mark.req("PPMF-SES-005")
def test_production_coins_come_from_the_operating_system(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Coins.system().bytes(32) != Coins.system().bytes(32)
    asked: list[int] = []

    def entropy(size: int) -> bytes:
        asked.append(size)
        return bytes(range(size))

    monkeypatch.setattr(os, "urandom", entropy)
    assert Coins.system().bytes(64) == Coins(bytes(range(32))).bytes(64)
    assert asked == [32]


@pytest.mark.parametrize("size", [0, 16, 31, 33])
def test_a_key_of_another_size_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Coins(bytes(size))


@given(key=st.binary(min_size=32, max_size=32), drawn=st.integers(0, 64))
def test_coins_print_the_same_whatever_their_key_and_state(key: bytes, drawn: int) -> None:
    coins, reference = Coins(key), Coins(bytes(32))
    coins.bytes(drawn)
    assert repr(coins) == str(coins) == f"{coins}" == repr(reference) == "Coins(...)"
    assert repr(coins.child("label")) == repr(reference)


@pytest.mark.req("PPMF-SES-006")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # other threads of the tests; it draws
def test_coins_refuse_to_go_on_in_a_forked_child() -> None:
    coins = Coins.seeded("fork")
    coins.bytes(3)
    draws = (
        lambda: coins.bytes(1),
        lambda: coins.words(1),
        lambda: coins.bits(1),
        lambda: coins.below(5),
        lambda: coins.child("more"),
    )
    child = os.fork()
    if not child:
        refused = 0
        try:
            for draw in draws:
                with suppress(StateError):
                    draw()
                    continue
                refused += 1
            refused += len(Coins.system().bytes(4))
        finally:
            os._exit(refused)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == len(draws) + 4
    assert coins.bytes(2) == Coins.seeded("fork").bytes(5)[3:]
