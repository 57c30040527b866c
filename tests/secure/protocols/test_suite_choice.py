# SPDX-License-Identifier: Apache-2.0
"""The suite of a run that names none, and the widest ring, of a scheme that is made for it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ppmf_secure.primitives.encryption.interface import FittedScheme, Layout, ProductScheme
from ppmf_secure.protocols.suite_choice import (
    LATTICE,
    PAILLIER,
    check_holds,
    suite_for,
    widest_ring,
)
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_spec.bounds import MAX_RING_BITS
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import MIN_RING_BITS, Parameters
from tests.support.ideal import ideal_suite

SMALL = Parameters(rank=2)
LARGE, MILLIONS = Parameters(step_bits=21), (6_000_000, 6_000_000)


class Narrow(ProductScheme):
    """A scheme of which only the widest ring is known."""

    name, secure = "narrow-insecure", False

    def __init__(self, most: int) -> None:
        self._most = most
        self.fitted: FittedScheme = ideal_suite().products.fit([])

    def fit(self, layouts: Sequence[Layout]) -> FittedScheme:
        if any(each.ring_bits > self._most for each in layouts):
            raise ParametersError("too wide")
        return self.fitted


@pytest.mark.parametrize("most", [MAX_RING_BITS, 46, MIN_RING_BITS])
def test_the_widest_ring_is_found(most: int) -> None:
    assert widest_ring(CipherSuite(Narrow(most)), SMALL, 9, 9) == most
    assert widest_ring(CipherSuite(Narrow(most + 1)), SMALL, 9, 9) == min(most + 1, MAX_RING_BITS)


def test_there_may_be_no_ring() -> None:
    assert widest_ring(CipherSuite(Narrow(MIN_RING_BITS - 1)), SMALL, 9, 9) == 0


@pytest.mark.req("PPMF-PAR-016", "PPMF-SES-003")
@pytest.mark.parametrize(
    ("most", "room"),
    [(MIN_RING_BITS, f"a ring of {MIN_RING_BITS} bits at most"), (MIN_RING_BITS - 1, "no ring")],
)
def test_a_run_that_does_not_fit_is_told_what_would(most: int, room: str) -> None:
    params = Parameters(rank=3, iterations=2)
    check_holds(CipherSuite(Narrow(64)), params, 1234, 9)
    with pytest.raises(ParametersError) as refusal:
        check_holds(CipherSuite(Narrow(most)), params, 1234, 9)
    head, _, need = str(refusal.value).partition(" bits; ")[0].rpartition(" ")
    assert head == "suite narrow-insecure: 1,234 users x 9 items need a ring of"
    assert most < int(need) <= MAX_RING_BITS
    assert str(refusal.value).endswith(f"at that size, rank 3 and 2 iterations it holds {room}")


@pytest.mark.req("PPMF-AHE-014")
def test_the_fastest_suite_that_holds_the_run_is_taken() -> None:
    assert suite_for("auto", SMALL, 9, 9).name == LATTICE
    assert suite_for("auto", LARGE, *MILLIONS).name == PAILLIER
    assert suite_for(LATTICE, LARGE, *MILLIONS).name == LATTICE
    assert suite_for(PAILLIER, SMALL, 9, 9).name == PAILLIER


def test_a_run_that_no_suite_holds_is_refused_with_the_reason() -> None:
    with pytest.raises(ParametersError) as refusal:
        suite_for("auto", Parameters(frac_bits=24), *MILLIONS)
    assert "ring_bits = 64" in str(refusal.value)
