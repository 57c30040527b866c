# SPDX-License-Identifier: Apache-2.0
"""Mutated requests, of which `make fuzz` sends a million: each is answered, none does harm."""

from __future__ import annotations

import asyncio
import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ppmf_service import logs
from tests.support.fuzzed import opened_interface
from tools.fuzz.interface import BrokenError, Interface
from tools.fuzz.requests import Material, Request, right


@pytest.mark.req("PPMF-API-002", "PPMF-API-003", "PPMF-API-004", "PPMF-API-007")
def test_every_mutated_request_is_answered_and_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logs, "_log", logs.Log(least=100))
    with opened_interface(tmp_path) as interface, asyncio.Runner() as runner:

        @given(st.lists(st.integers(0, (1 << 64) - 1), min_size=1, max_size=20))
        def every(seeds: list[int]) -> None:
            for seed in seeds:
                runner.run(interface.try_one(random.Random(seed)))

        every()
        statuses = set(interface.seen.statuses)
    assert statuses & {200, 201}
    assert statuses & {400, 401, 404, 409}


@pytest.mark.req("PPMF-API-002")
def test_a_body_that_comes_with_a_question_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long answer is sent in pieces, and nothing is taken from the client meanwhile."""
    monkeypatch.setattr(logs, "_log", logs.Log(least=100))
    with opened_interface(tmp_path) as interface:
        path = b"/v1/sessions/" + interface.material.sessions[0]
        answer = asyncio.run(interface.ask(Request(path=path, body=(bytes(1 << 16),) * 64)))
    assert (answer.status, answer.taken) == (200, 0)


def test_harm_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interface that takes the token of anybody is found out."""
    monkeypatch.setattr(logs, "_log", logs.Log(least=100))
    monkeypatch.setattr("ppmf_service.enrolment.Members.token_row", _anybody)

    async def many(interface: Interface) -> None:
        source = random.Random(1)
        for _ in range(2000):
            await interface.try_one(source)

    with (
        opened_interface(tmp_path) as interface,
        pytest.raises(BrokenError, match="without the token of the row"),
    ):
        asyncio.run(many(interface))


def _anybody(*_: object) -> int:
    return 1


def test_requests_that_are_right_have_their_token() -> None:
    material = Material([b"0" * 64], [b"t"], [b"m"])
    found = [right(material, random.Random(seed)) for seed in range(100)]
    assert {one.method for one in found} == {b"GET", b"PUT", b"DELETE"}
    for one in found:
        assert (b"uploads" in one.path) == ((b"authorization", b"Bearer t") in one.headers)
