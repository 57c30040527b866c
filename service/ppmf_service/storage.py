# SPDX-License-Identifier: GPL-3.0-or-later
"""The whole storage of a server, opened from its configuration."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from ppmf_secure.session.private_files import private_folder
from ppmf_service.clock import Clock, SystemClock
from ppmf_service.config import ServerConfig
from ppmf_service.database import Database
from ppmf_service.enrolment import Members
from ppmf_service.erasure import Erasure
from ppmf_service.measures import Measures
from ppmf_service.report import Reports
from ppmf_service.sessions import Sessions
from ppmf_service.uploads import Uploads


@dataclass(frozen=True, slots=True)
class Storage:
    """What a server keeps."""

    config: ServerConfig
    database: Database
    sessions: Sessions
    uploads: Uploads
    members: Members
    erasure: Erasure
    measures: Measures
    reports: Reports


@contextmanager
def opened(
    config: ServerConfig, clock: Clock | None = None, *, alone: bool = False
) -> Iterator[Storage]:
    """The storage of a server; several processes may have it open at once.

    alone: as of `Database.open`. Raises StateError if its folder is open to others (PPMF-SRV-002),
    and otherwise as `Database.open`.
    """
    private_folder(config.folder)
    database = Database.open(config.database, clock or SystemClock(), alone=alone)
    sessions = Sessions(database)
    try:
        yield Storage(
            config,
            database,
            sessions,
            Uploads(database, sessions),
            Members(database, sessions),
            Erasure(config, database, sessions),
            Measures(database),
            Reports(config, database, sessions),
        )
    finally:
        database.close()
