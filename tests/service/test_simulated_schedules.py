# SPDX-License-Identifier: Apache-2.0
"""Whatever the network and the machines do, a session ends in the V of what was acknowledged."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ppmf_secure.transport.store import Store
from ppmf_service import logs, uploads
from ppmf_service.sessions import Sessions
from ppmf_service.uploads import Uploads
from ppmf_service.user_folder import UserFolder
from ppmf_spec.roles import CSP, RECSYS
from tests.support.faulty_proxy import Fault
from tests.support.services import CLOSES, START
from tests.support.simulation import (
    ITEMS,
    USERS,
    Action,
    Carry,
    Cut,
    Kill,
    Late,
    Rate,
    Restart,
    Simulation,
    Step,
    Turns,
    Wait,
)

pytestmark = pytest.mark.req(
    "PPMF-SRV-005", "PPMF-SRV-012", "PPMF-API-005", "PPMF-API-018", "PPMF-LNK-014", "PPMF-LNK-015",
    "PPMF-RES-016",
)  # fmt: skip

ROLES = st.sampled_from([RECSYS, CSP])
ROWS = st.integers(0, USERS - 1)
RATED = st.dictionaries(st.integers(0, ITEMS - 1), st.integers(-5, 4), max_size=ITEMS)
FAULTS = st.one_of(
    st.lists(st.sampled_from(Fault), max_size=4).map(tuple),
    st.builds(  # so many that the user's program gives up
        lambda at, fault: (Fault.NONE,) * at + (fault,) * 12,
        st.integers(0, 2),
        st.sampled_from([Fault.LOSE_REQUEST, Fault.LOSE_ANSWER, Fault.HELD]),
    ),
)
PEOPLE: st.SearchStrategy[Action] = st.builds(Rate, ROWS, RATED, FAULTS)
MACHINES: st.SearchStrategy[Action] = st.one_of(
    st.builds(Turns, st.integers(1, 6)),
    st.builds(Step, ROLES),
    st.builds(Carry, ROLES, st.integers(1, 256)),
    st.builds(Cut),
    st.builds(Kill, ROLES, st.integers(1, 12), st.booleans()),
    st.builds(Restart, ROLES),
    st.builds(Wait, st.sampled_from([1, 10, 60, 300])),
    st.builds(Late, ROWS),
)
ALL = st.booleans().flatmap(lambda people: PEOPLE if people else MACHINES)
SCHEDULES = st.builds(
    lambda *parts: [*parts[0], Turns(8), *parts[1], Wait(CLOSES - START), *parts[2]],
    st.lists(MACHINES, max_size=10),
    st.lists(ALL, min_size=10, max_size=30),
    st.lists(MACHINES, min_size=10, max_size=40) | st.lists(ALL, min_size=10, max_size=40),
)
"""The session is proposed and opened; then users upload, until it is time; then it is trained."""

MEMORY = Path("/dev/shm")
"""Where files are not on a disk: no power is lost here, so no disk need be waited for."""


@pytest.fixture(scope="module")
def portal() -> Iterator[BlockingPortal]:
    with start_blocking_portal() as made:
        yield made


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_log", logs.Log(least=100))


def play(portal: BlockingPortal, schedule: list[Action]) -> Simulation:
    place = MEMORY if os.access(MEMORY, os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=place) as name, Simulation(Path(name), portal) as world:
        world.play(schedule)
        world.check()
    return world


SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@settings(SHARED, max_examples=12)
@given(schedule=SCHEDULES)
def test_whatever_happens_a_session_ends_in_the_oracles_profiles(
    portal: BlockingPortal, schedule: list[Action]
) -> None:
    play(portal, schedule)


@pytest.mark.slow
@settings(SHARED, max_examples=200)
@given(schedule=SCHEDULES)
def test_two_hundred_schedules_end_in_the_oracles_profiles(
    portal: BlockingPortal, schedule: list[Action]
) -> None:
    play(portal, schedule)


AWAY = (Fault.NONE,) * 3 + (Fault.LOSE_REQUEST,) * 12
"""The list of sessions, the session and the receipt come; then no request arrives."""

BUSY: list[Action] = [
    Turns(10),
    Rate(0, {0: 1}, AWAY),
    Rate(0, {0: 2, 3: -4}),
    Rate(1, {1: 3}),
    Rate(1, {1: -3, 0: 2}),
    Rate(2, {2: 1}),
    Turns(2),
    Wait(30),
    Turns(4),
    Restart(CSP),
    Turns(4),
    Kill(RECSYS, 2, kept=True),
    Turns(8),
]


def _second_upload_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    write = uploads._write
    monkeypatch.setattr(uploads, "_write", lambda *of: of[3] == 1 and write(*of))


def _upload_not_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    frozen = Uploads.frozen
    monkeypatch.setattr(Uploads, "frozen", lambda *of: iter([*frozen(*of)][1:]))


def _upload_not_kept_by_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UserFolder, "keep", lambda *_: None)


def _epoch_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither in the epochs' own file, nor in the database (PPMF-RES-019)."""
    monkeypatch.setattr(Store, "begin", lambda *_: None)
    monkeypatch.setattr(Sessions, "began", lambda *_: None)


def test_the_simulation_goes_through_the_busy_schedule(portal: BlockingPortal) -> None:
    world = play(portal, BUSY)
    assert world.killed == 1
    assert {epoch for _, _, epoch in world.begun} >= {1, 2}


@pytest.mark.parametrize(
    ("broken", "line"),
    [
        (_second_upload_lost, "what was acknowledged is lost"),
        (_upload_not_frozen, "others are admitted"),
        (_upload_not_kept_by_the_user, "two uploads under serial 1"),
        (_epoch_not_kept, "an epoch is begun twice"),
    ],
)
def test_the_simulation_finds_what_is_broken(
    portal: BlockingPortal,
    monkeypatch: pytest.MonkeyPatch,
    broken: Callable[[pytest.MonkeyPatch], None],
    line: str,
) -> None:
    broken(monkeypatch)
    with pytest.raises(AssertionError, match=line):
        play(portal, BUSY)
