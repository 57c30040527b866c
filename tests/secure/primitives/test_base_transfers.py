# SPDX-License-Identifier: Apache-2.0
"""Base oblivious transfers: what is transferred, what is refused, what the messages look like."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from ppmf_secure.primitives import base_transfers
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_spec.errors import EncodingError, RangeError

Bits = NDArray[np.uint8]
SMALL = 512

bit_rows = st.lists(st.integers(0, 1), min_size=128, max_size=128).map(
    lambda bits: np.array(bits, dtype=np.uint8)
)


@cache
def _key(bits: int = SMALL, label: str = "chooser's key") -> SecretKey:
    return SecretKey.generate(bits, Coins.seeded(label))


def _run(choices: Bits, key: SecretKey, label: str = "run") -> tuple[bytes, bytes, Bits, Bits]:
    """Request, answer, the sender's seed pairs and the chooser's seeds."""
    request = base_transfers.choose(key, choices, Coins.seeded(f"{label}, chooser"))
    answer, pairs = base_transfers.answer(key.public, request, Coins.seeded(f"{label}, sender"))
    return request, answer, pairs, base_transfers.reveal(key, answer)


@pytest.mark.req("PPMF-OTE-002", "PPMF-OTE-003")
@settings(max_examples=15)
@given(choices=bit_rows, label=st.text(max_size=4))
def test_the_receiver_gets_the_seeds_it_chose(choices: Bits, label: str) -> None:
    _, _, pairs, seeds = _run(choices, _key(), label)
    assert pairs.shape == (128, 2, 16)
    assert pairs.dtype == seeds.dtype == np.uint8
    assert np.array_equal(seeds, pairs[np.arange(128), choices])
    assert not (seeds == pairs[np.arange(128), 1 - choices]).all(axis=1).any()


@pytest.mark.parametrize("bits", [512, 640, 656, 1024, 2048])
def test_keys_of_every_size_transfer_the_seeds(bits: int) -> None:
    choices = Coins.seeded("sizes").bits(128)
    request, answer, pairs, seeds = _run(choices, _key(bits))
    assert np.array_equal(seeds, pairs[np.arange(128), choices])
    assert len(request) == base_transfers.request_bytes(_key(bits).public) == 128 * bits // 4
    assert len(answer) == base_transfers.answer_bytes(_key(bits).public)


@pytest.mark.req("PPMF-OTE-003")
def test_extreme_seeds_neither_wrap_nor_carry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pairs of all zeros and all ones, both ways round: the largest differences there are."""
    extreme = np.zeros((128, 2, 16), dtype=np.uint8)
    extreme[0::2, 1] = 255
    extreme[1::2, 0] = 255
    key = _key()

    class Extreme(Coins):
        def bytes(self, count: int) -> bytes:  # the seeds are the only draw of 4096 bytes
            return extreme.tobytes() if count == 4096 else super().bytes(count)

    for kind in (np.zeros, np.ones):
        choices = kind(128, dtype=np.uint8)
        request = base_transfers.choose(key, choices, Coins.seeded("extreme"))
        answer, pairs = base_transfers.answer(key.public, request, Extreme.seeded("extreme"))
        assert np.array_equal(pairs, extreme)
        assert np.array_equal(base_transfers.reveal(key, answer), extreme[np.arange(128), choices])


@pytest.mark.req("PPMF-OTE-003")
@pytest.mark.parametrize(("bits", "ciphertexts"), [(512, 43), (641, 26), (2048, 9), (3072, 6)])
def test_an_answer_packs_the_seeds_that_fit_below_the_modulus(bits: int, ciphertexts: int) -> None:
    modulus = (1 << bits) - 1  # only the length of a key matters here
    public = PublicKey(modulus)
    assert base_transfers.answer_bytes(public) == ciphertexts * 2 * (bits // 8)


@pytest.mark.req("PPMF-OTE-003")
def test_seeds_are_fresh_and_look_random() -> None:
    key, sender = _key(), Coins.seeded("fresh seeds")
    request = base_transfers.choose(key, np.zeros(128, dtype=np.uint8), Coins.seeded("request"))
    drawn = [base_transfers.answer(key.public, request, sender)[1] for _ in range(4)]
    seeds = np.concatenate(drawn).reshape(-1, 16)
    assert len(np.unique(seeds, axis=0)) == len(seeds) == 1024
    bits = np.unpackbits(seeds)
    assert abs(bits.mean() - 0.5) < 5 * 0.5 / np.sqrt(bits.size)


@pytest.mark.req("PPMF-OTE-002", "PPMF-AHE-006")
def test_a_request_never_repeats_a_ciphertext() -> None:
    """128 equal bits, twice: an encryption without a fresh randomiser would show."""
    key, coins = _key(), Coins.seeded("requests")
    choices = np.ones(128, dtype=np.uint8)
    sent = base_transfers.choose(key, choices, coins) + base_transfers.choose(key, choices, coins)
    size = key.public.ciphertext_bytes
    assert len({sent[at : at + size] for at in range(0, len(sent), size)}) == 256


def test_an_answer_is_re_randomised() -> None:
    """Same request, same seeds: were the randomiser left out, the answers would be equal."""
    key, choices = _key(), np.zeros(128, dtype=np.uint8)
    request = base_transfers.choose(key, choices, Coins.seeded("request"))
    seeds = Coins.seeded("seeds").bytes(4096)

    class SameSeeds(Coins):
        def bytes(self, count: int) -> bytes:
            return seeds if count == 4096 else super().bytes(count)

    answers = [
        base_transfers.answer(key.public, request, SameSeeds.seeded(label))[0]
        for label in ("a", "b")
    ]
    size = key.public.ciphertext_bytes
    cut = [{sent[at : at + size] for at in range(0, len(sent), size)} for sent in answers]
    assert cut[0].isdisjoint(cut[1])
    assert np.array_equal(
        base_transfers.reveal(key, answers[0]), base_transfers.reveal(key, answers[1])
    )


@pytest.mark.req("PPMF-OTE-003")
def test_every_ciphertext_of_an_answer_has_a_randomiser_of_its_own() -> None:
    """Equal slots in, equal plaintexts out, under a trivial request: only r^N can differ."""
    key = _key()

    class Constant(Coins):
        def bytes(self, count: int) -> bytes:
            return bytes([7]) * count if count == 4096 else super().bytes(count)

    trivial = key.public.write(key.public.plain(0) for _ in range(128))
    answer, _ = base_transfers.answer(key.public, trivial, Constant.seeded("own"))
    size = key.public.ciphertext_bytes
    ciphertexts = [answer[at : at + size] for at in range(0, len(answer), size)]
    assert len(set(ciphertexts)) == len(ciphertexts) == 43
    assert key.public.write([key.public.plain(0)]) not in ciphertexts


@pytest.mark.req("PPMF-ERR-003")
@pytest.mark.parametrize("change", [-1, 1, -128, 128])
def test_messages_of_a_wrong_length_are_refused(change: int) -> None:
    key = _key()
    request, answer, _, _ = _run(np.zeros(128, dtype=np.uint8), key)
    with pytest.raises(EncodingError, match="base OT request"):
        base_transfers.answer(
            key.public, (request + bytes(128))[: len(request) + change], Coins.seeded("unused")
        )
    with pytest.raises(EncodingError, match="base OT answer"):
        base_transfers.reveal(key, (answer + bytes(128))[: len(answer) + change])


@pytest.mark.req("PPMF-AHE-005")
@pytest.mark.parametrize("bad", ["zero", "square", "not prime to N"])
def test_ciphertexts_outside_their_group_are_refused(bad: str) -> None:
    key = _key()
    value = {"zero": 0, "square": key.public.square, "not prime to N": 3 * key.public.modulus}[bad]
    forged = int(value).to_bytes(key.public.ciphertext_bytes, "big")
    request, answer, _, _ = _run(np.zeros(128, dtype=np.uint8), key)
    at = 5 * len(forged)
    with pytest.raises(RangeError, match="base OT request: ciphertext 5 "):
        base_transfers.answer(
            key.public, request[:at] + forged + request[at + len(forged) :], Coins.seeded("unused")
        )
    with pytest.raises(RangeError, match="base OT answer: ciphertext 5 "):
        base_transfers.reveal(key, answer[:at] + forged + answer[at + len(forged) :])


@pytest.mark.req("PPMF-OTE-003")
def test_an_answer_under_another_key_is_refused() -> None:
    """Reduced into the group of the right key it decrypts to noise, far above a row of seeds."""
    choices = np.zeros(128, dtype=np.uint8)
    _, answer, _, _ = _run(choices, _key(label="another key"))
    key, size = _key(), _key().public.ciphertext_bytes
    reduced = b"".join(
        int(int.from_bytes(answer[at : at + size], "big") % key.public.square).to_bytes(size, "big")
        for at in range(0, len(answer), size)
    )
    with pytest.raises(RangeError, match="base OT answer: the plaintext of ciphertext 0 is too"):
        base_transfers.reveal(key, reduced)
