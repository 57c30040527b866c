# SPDX-License-Identifier: Apache-2.0
"""Whatever the tests break in the protocol is found in a view, by the right check."""

from __future__ import annotations

import pytest

from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.leaks import (
    BREACHES,
    FULL_GROUPS,
    LEAKS,
    OVER_LATTICE,
    OVER_PAILLIER,
    RESUMED,
    WITH_THRESHOLDS,
    Leak,
)
from tests.support.recorded_views import Case, Run, examine, failed, record, simulate

CASES = (OVER_PAILLIER, OVER_LATTICE, FULL_GROUPS, WITH_THRESHOLDS, RESUMED)


@pytest.fixture(scope="module")
def faultless() -> dict[int, tuple[Run, Run]]:
    """By the place in CASES: the unbroken run, and what is simulated from its leakage."""
    found = {}
    for number, case in enumerate(CASES):
        real = record(case)
        found[number] = real, simulate(real.leakage, real.output)
    return found


def place(case: Case) -> int:
    """Where a case stands in CASES; cases are compared as objects, for ratings do not hash."""
    return next(number for number, each in enumerate(CASES) if each is case)


def test_every_breach_is_in_the_table_of_the_docs() -> None:
    assert [leak.name for leak in LEAKS] == list(BREACHES)


def test_there_are_leaks_of_every_required_kind() -> None:
    promised = {
        "one mask for all users",
        "a mask used twice",
        "a short mask",
        "an unflooded lattice ciphertext",
        "an un-rerandomised Paillier product",
        "a plaintext field",
        "a length that depends on a count",
        "a repeated tweak",
        "a repeated batch key",
        "permute bits sent",
        "an early opening of V",
        "a biased coin",
    }
    assert promised <= {leak.name for leak in LEAKS}


@pytest.mark.req("PPMF-SEC-003")
@pytest.mark.parametrize("number", range(len(CASES)))
@pytest.mark.parametrize("party", [RECSYS, CSP])
def test_a_faultless_run_passes_every_check_on_views(
    faultless: dict[int, tuple[Run, Run]], number: int, party: Role
) -> None:
    real, imagined = faultless[number]
    assert failed(examine(real, party, imagined)) == set()


@pytest.mark.req("PPMF-SEC-003")
@pytest.mark.parametrize("leak", LEAKS, ids=lambda leak: leak.name)
def test_a_seeded_leak_is_found_by_its_check(
    faultless: dict[int, tuple[Run, Run]], leak: Leak, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, imagined = faultless[place(leak.breach.case)]
    with monkeypatch.context() as patch:
        leak.breach.apply(patch)
        broken = record(leak.breach.case)
    same = broken.output == real.output
    assert same != leak.breach.spoils, "a leak changes what is seen, not what is computed"
    found = failed(examine(broken, leak.seen_by, imagined))
    assert leak.check in found
    assert found <= {leak.check, *leak.breach.beside}
