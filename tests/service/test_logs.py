# SPDX-License-Identifier: Apache-2.0
"""How much is logged: nobody fills a disk by asking."""

from __future__ import annotations

import io
import json
from collections.abc import Callable

import pytest

from ppmf_service.clock import SettableClock
from ppmf_service.logs import Log


class Logged:
    """A log, and what it has written."""

    def __init__(self, most: int = 3) -> None:
        self.clock = SettableClock(100)
        self.stream = io.StringIO()
        self.log = Log(self.stream, now=self.clock.now, monotonic=self.clock.monotonic, most=most)

    def lines(self) -> list[dict[str, object]]:
        found = [json.loads(line) for line in self.stream.getvalue().splitlines()]
        self.stream.seek(0)
        self.stream.truncate()
        return found


@pytest.mark.req("PPMF-API-025")
def test_of_many_lines_of_a_kind_a_count_is_left() -> None:
    logged = Logged()
    for status in (404, 401, 404, 429, 404, 404):
        logged.log.event("request", status=status)
    logged.log.event("request", status=500)  # another class has room of its own
    logged.log.event("state")
    assert [line.get("status") for line in logged.lines()] == [404, 401, 404, 500, None]
    logged.clock.advance(59)
    logged.log.event("request", status=404)
    assert logged.lines() == []
    logged.clock.advance(1)
    logged.log.event("request", status=404)
    left, line = logged.lines()
    assert left == {
        "time": 160,
        "level": "warning",
        "event": "lines left out",
        "of": "request",
        "count": 4,
        "status": "4xx",
    }
    assert line["status"] == 404


@pytest.mark.req("PPMF-API-025")
@pytest.mark.parametrize(
    "say",
    [
        lambda log: log.event("upload", outcome="same"),
        lambda log: log.failure("a request failed", RuntimeError("x")),
    ],
)
def test_every_kind_of_line_is_limited(say: Callable[[Log], None]) -> None:
    logged = Logged()
    for _ in range(10_000):
        say(logged.log)
    assert len(logged.lines()) == 3
    logged.clock.advance(60)
    say(logged.log)
    assert [line.get("count") for line in logged.lines()] == [9_997, None]
