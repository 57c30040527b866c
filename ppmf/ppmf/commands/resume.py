# SPDX-License-Identifier: Apache-2.0
"""`ppmf resume`: go on with a training that was interrupted."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console
from ppmf.commands.train import MatricesOnDisk, WorkerCount
from ppmf.progress import Forecast, following
from ppmf.run_folder import Run, RunFolder
from ppmf_costs.counts import PublicSize, count_run
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_secure.transport import processes


def resume(
    out: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="The folder of the run.", show_default=False),
    ],
    workers: WorkerCount = 0,
    matrices_on_disk: MatricesOnDisk = False,
) -> None:
    """Go on with an interrupted training.

    DIR is the folder that `ppmf train --keep-checkpoints` was writing to. The servers begin a new
    epoch, with new keys, at the last iteration that both of them kept; the users are not needed.
    The result is the one that the run would have had. Transcripts, if the run recorded any, are
    continued. Workers and the place of the matrices are those that are named here, whatever the run
    had before.

    Files, as `ppmf train` writes them:
      DIR/item_profiles.json   the item profiles V
      DIR/report.json          seconds and bytes are those of the last epoch
      DIR/checkpoints/         removed when the run is finished

    Examples:
      ppmf resume run
      ppmf resume run --workers 2
    """
    folder = RunFolder(out)
    session, last = folder.interrupted()
    suite = cipher_suite(session.suite)
    params, size = session.parameters, PublicSize.of(session.users, len(session.items))
    run = Run(params, suite.name, size.users, size.items, last + 1)
    console.note(f"epoch {run.epoch} of the run in {out}")
    forecast = Forecast.of(count_run(params, size, suite), suite.name)
    record = folder.recorded
    started = time.monotonic()
    with folder.if_interrupted(), following(forecast) as progress:
        result = processes.resume(
            folder.checkpoints,
            transcripts=folder.recording if record else None,
            progress=progress,
            workers=folder.local_workers(workers),
            matrices=folder.matrices if matrices_on_disk else None,
        )
    folder.publish(result, run, time.monotonic() - started)
