# SPDX-License-Identifier: Apache-2.0
"""Transcripts of sessions: of trials alone, and where their operators want them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from ppmf_secure.session import transcript
from ppmf_secure.session.transcript import transcript_file
from ppmf_service.config import Policy
from ppmf_service.states import State
from ppmf_spec import wire
from ppmf_spec.roles import CSP, RECSYS, USERS, Role
from tests.support.engines import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.servers.close()


def wanted(world: World, transcripts: str) -> None:
    """Both operators want this of transcripts, and start their servers again."""
    for role in (RECSYS, CSP):
        policy = Policy("trial", transcripts=transcripts)
        world.configs[role] = replace(world.configs[role], policy=policy)
        world.restart(role)


def recorded(world: World, key: bytes, role: Role) -> Path:
    session_id = world.row(role, key).id
    assert session_id is not None
    return transcript_file(world.configs[role].transcripts_folder(session_id), role)


def kinds(path: Path) -> list[tuple[str, Role, str]]:
    found: list[tuple[str, Role, str]] = []
    for one in transcript.read(path):
        found.append((one.direction, one.peer, wire.decode(one.message).message.name))
    return found


@pytest.mark.req("PPMF-SRV-025", "PPMF-RES-017")
def test_what_both_servers_send_in_a_trial_is_kept_if_they_want_it(world: World) -> None:
    wanted(world, "trial")
    key = world.opened()
    world.upload_all(key)
    world.until(lambda: world.states(key) == (State.FINISHED, State.FINISHED))
    recsys, csp = (kinds(recorded(world, key, role)) for role in (RECSYS, CSP))
    uploads = [("received", USERS, "upload")] * 3
    assert recsys[:5] == [*uploads, ("sent", CSP, "closing"), ("received", CSP, "admission")]
    assert csp[:2] == [("received", RECSYS, "closing"), ("sent", RECSYS, "admission")]
    crossed = [
        ("received" if way == "sent" else "sent", RECSYS, name)
        for way, peer, name in recsys
        if peer is CSP
    ]
    assert sorted(csp) == sorted(crossed)
    assert csp[-1] == ("sent", RECSYS, "output-share")


@pytest.mark.req("PPMF-SRV-025")
def test_nothing_is_kept_unless_it_was_wanted(world: World) -> None:
    wanted(world, "never")
    key = world.opened()
    world.upload_all(key)
    world.until(world.is_in(key, State.FINISHED))
    for role in (RECSYS, CSP):
        assert not recorded(world, key, role).parent.parent.parent.exists()


@pytest.mark.req("PPMF-SRV-025")
def test_nothing_is_kept_of_a_session_that_is_no_trial(world: World) -> None:
    wanted(world, "trial")
    key = world.opened()
    for role in (RECSYS, CSP):
        row = replace(world.row(role, key), trial=False)
        with world.engines[role].steps.recorder(row) as recorder:
            recorder.record("sent", role.peer, b"a message")
        assert not recorded(world, key, role).parent.parent.parent.exists()
