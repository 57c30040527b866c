# SPDX-License-Identifier: Apache-2.0
"""`ppmf evaluate`: how well the private model predicts, beside models that see every rating."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options, outputs
from ppmf.data import rating_sources
from ppmf.data.rating_tables import Duplicates
from ppmf.evaluation import predictors, sweep
from ppmf.evaluation.advice import AUTOMATIC
from ppmf.evaluation.predictors import Figures, Trial
from ppmf_reference import fixed
from ppmf_spec.bounds import bounds
from ppmf_spec.decimals import decimal_text, parse_decimal
from ppmf_spec.errors import ParametersError
from ppmf_spec.extras import MissingExtraError, needed_by
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings, split_holdout

_SHOWN = 20
"""The number of sets of a sweep that are printed; --json has all."""


class Engine(StrEnum):
    """How the private model is trained; the result is the same, bit for bit."""

    ORACLE = "oracle"
    SECURE = "secure"


def evaluate(
    ratings: options.RatingsFile,
    params: options.ParametersFile = None,
    rank: options.Rank = None,
    iterations: options.Iterations = None,
    catalogue: options.CatalogueFile = None,
    user_list: options.UserListFile = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    hold_out: Annotated[
        str, typer.Option("--hold-out", metavar="A/B", help="The part of the ratings held out.")
    ] = "1/10",
    label: Annotated[
        str, typer.Option("--label", metavar="TEXT", help="Another label holds others out.")
    ] = "evaluate",
    k: Annotated[int, typer.Option("--k", metavar="K", min=1, help="Length of the lists.")] = 10,
    relevant: Annotated[
        str | None,
        typer.Option(
            "--relevant",
            metavar="STARS",
            help="A held-out rating of at least this counts as a hit. "
            "[default: four fifths of the highest rating]",
            show_default=False,
        ),
    ] = None,
    sweeps: Annotated[
        list[str] | None,
        typer.Option(
            "--sweep",
            metavar="NAME=V,V",
            help="Try these values of a parameter first; may be repeated.",
            show_default=False,
        ),
    ] = None,
    engine: Annotated[
        Engine,
        typer.Option(
            "--engine", help="Train in the clear, or with three parties: the same result."
        ),
    ] = Engine.ORACLE,
    suite: Annotated[
        str,
        typer.Option(
            "--suite",
            metavar="SUITE",
            help="The cipher suite of the secure training, and of the times estimated for it; auto "
            "is the fastest that holds the size.",
        ),
    ] = AUTOMATIC,
    plot: Annotated[
        Path | None,
        typer.Option(
            "--plot",
            metavar="FILE",
            help="Draw a figure: .svg, .png or .pdf. Needs the extra `plots`.",
            show_default=False,
        ),
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Measure how good the recommendations are.

    Part of the ratings is held out. The private model is trained on the rest, each user fits their
    own profile to the published item profiles, and the predictions are compared with what was held
    out. Beside it stand models without privacy, which see every rating: alternating least squares
    (ALS, this project's own, its ridge tuned), biases alone, and the mean; for lists also the most
    rated items.

    The split: a rating is held out by a hash of its user, its item and the label, so that it is the
    same on every machine. RMSE and MAE are in stars, of predictions clipped to the scale. A list
    holds the K best of all items that the user did not rate in training; precision, recall and NDCG
    are means over the users with a relevant held-out rating, and coverage is the part of the
    catalogue that their lists show.

    A sweep trains every combination of values by the oracle and measures it on a tenth of the
    training part, so that the held-out ratings judge the best one fairly. It says how long the
    secure training with each would take, and goes on with the best. Names: rank, iterations, ridge,
    l1, damping, inner_steps, curvature_shift and the bits of chapter 3.

    Examples:
      ppmf evaluate ratings.csv
      ppmf evaluate ratings.csv --rank 10 --iterations 5 --k 20 --relevant 3.5
      ppmf evaluate ratings.csv --sweep ridge=6,12,24 --sweep rank=5,10
      ppmf evaluate ratings.csv --hold-out 1/5 --label second --plot figures.svg
      ppmf evaluate reviews.csv.gz --columns item=parent_asin --duplicates last
      ppmf evaluate ratings.csv --json > evaluation.json
    """
    part, of = _part(hold_out)
    parameters = options.parameters(params, rank, iterations)
    draw = None if plot is None else _drawing(plot)
    if plot is not None:
        outputs.check(plot, (rating_sources.ratings_file(ratings), params, catalogue, user_list))
    given = options.training_ratings(
        ratings,
        parameters,
        catalogue,
        user_list,
        options.reading(columns, separator, duplicates, rounding),
    )
    choices = sweep.choices(parameters, sweeps or ())
    sweep.check(choices, given.n_users, given.n_items)
    training, held_out = split_holdout(given, label, part=part, of=of)
    hit = _relevant(relevant, parameters)
    trial = Trial(training, held_out, parameters, k, hit)
    suite = _suite(given, suite, parameters)
    estimated = _secure_seconds(given, suite)

    outcomes: list[sweep.Outcome] = []
    if sweeps:
        total = sum(choice.params.iterations for choice in choices)
        with console.timed("sweep"), console.iterations("sweep", total) as done:
            outcomes = sweep.run(choices, training, secure_seconds=estimated, on_iteration=done)
        trial = replace(trial, params=outcomes[0].choice.params)
    for warning in bounds(trial.params, given.n_users, given.n_items).warnings:
        console.note(warning)
    started = time.monotonic()
    with console.timed("private training"):
        profiles = _train(engine, suite, training, trial.params)
    trained = time.monotonic() - started
    with console.timed("models without privacy"), console.iterations("others", 2) as done:
        others = predictors.compared(training, trial.params, announce=done)
    with console.timed("measures"):
        figures = [trial.judge(one) for one in (predictors.private(profiles, training), *others)]
    secure = estimated(trial.params)
    if as_json:
        console.put_json(
            "evaluation",
            {
                "users": given.n_users,
                "items": given.n_items,
                "training_ratings": len(training),
                "held_out_ratings": len(held_out),
                "split": {"label": label, "part": part, "of": of},
                "k": k,
                "relevant": decimal_text(hit, "relevant"),
                "users_with_relevant": _users_with_relevant(trial),
                "engine": engine.value,
                "suite": suite,
                "train_seconds": trained,
                "secure_seconds": secure,
                "parameters": trial.params.as_dict(),
                "models": [one.as_dict() for one in figures],
                "sweep": [one.as_dict() for one in outcomes] if sweeps else None,
            },
        )
    else:
        _show_sweep(outcomes, suite)
        _show(trial, figures, f'"{label}", {part} in {of}')
        if secure is not None and engine is Engine.ORACLE:
            console.say(f"The secure training takes about {console.about(secure)} ({suite}).")
    if plot is not None and draw is not None:
        draw(plot, figures, k, outcomes)
        console.note(f"figure: {plot}")


def _part(text: str) -> tuple[int, int]:
    """The two numbers of A/B."""
    found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", text)
    if found is None or not 0 < int(found[1]) < int(found[2]):
        raise typer.BadParameter(f"--hold-out {text[:40]!a}: not a part such as 1/10")
    return int(found[1]), int(found[2])


def _relevant(text: str | None, params: Parameters) -> Fraction:
    """The stars of a hit; beyond the scale it would count all or none."""
    if text is None:
        return max(params.rating_min, params.rating_max * Fraction(4, 5))
    stars = parse_decimal(text, "--relevant")
    if not params.rating_min <= stars <= params.rating_max:
        low, high = (
            decimal_text(bound, "scale") for bound in (params.rating_min, params.rating_max)
        )
        raise ParametersError(f"--relevant {text[:40]}: off the scale from {low} to {high}")
    return stars


def _drawing(path: Path) -> Callable[[Path, Sequence[Figures], int, Sequence[sweep.Outcome]], None]:
    """The function that draws, found before anything is trained."""
    with needed_by("`ppmf evaluate --plot`"):
        from ppmf.evaluation import plots
    plots.check_suffix(path)
    return plots.draw


def _suite(given: Ratings, name: str, params: Parameters) -> str:
    """The name of the suite that holds a training of this size; as it was if that is not known."""
    try:
        with needed_by("the choice of a cipher suite"):
            from ppmf_secure.protocols.suite_choice import suite_for
    except MissingExtraError as error:
        console.detail(str(error))
        return name
    try:
        return suite_for(name, params, given.n_users, given.n_items).name
    except ParametersError as error:
        console.note(f"no secure training of this size with these parameters: {error}")
        return name


def _secure_seconds(given: Ratings, suite: str) -> Callable[[Parameters], float | None]:
    """The estimated seconds of the secure training, or None where they cannot be told."""
    try:
        with needed_by("the time of the secure training"):
            from ppmf_costs.counts import PublicSize, count_run
            from ppmf_costs.unit_costs import UnitCosts
            from ppmf_secure.session.cipher_suites import cipher_suite
    except MissingExtraError as error:
        console.detail(str(error))
        return lambda _: None
    measured = UnitCosts.read()
    if suite == AUTOMATIC:
        return lambda _: None
    chosen = cipher_suite(suite)
    if suite not in measured.suites:
        return lambda _: None
    size = PublicSize.of(given.users, given.n_items)

    def seconds(params: Parameters) -> float | None:
        try:
            return measured.estimate(count_run(params, size, chosen), suite).total
        except ParametersError:  # the suite does not hold this set
            return None

    return seconds


def _train(engine: Engine, suite: str, training: Ratings, params: Parameters) -> ItemProfiles:
    if engine is Engine.ORACLE:
        with console.iterations("F_fix", params.iterations) as done:
            return fixed.train(training, params, on_iteration=done)
    with needed_by("`ppmf evaluate --engine secure`"):
        from ppmf.commands import train
    train.check_name(suite, insecure_test_keys=False)
    chosen = train.chosen_suite(suite, params, training.n_users, training.n_items)
    tally = train.predicted(training, params, chosen)
    return train.run(training, params, chosen, tally, transcripts=None).profiles


def _users_with_relevant(trial: Trial) -> int:
    return len(set(trial.hits.user.tolist()))


def _show_sweep(outcomes: Sequence[sweep.Outcome], suite: str) -> None:
    """Print the sets by error, the best first."""
    if not outcomes:
        return
    names = list(outcomes[0].choice.values)
    timed = any(one.secure_seconds is not None for one in outcomes)
    console.say("Sets by their error on a tenth of the training ratings, set aside")
    console.table(
        [*names, "RMSE", "MAE", *([f"secure training, {suite}"] if timed else [])],
        [
            [
                *one.choice.values.values(),
                f"{one.errors.rmse:.4f}",
                f"{one.errors.mae:.4f}",
                *([console.seconds(one.secure_seconds)] if one.secure_seconds is not None else []),
            ]
            for one in outcomes[:_SHOWN]
        ],
        right=",".join([*names, "RMSE", "MAE", f"secure training, {suite}"]),
    )
    if len(outcomes) > _SHOWN:
        console.say(f"… and {len(outcomes) - _SHOWN} more")
    console.say()
    best = ", ".join(f"{name} {value}" for name, value in outcomes[0].choice.values.items())
    console.say(f"The best of them, {best}:")
    console.say()


def _show(trial: Trial, figures: Sequence[Figures], split: str) -> None:
    held_out, training, params, k = trial.held_out, trial.training, trial.params, trial.k
    console.say(
        f"{len(held_out):,} of {len(held_out) + len(training):,} ratings held out ({split}); "
        f"{training.n_users:,} users, {training.n_items:,} items; "
        f"rank {params.rank}, {params.iterations} iterations"
    )
    console.say()
    headings = ["RMSE", "MAE", f"prec@{k}", f"recall@{k}", f"NDCG@{k}", "coverage"]
    console.table(
        ["model", *headings],
        [[one.predictor.about, *_cells(one)] for one in figures],
        right=",".join(headings),
    )
    console.say()
    console.say(
        f"A hit is a held-out rating of {decimal_text(trial.relevant, 'relevant')} or more; "
        f"{_users_with_relevant(trial):,} users have one. A list is the {k} best of all items that "
        "the user did not rate in training. `private` is each user's own ridge regression on the "
        "published profiles; all other models see every rating."
    )


def _cells(figures: Figures) -> list[str]:
    """The numbers of a row; a dash where the model has none."""
    errors, lists = figures.errors, figures.lists
    rated = ["-"] * 2 if errors is None else [f"{errors.rmse:.4f}", f"{errors.mae:.4f}"]
    if lists is None:
        return [*rated, *["-"] * 4]
    listed = [f"{value:.4f}" for value in (lists.precision, lists.recall, lists.ndcg)]
    return [*rated, *listed, f"{lists.coverage:.1%}"]
