# SPDX-License-Identifier: Apache-2.0
"""`ppmf demo`: a private training on real ratings, and all checks of its result."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options, run_report
from ppmf.commands import audit as audit_command
from ppmf.commands import oracle, recommend
from ppmf.commands import train as training
from ppmf.data import rating_sources
from ppmf.data.rating_tables import Duplicates
from ppmf.demo import checks, slices
from ppmf.run_folder import RunFolder
from ppmf_audit import Finding, audit
from ppmf_reference import fixed
from ppmf_secure.protocols.suite_choice import AUTOMATIC
from ppmf_spec import profiles
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings

_TOP = 5


def demo(
    data_path: slices.DataPath = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    users: slices.Users = None,
    items: slices.Items = None,
    rank: slices.Rank = None,
    iterations: slices.Iterations = None,
    suite: training.SuiteName = AUTOMATIC,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="Keep the item profiles and the transcripts in DIR. [default: deleted]",
            show_default=False,
        ),
    ] = None,
    insecure_test_keys: training.InsecureTestKeys = False,
) -> None:
    """Train privately on real ratings, then check the result.

    Three parties - the users, RecSys, and CSP, the crypto-service provider - run on this machine
    with real keys. The result is compared with the same training in the clear, bit for bit; with
    the real-valued training, by a rigorous distance; and with training without privacy, by its
    error on ratings held out. The transcripts are audited. Exit status 0 if all held, else 1.

    Examples:
      ppmf demo
      ppmf demo --suite paillier-3072    a smaller slice, of which each product takes longer
      ppmf demo --data ratings.csv --rank 10 --iterations 8
      ppmf demo --data reviews.csv.gz --columns item=parent_asin --duplicates last
    """
    training.check_name(suite, insecure_test_keys)
    size = slices.DemoSize.of(suite)
    parameters = Parameters(
        rank=size.rank if rank is None else rank,
        iterations=size.iterations if iterations is None else iterations,
    )
    source = rating_sources.find(
        data_path,
        reading=options.reading(columns, separator, duplicates, rounding),
        announce=console.say,
        note=console.note,
    )
    train, test = slices.split(source, users or size.rows, items or size.rows, parameters)
    chosen = training.chosen_suite(suite, parameters, train.n_users, train.n_items)
    _announce(source, train, test, parameters, chosen.name)
    with _folder(out) as folder:
        started = time.monotonic()
        tally = training.predicted(train, parameters, chosen)
        result = training.run(train, parameters, chosen, tally, transcripts=folder)
        trained = time.monotonic() - started
        findings = audit(folder)
    published = result.profiles
    if out is not None:
        profiles.write(RunFolder(out).profiles, published)
    with console.iterations("F_fix", parameters.iterations) as done:
        expected = fixed.train(train, parameters, on_iteration=done)
    distance = checks.distance(published, oracle.enclose(train, parameters))
    errors = checks.held_out_errors(published, train, test, parameters)

    console.say(f"Trained in {console.seconds(trained)}: time and bytes by phase and party")
    run_report.measures_table(result.measures)
    console.say()
    console.say("What the transcripts contain")
    audit_command.show(findings)
    console.say()
    _show_errors(errors, len(test))
    _show_user(published, train, source.titles)
    found = [
        checks.equality(published, expected),
        distance,
        checks.audited(findings),
        checks.useful(errors, len(test)),
    ]
    console.say("Checks")
    audit_command.show(found)
    console.say()
    _verdict(found, time.monotonic() - started)


def _announce(
    source: rating_sources.Source, train: Ratings, test: Ratings, params: Parameters, suite: str
) -> None:
    fit = bounds(params, train.n_users, train.n_items)
    console.say("ppmf: private matrix factorisation by users, RecSys and CSP", style="bold")
    console.say()
    console.facts(
        [
            ("data", source.description),
            (
                "slice",
                f"the {train.n_users:,} most active users x the {train.n_items:,} most rated "
                f"items: {len(train) + len(test):,} ratings, {len(test):,} of them held out",
            ),
            ("parameters", f"rank {params.rank}, {params.iterations} iterations"),
            ("ring", f"largest intermediate {fit.bits:.1f} of {fit.ring_bits} bits"),
            ("suite", suite),
        ]
    )
    console.say()
    if (
        source.notice and source.kind is not rating_sources.Kind.FETCHED
    ):  # those terms were just shown
        console.say(source.notice)
        console.say()
    console.say("Training with three parties takes most of the time.")
    console.say()


@contextmanager
def _folder(out: Path | None) -> Iterator[Path]:
    """The folder of the transcripts: one in `out`, or one that is removed afterwards."""
    if out is not None:
        kept = RunFolder(out)
        kept.prepare(force=False, record=True)
        yield kept.recording
        kept.keep_transcripts()
        return
    with tempfile.TemporaryDirectory(prefix="ppmf-demo-") as folder:
        yield Path(folder)


def _show_errors(errors: checks.Errors, held_out: int) -> None:
    console.say(f"Error on the {held_out:,} ratings held out, in stars")
    console.table(
        ["predictor", "RMSE", "sees"],
        [
            [
                "private profiles, each user's own ridge regression",
                f"{errors.private:.4f}",
                "nothing",
            ],
            ["alternating least squares, not private", f"{errors.als:.4f}", "every rating"],
            ["biases of users and items alone", f"{errors.biases:.4f}", "every rating"],
            ["mean of all ratings", f"{errors.mean:.4f}", "every rating"],
        ],
        right="RMSE",
    )
    console.say()


def _show_user(published: ItemProfiles, train: Ratings, titles: dict[str, str]) -> None:
    """Print the recommendations for a user of median activity beside the user's highest ratings."""
    row, own = checks.typical_user(train, published)
    highest = sorted(own, key=lambda item: (-own[item], item))[:_TOP]
    names = [titles.get(published.items[item], published.items[item]) for item in highest]
    console.say(f"User {train.users[row]} rated highest: {'; '.join(names)}.")
    console.say(f"From V and the user's {len(own):,} ratings, the user's own machine recommends:")
    recommend.show_recommendations(published, own, _TOP, titles)
    console.say()


def _verdict(findings: list[Finding], elapsed: float) -> None:
    """Print the last line, and end with status 1 if a check failed."""
    failed = sum(not one.ok for one in findings)
    if failed:
        console.say(f"{failed} of {len(findings)} checks FAILED", style="bold red")
        raise typer.Exit(1)
    console.say(
        f"All {len(findings)} checks held, in {console.seconds(elapsed)}.", style="bold green"
    )
