# SPDX-License-Identifier: Apache-2.0
"""Progress: what is done never goes back, and phases weigh what they are expected to take."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from rich.progress import Progress as RichProgress

from ppmf import console
from ppmf.progress import Forecast, following
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.unit_costs import UnitCosts
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_spec.errors import EncodingError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, USERS

WEIGHTS = {
    "start": 1.0,
    "upload": 2.0,
    "set-up": 8.0,
    "products": 6.0,
    "steps": 1.0,
    "updates": 5.0,
}
TALLY = count_run(
    Parameters(rank=2, iterations=2), PublicSize.numbered(9, 8), cipher_suite("rlwe-8192")
)


def whole_run(half_steps: int) -> Iterator[tuple[str, int]]:
    yield from (("keys", 0), ("upload", 0), ("set-up", 0))
    for done in range(half_steps):
        yield from ((phase, done) for phase in ("products", "steps", "updates"))
    yield "output", half_steps


def test_what_is_done_grows_by_the_weight_of_each_phase() -> None:
    forecast = Forecast(WEIGHTS)
    done = [forecast.done(Progress(CSP, phase, at, 4)) for phase, at in whole_run(4)]
    assert done[:6] == [0, 1, 3, 11, 12.5, 12.75]
    assert done == sorted(done)
    assert len(set(done)) == len(done)
    assert done[-1] == forecast.total == 23


def test_a_phase_ends_where_the_next_begins() -> None:
    forecast = Forecast(WEIGHTS)
    run = [Progress(CSP, phase, at, 4) for phase, at in whole_run(4)]
    ends = [forecast.until(now) for now in run]
    assert ends[:-1] == [forecast.done(now) for now in run[1:]]
    assert ends[-1] == forecast.total


def test_a_resumed_run_begins_where_it_stopped() -> None:
    forecast = Forecast(WEIGHTS)
    assert forecast.done(Progress(CSP, "set-up", 2, 4)) == 3 + 6
    assert forecast.done(Progress(CSP, "products", 2, 4)) == 11 + 6


def test_half_steps_are_counted_where_no_costs_are_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreadable() -> UnitCosts:
        raise EncodingError("cannot be read")

    measured = UnitCosts("a machine", {"starts/paillier-3072": 1.0}, {})
    for read in (unreadable, lambda: measured):
        monkeypatch.setattr(UnitCosts, "read", read)
        forecast = Forecast.of(TALLY, "rlwe-8192")
        done = {at: forecast.done(Progress(CSP, "products", at, 4)) for at in range(4)}
        assert done == {0: 0.0, 1: 0.25, 2: 0.5, 3: 0.75}


def test_measured_costs_give_set_up_its_share(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = {"starts/rlwe-8192": 1.0, "setups/rlwe-8192": 5.0, "messages": 0.01}
    measured = UnitCosts("a machine", seconds, {})
    monkeypatch.setattr(UnitCosts, "read", lambda: measured)
    forecast = Forecast.of(TALLY, "rlwe-8192")
    begin, end = (forecast.done(Progress(CSP, phase, 0, 4)) for phase in ("set-up", "products"))
    assert 5 < end - begin < forecast.total - begin


def test_the_users_bar_disappears_when_their_part_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = console.Bars(RichProgress(disable=True))

    @contextmanager
    def bars() -> Iterator[console.Bars]:
        yield shown

    monkeypatch.setattr(console, "bars", bars)
    with following(Forecast(WEIGHTS)) as show:
        show(Progress(USERS, "upload", 0, 4))
        show(Progress(CSP, "upload", 0, 4))
        assert set(shown.names) == {"users", "csp"}
        show(Progress(CSP, "set-up", 0, 4))
        assert set(shown.names) == {"csp"}
