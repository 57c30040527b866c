# SPDX-License-Identifier: Apache-2.0
"""Sessions: an id that names all that is public, and the sessions that are refused."""

from __future__ import annotations

import pytest

from ppmf_secure.session.session import Session
from ppmf_spec.errors import ParametersError, RangeError
from ppmf_spec.parameters import Parameters
from tests.support.parameter_sets import version_1


def _session(users: tuple[str, ...] = ("1", "2"), nonce: int = 0) -> Session:
    return Session(Parameters(rank=1), users, ("7", "8", "9"), "ideal", bytes([nonce] * 16))


@pytest.mark.req("PPMF-SES-001")
def test_a_sessions_id_names_all_that_is_public() -> None:
    base = _session()
    others = [
        _session(nonce=1),
        _session(users=("1", "3")),
        Session(Parameters(rank=2), base.users, base.items, "ideal", base.nonce),
        Session(base.parameters, base.users, ("7", "8"), "ideal", base.nonce),
        Session(base.parameters, base.users, base.items, "other", base.nonce),
    ]
    assert len({base.id, *(other.id for other in others)}) == len(others) + 1
    assert _session().id == base.id


@pytest.mark.req("PPMF-SES-002")
def test_a_session_that_cannot_be_correct_is_refused() -> None:
    with pytest.raises(RangeError, match="user list is empty or not in canonical order"):
        _session(users=("2", "1"))
    with pytest.raises(RangeError, match="user list"):
        _session(users=())
    with pytest.raises(ParametersError, match="nonce"):
        Session(Parameters(), ("1",), ("1",), "ideal", b"short")
    with pytest.raises(ParametersError):
        Session(Parameters(step_bits=30), ("1",), ("1",), "ideal", bytes(16))


@pytest.mark.req("PPMF-SES-002")
@pytest.mark.parametrize("items", [(), ("9", "7")])
def test_a_session_names_the_list_that_is_wrong(items: tuple[str, ...]) -> None:
    with pytest.raises(RangeError) as caught:
        Session(Parameters(rank=1), ("1",), items, "ideal", bytes(16))
    assert str(caught.value) == "the item catalogue is empty or not in canonical order"


@pytest.mark.req("PPMF-SES-003")
def test_a_session_that_does_not_fit_the_ring_is_refused() -> None:
    params = version_1(step_bits=28)
    with pytest.raises(ParametersError, match="ring_bits = 64: 3 rows of rank 10 need"):
        Session(params, ("1", "2"), ("7", "8", "10"), "ideal", bytes(16))
