# SPDX-License-Identifier: Apache-2.0
"""Servers as processes: killed, stopped, cut off; after nothing but a restart, the right V."""

from __future__ import annotations

import errno
import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from ppmf_reference import fixed
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.transport.store import in_use
from ppmf_service import health, logs, serve
from ppmf_service.clock import SettableClock
from ppmf_service.config import ServerConfig
from ppmf_service.states import State
from ppmf_spec.errors import StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS, Role
from tests.support.ratings import ratings_of
from tests.support.real_servers import PATIENCE, RealServers, real_servers
from tests.support.relay import Relay
from tests.support.served import config_of
from tools import kills

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
def test_fifty_kills_of_a_working_server_in_every_phase_change_nothing(tmp_path: Path) -> None:
    told = kills.run(tmp_path, 50, seed=1)
    assert told.kills == 50
    assert told.right == told.sessions
    assert set(told.phases) == set(kills.PHASES[:-1])


def epochs(servers: RealServers, key: bytes) -> tuple[int, int]:
    """The number of the last epoch at each server."""
    recsys, csp = (servers.row(role, key) for role in (RECSYS, CSP))
    assert recsys is not None
    assert csp is not None
    return recsys.epoch, csp.epoch


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
        assert epochs(servers, key) == (1, 1)
        assert servers.profiles(key) == fixed.train(RATINGS, LONGER)


@pytest.mark.slow
@pytest.mark.req("PPMF-LNK-007", "PPMF-LNK-015")
def test_connections_that_are_cut_cost_no_epoch(tmp_path: Path) -> None:
    relays: list[Relay] = []

    def relay_to(port: int) -> int:
        relays.append(Relay(port))
        return relays[0].port

    with real_servers(tmp_path, RATINGS, LONGER, SUITE, relay_to=relay_to) as servers:
        key = in_training(servers)
        (relay,) = relays
        cuts = 0
        while servers.states(key)[0] is not State.FINISHED and cuts < 20:
            enough = relay.carried + 20_000
            relay.cut()
            cuts += 1
            servers.until(partial(lambda enough: relay.carried > enough, enough))
        servers.until_both(key, State.FINISHED)
        assert cuts > 3
        assert epochs(servers, key) == (1, 1)
        assert servers.profiles(key) == fixed.train(RATINGS, LONGER)
        relay.close()


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[None]:
    """A file system of so many bytes in a folder; the test is skipped where none can be mounted."""
    folder.mkdir(mode=0o700)
    options = f"size={size},mode=0700"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)],
        capture_output=True,
        check=False,
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.slow
@pytest.mark.req("PPMF-LNK-015")
@pytest.mark.parametrize("role", [RECSYS, CSP])
def test_a_disk_that_is_full_ends_in_a_line_and_room_in_the_right_v(
    tmp_path: Path, role: Role
) -> None:
    (tmp_path / role).mkdir(mode=0o700)
    with (
        small_disk(tmp_path / role / "data", 4 << 20),
        real_servers(tmp_path, RATINGS, LONGER, SUITE) as servers,
    ):
        key = in_training(servers)
        filler = tmp_path / role / "data" / "filler"
        with suppress(OSError), filler.open("wb", buffering=0) as file:
            while True:
                file.write(bytes(4096))
        servers.until(lambda: "No space left on device" in servers.logged(role))
        assert not (servers.configs[RECSYS].folder / "profiles").exists()
        filler.unlink()
        servers.until_both(key, State.FINISHED)
        assert servers.profiles(key) == fixed.train(RATINGS, LONGER)


def one_line(servers: RealServers, role: Role, *expected: str) -> None:
    """Start a server that cannot run, and compare the one line in which it ends."""
    (servers.folder / f"{role}.log").unlink(missing_ok=True)
    servers.start(role)
    process = servers.processes.pop(role)
    assert process.wait(PATIENCE) == 2
    lines = servers.logged(role).splitlines()
    found = [line for line in lines if not line.startswith("{")]
    assert len(found) == 1
    assert all(part in found[0] for part in expected)


@pytest.mark.req("PPMF-LNK-015", "PPMF-ERR-004")
def test_a_damaged_database_ends_a_server_in_one_line(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, PARAMETERS, SUITE) as servers:
        database = servers.configs[CSP].database
        content = bytearray(database.read_bytes())
        content[4096:8192] = bytes(4096)
        database.write_bytes(bytes(content))
        one_line(servers, CSP, "error (encoding)", "service.sqlite", "damaged")


@pytest.mark.req("PPMF-LNK-015", "PPMF-SRV-002")
def test_a_server_that_cannot_run_says_why_in_one_line(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, PARAMETERS, SUITE) as servers:
        folder = tmp_path / CSP
        (folder / "recsys.pem").rename(folder / "elsewhere.pem")
        one_line(servers, CSP, "recsys.pem")
        (folder / "elsewhere.pem").rename(folder / "recsys.pem")
        (folder / "signing.pem").chmod(0o644)
        one_line(servers, CSP, "signing.pem", "others may use this file")


@pytest.mark.req("PPMF-LNK-015")
def test_two_engines_of_one_server_never_run_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that a killed server left behind may not have noticed yet."""
    folder, ran = tmp_path / "recsys", []

    def run_engine(config: ServerConfig, _: object) -> None:
        ran.append(config)
        with pytest.raises(StateError, match="goes on"), in_use(config.folder / "engine"):
            raise AssertionError("a second one runs")

    monkeypatch.setattr(serve, "_run_engine", run_engine)
    for name in ("use", "failure"):
        monkeypatch.setattr(logs, name, lambda *_: None)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    folder.mkdir(mode=0o700)
    serve._engine(config_of(RECSYS, folder), threading.Event())  # type: ignore[arg-type]
    assert len(ran) == 1


@pytest.mark.req("PPMF-LNK-015")
def test_an_engine_that_the_system_does_not_let_start_is_started_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, tries, told = threading.Event(), list[int](), list[str]()

    def start(_: ServerConfig) -> None:
        tries.append(1)
        if len(tries) > 1:
            stop.set()
        raise OSError(errno.EAGAIN, os.strerror(errno.EAGAIN))

    monkeypatch.setattr(serve, "_start_engine", start)
    monkeypatch.setattr(serve, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(logs, "failure", lambda name, _: told.append(name))
    serve._keep_engine(config_of(RECSYS, tmp_path), stop)
    assert len(tries) == 2
    assert told == ["the engine cannot be started"] * 2


class _Ending:
    """An engine's process that has ended already."""

    exitcode = -signal.SIGKILL

    def is_alive(self) -> bool:
        return False


class _Going:
    """One that goes on until its server stops."""

    exitcode = None

    def __init__(self, stop: threading.Event) -> None:
        self.stop = stop
        self.looks = 0

    def is_alive(self) -> bool:
        return True

    def join(self, _: float | None = None) -> None:
        self.looks += 1
        if self.looks > 1:
            self.stop.set()

    def kill(self) -> None:
        pass


def test_an_engine_that_keeps_ending_is_seen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop = threading.Event()
    config, told = config_of(RECSYS, tmp_path), list[str]()
    processes = iter([_Ending(), _Ending(), _Going(stop)])

    def start(_: ServerConfig) -> tuple[object, threading.Event]:
        told.append(health.trouble(tmp_path))
        return next(processes), threading.Event()

    monkeypatch.setattr(serve, "_start_engine", start)
    monkeypatch.setattr(serve, "_PAUSES", (0.0, 0.0))
    monkeypatch.setattr(serve, "_SOON", 0.0)
    monkeypatch.setattr(logs, "event", lambda *_, **__: None)
    serve._keep_engine(config, stop)
    assert told[0] == ""
    assert told[1] == "the engine ended once; at last with SIGKILL"
    assert told[2] == "the engine ended 2 times, each time soon; at last with SIGKILL"
    assert health.trouble(tmp_path) == ""


class _NoTime(SettableClock):
    """A clock of which nobody may ask what time it is: it could be any."""

    def now(self) -> int:
        raise AssertionError("a supervisor that goes by the time of day")


@pytest.mark.req("PPMF-SRV-026")
def test_an_engine_is_kept_whatever_time_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop, clock, pauses = threading.Event(), _NoTime(), list[float]()
    processes = iter([_Ending(), _Ending(), _Going(stop)])
    monkeypatch.setattr(serve, "_start_engine", lambda _: (next(processes), threading.Event()))
    monkeypatch.setattr(stop, "wait", pauses.append)
    monkeypatch.setattr(logs, "event", lambda *_, **__: None)
    serve._keep_engine(config_of(RECSYS, tmp_path), stop, clock)
    assert pauses == [1.0, 2.0]


@pytest.mark.slow
def test_an_engine_whose_port_is_taken_is_started_until_it_is_free(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, PARAMETERS, SUITE) as servers:
        config = servers.configs[CSP]
        with socket.create_server(("127.0.0.1", config.link.port)):
            servers.start()
            servers.until(lambda: "2 times" in health.trouble(config.folder))
            assert "exit status 1" in health.trouble(config.folder)
            assert health.trouble(servers.configs[RECSYS].folder) == ""
        key = servers.propose()
        servers.until_both(key, State.OPEN)


@pytest.mark.slow
@pytest.mark.req("PPMF-LNK-015")
def test_servers_that_are_told_to_end_while_they_train_end_in_order(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, LONGER, SUITE) as servers:
        key = in_training(servers)
        processes = dict(servers.processes)
        for process in processes.values():
            process.terminate()
        assert [process.wait(30) for process in processes.values()] == [0, 0]
        assert State.FINISHED not in servers.states(key)
        servers.start()
        servers.until_both(key, State.FINISHED)
        assert servers.profiles(key) == fixed.train(RATINGS, LONGER)


@pytest.mark.slow
@pytest.mark.req("PPMF-LNK-015")
def test_a_folder_or_an_address_that_is_used_ends_a_server_in_one_line(tmp_path: Path) -> None:
    with real_servers(tmp_path, RATINGS, PARAMETERS, SUITE) as servers:
        servers.start(CSP)
        servers.until(lambda: '"starts"' in servers.logged(CSP))
        first = servers.processes.pop(CSP)
        one_line(servers, CSP, "error (state)", "goes on")
        first.terminate()
        assert first.wait(30) == 0
        with socket.create_server(("127.0.0.1", 0)) as taken:
            port = taken.getsockname()[1]
            path = tmp_path / CSP / "csp.toml"
            path.write_text(
                path.read_text().replace(
                    '[api]\naddress = "127.0.0.1:0"', f'[api]\naddress = "127.0.0.1:{port}"'
                )
            )
            one_line(servers, CSP, f"127.0.0.1:{port}: this address cannot be had")
