# SPDX-License-Identifier: Apache-2.0
"""Both engines, from a proposal to V: in order, cut off, restarted, refused and given up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ppmf_service.states import State
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.engines import World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.servers.close()


@pytest.mark.req("PPMF-LNK-013", "PPMF-LNK-014")
def test_a_session_goes_from_its_proposal_to_the_oracles_profiles(world: World) -> None:
    key = world.opened()
    world.upload_all(key)
    world.until(lambda: world.row(RECSYS, key).receipt is not None)
    assert world.states(key) == (State.FINISHED, State.FINISHED)
    assert world.profiles(key) == world.expected()
    rows = {role: world.row(role, key) for role in (RECSYS, CSP)}
    assert rows[RECSYS].profiles_digest == rows[CSP].profiles_digest
    assert rows[RECSYS].receipt == rows[CSP].receipt
    world.turn()
    for role in (RECSYS, CSP):
        world.turn()
        assert world.row(role, key).erased is not None
        assert not world.configs[role].session_folder(rows[role].id or b"").exists()
    assert world.errors(RECSYS) == world.errors(CSP) == []


@pytest.mark.req("PPMF-LNK-014")
@pytest.mark.parametrize("role", [RECSYS, CSP])
@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_a_server_that_is_restarted_all_the_time_gets_there(
    world: World, role: Role, every: int
) -> None:
    """A restart after every few turns at first, and later on fewer: an epoch has to end."""
    key = world.propose()
    restarts, turns = 0, 0

    def disturbed() -> bool:
        nonlocal restarts, turns
        turns += 1
        if turns % every == 0 and restarts < 12:
            restarts += 1
            world.restart(role)
        if world.states(key)[0] is State.OPEN and not world.server(RECSYS).uploads.count(key):
            world.upload_all(key)
        return world.states(key) == (State.FINISHED, State.FINISHED)

    world.until(disturbed)
    assert world.profiles(key) == world.expected()
    assert restarts == 12
