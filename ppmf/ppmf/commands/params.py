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
from ppmf.evaluation.advice import Advice, advise, costs_of, listed, others
from ppmf.evaluation.advice import members as change_members
from ppmf.evaluation.nearest import Change, changes
from ppmf_spec.bounds import Bounds, bounds
from ppmf_spec.errors import ParametersError
from ppmf_spec.extras import MissingExtraError, needed_by
from ppmf_spec.parameters import Parameters

app = typer.Typer(rich_markup_mode=None, add_completion=False)

_SUITE = "rlwe-8192"
_WIDTH = 98  # of a line of comments, without its mark

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
    """Check that a run of a given size cannot overflow, and which cipher suites hold it.

    The set is checked against its domain, and the largest intermediate against the ring. The bound
    is exact and holds for all ratings on the public scale. If a run could overflow, no suite holds
    it or a row could not move, the nearest set that works is named, with what it costs. Exit status
    1 if a run of this size would be refused, and 2 if the set itself is no parameter set.

    Examples:
      ppmf params check P.toml --users 943 --items 1682
      ppmf params check --users 100000 --items 20000
      ppmf params check P.toml --users 943 --items 1682 --json
    """
    parameters = options.parameters(params)
    of_ring = advise(parameters, users, items)
    of_suites = _of_suites(parameters, users, items)
    # the suite that would be taken: the first that holds the size, or the first of all
    automatic = next((one for one in of_suites if one.fits), None)
    best = automatic or next(iter(of_suites), of_ring)
    refused = not (of_ring.fits if automatic is None and not of_suites else automatic)
    fit = bounds(parameters, users, items) if of_ring.fits else None
    if as_json:
        _put_check(parameters, (users, items), fit, best, of_suites, automatic)
    else:
        _show_check(parameters, (users, items), fit, of_suites)
        for warning in best.warnings:
            console.note(warning)
        _show_nearest(best, users, items)
        if refused:
            console.warn(best.limit or "no cipher suite holds a run of this size")
        elif automatic is not None and automatic is not of_suites[0]:
            console.note(
                f"{automatic.suite} takes very much longer than {of_suites[0].suite}: "
                f"{of_suites[0].limit}; {of_suites[0].remedy()}"
            )
    if refused:
        raise typer.Exit(1)


def _of_suites(params: Parameters, users: int, items: int) -> list[Advice]:
    """Advice for the suites that a training takes if none is named; without the extra, none."""
    try:
        with needed_by("the limits of cipher suites"):
            from ppmf_secure.protocols.suite_choice import PREFERRED
    except MissingExtraError as error:
        console.detail(str(error))
        return []
    return [advise(params, users, items, suite) for suite in PREFERRED]


def _put_check(
    params: Parameters,
    size: tuple[int, int],
    fit: Bounds | None,
    best: Advice,
    of_suites: Sequence[Advice],
    automatic: Advice | None,
) -> None:
    """Print the JSON of a check; null is what no run of this size has."""
    unit = 1 << params.frac_bits
    nearest = best.nearest
    console.put_json(
        "params-check",
        {
            "users": size[0],
            "items": size[1],
            "fits": fit is not None and (automatic is not None or not of_suites),
            "limit": best.limit,
            "bits": fit and fit.bits,
            "ring_bits": fit and fit.ring_bits,
            "z_bits": fit and fit.z_bits,
            "max_step": params.max_step / (1 << params.step_bits),
            "max_tau": params.max_tau / unit,
            "max_theta": params.max_theta / unit,
            "warnings": list(best.warnings),
            "suites": [{"suite": one.suite, **one.members()} for one in of_suites],
            "automatic": automatic and automatic.suite,
            "nearest": None if nearest is None else [change_members(one) for one in best.changes],
            "nearest_parameters": nearest and nearest.as_dict(),
            "parameters": params.as_dict(),
            "sha256": params.digest().hex(),
        },
    )


def _show_check(
    params: Parameters, size: tuple[int, int], fit: Bounds | None, of_suites: Sequence[Advice]
) -> None:
    """Print the set, what it reaches at this size, and which suites hold that."""
    console.table(
        ["parameter", "value"], [[name, str(value)] for name, value in params.as_dict().items()]
    )
    console.say()
    unit = 1 << params.frac_bits
    rows = [["users x items", f"{size[0]:,} x {size[1]:,}"]]
    if fit is not None:
        rows += [
            ["largest intermediate", f"{fit.bits:.1f} of {fit.ring_bits} bits"],
            ["width of Z before its shift", f"{fit.z_bits} bits"],
        ]
    rows += [
        ["longest step", f"{params.max_step} / 2^{params.step_bits}"],
        ["largest thresholds", f"tau {params.max_tau / unit:g}, theta {params.max_theta / unit:g}"],
    ]
    if fit is not None:
        rows += [[f"cipher suite {one.suite}", one.limit or "holds it"] for one in of_suites]
    console.table(["for any ratings of this size", ""], rows)
    console.say()
    console.say(f"sha256 {params.digest().hex()}")


def _show_nearest(one: Advice, users: int, items: int) -> None:
    """Print the nearest set that works, what it costs, and other sets that do."""
    if not one.changes:
        if one.nearest is None:
            console.say(one.remedy())
        return
    with_suite = "" if one.suite is None else f" with {one.suite}"
    console.say()
    console.say(f"{one.remedy()}{with_suite}")
    if told := costs_of(one.changes):
        console.say(f"in the sweep behind the defaults: {told}")
    for other in others(one, users, items):
        console.say(f"another has {listed(changes(one.params, other))}")


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
    such a run. What else has to change for the fastest cipher suite to hold the size is changed and
    named. For another scale of ratings the ridge, the damping and the box go with its width.

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
    chosen, changed = _held(suggestion.fitted(base, users, items), users, items)
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
        *(wrap(_because(changed), _WIDTH) if changed else ()),
        *wrap(_taking(spent), _WIDTH),
        *_about_others(others, cost),
    ]
    typer.echo(
        "".join(f"# {line}".rstrip() + "\n" for line in comments) + chosen.to_toml(), nl=False
    )


def _held(params: Parameters, users: int, items: int) -> tuple[Parameters, list[Change]]:
    """The nearest set that the fastest suite holds too, and what it changes; the set itself where
    there is none near, or the suite is not known.
    """
    best = next(iter(_of_suites(params, users, items)), None)
    if best is None or best.fits or best.nearest is None:
        return params, []
    narrowest = bounds(replace(best.nearest, ring_bits=0), users, items).ring_bits
    found = replace(best.nearest, ring_bits=narrowest)
    return found, [each for each in changes(params, found) if each.name != "ring_bits"]


def _because(changed: Sequence[Change]) -> str:
    told = costs_of(changed)
    return (
        f"It has {listed(changed)}, so that {_SUITE} holds so many ratings"
        f"{f'; in the sweep behind the defaults {told}' if told else ''}."
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
