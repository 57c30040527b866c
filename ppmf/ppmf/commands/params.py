# SPDX-License-Identifier: Apache-2.0
"""`ppmf params`: whether a set fits the ring for a run of a given size, and a set that does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import Annotated

import typer

from ppmf import console, options
from ppmf.docstring_help import add
from ppmf.evaluation import suggestion
from ppmf_spec.bounds import bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.extras import MissingExtraError, needed_by
from ppmf_spec.parameters import Parameters

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SUITE = "rlwe-8192"
_WIDTH = 98  # of a line of comments, without its mark

_MOST_USERS = 200_000
"""With more users the cost model, which goes through all uploads, would take too long for a set."""

Cost = tuple[float, int]
"""The seconds of a secure training, estimated, and the bytes that all parties send."""


@app.callback(invoke_without_command=True)
def look(context: typer.Context) -> None:
    """Look at public parameter sets."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def check(
    users: Annotated[
        int, typer.Option("--users", metavar="N", help="How many users.", show_default=False)
    ],
    items: Annotated[
        int, typer.Option("--items", metavar="M", help="How many items.", show_default=False)
    ],
    params: Annotated[
        Path | None,
        typer.Argument(
            metavar="[P.toml]", help="A parameter set. [default: the defaults]", show_default=False
        ),
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Check that a run of a given size cannot overflow.

    The set is checked against its domain, and the largest intermediate against the ring. The bound
    is exact and holds for all ratings on the public scale. Exit status 2, with the rule
    that is broken, if a run could overflow.

    Examples:
      ppmf params check P.toml --users 943 --items 1682
      ppmf params check --users 100000 --items 20000
      ppmf params check P.toml --users 943 --items 1682 --json
    """
    parameters = options.parameters(params)
    fit = bounds(parameters, users, items)
    unit = 1 << parameters.frac_bits
    if as_json:
        console.put_json(
            "params-check",
            {
                "users": users,
                "items": items,
                "bits": fit.bits,
                "ring_bits": fit.ring_bits,
                "z_bits": fit.z_bits,
                "max_step": fit.max_step / (1 << parameters.step_bits),
                "max_tau": fit.max_tau / unit,
                "max_theta": fit.max_theta / unit,
                "warnings": list(fit.warnings),
                "parameters": parameters.as_dict(),
                "sha256": parameters.digest().hex(),
            },
        )
        return
    console.table(
        ["parameter", "value"], [[name, str(value)] for name, value in parameters.as_dict().items()]
    )
    console.say()
    console.table(
        ["for any ratings of this size", ""],
        [
            ["users x items", f"{users:,} x {items:,}"],
            ["largest intermediate", f"{fit.bits:.1f} of {fit.ring_bits} bits"],
            ["width of Z before its shift", f"{fit.z_bits} bits"],
            ["longest step", f"{fit.max_step} / 2^{parameters.step_bits}"],
            ["largest thresholds", f"tau {fit.max_tau / unit:g}, theta {fit.max_theta / unit:g}"],
        ],
    )
    console.say()
    console.say(f"sha256 {parameters.digest().hex()}")
    for warning in fit.warnings:
        console.note(warning)


def suggest(
    users: Annotated[
        int, typer.Option("--users", metavar="N", help="How many users.", show_default=False)
    ],
    items: Annotated[
        int, typer.Option("--items", metavar="M", help="How many items.", show_default=False)
    ],
    rank: Annotated[
        int | None,
        typer.Option(
            "--rank",
            metavar="D",
            help="Factors. [default: that of the defaults]",
            show_default=False,
        ),
    ] = None,
    scale: Annotated[
        str | None,
        typer.Option(
            "--ratings-scale",
            metavar="MIN:MAX:STEP",
            help="The scale of the ratings. [default: 0.5:5:0.5]",
            show_default=False,
        ),
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Suggest a parameter set for a run of a given size.

    The set is printed as TOML, with the reasons as comments. It has the default parameters, but for
    the bits: `step_bits` is the least, from 12 on, with which every row can move, at the start and
    with factors as large as ratings on that scale make them; `ring_bits` is the least that holds
    such a run. For another scale of ratings the ridge, the damping
    and the box go with its width.

    The comments say what other ranks, iterations and widths cost: how much larger the error of the
    users' own predictions was on ratings held out, in the sweep from which the defaults were
    chosen, and how long a training of this size takes by `ppmf estimate`.

    Examples:
      ppmf params suggest --users 943 --items 1682 > params.toml
      ppmf params suggest --users 6040 --items 3706 --rank 6
      ppmf params suggest --users 500 --items 80 --ratings-scale 1:10:1
    """
    base = Parameters()
    if scale is not None:
        base = suggestion.with_scale(base, scale)
    if rank is not None:
        base = replace(base, rank=rank)
    chosen = suggestion.fitted(base, users, items)
    bits = bounds(chosen, users, items).bits
    cost = _costs(users, items)
    spent = cost(chosen)
    others = list(suggestion.alternatives(chosen, users, items)) if scale is None else []
    if as_json:
        console.put_json(
            "params-suggest",
            {
                "users": users,
                "items": items,
                "bits": bits,
                "suite": _SUITE,
                "seconds": spent and spent[0],
                "bytes_sent": spent and spent[1],
                "parameters": chosen.as_dict(),
                "sha256": chosen.digest().hex(),
                "alternatives": [_members(one, cost(one.params)) for one in others],
            },
        )
        return
    size = f"{_counted(users, 'user')} and {_counted(items, 'item')}"
    comments = [
        *wrap(
            f"For {size}: every row can move, at the start and with factors as large as such "
            f"ratings make them, and no number needs more than {bits:.1f} bits.",
            _WIDTH,
        ),
        *wrap(_taking(spent), _WIDTH),
        *_about_others(others, cost),
    ]
    typer.echo(
        "".join(f"# {line}".rstrip() + "\n" for line in comments) + chosen.to_toml(), nl=False
    )


def _counted(number: int, what: str) -> str:
    """The number, and what it counts."""
    return f"{number:,} {what}" if number == 1 else f"{number:,} {what}s"


def _members(one: suggestion.Alternative, spent: Cost | None) -> dict[str, object]:
    """The members of another choice in the JSON."""
    return {
        "changed": one.changed,
        "rmse_difference": one.difference,
        "seconds": spent and spent[0],
        "bytes_sent": spent and spent[1],
    }


def _taking(spent: Cost | None) -> str:
    if spent is None:
        return f"The time of a training with {_SUITE} is not known."
    seconds, sent = spent
    return (
        f"A training takes about {console.about(seconds)} and sends {console.size(sent)}, "
        f"estimated for {_SUITE}."
    )


def _about_others(
    others: Sequence[suggestion.Alternative], cost: Callable[[Parameters], Cost | None]
) -> list[str]:
    """A table of what other choices cost, under a sentence that says what it is."""
    if not others:
        return []
    about = (
        "Other choices: how much larger than this set's their error on held-out ratings was (RMSE "
        "in stars; a negative number is better), and their time at your size."
    )
    rows: list[tuple[str, ...]] = [("choice", *suggestion.DATA, "time")]
    for one in others:
        name = ", ".join(f"{name} {value}" for name, value in one.changed.items())
        differences = (f"{round(one.difference[data], 4) + 0.0:+.4f}" for data in suggestion.DATA)
        spent = cost(one.params)
        rows.append((name, *differences, "" if spent is None else console.about(spent[0])))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    first, *rest = widths
    table = ["  ".join([row[0].ljust(first), *map(str.rjust, row[1:], rest)]) for row in rows]
    return ["", *wrap(about, _WIDTH), "", *table, ""]


def _costs(users: int, items: int) -> Callable[[Parameters], Cost | None]:
    """What a secure training costs, by the set; None where it cannot be told."""
    try:
        with needed_by("the time of the secure training"):
            from ppmf_costs.counts import PublicSize, count_run
            from ppmf_costs.unit_costs import UnitCosts, bytes_sent
            from ppmf_secure.session.cipher_suites import cipher_suite
    except MissingExtraError as error:
        console.detail(str(error))
        return lambda _: None
    if users > _MOST_USERS:
        return lambda _: None
    measured, suite = UnitCosts.read(), cipher_suite(_SUITE)
    size = PublicSize.numbered(users, items)

    def cost(params: Parameters) -> Cost | None:
        try:
            tally = count_run(params, size, suite)
        except ParametersError:  # the suite does not hold this size
            return None
        return measured.estimate(tally, _SUITE).total, sum(bytes_sent(tally).values())

    return cost


add(app, "check", check)
add(app, "suggest", suggest)
