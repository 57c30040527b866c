# SPDX-License-Identifier: Apache-2.0
"""`ppmf train`: secure training, all three roles on this machine."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from ppmf_conformance import inputs, report, screen
from ppmf_secure.suites import SuiteChoice
from ppmf_secure.suites import suite as suite_named
from ppmf_secure.transport import local
from ppmf_secure.transport.drive import Progress
from ppmf_spec import profiles
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

PROFILES, REPORT, TRANSCRIPTS = "item_profiles.json", "report.json", "transcripts"
OFFERED = ("paillier-3072", "paillier-2048")

SuiteName = Annotated[
    str,
    typer.Option(
        "--suite",
        metavar="SUITE",
        help="Homomorphic encryption: paillier-3072 (128 bits of security) or paillier-2048 "
        "(112 bits: for trials).",
    ),
]
InsecureTestKeys = Annotated[
    bool,
    typer.Option(
        "--insecure-test-keys",
        help="Allow a suite whose name ends in -insecure: its keys can be broken. For tests.",
    ),
]


def train(
    ratings: inputs.RatingsFile,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="DIR", help="Folder for the results.", show_default=False),
    ],
    params: inputs.ParametersFile = None,
    suite: SuiteName = OFFERED[0],
    catalogue: inputs.CatalogueFile = None,
    user_list: inputs.UserListFile = None,
    force: Annotated[
        bool, typer.Option("--force", help="Replace the results of an earlier run in DIR.")
    ] = False,
    insecure_test_keys: InsecureTestKeys = False,
) -> None:
    """Train securely: users, RecSys and CSP, on this machine.

    The result is the item profiles V. Nobody sees a rating, which items a user rated, or how many;
    what each party sent and received is recorded, so that `ppmf audit` can look at it.

    Files:
      DIR/item_profiles.json   V, in integers: equal to `ppmf oracle --mode fixed`, bit for bit
      DIR/report.json          parameters, sizes, seconds and bytes by phase and party
      DIR/transcripts/         every message, as users, RecSys and CSP saw it

    Examples:
      ppmf train ratings.csv --out run
      ppmf train ratings.csv --params P.toml --suite paillier-2048 --out run
      ppmf train ratings.csv --catalogue movies.csv --out run --force
      ppmf audit run/transcripts
    """
    chosen = checked_suite(suite, insecure_test_keys)
    parameters = inputs.parameters(params)
    training = inputs.training_ratings(ratings, parameters, catalogue, user_list)
    fit = bounds(parameters, training.n_users, training.n_items)
    for warning in fit.warnings:
        screen.note(warning)
    prepare(out, force)
    started = time.monotonic()
    result = run(training, parameters, chosen, out / TRANSCRIPTS)
    elapsed = time.monotonic() - started
    profiles.write(out / PROFILES, result.profiles)
    report.write_json(
        out / REPORT,
        {
            "format": "ppmf-run-report/1",
            "suite": chosen.name,
            "secure": chosen.secure,
            "users": training.n_users,
            "items": training.n_items,
            "bits": round(fit.bits, 3),
            "seconds": round(elapsed, 3),
            "measures": report.measures_json(result.measures),
            "item_profiles_sha256": _sha256(out / PROFILES),
            "parameters": parameters.as_dict(),
            "parameters_sha256": parameters.digest().hex(),
            "versions": report.versions(),
        },
    )
    report.measures_table(result.measures)
    screen.say()
    screen.say(
        f"{training.n_items:,} item profiles of {training.n_users:,} users, {chosen.name}, "
        f"{screen.seconds(elapsed)}: {out / PROFILES}"
    )


def run(
    training: Ratings, params: Parameters, suite: SuiteChoice, transcripts: Path
) -> local.RunResult:
    """The three parties on this machine, with progress bars, recorded into `transcripts`."""
    with screen.bars() as shown:

        def progress(now: Progress) -> None:
            shown.show(now.party, now.done, now.total, now.phase)

        return local.train(
            training, params, suite=suite.name, transcripts=transcripts, progress=progress
        )


def checked_suite(name: str, insecure_test_keys: bool) -> SuiteChoice:
    """The suite of that name; ParametersError for one whose keys can be broken, unless allowed."""
    chosen = suite_named(name)
    if not chosen.secure and name not in OFFERED and not insecure_test_keys:
        raise ParametersError(
            f"suite {name}: its keys can be broken; for tests, add --insecure-test-keys"
        )
    if not chosen.secure:
        screen.note(f"{name} is for trials: use {OFFERED[0]} for ratings that must stay secret")
    return chosen


def prepare(out: Path, force: bool) -> None:
    """Make `out` and its folder of transcripts; only with `force` does it take results with it.

    Nothing but files of these names is ever removed.
    """
    if out.exists() and not out.is_dir():
        raise NotADirectoryError(20, "Not a directory", str(out))
    if out.is_dir() and any(out.iterdir()) and not force:
        raise typer.BadParameter(f"{out} is not empty; --force replaces an earlier run in it")
    folder = out / TRANSCRIPTS
    folder.mkdir(parents=True, exist_ok=True)
    _remove([out / PROFILES, out / REPORT, *folder.glob("*.cborseq")])


def _remove(paths: Sequence[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
