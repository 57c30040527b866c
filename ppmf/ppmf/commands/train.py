# SPDX-License-Identifier: Apache-2.0
"""`ppmf train`: secure training, all three roles on this machine."""

from __future__ import annotations

import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options
from ppmf.data import rating_sources
from ppmf.data.rating_tables import Duplicates
from ppmf.evaluation.advice import advise
from ppmf.progress import Forecast, following
from ppmf.run_folder import Run, RunFolder
from ppmf_costs.counts import PublicSize, count_run
from ppmf_costs.tally import Tally
from ppmf_secure.protocols.suite_choice import (
    AUTOMATIC,
    LATTICE,
    PAILLIER,
    PREFERRED,
    check_holds,
    suite_for,
)
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.transport import processes
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

TRIAL = "paillier-2048"
OFFERED = (*PREFERRED, TRIAL)
"""The cipher suites of a command."""

SuiteName = Annotated[
    str,
    typer.Option(
        "--suite",
        metavar="SUITE",
        help="Homomorphic encryption of the products: rlwe-8192 (lattices, 128 bits of security; "
        "by far the fastest), paillier-3072 (128 bits, on the hardness of factoring), "
        "paillier-2048 (the same at 112 bits: for trials), or auto: the first of these that holds "
        "the size, and is no trial.",
    ),
]
InsecureTestKeys = Annotated[
    bool,
    typer.Option(
        "--insecure-test-keys",
        help="Allow a suite whose name ends in -insecure: its keys can be broken. For tests.",
    ),
]
WorkerCount = Annotated[
    int,
    typer.Option(
        "--workers",
        metavar="N",
        min=0,
        help="Give each server N worker processes on this machine, which hold its encrypted "
        "matrices in shards (needs ppmf[cluster]). [default: none]",
        show_default=False,
    ),
]
MatricesOnDisk = Annotated[
    bool,
    typer.Option(
        "--matrices-on-disk",
        help="Keep the encrypted matrices, which are nearly all of a server's memory, in files in "
        "DIR/matrices, and multiply them block by block: for a size that the memory cannot hold. "
        "With a lattice suite alone.",
    ),
]


class Record(StrEnum):
    """Whether transcripts are written."""

    FULL = "full"
    NONE = "none"


def train(
    ratings: options.RatingsFile,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder for the results.", show_default=False),
    ],
    params: options.ParametersFile = None,
    suite: SuiteName = AUTOMATIC,
    catalogue: options.CatalogueFile = None,
    user_list: options.UserListFile = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    transcripts: Annotated[
        Record,
        typer.Option(
            "--transcripts",
            help="Record every message, for `ppmf audit`, or none.",
        ),
    ] = Record.NONE,
    keep_checkpoints: Annotated[
        bool,
        typer.Option(
            "--keep-checkpoints",
            help="While it runs, keep both servers' secret shares in DIR/checkpoints, so that "
            "`ppmf resume` can go on after an interruption. Removed when the run is finished.",
        ),
    ] = False,
    workers: WorkerCount = 0,
    matrices_on_disk: MatricesOnDisk = False,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="Replace an earlier run in DIR: its results once the training has succeeded, its "
            "checkpoints at once.",
        ),
    ] = False,
    insecure_test_keys: InsecureTestKeys = False,
) -> None:
    """Train securely: users, RecSys and CSP, on this machine.

    The result is the item profiles V. Nobody sees a rating, which items a user rated, or how many.
    With --transcripts full, what each party sent and received is recorded, so that `ppmf audit` can
    look at it.

    Files:
      DIR/item_profiles.json   V, in integers: equal to `ppmf oracle --mode fixed`, bit for bit
      DIR/report.json          parameters, sizes, seconds and bytes by phase and party
      DIR/transcripts/         only with --transcripts full: every message, as users, RecSys and
                               CSP saw it, a folder each; in unfinished/ while the training runs
      DIR/checkpoints/         only with --keep-checkpoints, only until the run is finished
      DIR/workers/, DIR/matrices/  only while a run with --workers or --matrices-on-disk goes on

    Examples:
      ppmf train ratings.csv --out run
      ppmf train ratings.csv --params P.toml --suite paillier-3072 --out run
      ppmf train ratings.csv --catalogue movies.csv --out run --force
      ppmf train reviews.csv.gz --columns item=parent_asin --duplicates last --out run
      ppmf train ratings.csv --out run --keep-checkpoints
      ppmf train ratings.csv --out run --transcripts full
      ppmf audit run/transcripts
    """
    check_name(suite, insecure_test_keys)
    folder = RunFolder(out)
    folder.check((rating_sources.ratings_file(ratings), params, catalogue, user_list))
    parameters = options.parameters(params)
    training = options.training_ratings(
        ratings,
        parameters,
        catalogue,
        user_list,
        options.reading(columns, separator, duplicates, rounding),
    )
    size = training.n_users, training.n_items
    chosen = chosen_suite(suite, parameters, *size)
    for warning in bounds(parameters, *size).warnings:
        console.note(warning)
    tally = predicted(training, parameters, chosen)
    record = transcripts is Record.FULL
    folder.prepare(force=force, record=record)
    say_suite(suite, chosen.name, parameters, *size)
    started = time.monotonic()
    with folder.if_interrupted():
        result = run(
            training,
            parameters,
            chosen,
            tally,
            transcripts=folder.recording if record else None,
            checkpoints=folder.checkpoints if keep_checkpoints else None,
            workers=folder.local_workers(workers),
            matrices=folder.matrices if matrices_on_disk else None,
        )
    for refusal in result.refusals:
        console.note(f"an upload was refused, and the run went on: {refusal}")
    facts = Run(parameters, chosen.name, *size)
    folder.publish(result, facts, time.monotonic() - started)


def predicted(training: Ratings, params: Parameters, suite: CipherSuite) -> Tally:
    """The messages and operations of the run. Raises ParametersError if it could overflow."""
    return count_run(params, PublicSize.of(training.users, training.n_items), suite)


def run(
    training: Ratings,
    params: Parameters,
    suite: CipherSuite,
    tally: Tally,
    *,
    transcripts: Path | None,
    checkpoints: Path | None = None,
    workers: processes.LocalWorkers | None = None,
    matrices: Path | None = None,
) -> processes.RunResult:
    """Run the three parties on this machine, with progress bars, and record what is asked for."""
    with following(Forecast.of(tally, suite.name)) as progress:
        return processes.train(
            training,
            params,
            suite=suite.name,
            transcripts=transcripts,
            checkpoints=checkpoints,
            progress=progress,
            workers=workers,
            matrices=matrices,
        )


def chosen_suite(name: str, params: Parameters, users: int, items: int) -> CipherSuite:
    """The cipher suite of a run of this size, which `name` names or leaves open.

    Raises ParametersError, which says what would work, if the run does not fit.
    """
    try:
        chosen = suite_for(name, params, users, items)
        check_holds(chosen, params, users, items)
    except ParametersError as error:
        advised = advise(params, users, items, LATTICE if name == AUTOMATIC else name)
        raise ParametersError(f"{error}; {advised.remedy()}") from None
    return chosen


def say_suite(asked: str, taken: str, params: Parameters, users: int, items: int) -> None:
    """Say in a note which suite was taken, and why, if it was left open."""
    if asked != AUTOMATIC:
        return
    if taken == LATTICE:
        console.note(f"cipher suite {taken}: the fastest, and it holds this size")
        return
    advised = advise(params, users, items, LATTICE)
    console.note(
        f"cipher suite {taken}, which takes very much longer than {LATTICE}, since "
        f"{advised.limit}; {advised.remedy()}"
    )


def check_name(name: str, insecure_test_keys: bool) -> None:
    """Raise ParametersError for an unknown cipher suite, and for one whose keys can be broken
    unless that is allowed.
    """
    if name == AUTOMATIC:
        return
    chosen = cipher_suite(name)
    if not chosen.secure and name not in OFFERED and not insecure_test_keys:
        raise ParametersError(
            f"suite {name}: its keys can be broken; for tests, add --insecure-test-keys"
        )
    if not chosen.secure:
        console.note(
            f"{name} is for trials: use {LATTICE} or {PAILLIER} for ratings that must stay secret"
        )
