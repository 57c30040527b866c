# SPDX-License-Identifier: Apache-2.0
"""A clock that leaps: when it is in doubt, when it is believed again, and what waits meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ppmf_service import clock_watch
from ppmf_service.clock import SettableClock
from ppmf_service.clock_watch import RUN_HOLD, STOP_HOLD, ClockWatch
from ppmf_service.database import Database
from ppmf_service.states import State
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.engines import World
from tests.support.services import CLOSES, EXPIRES, START

HOUR, DAY, YEAR = 3600, 86_400, 31_536_000


class Machine:
    """A database, its clock, and the process that watches it."""

    def __init__(self, folder: Path) -> None:
        self.clock = SettableClock(START)
        self.database = Database.open(folder / "data" / "service.sqlite", self.clock)
        self.start()

    def start(self) -> None:
        self.watch = ClockWatch(self.database)

    def runs(self, seconds: float) -> None:
        """The server runs for so long, and looks at its clock all the while."""
        for _ in range(10):
            self.clock.advance(seconds / 10)
            self.watch.by()

    @property
    def believes(self) -> bool:
        found = self.watch.by()
        assert found in (0, self.clock.now())
        assert self.watch.in_doubt is (found == 0)
        noted = clock_watch.noted(self.database)
        assert noted is not None
        return found != 0


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    made = Machine(tmp_path)
    yield made
    made.database.close()


@pytest.mark.req("PPMF-SRV-026")
def test_a_clock_that_goes_evenly_or_is_set_by_little_is_believed(machine: Machine) -> None:
    assert machine.believes
    for seconds in (50, -50, 59):
        machine.runs(2 * HOUR)
        machine.clock.leap(seconds)
        assert machine.believes
    machine.runs(40 * DAY)
    assert machine.believes


@pytest.mark.req("PPMF-SRV-026")
@pytest.mark.parametrize("leap", [62, -62, DAY, 20 * YEAR, -40 * YEAR])
def test_a_clock_that_leaps_is_in_doubt_until_it_has_gone_evenly_for_a_day(
    machine: Machine, leap: int
) -> None:
    assert machine.believes
    machine.runs(HOUR)
    machine.clock.leap(leap)
    assert not machine.believes
    machine.runs(RUN_HOLD - 10)
    assert not machine.believes
    machine.runs(10)
    assert machine.believes


@pytest.mark.req("PPMF-SRV-026")
def test_many_small_leaps_are_one(machine: Machine) -> None:
    assert machine.believes
    for _ in range(3):
        machine.runs(10)
        machine.clock.leap(30)
    assert not machine.believes


@pytest.mark.req("PPMF-SRV-026")
def test_another_leap_begins_the_wait_anew_and_the_way_back_ends_it(machine: Machine) -> None:
    assert machine.believes
    machine.clock.leap(YEAR)
    assert not machine.believes
    machine.runs(RUN_HOLD - 60)
    machine.clock.leap(YEAR)
    assert not machine.believes
    machine.runs(HOUR)
    assert not machine.believes
    machine.clock.leap(-2 * YEAR + 30)
    assert machine.believes


@pytest.mark.req("PPMF-SRV-026")
@pytest.mark.parametrize(("gap", "right"), [(0, True), (DAY, True), (DAY + 1, False), (-61, False)])
def test_a_clock_at_the_start_is_compared_with_the_last_time_noted(
    machine: Machine, gap: int, right: bool
) -> None:
    assert machine.believes
    machine.clock.leap(gap)
    machine.start()
    assert machine.believes is right
    machine.runs(STOP_HOLD)
    assert machine.believes


@pytest.mark.req("PPMF-SRV-026")
def test_a_clock_that_is_set_right_after_the_start_is_believed_at_once(machine: Machine) -> None:
    """A machine without a battery begins in another year, and asks for the time then."""
    assert machine.believes
    machine.clock.leap(-30 * YEAR)
    machine.start()
    assert not machine.believes
    machine.runs(60)
    machine.clock.leap(30 * YEAR + 2 * HOUR)  # it had been off for two hours
    assert machine.believes


@pytest.mark.req("PPMF-SRV-026")
@pytest.mark.parametrize("leap", [YEAR, 2 * HOUR, -2 * HOUR, -YEAR])
def test_a_doubt_outlasts_the_process(machine: Machine, leap: int) -> None:
    """Else an engine that ends and starts again would believe what it had doubted."""
    assert machine.believes
    machine.clock.leap(leap)
    assert not machine.believes
    machine.runs(RUN_HOLD / 2)
    machine.start()
    assert not machine.believes
    machine.runs(RUN_HOLD / 2 - HOUR)
    assert not machine.believes
    machine.runs(2 * HOUR)
    assert machine.believes


@pytest.mark.req("PPMF-SRV-026")
def test_the_operator_says_that_the_clock_is_right(machine: Machine) -> None:
    assert machine.believes
    machine.clock.leap(YEAR)
    assert not machine.believes
    clock_watch.confirm(machine.database)
    assert machine.believes
    machine.runs(DAY)
    assert machine.believes


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.servers.close()


@pytest.mark.req("PPMF-SRV-026")
@pytest.mark.parametrize("restarted", [None, RECSYS, CSP])
def test_a_leap_past_the_end_of_a_session_costs_nothing(
    world: World, restarted: Role | None
) -> None:
    key = world.opened()
    world.upload_all(key, but=0)
    world.clock.leap(YEAR)
    if restarted is not None:
        world.restart(restarted)
    for _ in range(20):
        world.turn()
    assert world.states(key) == (State.OPEN, State.OPEN)
    assert world.server(RECSYS).uploads.count(key) == 2
    for role in (RECSYS, CSP):
        assert "the clock is in doubt" in [name for name, _ in world.logged[role]]
    world.clock.leap(-YEAR)
    world.turn()
    world.clock.advance(CLOSES - START)
    world.until(world.is_in(key, State.FINISHED))


@pytest.mark.req("PPMF-SRV-026")
@pytest.mark.parametrize("error", [StateError("locked"), OSError(28, "No space left on device")])
def test_a_time_that_cannot_be_noted_is_acted_by_no_more_than_a_wrong_one(
    world: World, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    key = world.opened(closes=0)
    world.clock.advance(EXPIRES - START)

    def fails(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(clock_watch, "_note", fails)
        world.step(RECSYS)
        assert world.row(RECSYS, key).state is State.OPEN
    world.until(world.is_in(key, State.ABANDONED))


@pytest.mark.req("PPMF-SRV-026")
def test_csp_admits_nobody_because_of_a_time_that_it_doubts(world: World) -> None:
    """Whose code is another one by now is not admitted; the answer waits until the intake closes,
    and a clock that leaps past that time ends the wait no more than it would close an intake.
    """
    key = world.opened()
    world.upload_all(key)
    world.server(CSP).members.enrol_consent_keys({world.session(key).users[2]: bytes(32)})
    world.until(world.is_in(key, State.CLOSED))
    world.clock.leap(HOUR)
    for _ in range(20):
        world.turn()
    assert world.states(key) == (State.CLOSED, State.CLOSED)
    world.clock.leap(-HOUR)
    world.clock.advance(CLOSES - START)
    world.until(world.is_in(key, State.FINISHED))


@pytest.mark.req("PPMF-SRV-015", "PPMF-SRV-026")
def test_a_session_expires_once_the_clock_is_believed(world: World) -> None:
    key = world.opened(closes=0)
    world.clock.leap(EXPIRES - START)
    for _ in range(4):
        world.turn()
    assert world.states(key) == (State.OPEN, State.OPEN)
    for role in (RECSYS, CSP):
        clock_watch.confirm(world.server(role).database)
    world.until(world.is_in(key, State.ABANDONED))


@pytest.mark.req("PPMF-SRV-026")
def test_the_intake_closes_when_all_are_there_though_the_clock_went_back(tmp_path: Path) -> None:
    world = World(tmp_path, grace=30)
    key = world.opened()
    world.upload_all(key)
    world.turn()
    world.clock.leap(-40 * YEAR)
    for _ in range(50):
        world.turn()
    assert world.row(RECSYS, key).state is State.OPEN
    world.until(lambda: world.row(RECSYS, key).state is not State.OPEN, turns=20)
    world.servers.close()
