# SPDX-License-Identifier: Apache-2.0
"""Base oblivious transfers: what is transferred, what is refused, what the messages look like."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives.base_transfers import (
    ORDER,
    POINT_BYTES,
    REQUEST_BYTES,
    TRANSFERS,
    BaseChooser,
    BaseSender,
    candidates,
    chosen_seed,
    first_point,
    fresh_secret,
    private_key,
    read_point,
    seed_pair,
    write_point,
)
from ppmf_secure.primitives.coins import Coins
from ppmf_spec.errors import EncodingError, RangeError
from tests.support import p256_by_hand, remembered_points
from tests.support.p256_by_hand import G, decode, encode, times

Bits = NDArray[np.uint8]
CONTEXT = b"session, epoch, direction"
NO_CHOICES = np.zeros(128, dtype=np.uint8)

bit_rows = st.lists(st.integers(0, 1), min_size=128, max_size=128).map(
    lambda bits: np.array(bits, dtype=np.uint8)
)


@pytest.fixture(autouse=True)
def _by_the_library(monkeypatch: pytest.MonkeyPatch) -> None:
    remembered_points.forget(monkeypatch)


def ends(choices: Bits, label: str = "run") -> tuple[BaseChooser, BaseSender]:
    chooser = BaseChooser(choices, CONTEXT, Coins.seeded(f"{label}, chooser"))
    return chooser, BaseSender(CONTEXT, Coins.seeded(f"{label}, sender"))


def points(data: bytes) -> list[bytes]:
    return [data[at : at + POINT_BYTES] for at in range(0, len(data), POINT_BYTES)]


def secret_of(value: int) -> ec.EllipticCurvePrivateKey:
    return ec.derive_private_key(value, ec.SECP256R1())


@pytest.mark.req("PPMF-OTE-010", "PPMF-OTE-011", "PPMF-OTE-012")
@settings(max_examples=15)
@given(choices=bit_rows, label=st.text(max_size=4))
def test_the_chooser_gets_the_seeds_it_chose_and_no_other(choices: Bits, label: str) -> None:
    chooser, sender = ends(choices, label)
    pairs, seeds = sender.seed_pairs(chooser.request), chooser.seeds(sender.answer)
    assert pairs.shape == (128, 2, 16)
    assert pairs.dtype == seeds.dtype == np.uint8
    assert np.array_equal(seeds, pairs[np.arange(128), choices])
    assert len(np.unique(pairs.reshape(-1, 16), axis=0)) == 256


@pytest.mark.req("PPMF-OTE-009", "PPMF-OTE-010", "PPMF-OTE-011", "PPMF-WIR-008")
def test_the_bytes_of_both_messages() -> None:
    chooser, sender = ends(NO_CHOICES)
    assert len(chooser.request) == REQUEST_BYTES == 8448
    assert len(sender.answer) == POINT_BYTES == 33
    assert all(decode(one) for one in points(chooser.request + sender.answer))


@pytest.mark.req("PPMF-OTE-010")
@settings(max_examples=10)
@given(choices=bit_rows)
def test_choices_change_places_and_nothing_else(choices: Bits) -> None:
    """Under the same coins the points are the same: how many are drawn depends on no choice."""
    one, other = (ends(bits)[0].request for bits in (choices, NO_CHOICES))
    for number, bit in enumerate(choices):
        pair, plain = (points(each)[2 * number : 2 * number + 2] for each in (one, other))
        assert pair == (plain[::-1] if bit else plain)


@pytest.mark.req("PPMF-OTE-010")
def test_no_point_is_used_twice() -> None:
    coins = Coins.seeded("requests")
    ones = np.ones(128, dtype=np.uint8)
    sent = b"".join(BaseChooser(ones, CONTEXT, coins).request for _ in range(3))
    sent += b"".join(BaseSender(CONTEXT, coins).answer for _ in range(3))
    assert len({one[1:] for one in points(sent)}) == 3 * 256 + 3


@pytest.mark.req("PPMF-OTE-010")
def test_the_first_candidate_that_is_a_point_is_taken() -> None:
    drawn = [Coins.seeded(f"candidate {number}").bytes(33) for number in range(40)]
    valid = [bytes([2 + one[0] % 2]) + one[1:] for one in drawn]
    valid = [one for one in valid if decode(one)]
    assert 8 < len(valid) < 32
    for first, one in enumerate(valid):
        place = next(at for at, each in enumerate(drawn) if each[1:] == one[1:])
        assert first_point(drawn[place:]) == one
        if first:
            assert first_point(drawn[:place]) == valid[0]
    with pytest.raises(RangeError, match="^candidates: none is a point$"):
        first_point([b"\xff" * 33])


def test_a_private_key_is_a_number_below_the_order() -> None:
    for number in (1, 2**64, ORDER - 1):
        key = private_key(number.to_bytes(32, "big"))
        assert key.private_numbers().private_value == number
        assert key.curve.name == "secp256r1"
    for number in (0, ORDER, 2**256 - 1):
        with pytest.raises(RangeError, match="^private key: outside its range$"):
            private_key(number.to_bytes(32, "big"))


@pytest.mark.req("PPMF-OTE-010")
def test_every_byte_of_a_candidate_is_drawn_and_gives_both_signs() -> None:
    coins = Coins.seeded("candidates")
    drawn = [one for one, _ in zip(candidates(coins), range(200), strict=False)]
    assert b"".join(drawn) == Coins.seeded("candidates").bytes(33 * 200)
    assert {first_point(candidates(coins))[0] for _ in range(50)} == {2, 3}


@pytest.mark.req("PPMF-OTE-010", "PPMF-OTE-011")
def test_secrets_are_uniform_below_the_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bounds are those of [1, n), and both ends occur."""
    asked: list[int] = []
    for drawn, secret in ((0, 1), (ORDER - 2, ORDER - 1)):

        def below(self: Coins, bound: int, drawn: int = drawn) -> int:
            asked.append(bound)
            return drawn

        monkeypatch.setattr(Coins, "below", below)
        made = fresh_secret(Coins.seeded("")).private_numbers()
        assert made.private_value == secret
        assert write_point(made.public_numbers.public_key())[1:] == encode(G)[1:]
    assert asked == [ORDER - 1] * 2
    assert times(ORDER, G) is None


@pytest.mark.req("PPMF-OTE-012")
def test_a_seed_depends_on_all_that_is_public() -> None:
    chooser, own, other = (secret_of(value) for value in (5, 7, 11))
    own_point, other_point = (write_point(each.public_key()) for each in (chooser, other))
    pair = own_point + other_point
    found = {
        seed_pair(CONTEXT, 3, own, pair),
        seed_pair(CONTEXT + b"!", 3, own, pair),
        seed_pair(CONTEXT, 4, own, pair),
        seed_pair(CONTEXT, 3, own, other_point + own_point),
        seed_pair(CONTEXT, 3, own, own_point + write_point(secret_of(13).public_key())),
        seed_pair(CONTEXT, 3, secret_of(ORDER - 7), pair),
    }
    assert len({seed for seeds in found for seed in seeds}) == 12
    assert chosen_seed(CONTEXT, 3, 0, chooser, pair, own.public_key()) in next(
        seeds for seeds in found if seeds == seed_pair(CONTEXT, 3, own, pair)
    )


@pytest.mark.req("PPMF-OTE-012")
def test_the_shared_number_keeps_its_leading_zeros() -> None:
    """The first secret for which the x of the product begins with a zero byte, by hand."""
    base = times(9, G)
    value = next(n for n in count(1) if encode(times(n, base))[1] == 0)
    own, pair = secret_of(value), 2 * encode(base)
    assert len(own.exchange(ec.ECDH(), read_point(encode(base), ""))) == 32
    zero, _ = seed_pair(CONTEXT, 0, own, pair)
    assert zero == chosen_seed(CONTEXT, 0, 0, secret_of(9), pair, own.public_key())


@pytest.mark.req("PPMF-ERR-003", "PPMF-OTE-009")
@pytest.mark.parametrize("change", [-33, -1, 1, 33])
def test_messages_of_a_wrong_length_are_refused(change: int) -> None:
    chooser, sender = ends(NO_CHOICES)
    request = (chooser.request + sender.answer)[: REQUEST_BYTES + change]
    with pytest.raises(EncodingError, match=f"base request: {8448 + change} bytes where 8448 are"):
        sender.seed_pairs(request)
    answer = (sender.answer + chooser.request)[: POINT_BYTES + change]
    with pytest.raises(EncodingError, match=f"base answer: {33 + change} bytes where 33 are due"):
        chooser.seeds(answer)


def uncompressed(encoded: bytes) -> bytes:
    return b"\x04" + encoded[1:]


BAD: dict[str, Callable[[bytes], bytes]] = {
    "the first byte of an uncompressed point": uncompressed,
    "the first byte 0": lambda encoded: b"\0" + encoded[1:],
    "zeros": lambda encoded: bytes(33),
    "an x that no point has": lambda encoded: b"\2" + bytes(31) + b"\1",
    "x + p": lambda encoded: b"\2" + (p256_by_hand.PRIME + 5).to_bytes(32, "big"),
    "the largest x": lambda encoded: b"\3" + b"\xff" * 32,
}


@pytest.mark.req("PPMF-OTE-009")
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("place", [0, 1, 11, 255])
def test_what_is_no_point_is_refused(bad: str, place: int) -> None:
    """An x of 5 is that of a point, so 5 + p would be one if x were reduced."""
    assert decode(b"\2" + (5).to_bytes(32, "big"))
    chooser, sender = ends(NO_CHOICES)
    sent = points(chooser.request)
    sent[place] = BAD[bad](sent[place])
    where = f"base request: transfer {place // 2}: not a point of P-256"
    with pytest.raises(RangeError, match=where):
        sender.seed_pairs(b"".join(sent))
    with pytest.raises(RangeError, match="base answer: not a point of P-256"):
        chooser.seeds(BAD[bad](sender.answer))


@pytest.mark.req("PPMF-OTE-009")
@given(first=st.sampled_from([0, 2, 3, 4, 6, 7, 255]), x=st.binary(min_size=32, max_size=32))
@example(first=2, x=bytes(32))
@example(first=3, x=(p256_by_hand.PRIME - 1).to_bytes(32, "big"))
@example(first=3, x=p256_by_hand.PRIME.to_bytes(32, "big"))
def test_points_are_read_as_by_hand(first: int, x: bytes) -> None:
    data = bytes([first]) + x
    expected = decode(data)
    try:
        numbers = read_point(data, "it").public_numbers()
    except RangeError:
        assert expected is None
    else:
        assert (numbers.x, numbers.y) == expected
        assert write_point(numbers.public_key()) == data


def test_neither_end_shows_its_secrets() -> None:
    chooser, sender = ends(NO_CHOICES)
    assert (repr(chooser), repr(sender)) == ("BaseChooser(...)", "BaseSender(...)")
    assert TRANSFERS == 128
