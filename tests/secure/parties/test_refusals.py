# SPDX-License-Identifier: Apache-2.0
"""What the primitives refuse, in the words that a user or a caller reads: all of them."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from ppmf_secure.primitives import base_transfers, hashing, sealing, shares, transfer_extension
from ppmf_secure.primitives.circuits import training_circuits
from ppmf_secure.primitives.circuits.half_gates import Evaluator, Garbler
from ppmf_secure.primitives.circuits.netlist import Builder, Circuit
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice import scheme as rlwe
from ppmf_secure.primitives.encryption.lattice.params import LARGE_PRIMES, STANDARD, Budget
from ppmf_secure.primitives.encryption.lattice.ring import reduce
from ppmf_secure.primitives.encryption.paillier import scheme as paillier
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_spec.errors import EncodingError, ParametersError, PpmfError, RangeError, StateError
from tests.support.lattice_schemes import SMALL, owner_of, take_in

PAILLIER = paillier.paillier_scheme("paillier-512-insecure")
ODD = np.array([1, 0], dtype=np.uint64)
NO_KEYS: Any = None  # of a call that is refused before it needs them


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.uint64)


def words_of(call: Callable[[], object], error: type[Exception]) -> str:
    with pytest.raises(error) as caught:
        call()
    assert type(caught.value) is error
    return str(caught.value)


@cache
def secret() -> SecretKey:
    return SecretKey.generate(512, Coins.seeded("refusals"))


def and_circuit() -> Circuit:
    b = Builder()
    (x,), (y,) = b.input("x", 1), b.input("y", 1)
    b.output("out", [b.and_(x, y)])
    return b.build()


def labels(n: int, **widths: int) -> dict[str, np.ndarray]:
    return {name: zeros(width, n, 2) for name, width in widths.items()}


# --- callers' mistakes ---

RECIPROCAL: dict[str, Any] = {
    "width": 20,
    "drop": 4,
    "numerator_bits": 10,
    "minimum": 4,
    "l1_int": 0,
    "ridge_int": 0,
    "threshold_shift": 5,
    "tau": False,
    "theta": False,
}
UPDATE: dict[str, Any] = {
    "width": 20,
    "drop": 4,
    "frac_bits": 8,
    "box_bits": 1,
    "prox": "binary-elastic-net",
    "tau_bits": 3,
    "theta_bits": 7,
}


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: Garbler(and_circuit(), np.array([2, 1], dtype=np.uint64)),
            "the offset has two words, and its lowest bit is 1",
        ),
        (
            lambda: Garbler(and_circuit(), ODD).garble(labels(4097, x=1, y=1), NO_KEYS),
            "4097 elements in one call: at most 4096",
        ),
        (
            lambda: Garbler(and_circuit(), ODD).garble(labels(3, x=1, y=2), NO_KEYS),
            "labels of shapes {'x': (1, 3, 2), 'y': (2, 3, 2)} for input words {'x': 1, 'y': 1}",
        ),
        (
            lambda: Evaluator(and_circuit()).evaluate(
                labels(3, x=1, y=1), zeros(2, 3, 2, 2), NO_KEYS
            ),
            "tables of shape (2, 3, 2, 2) for 3 elements",
        ),
        (
            lambda: hashing.check_calls(16385),
            "16385 calls of the hash under one key: at most 16384",
        ),
        (
            lambda: and_circuit().evaluate({"x": zeros(2, 3).astype(np.uint8)}),
            "input words of widths {'x': 2}, not {'x': 1, 'y': 1}",
        ),
        (
            lambda: training_circuits.reciprocal(**RECIPROCAL | {"minimum": 0}),
            "reciprocal: a shift or the minimum is out of range",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"drop": 20}),
            "update: cannot drop 20 of 20 bits",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"drop": -1}),
            "update: cannot drop -1 of 20 bits",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"theta_bits": 8}),
            "update: the binary prox needs box_bits >= 1 and theta_bits < frac_bits",
        ),
        (
            lambda: training_circuits.update(**UPDATE | {"box_bits": 0}),
            "update: the binary prox needs box_bits >= 1 and theta_bits < frac_bits",
        ),
        (lambda: Coins(bytes(31)), "a Coins key has 32 bytes"),
        (lambda: Coins.seeded("").below(0), "the bound of a uniform integer is at least 1"),
        (
            lambda: reduce(np.zeros((4, 4))[:, ::2], LARGE_PRIMES[0]),
            "only a contiguous array can be reduced in place",
        ),
    ],
)
def test_a_callers_mistake(call: Callable[[], object], message: str) -> None:
    assert words_of(call, ValueError) == message


def test_names_given_twice_to_a_builder() -> None:
    b = Builder()
    x, y = b.input("x", 2)
    twice = "input x: declared twice, or after the first gate"
    assert words_of(lambda: b.input("x", 1), ValueError) == twice
    b.and_(x, y)
    late = "input z: declared twice, or after the first gate"
    assert words_of(lambda: b.input("z", 1), ValueError) == late
    b.output("out", [x])
    message = words_of(lambda: b.output("out", [y]), ValueError)
    assert message == "output out: declared twice"


@pytest.mark.parametrize("suite", [PAILLIER, SMALL])
def test_shapes_of_a_product(suite: paillier.PaillierScheme | rlwe.RlweScheme) -> None:
    layout, coins = Layout(3, (3, 1), 12), Coins.seeded("shapes")
    owner = suite.generate(coins)
    for shape in ((3, 3), (2, 4), (4, 3)):
        rows = owner.encrypt_rows(zeros(*shape), layout, coins)
        message = words_of(partial(next, rows), ValueError)
        assert message == "the matrix has not the layout's shape"
    taken = suite.peer(owner.public).rows(
        list(owner.encrypt_rows(zeros(3, 4), layout, coins)), layout
    )
    uses = [slice(0, 2), slice(0, 0)]
    for x in (zeros(2, 4), zeros(3), zeros(2, 3, 1)):
        message = words_of(partial(taken.multiply, x, uses, coins), ValueError)
        assert message == "X has not as many columns as the encrypted matrix has rows"
    message = words_of(lambda: taken.multiply(zeros(1, 3), uses, coins), ValueError)
    assert message == "X has not all the rows wanted"
    answer, (first, second) = taken.multiply(zeros(2, 3), uses, coins)
    assert len(answer) == suite.answer_bytes(layout, uses)
    assert (first.shape, second.shape) == ((2, 3), (0, 1))


@pytest.mark.req("PPMF-ERR-002")
@pytest.mark.parametrize("key", [secret, lambda: sealing.SealingKey(bytes(32))])
def test_secret_keys_are_not_pickled(key: Callable[[], object]) -> None:
    message = words_of(lambda: pickle.dumps(key()), TypeError)
    assert message == "a secret key is not to be pickled"


# --- what comes from outside ---

SMALL_FACTOR = (997 << 502) + 997  # of 512 bits
PUBLIC = "Paillier public key: "


def parse(modulus: int, size: int = 64) -> PublicKey:
    return PublicKey.parse(modulus.to_bytes(size, "big"), 512)


def forged(at: int, value: int) -> bytes:
    """Three ciphertexts, the one at a place being this number."""
    public = secret().public
    fine = [public.plain(1)] * 3
    fine[at] = type(fine[at])(value)
    return public.write(fine)


@pytest.mark.req("PPMF-ERR-002")
@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: parse(7, 63), EncodingError, PUBLIC + "63 bytes instead of 64"),
        (lambda: parse(7), RangeError, PUBLIC + "a modulus of 3 bits, not 512"),
        (
            lambda: parse(SMALL_FACTOR),
            RangeError,
            PUBLIC + "the modulus has a small prime factor",
        ),
        (
            lambda: parse(int(secret()._p) ** 2),
            RangeError,
            PUBLIC + "the modulus is not a product of two primes",
        ),
        (
            lambda: secret().encrypt(-1, Coins.seeded("")),
            RangeError,
            "Paillier plaintext: outside [0, N)",
        ),
        (
            lambda: SecretKey.generate(496, Coins.seeded("")),
            ParametersError,
            "Paillier modulus: 496 bits; at least 512 and a multiple of 16 wanted",
        ),
        (
            lambda: secret().public.read(bytes(383), 3, "row 5"),
            EncodingError,
            "row 5: 383 bytes instead of 384",
        ),
        (
            lambda: secret().public.read(forged(2, 0), 3, "row 5"),
            RangeError,
            "row 5: ciphertext 2 is outside (0, N^2)",
        ),
        (
            lambda: secret().public.read(forged(1, int(secret()._q)), 3, "row 5"),
            RangeError,
            "row 5: ciphertext 1 is not prime to N",
        ),
        (
            lambda: paillier.paillier_scheme("paillier"),
            ParametersError,
            "no Paillier scheme 'paillier': choose from paillier-3072, paillier-2048, "
            "paillier-1024-insecure, paillier-768-insecure, paillier-512-insecure",
        ),
        (
            lambda: rlwe.rlwe_scheme("rlwe"),
            ParametersError,
            "no lattice scheme 'rlwe': choose from rlwe-8192, rlwe-64-insecure",
        ),
        (
            lambda: Slots.of(512, Layout(1, (1,), 1 << 343)),
            ParametersError,
            "Paillier modulus: 512 bits hold no slot of 513 bits",
        ),
        (
            lambda: shares.check_length(bytes(3), 4, "a message"),
            EncodingError,
            "a message: 3 bytes where 4 are due",
        ),
        (
            lambda: sealing.check_key(bytes(31), "the key"),
            EncodingError,
            "the key: 31 bytes instead of 32",
        ),
        (
            lambda: sealing.check_key(bytes(32), "the key"),
            RangeError,
            "the key: a point of small order",
        ),
        (
            lambda: sealing.check_seal(bytes(81), 32, "the seal"),
            EncodingError,
            "the seal: 81 bytes instead of 80",
        ),
        (
            lambda: sealing.SealingKey(bytes(32)).open(
                (9).to_bytes(32, "little") + bytes(48), b"", 32, "the seal"
            ),
            StateError,
            "the seal: it was made for another key, session or user, or altered",
        ),
        (
            lambda: transfer_extension.ExtensionSender(
                ODD, np.zeros((128, 16), np.uint8), b""
            ).extend(b"", 300),
            EncodingError,
            "OT columns for 300 transfers: 6144 bytes expected, 0 received",
        ),
        (
            lambda: base_transfers.answer(secret().public, b"", Coins.seeded("")),
            EncodingError,
            "base OT request: 0 bytes instead of 16384",
        ),
        (
            lambda: base_transfers.reveal(secret(), b""),
            EncodingError,
            "base OT answer: 0 bytes instead of 5504",
        ),
        (
            lambda: base_transfers.reveal(
                secret(), secret().public.write([secret().public.plain(1 << 384)] * 43)
            ),
            RangeError,
            "base OT answer: the plaintext of ciphertext 0 is too large",
        ),
    ],
)
def test_bad_input(call: Callable[[], object], error: type[PpmfError], message: str) -> None:
    assert words_of(call, error) == message


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"degree": 48}, "lattice: degree 48 is no power of two from 4 up"),
        ({"degree": 1 << 18}, "lattice: products of degree 262144 are not exact"),
        ({"primes": LARGE_PRIMES + LARGE_PRIMES[:1]}, "lattice: the primes are not distinct"),
        (
            {"primes": (*LARGE_PRIMES, 1_048_573)},
            "lattice: the primes are not between 2^20 and 2^(64/3)",
        ),
        ({"kept": 10}, "lattice: 10 of 10 primes kept"),
        ({"terms": 0}, "lattice: sums of 0 products are not exact"),
    ],
)
def test_bad_lattices(change: dict[str, Any], message: str) -> None:
    assert words_of(lambda: replace(STANDARD, **change), ParametersError) == message


LAYOUTS = [Layout(0, (1,), 1), Layout(1, (1,), 0), Layout(1, (1, -1), 1)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_without_rows_outputs_or_columns(layout: Layout) -> None:
    for call in (
        partial(Slots.of, 512, layout),
        partial(Budget.of, STANDARD, layout),
        partial(PAILLIER.check, layout),
        partial(SMALL.check, layout),
    ):
        assert words_of(call, ParametersError) == (
            f"matrix layout: {layout.rows} rows, {layout.outputs} outputs: both at least 1"
        )


def test_a_suite_checks_what_fits_its_own_ciphertexts() -> None:
    fits, neither = Layout(3, (3, 0, 1), 12), Layout(3, (3,), 1 << 400)
    for suite in (PAILLIER, SMALL):
        suite.check(fits)
        with pytest.raises(ParametersError):
            suite.check(neither)
    of_3072_bits = Layout(3, (3,), 1 << 360)
    paillier.paillier_scheme("paillier-3072").check(of_3072_bits)
    with pytest.raises(ParametersError):
        PAILLIER.check(of_3072_bits)


@pytest.mark.req("PPMF-RLW-007")
def test_a_layout_out_of_the_lattices_budget() -> None:
    message = words_of(lambda: Budget.of(STANDARD, Layout(4, (20, 10), 1 << 39)), ParametersError)
    assert message == (
        "lattice of degree 8192: 4 rows and 549755813888 outputs make noise of 2^69.4 and a flood "
        "of 2^149, over q / 2^65 = 2^148.3"
    )


@pytest.mark.req("PPMF-ERR-002", "PPMF-RLW-013")
def test_bad_rows_and_answers_of_a_lattice() -> None:
    layout, matrix = Layout(9, (3, 2), 18), zeros(9, 5)
    rows = list(owner_of(SMALL).encrypt_rows(matrix, layout, Coins.seeded("bad")))
    peer = SMALL.peer(owner_of(SMALL).public)
    for found, error, message in [
        (rows[:8], EncodingError, "encrypted matrix: 8 rows instead of 9"),
        ([*rows, rows[0]], EncodingError, "encrypted matrix: more than 9 rows"),
        ([*rows[:8], b""], EncodingError, "encrypted row 8: 0 bytes where 192 are due"),
        ([*rows[:3], b"", *rows[4:]], EncodingError, "encrypted row 3: 0 bytes where 192 are due"),
        (
            [*rows[:8], rows[8][:32] + b"\xff" * 160],
            RangeError,
            "encrypted row 8: a residue is outside [0, 2642239)",
        ),
    ]:
        assert words_of(partial(peer.rows, found, layout), error) == message
    uses = [slice(0, 1), slice(1, 2)]
    answer, _ = take_in(SMALL, matrix, layout).multiply(zeros(2, 9), uses, Coins.seeded("bad"))
    for bad, error, message in [
        (answer[1:], EncodingError, f"{len(answer) - 1} bytes where {len(answer)} are due"),
        (b"\xff" * len(answer), RangeError, "a residue is outside [0, 2642239)"),
    ]:
        said = words_of(partial(owner_of(SMALL).decrypt, bad, layout, uses), error)
        assert said == f"homomorphic answer: {message}"
    public = owner_of(SMALL).public
    for key, error, message in [
        (public[1:], EncodingError, "1791 bytes where 1792 are due"),
        (public[:32] + b"\xff" * 1760, RangeError, "a residue is outside [0, 2642239)"),
    ]:
        said = words_of(partial(SMALL.peer, key), error)
        assert said == f"lattice public key: {message}"


@pytest.mark.req("PPMF-AHE-005")
def test_bad_rows_and_answers_of_paillier() -> None:
    layout, matrix, coins = Layout(3, (3, 1), 12), zeros(3, 4), Coins.seeded("bad")
    owner = PAILLIER.generate(coins)
    rows = list(owner.encrypt_rows(matrix, layout, coins))
    peer = PAILLIER.peer(owner.public)
    for found, message in [
        (rows[:2], "encrypted matrix: 2 rows instead of 3"),
        ([*rows, rows[0]], "encrypted matrix: 4 rows instead of 3"),
        ([*rows[:2], b""], "encrypted row 2: 0 bytes instead of 384"),
    ]:
        assert words_of(partial(peer.rows, found, layout), EncodingError) == message
    uses = [slice(0, 1), slice(0, 0)]
    message = words_of(lambda: owner.decrypt(b"", layout, uses), EncodingError)
    assert message == "homomorphic answer: 0 bytes instead of 256"
