# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers of this server, for one epoch, and where matrices lie (chapter 4, "Workers")."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ppmf_secure.primitives.room import MEMORY, Files, Room
from ppmf_secure.primitives.workers import Workers, remove_shards
from ppmf_secure.session.private_files import private_folder
from ppmf_service.config import MatricesConfig, WorkersConfig
from ppmf_spec.extras import needed_by


@contextmanager
def workers_of(config: WorkersConfig | None) -> Iterator[Workers | None]:
    """The workers that a server's configuration names, if it names any.

    Raises WorkersLostError if they cannot be reached, and MissingExtraError without Dask.
    """
    if config is None:
        yield None
        return
    with needed_by("a server with workers"):
        from ppmf_secure.transport.dask_workers import Cluster, DaskWorkers
    private_folder(config.folder)
    remove_left(config)
    where = Cluster.of_files(
        config.scheduler, config.ca, config.certificate, config.key, config.folder
    )
    with DaskWorkers(where) as workers:
        yield workers


def room_of(config: MatricesConfig | None) -> Room:
    """Where encrypted matrices lie: in the files that a configuration names, else in memory."""
    return MEMORY if config is None else Files(config.folder)


def remove_left(config: WorkersConfig | None) -> None:
    """Remove what an epoch that was killed has left in the workers' folder, while none runs."""
    if config is not None:
        remove_shards(config.folder)
