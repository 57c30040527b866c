# SPDX-License-Identifier: GPL-3.0-or-later
"""The workers of this server, for one epoch (chapter 4, "Workers")."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from ppmf_secure.primitives.workers import Workers
from ppmf_secure.session.private_files import private_folder
from ppmf_service.config import WorkersConfig
from ppmf_spec.extras import needed_by


@contextmanager
def workers_of(config: WorkersConfig | None) -> Iterator[Workers | None]:
    """The workers that a server's configuration names, if it names any.

    What an epoch that was killed has left in their folder is removed first. Raises WorkersLostError
    if they cannot be reached, and MissingExtraError without Dask.
    """
    if config is None:
        yield None
        return
    with needed_by("a server with workers"):
        from ppmf_secure.transport.dask_workers import Cluster, DaskWorkers
    private_folder(config.folder)
    for path in config.folder.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    where = Cluster.of_files(
        config.scheduler, config.ca, config.certificate, config.key, config.folder
    )
    with DaskWorkers(where) as workers:
        yield workers
