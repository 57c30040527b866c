# SPDX-License-Identifier: Apache-2.0
"""A server's interface on real addresses of loopback, in a thread of the test."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from ppmf_service.api import server
from ppmf_service.clock import Clock
from ppmf_service.config import ServerConfig
from ppmf_service.database import Database


@contextmanager
def listening(
    config: ServerConfig, database: Database, clock: Clock
) -> Iterator[Mapping[str, int]]:
    """The context in which it answers; the ports of "api" and "monitoring"."""
    ports: dict[str, int] = {}
    stop, begun = threading.Event(), threading.Event()
    failures: list[BaseException] = []

    def note(found: Mapping[str, int]) -> None:
        ports.update(found)
        begun.set()

    def run() -> None:
        try:
            server.run(config, database, clock, stop, note)
        except BaseException as error:
            failures.append(error)
        finally:
            begun.set()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        assert begun.wait(30)
        if not failures:
            yield ports
    finally:
        stop.set()
        thread.join(30)
    if failures:
        raise failures[0]


def with_certificate(config: ServerConfig, certificate: Path, key: Path) -> ServerConfig:
    """The same over HTTPS."""
    return replace(config, api=replace(config.api, certificate=certificate, key=key))
