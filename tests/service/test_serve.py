# SPDX-License-Identifier: Apache-2.0
"""Servers as processes: killed, stopped, cut off; after nothing but a restart, the right V."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest

from ppmf_reference import fixed
from ppmf_secure.primitives.coins import Coins
from ppmf_service.states import State
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.ratings import ratings_of
from tests.support.real_servers import RealServers, real_servers

RATINGS = ratings_of(3, 4, {(0, 0): 4, (0, 2): -5, (1, 1): 3, (2, 1): -2, (2, 3): 1})
PARAMETERS = Parameters(rank=2, iterations=3)
LONGER = Parameters(rank=2, iterations=30)
SUITE = "paillier-512-insecure"


@pytest.mark.req("PPMF-LNK-015")
def test_two_servers_train_as_the_oracle_does(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, PARAMETERS, SUITE) as servers:
        servers.start()
        key = servers.propose()
        servers.until_both(key, State.OPEN)
        servers.upload_all(key)
        servers.until_both(key, State.FINISHED)
        assert servers.profiles(key) == fixed.train(RATINGS, PARAMETERS)


class Chance:
    """The moments at which something happens, from a seed; failures name it."""

    def __init__(self, seed: int) -> None:
        self.of = Coins.seeded(f"chance/{seed}")

    def seconds(self, most: float) -> float:
        return most * self.of.below(1000) / 1000

    def role(self) -> Role:
        return (RECSYS, CSP)[self.of.below(2)]


def killed_at_chance(servers: RealServers, chance: Chance, kills: int) -> bytes:
    """A session to V, in which servers are killed at so many moments; whole ones, or engines."""
    servers.start()
    key = servers.propose()
    for number in range(kills):
        if servers.states(key)[0] is State.OPEN and number >= kills // 4:
            servers.upload_all(key)
        time.sleep(chance.seconds(3.0))
        role = chance.role()
        if chance.of.below(2):
            servers.kill(role)
            servers.start(role)
        else:
            servers.signal_engine(role, signal.SIGKILL)
        if servers.states(key) == (State.FINISHED, State.FINISHED):
            break
    if servers.states(key)[0] is not State.FINISHED:
        servers.until(lambda: servers.states(key)[0] not in (None, State.PROPOSED, State.ACCEPTED))
        if servers.states(key)[0] is State.OPEN:
            servers.upload_all(key)
    servers.until_both(key, State.FINISHED)
    return key


@pytest.mark.req("PPMF-LNK-015", "PPMF-RES-001")
def test_servers_that_are_killed_come_to_v_after_nothing_but_a_restart(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, PARAMETERS, SUITE) as servers:
        key = killed_at_chance(servers, Chance(0), kills=4)
        assert servers.profiles(key) == fixed.train(RATINGS, PARAMETERS)


@pytest.mark.slow
@pytest.mark.req("PPMF-LNK-015", "PPMF-RES-001")
@pytest.mark.parametrize("seed", range(1, 6))
def test_fifty_kills_at_chance_change_nothing(tmp_path: Path, seed: int) -> None:
    with real_servers(tmp_path, RATINGS, LONGER, SUITE) as servers:
        key = killed_at_chance(servers, Chance(seed), kills=10)
        assert servers.profiles(key) == fixed.train(RATINGS, LONGER)


def in_training(servers: RealServers) -> bytes:
    """Start a session and bring it to its training."""
    servers.start()
    key = servers.propose()
    servers.until_both(key, State.OPEN)
    servers.upload_all(key)
    servers.until(lambda: servers.states(key)[0] is State.TRAINING)
    return key


@pytest.mark.slow
@pytest.mark.req("PPMF-LNK-012", "PPMF-LNK-015")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_an_engine_that_stood_still_for_longer_than_a_time_out_goes_on(
    tmp_path: Path, role: Role
) -> None:
    with real_servers(tmp_path, RATINGS, LONGER, SUITE) as servers:
        key = in_training(servers)
        servers.signal_engine(role, signal.SIGSTOP)
        servers.until(lambda: "nothing was heard" in servers.logged(role.peer))
        servers.signal_engine(role, signal.SIGCONT)
        servers.until_both(key, State.FINISHED)
        assert servers.profiles(key) == fixed.train(RATINGS, LONGER)
