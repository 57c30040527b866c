# SPDX-License-Identifier: Apache-2.0
"""The OT extension: its invariant, its streams, and what its one message looks like."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives import transfer_extension
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError
from tests.support.chi_square import bytes_deviate

Bits = NDArray[np.uint8]
Words = NDArray[np.uint64]

MORE_THAN_A_CHUNK = transfer_extension._CHUNK + 200


def _parties(
    label: str,
) -> tuple[Words, transfer_extension.ExtensionSender, transfer_extension.ExtensionChooser]:
    """Both ends after ideal base transfers: the sender's offset, the sender, the chooser."""
    coins = Coins.seeded(label)
    offset = transfer_extension.fresh_offset(coins, odd=True)
    pairs = np.frombuffer(coins.bytes(128 * 2 * 16), dtype=np.uint8).reshape(128, 2, 16)
    chosen = pairs[np.arange(128), transfer_extension.offset_bits(offset)]
    return (
        offset,
        transfer_extension.ExtensionSender(offset, chosen, b"test"),
        transfer_extension.ExtensionChooser(pairs, b"test"),
    )


def _choices(kind: str, count: int) -> Bits:
    match kind:
        case "zeros":
            return np.zeros(count, dtype=np.uint8)
        case "ones":
            return np.ones(count, dtype=np.uint8)
        case "alternating":
            return np.arange(count, dtype=np.uint8) & np.uint8(1)
        case _:
            return Coins.seeded(kind).bits(count)


kinds = st.sampled_from(["zeros", "ones", "alternating", "random", "other random"])


@pytest.mark.req("PPMF-OTE-005")
@given(count=st.integers(0, 400), kind=kinds)
@example(count=0, kind="random")
@example(count=1, kind="ones")
@example(count=127, kind="random")
@example(count=128, kind="random")
@example(count=129, kind="random")
@example(count=1000, kind="random")
@example(count=MORE_THAN_A_CHUNK, kind="random")
def test_keys_differ_by_choice_times_offset(count: int, kind: str) -> None:
    offset, sender, chooser = _parties("invariant")
    choices = _choices(kind, count)
    columns, held = chooser.extend(choices)
    keys = sender.extend(columns, count)
    assert keys.shape == held.shape == (count, 2)
    assert keys.dtype == held.dtype == np.uint64
    assert np.array_equal(keys ^ held, choices[:, np.newaxis] * offset)


@pytest.mark.req("PPMF-OTE-006")
@settings(max_examples=30)
@given(counts=st.lists(st.sampled_from([0, 1, 127, 128, 129, 1000]), min_size=2, max_size=6))
def test_streams_keep_step_over_many_calls(counts: list[int]) -> None:
    offset, sender, chooser = _parties("streaming")
    for call, count in enumerate(counts):
        choices = _choices(f"call {call}", count)
        columns, held = chooser.extend(choices)
        keys = sender.extend(columns, count)
        assert np.array_equal(keys ^ held, choices[:, np.newaxis] * offset)


@pytest.mark.req("PPMF-OTE-006")
def test_calls_of_whole_blocks_make_one_stream() -> None:
    _, _, at_once = _parties("split")
    _, _, in_two = _parties("split")
    choices = _choices("split", 128 * 7)
    _, whole = at_once.extend(choices)
    _, first = in_two.extend(choices[: 128 * 3])
    _, second = in_two.extend(choices[128 * 3 :])
    assert np.array_equal(whole, np.concatenate([first, second]))


def test_the_size_of_chunks_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    choices = _choices("chunks", 1000)
    _, sender, chooser = _parties("chunks")
    columns, held = chooser.extend(choices)
    keys = sender.extend(columns, 1000)
    monkeypatch.setattr(transfer_extension, "_CHUNK", 128)
    _, sender, chooser = _parties("chunks")
    small_columns, small_held = chooser.extend(choices)
    assert small_columns == columns
    assert np.array_equal(small_held, held)
    assert np.array_equal(sender.extend(small_columns, 1000), keys)


@pytest.mark.req("PPMF-OTE-006")
def test_keys_are_never_repeated() -> None:
    _, sender, chooser = _parties("no repetition")
    choices = _choices("zeros", 5000)
    seen_by_sender, seen_by_receiver = [], []
    for _ in range(3):
        columns, held = chooser.extend(choices)
        seen_by_sender.append(sender.extend(columns, len(choices)))
        seen_by_receiver.append(held)
    for seen in (seen_by_sender, seen_by_receiver):
        keys = np.concatenate(seen)
        assert len(np.unique(keys, axis=0)) == len(keys)


@pytest.mark.req("PPMF-OTE-006")
def test_equal_choices_are_sent_as_different_columns() -> None:
    _, _, chooser = _parties("fresh columns")
    choices = _choices("random", 1024)
    first, second = (chooser.extend(choices)[0] for _ in range(2))
    same = np.frombuffer(first, dtype=np.uint8) == np.frombuffer(second, dtype=np.uint8)
    assert same.mean() < 2 / 256


@pytest.mark.parametrize("kind", ["zeros", "ones", "alternating", "random"])
def test_columns_look_uniform_whatever_the_choices(kind: str) -> None:
    _, _, chooser = _parties(f"uniform {kind}")
    columns, _ = chooser.extend(_choices(kind, 1 << 14))
    assert not bytes_deviate(bytes(columns))
    matrix = np.frombuffer(columns, dtype=np.uint8).reshape(128, -1)
    neighbours = (matrix[1:] ^ matrix[:-1]).tobytes()
    assert not bytes_deviate(neighbours)


@pytest.mark.req("PPMF-OTE-004")
@given(count=st.integers(0, 10_000))
def test_the_length_of_the_message_depends_on_the_count_alone(count: int) -> None:
    _, _, chooser = _parties("length")
    columns, _ = chooser.extend(_choices("random", count))
    assert len(columns) == transfer_extension.columns_bytes(count) == 2048 * ((count + 127) // 128)


@pytest.mark.req("PPMF-OTE-006", "PPMF-ERR-003")
@pytest.mark.parametrize("change", [-2048, -1, 1, 2048])
def test_columns_of_a_wrong_length_are_refused_and_nothing_is_used_up(change: int) -> None:
    offset, sender, chooser = _parties("wrong length")
    choices = _choices("random", 300)
    columns, held = chooser.extend(choices)
    wrong = (bytes(columns) + bytes(2048))[: len(columns) + change]
    with pytest.raises(EncodingError, match=rf"300 transfers: 6144 .* {len(wrong)} received"):
        sender.extend(wrong, 300)
    assert np.array_equal(sender.extend(columns, 300) ^ held, choices[:, np.newaxis] * offset)


@pytest.mark.req("PPMF-OTE-004", "PPMF-OTE-005")
def test_the_wire_format_is_columns_of_bits_lowest_first() -> None:
    """u_i rebuilt bit by bit with another AES mode than the code under test uses."""
    pairs = np.frombuffer(
        b"".join(hashlib.sha256(bytes([i])).digest() for i in range(128)), dtype=np.uint8
    ).reshape(128, 2, 16)
    chooser = transfer_extension.ExtensionChooser(pairs, b"test")

    def stream(seed: NDArray[np.uint8], column: int) -> int:
        cipher = Cipher(algorithms.AES(seed.tobytes()), modes.ECB()).encryptor()
        text = b"ppmf/v2/ot-counter/test" + column.to_bytes(8, "little")
        first = int.from_bytes(hashlib.sha256(text).digest()[:16], "big")
        counters = b"".join(((first + block) % 2**128).to_bytes(16, "big") for block in range(2))
        return int.from_bytes(cipher.update(counters), "little")

    choices = _choices("format", 200)
    bits = sum(int(choice) << place for place, choice in enumerate(choices))
    columns, held = chooser.extend(choices)
    for i in range(128):
        zero, one = stream(pairs[i, 0], i), stream(pairs[i, 1], i)
        sent = int.from_bytes(columns[32 * i : 32 * i + 32], "little")
        assert sent == zero ^ one ^ bits
        for transfer in (0, 63, 64, 127, 128, 199):
            assert int(held[transfer, i // 64]) >> i % 64 & 1 == zero >> transfer & 1


@pytest.mark.req("PPMF-OTE-001")
@pytest.mark.parametrize("odd", [False, True])
def test_an_offset_is_random_but_for_the_lowest_bit(odd: bool) -> None:
    coins = Coins.seeded("offset")
    offsets = np.stack([transfer_extension.fresh_offset(coins, odd=odd) for _ in range(400)])
    ones = np.stack([transfer_extension.offset_bits(offset) for offset in offsets]).sum(axis=0)
    assert (ones[0] == 400) == odd
    rest = ones[1:] if odd else ones
    assert ((rest > 130) & (rest < 270)).all()  # 7 standard deviations


@pytest.mark.req("PPMF-OTE-010")
def test_bits_of_an_offset_are_lowest_first() -> None:
    offset = np.array([1 << 0 | 1 << 63, 1 << 2], dtype=np.uint64)
    assert np.flatnonzero(transfer_extension.offset_bits(offset)).tolist() == [0, 63, 66]


def test_objects_print_nothing_of_their_secrets() -> None:
    offset, sender, chooser = _parties("printing")
    for secret in (sender, chooser):
        assert str(int(offset[0])) not in repr(secret)
        assert len(repr(secret)) < 120
