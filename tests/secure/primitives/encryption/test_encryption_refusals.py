# SPDX-License-Identifier: Apache-2.0
"""What both kinds of homomorphic encryption refuse, to the character."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from typing import Any

import numpy as np
import pytest

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.encryption.interface import Layout
from ppmf_secure.primitives.encryption.lattice import scheme as rlwe
from ppmf_secure.primitives.encryption.lattice.params import LARGE_PRIMES, STANDARD, Budget
from ppmf_secure.primitives.encryption.lattice.ring import reduce
from ppmf_secure.primitives.encryption.paillier import scheme as paillier
from ppmf_secure.primitives.encryption.paillier.keys import PublicKey, SecretKey
from ppmf_secure.primitives.encryption.paillier.slots import Slots
from ppmf_spec.errors import EncodingError, ParametersError, PpmfError, RangeError
from tests.support.lattice_schemes import SMALL, owner_of, take_in
from tests.support.refusals import refusal_of

PAILLIER = paillier.paillier_scheme("paillier-512-insecure")
SMALL_FACTOR = (997 << 502) + 997  # of 512 bits
PUBLIC = "Paillier public key: "


def zeros(*shape: int) -> np.ndarray:
    return np.zeros(shape, dtype=np.uint64)


@cache
def secret() -> SecretKey:
    return SecretKey.generate(512, Coins.seeded("refusals"))


def parse(modulus: int, size: int = 64) -> PublicKey:
    return PublicKey.parse(modulus.to_bytes(size, "big"), 512)


def forged(at: int, value: int) -> bytes:
    """Three ciphertexts, the one at a place being this number."""
    public = secret().public
    fine = [public.plain(1)] * 3
    fine[at] = type(fine[at])(value)
    return public.write(fine)


def test_an_array_that_is_not_contiguous_is_refused() -> None:
    message = refusal_of(lambda: reduce(np.zeros((4, 4))[:, ::2], LARGE_PRIMES[0]), ValueError)
    assert message == "only an array of contiguous rows can be reduced in place"


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
            "Paillier modulus: 512 bits hold no slot of 514 bits",
        ),
    ],
)
def test_bad_keys_and_ciphertexts_are_refused(
    call: Callable[[], object], error: type[PpmfError], message: str
) -> None:
    assert refusal_of(call, error) == message


@pytest.mark.parametrize("suite", [PAILLIER, SMALL])
def test_wrong_shapes_of_a_product_are_refused(
    suite: paillier.PaillierScheme | rlwe.RlweScheme,
) -> None:
    layout, coins = Layout(3, (3, 1), 12), Coins.seeded("shapes")
    scheme = suite.fit([layout])
    owner = scheme.generate(coins)
    for shape in ((3, 3), (2, 4), (4, 3)):
        rows = owner.encrypt_rows(zeros(*shape), layout, coins)
        message = refusal_of(partial(next, rows), ValueError)
        assert message == "the matrix has not the layout's shape"
    taken = scheme.peer(owner.public).rows(
        list(owner.encrypt_rows(zeros(3, 4), layout, coins)), layout, zeros(3, 4)
    )
    for shape in ((3, 3), (2, 4), (4, 3)):
        message = refusal_of(
            partial(scheme.peer(owner.public).intake, layout, zeros(*shape)), ValueError
        )
        assert message == "the peer's share has not the layout's shape"
    uses = [slice(0, 2), slice(0, 0)]
    for x in (zeros(2, 4), zeros(3), zeros(2, 3, 1)):
        message = refusal_of(partial(taken.multiply, x, uses, coins), ValueError)
        assert message == "X has not as many columns as the encrypted matrix has rows"
    message = refusal_of(lambda: taken.multiply(zeros(1, 3), uses, coins), ValueError)
    assert message == "X has not all the rows wanted"
    answer, (first, second) = taken.multiply(zeros(2, 3), uses, coins)
    assert len(answer) == scheme.answer_bytes(layout, uses)
    assert (first.shape, second.shape) == ((2, 3), (0, 1))


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
def test_lattices_of_inexact_arithmetic_are_refused_with_the_reason(
    change: dict[str, Any], message: str
) -> None:
    assert refusal_of(lambda: replace(STANDARD, **change), ParametersError) == message


LAYOUTS = [Layout(0, (1,), 1), Layout(1, (1,), 0), Layout(1, (1, -1), 1)]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_without_rows_outputs_or_columns_are_refused(layout: Layout) -> None:
    for call in (
        partial(Slots.of, 512, layout),
        partial(Budget.of, STANDARD, layout),
        partial(PAILLIER.fit, [layout]),
        partial(SMALL.fit, [layout]),
    ):
        assert refusal_of(call, ParametersError) == (
            f"matrix layout: {layout.rows} rows, {layout.outputs} outputs: both at least 1"
        )


def test_a_suite_checks_what_fits_its_own_ciphertexts() -> None:
    fits, neither = Layout(3, (3, 0, 1), 12), Layout(3, (3,), 1 << 400)
    for suite in (PAILLIER, SMALL):
        suite.fit([fits, fits])
        with pytest.raises(ParametersError):
            suite.fit([fits, neither])
    of_3072_bits = Layout(3, (3,), 1 << 360)
    paillier.paillier_scheme("paillier-3072").fit([of_3072_bits])
    with pytest.raises(ParametersError):
        PAILLIER.fit([of_3072_bits])


@pytest.mark.req("PPMF-RLW-007")
def test_a_layout_beyond_the_budget_of_a_lattice_is_refused() -> None:
    message = refusal_of(lambda: Budget.of(STANDARD, Layout(4, (20, 10), 1 << 39)), ParametersError)
    assert message == (
        "lattice of degree 8192: 4 rows and 549755813888 outputs make noise of 2^69.5 and a flood "
        "of 2^149, over q / 2^65 = 2^148.3"
    )


@pytest.mark.req("PPMF-ERR-002", "PPMF-RLW-013")
def test_bad_rows_and_answers_of_a_lattice_are_refused() -> None:
    layout, matrix = Layout(9, (20, 2), 1 << 33), zeros(9, 22)
    scheme, owner = SMALL.fit([layout]), owner_of(SMALL, layout)
    groups = list(owner.encrypt_rows(matrix, layout, Coins.seeded("bad")))
    peer = scheme.peer(owner.public)
    for found, error, message in [
        (groups[:4], EncodingError, "encrypted matrix: 4 groups instead of 5"),
        ([*groups, groups[0]], EncodingError, "encrypted matrix: more than 5 groups"),
        ([*groups[:4], b""], EncodingError, "encrypted group 4: 0 bytes where 672 are due"),
        (
            [*groups[:3], b"", groups[4]],
            EncodingError,
            "encrypted group 3: 0 bytes where 1232 are due",
        ),
        (
            [*groups[:4], groups[4][:32] + b"\xff" * 640],
            RangeError,
            "encrypted group 4: a residue is outside [0, 2641921)",
        ),
    ]:
        assert refusal_of(partial(peer.rows, found, layout, matrix), error) == message
    uses = [slice(0, 1), slice(1, 2)]
    answer, _ = take_in(SMALL, matrix, layout).multiply(zeros(2, 9), uses, Coins.seeded("bad"))
    for bad, error, message in [
        (answer[1:], EncodingError, f"{len(answer) - 1} bytes where {len(answer)} are due"),
        (b"\xff" * len(answer), RangeError, "a residue is outside [0, 2641921)"),
    ]:
        said = refusal_of(partial(owner.decrypt, bad, layout, uses), error)
        assert said == f"homomorphic answer: {message}"
    public = owner.public
    for key, error, message in [
        (public[1:], EncodingError, "3551 bytes where 3552 are due"),
        (public[:32] + b"\xff" * 3520, RangeError, "a residue is outside [0, 2641921)"),
    ]:
        said = refusal_of(partial(scheme.peer, key), error)
        assert said == f"lattice public key: {message}"


@pytest.mark.req("PPMF-AHE-005")
def test_bad_rows_and_answers_of_paillier_are_refused() -> None:
    layout, matrix, coins = Layout(3, (3, 1), 12), zeros(3, 4), Coins.seeded("bad")
    owner = PAILLIER.generate(coins)
    rows = list(owner.encrypt_rows(matrix, layout, coins))
    peer = PAILLIER.peer(owner.public)
    for found, message in [
        (rows[:2], "encrypted matrix: 2 rows instead of 3"),
        ([*rows, rows[0]], "encrypted matrix: more than 3 rows"),
        ([*rows[:2], b""], "encrypted row 2: 0 bytes instead of 384"),
    ]:
        assert refusal_of(partial(peer.rows, found, layout, matrix), EncodingError) == message
    uses = [slice(0, 1), slice(0, 0)]
    message = refusal_of(lambda: owner.decrypt(b"", layout, uses), EncodingError)
    assert message == "homomorphic answer: 0 bytes instead of 256"
