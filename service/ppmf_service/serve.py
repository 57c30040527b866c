# SPDX-License-Identifier: GPL-3.0-or-later
"""A server as a program: the users' interface in this process, the engine in a child of it.

The two meet in the database alone, so either may end at any moment. The engine is started again
whenever it ends, after a pause that grows while it keeps ending soon; it ends with this process,
also if that is killed.
"""

from __future__ import annotations

import logging
import multiprocessing
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from multiprocessing.context import SpawnProcess
from multiprocessing.synchronize import Event

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.transport.processes import starting_servers
from ppmf_secure.transport.server_process import end_with_parent
from ppmf_secure.transport.store import in_use
from ppmf_service import health, logs
from ppmf_service.api import server
from ppmf_service.api.page_routes import page_reaches
from ppmf_service.backup import check_place
from ppmf_service.clock import Clock, SystemClock
from ppmf_service.config import ServerConfig
from ppmf_service.engine.engine import Engine
from ppmf_service.keys import link_certificate, read_certificate, read_signing_key
from ppmf_service.link.connection import TlsLink
from ppmf_service.link.tls import Identity
from ppmf_service.storage import opened
from ppmf_spec.errors import PeerError, StateError
from ppmf_spec.roles import RECSYS

_PAUSES = (0.5, 15.0)
"""The seconds before the engine is started again, at first and at most."""

_SOON = 30.0
"""An engine that ended after fewer seconds ended soon."""

_STOP_SECONDS = 5.0
"""How long the engine may take to end before it is ended."""


def run(config: ServerConfig, stop: threading.Event | None = None) -> None:
    """Run a server until `stop` is set or a signal ends it.

    Raises the PpmfError or OSError of what is wrong with configuration, keys, files or addresses
    (PPMF-LNK-015).
    """
    stop = stop or threading.Event()
    logs.use(logs.Log(least=logging.getLevelNamesMapping()[config.log_level.upper()]))
    clock = SystemClock()
    _identity(config)
    private_folder(config.folder)
    with in_use(config.folder), opened(config, clock, alone=True) as storage:
        storage.database.check()
        check_place(storage.database)
        logs.event("starts", role=config.role)
        if config.role is RECSYS and not page_reaches(config.link.peer_url):
            why = "link.peer_url: no page in a browser can ask an address of IPv6; name a host"
            logs.event("the page cannot reach csp", level=logging.WARNING, detail=StateError(why))
        with _ended_by_signals(stop), _engine_beside(config, stop):
            server.run(config, storage.database, clock, stop)
    logs.event("ends", role=config.role)


@contextmanager
def _ended_by_signals(stop: threading.Event) -> Iterator[None]:
    """The context in which SIGINT and SIGTERM set `stop`, if this is the main thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    signals = (signal.SIGINT, signal.SIGTERM)
    before = {one: signal.signal(one, lambda *_: stop.set()) for one in signals}
    try:
        yield
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)


@contextmanager
def _engine_beside(config: ServerConfig, stop: threading.Event) -> Iterator[None]:
    """The context in which there is an engine."""
    keeper = threading.Thread(target=_keep_engine, args=(config, stop), name="engine", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        stop.set()
        keeper.join()


def _keep_engine(config: ServerConfig, stop: threading.Event, clock: Clock | None = None) -> None:
    """Start the engine, and again whenever it ends, until `stop` is set."""
    clock = clock or SystemClock()
    pause, soon = _PAUSES[0], 0
    health.note_well(config.folder)
    while not stop.is_set():
        since = clock.monotonic()
        try:
            process, its_stop = _start_engine(config)
        except OSError as error:  # too little memory, or too many processes, for now
            logs.failure("the engine cannot be started", error)
            soon += 1
            health.note_end(config.folder, soon, "no process: the system has no room for one")
            stop.wait(_PAUSES[1])
            continue
        while process.is_alive() and not stop.is_set():
            process.join(0.1)
            if soon and clock.monotonic() - since > _SOON:
                soon = 0
                health.note_well(config.folder)
        if stop.is_set():
            its_stop.set()
            process.join(_STOP_SECONDS)
            process.kill()
            process.join()
            return
        pause = _PAUSES[0] if clock.monotonic() - since > _SOON else min(2 * pause, _PAUSES[1])
        soon += 1
        health.note_end(config.folder, soon, _ending(process.exitcode))
        logs.event("the engine ended", level=logging.WARNING, seconds=pause)
        stop.wait(pause)


def _ending(code: int | None) -> str:
    """How a process ended, for a person."""
    if code is not None and code < 0:
        with suppress(ValueError):
            return signal.Signals(-code).name
    return f"exit status {code}: the log says why"


def _start_engine(config: ServerConfig) -> tuple[SpawnProcess, Event]:
    context = multiprocessing.get_context("spawn")
    stop = context.Event()
    process = context.Process(target=_engine, args=(config, stop), name="engine", daemon=True)
    with starting_servers():
        process.start()
    return process, stop


def _engine(config: ServerConfig, stop: Event) -> None:
    """The main function of the engine's process."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the supervisor ends it
    end_with_parent()
    logs.use(logs.Log(least=logging.getLevelNamesMapping()[config.log_level.upper()]))
    try:
        private_folder(config.folder / "engine")  # of the lock, without which there would be none
        with in_use(config.folder / "engine"):
            _run_engine(config, stop)
    except Exception as error:
        logs.failure("the engine stopped", error)
        sys.exit(1)


def _run_engine(config: ServerConfig, stop: Event) -> None:
    key = read_signing_key(config.signing_key, config.passphrase)
    _, peer_key = read_certificate(config.link.peer_certificate)
    clock = SystemClock()
    with opened(config, clock) as storage:
        link = TlsLink(
            config.role,
            (config.link.host, config.link.port),
            _identity(config),
            Coins.system(),
            on_trouble=lambda line: logs.event("no link", detail=PeerError(line)),
        )
        link.start()
        try:
            engine = Engine(config, storage.database, link, clock, key, peer_key, log=logs.event)
            engine.run(stop)
        finally:
            link.close()


def _identity(config: ServerConfig) -> Identity:
    """By what this server and its peer are known on the link. Raises what is wrong with a file."""
    key = read_signing_key(config.signing_key, config.passphrase)
    peer, _ = read_certificate(config.link.peer_certificate)
    return Identity(*link_certificate(key), peer)
