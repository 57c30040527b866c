# SPDX-License-Identifier: Apache-2.0
"""`ppmf oracle`: the same training in the clear, by the oracle."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options, oracle_files, outputs
from ppmf.data import rating_sources
from ppmf.data.rating_tables import Duplicates
from ppmf_reference import certified, exact, fixed
from ppmf_spec import profiles
from ppmf_spec.bounds import bounds
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

# The exact rationals of a run grow about six-fold an iteration: with more iterations than these it
# takes very long. Under `count` the steps do not depend on the other side, so that they grow less.
_EXACT_ITERATIONS = 3
_EXACT_ITERATIONS_UNDER_COUNT = 8


class Mode(StrEnum):
    """The three computations of the oracle."""

    FIXED = "fixed"
    EXACT = "exact"
    CERTIFIED = "certified"


def oracle(
    ratings: options.RatingsFile,
    out: Annotated[
        Path,
        typer.Option("--out", metavar="FILE", help="The result, JSON.", show_default=False),
    ],
    mode: Annotated[Mode, typer.Option("--mode", help="What to compute, see above.")] = Mode.FIXED,
    params: options.ParametersFile = None,
    catalogue: options.CatalogueFile = None,
    user_list: options.UserListFile = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
) -> None:
    """Train in the clear: what the secure training must equal.

    Modes:
      fixed      F_fix, in integers: item profiles, as `ppmf train` must give them bit for bit
      exact      F_real, in rationals "p/q": for toys, they grow about six-fold an iteration
      certified  F_real, enclosed: midpoint and radius of every number, rigorous

    Examples:
      ppmf oracle ratings.csv --params P.toml --out fixed.json
      ppmf oracle ratings.csv --params P.toml --mode certified --out real.json
      cmp fixed.json run/item_profiles.json
      ppmf oracle reviews.csv.gz --columns item=parent_asin --duplicates last --out fixed.json
    """
    outputs.check(out, (rating_sources.ratings_file(ratings), params, catalogue, user_list))
    parameters = options.parameters(params)
    training = options.training_ratings(
        ratings,
        parameters,
        catalogue,
        user_list,
        options.reading(columns, separator, duplicates, rounding),
    )
    for warning in bounds(parameters, training.n_users, training.n_items).warnings:
        console.note(warning)
    size = f"{training.n_items:,} items, {training.n_users:,} users"
    if mode is Mode.FIXED:
        with console.iterations("F_fix", parameters.iterations) as done:
            profiles.write(out, fixed.train(training, parameters, on_iteration=done))
        outputs.written(out, f"F_fix of {size}: {out}")
    elif mode is Mode.EXACT:
        _exact(training, parameters, out)
        outputs.written(out, f"F_real of {size}, in exact rationals: {out}")
    else:
        enclosure = enclose(training, parameters)
        oracle_files.write_enclosure(out, enclosure, parameters)
        radius = console.power_of_two(enclosure.radius)
        outputs.written(out, f"F_real of {size}, every number within {radius}: {out}")
        if enclosure.undecided:
            outputs.written(
                out,
                f"{len(enclosure.undecided):,} factors lie on the jump of the binary prox for all "
                "that can be told: their enclosures hold both branches",
            )


def enclose(training: Ratings, params: Parameters) -> certified.Enclosure:
    """A rigorous enclosure of F_real, with a progress bar."""
    with console.iterations("F_real", params.iterations) as done:
        return certified.train(training, params, on_iteration=done)


def _exact(training: Ratings, params: Parameters, out: Path) -> None:
    by_count = params.step_rule == "count"
    usual = _EXACT_ITERATIONS_UNDER_COUNT if by_count else _EXACT_ITERATIONS
    if params.iterations * params.inner_steps > usual:
        console.note(
            f"exact rationals grow about six-fold an iteration: more than {usual} under the step "
            f"rule {params.step_rule} may take for ever; --mode certified does not"
        )
    rows: exact.Matrix = []
    with console.iterations("F_real", params.iterations) as done:
        for state in exact.iterate(training, params):
            rows = state.items
            done(state.iteration if state.side == "items" else state.iteration - 1)
    oracle_files.write_exact(out, training.items, rows, params)
