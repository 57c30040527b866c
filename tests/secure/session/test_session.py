# SPDX-License-Identifier: Apache-2.0
"""Sessions: an id that names all that is public, and the sessions that are refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from ppmf_secure.session.session import Acceptance, Proposal, Session, default_least
from ppmf_spec.errors import EncodingError, ParametersError, PpmfError, RangeError, StateError
from ppmf_spec.parameters import Parameters
from tests.support.parameter_sets import version_1
from tests.support.sessions import POINTS, session_of


def _session(users: tuple[str, ...] = ("1", "2"), **more: Any) -> Session:
    return session_of(Parameters(rank=1), users, ("7", "8", "9"), **more)


CHANGES: dict[str, Any] = {
    "parameters": Parameters(rank=2),
    "users": ("1", "3"),
    "items": ("7", "8"),
    "suite": "other",
    "signing_key": POINTS["csp"],
    "nonce": bytes([1] * 16),
    "least": 3,
    "closes": 5,
    "expires": 5,
    "addresses": ("https://a.example",),
    "trial": False,
}


@pytest.mark.req("PPMF-SES-007")
def test_a_sessions_id_names_all_that_is_public() -> None:
    base = _session(("1", "2", "3"), least=2)
    assert set(CHANGES) == set(Proposal.__dataclass_fields__)
    proposals = [replace(base.proposal, **{name: value}) for name, value in CHANGES.items()]
    others = [Session(proposal, base.acceptance) for proposal in proposals]
    for name, value in (
        ("signing_key", POINTS["recsys"]),
        ("nonce", bytes(16)),
        ("sealing_key", bytes([9] + [0] * 31)),
    ):
        others.append(Session(base.proposal, replace(base.acceptance, **{name: value})))
    assert len({base.id, *(other.id for other in others)}) == len(others) + 1
    assert _session(("1", "2", "3"), least=2).id == base.id


@pytest.mark.req("PPMF-SES-009")
@pytest.mark.parametrize(
    ("change", "error", "line"),
    [
        ({"users": ("2", "1")}, RangeError, "the user list is empty or not in canonical order"),
        ({"users": ()}, RangeError, "the user list is empty or not in canonical order"),
        ({"items": ()}, RangeError, "the item catalogue is empty or not in canonical order"),
        ({"items": (" 7", "8")}, EncodingError, "item catalogue: id number 1 is empty, padded"),
        ({"users": ("1", "2 ")}, EncodingError, "user list: id number 2 is empty, padded"),
        ({"items": ("9", "7")}, RangeError, "the item catalogue is empty or not in canonical"),
        ({"nonce": bytes(15)}, EncodingError, "RecSys' nonce: 15 bytes where 16 are due"),
        ({"signing_key": bytes(32)}, EncodingError, "RecSys' key for signatures: 32 bytes"),
        ({"signing_key": bytes(33)}, RangeError, "RecSys' key for signatures: not a point"),
        ({"least": 1}, ParametersError, "least = 1: must be from 2 to 2"),
        ({"least": 3}, ParametersError, "least = 3: must be from 2 to 2"),
        ({"closes": 1 << 64}, ParametersError, "closes: must be from 0 to 2"),
        ({"expires": -1}, ParametersError, "expires: must be from 0 to 2"),
        ({"closes": 7, "expires": 7}, ParametersError, "expires: must be 0 or later than closes"),
        ({"suite": "x-insecure", "trial": False}, ParametersError, "trial: a suite that protects"),
    ],
)
def test_a_proposal_that_cannot_be_is_refused(
    change: dict[str, Any], error: type[PpmfError], line: str
) -> None:
    with pytest.raises(error) as caught:
        replace(_session().proposal, **change)
    assert str(caught.value).startswith(line)


@pytest.mark.req("PPMF-SES-016")
def test_a_session_lists_no_more_than_a_reader_reads() -> None:
    many = ("a",) * ((1 << 20) + 1)
    for change, line in (
        ({"users": many}, "the user list has more than 1048576 ids"),
        ({"items": many}, "the item catalogue has more than 1048576 ids"),
        ({"addresses": many[:17]}, "addresses: more than 16"),
    ):
        with pytest.raises(EncodingError, match=line):
            replace(_session().proposal, **change)  # type: ignore[arg-type]
    assert len(replace(_session().proposal, addresses=many[:16]).addresses) == 16


@pytest.mark.req("PPMF-SES-009")
def test_parameters_that_allow_no_rating_are_refused() -> None:
    between = {"rating_frac_bits": 0, "rating_min": 3.25, "rating_max": 3.75}
    params = Parameters.from_toml("".join(f"{name} = {value}\n" for name, value in between.items()))
    with pytest.raises(ParametersError, match="no rating lies between"):
        session_of(params, ("1", "2"), ("7",))


@pytest.mark.req("PPMF-SES-009")
@pytest.mark.parametrize(
    ("change", "error", "line"),
    [
        ({"nonce": bytes(17)}, EncodingError, "CSP's nonce: 17 bytes where 16 are due"),
        ({"signing_key": bytes(34)}, EncodingError, "CSP's key for signatures: 34 bytes"),
        ({"signing_key": bytes(33)}, RangeError, "CSP's key for signatures: not a point of P-256"),
        ({"sealing_key": bytes(31)}, EncodingError, "CSP's key for seals: 31 bytes instead of 32"),
        ({"sealing_key": bytes(32)}, RangeError, "CSP's key for seals: a point of small order"),
    ],
)
def test_an_acceptance_that_cannot_be_is_refused(
    change: dict[str, Any], error: type[PpmfError], line: str
) -> None:
    with pytest.raises(error) as caught:
        replace(_session().acceptance, **change)
    assert str(caught.value).startswith(line)
    assert isinstance(_session().acceptance, Acceptance)


@pytest.mark.req("PPMF-SES-003")
def test_a_session_that_does_not_fit_the_ring_is_refused() -> None:
    with pytest.raises(ParametersError, match="ring_bits = 64: 3 rows of rank 10 need"):
        session_of(version_1(step_bits=28), ("1", "2"), ("7", "8", "10"))
    with pytest.raises(ParametersError):
        session_of(Parameters(step_bits=30), ("1",), ("1",))


@pytest.mark.req("PPMF-SES-014")
def test_a_session_expires_by_the_clock_of_who_takes_part() -> None:
    session = _session(expires=100)
    session.check_time(99)
    with pytest.raises(StateError, match="^the session has expired$"):
        session.check_time(100)
    _session().check_time(1 << 63)


@pytest.mark.req("PPMF-SES-015")
def test_how_many_users_have_to_take_part_by_default() -> None:
    found = {users: default_least(users) for users in (1, 2, 19, 20, 21, 39, 40, 41, 42, 943)}
    assert found == {1: 1, 2: 2, 19: 19, 20: 20, 21: 20, 39: 20, 40: 20, 41: 21, 42: 21, 943: 472}
    assert _session().least == 2
    assert _session(("1",)).least == 1
    ids = tuple(str(number) for number in range(1, 31))
    assert session_of(Parameters(rank=1), ids, ("1",)).least == 20
