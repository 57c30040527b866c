# SPDX-License-Identifier: Apache-2.0
"""`ppmf conformance play`: one run of own parameters and ratings with an adapter's parties."""

from __future__ import annotations

from pathlib import Path

import typer

from ppmf import console, options
from ppmf.data.rating_tables import Duplicates
from ppmf_conformance import own_runs
from ppmf_conformance.cases import Case
from ppmf_conformance.deadline import Deadlines
from ppmf_conformance.line_protocol import ROLES
from ppmf_conformance.own_runs import Played
from ppmf_conformance.reports import ndjson
from ppmf_conformance.results import Exit, Outcome
from ppmf_conformance.visible_text import visible
from ppmf_spec.errors import ParametersError


def roles_of(text: str) -> tuple[str, ...]:
    """The roles of a list with commas, in the order of the protocol. Raises ParametersError."""
    asked = [role.strip() for role in text.split(",")]
    for role in asked:
        if role not in ROLES:
            raise ParametersError(f"--roles {text[:40]!a}: some of {', '.join(ROLES)}, with commas")
    return tuple(role for role in ROLES if role in asked)


def run_own(
    case: Case, command: list[str], deadlines: Deadlines, *, trace: bool, as_json: bool
) -> int:
    """Play a run and print what came of it. Returns the exit status."""
    played = own_runs.play(case, command, deadlines, trace=trace)
    if as_json:
        _put_json(case, command, played)
    else:
        _show(case, played)
    return int(Exit.AS_EXPECTED if played.outcome is Outcome.PASS else Exit.FAILURE)


def own_case(
    ratings: Path,
    params: Path | None,
    roles: str,
    suite: str,
    lists: tuple[Path | None, Path | None],
    reading: tuple[str | None, str | None, Duplicates, bool],
) -> Case:
    """The case of a run of the files that a command is given; lists: catalogue, user list."""
    played = roles_of(roles)
    parameters = options.parameters(params)
    training = options.training_ratings(ratings, parameters, *lists, options.reading(*reading))
    with console.timed("V and the messages that are due"):
        return own_runs.case_of(parameters, training, suite, played)


def _put_json(case: Case, command: list[str], played: Played) -> None:
    session = case.given["session"]
    right, stages = played.stages or (None, None)
    console.put_json(
        "conformance-play",
        {
            "exact": played.outcome is Outcome.PASS,
            "outcome": played.outcome.value,
            "detail": played.detail,
            "command": command,
            "implementation": ndjson.implementation(played.hello),
            "roles": case.given["roles"],
            "suite": session["suite"],
            "parameters": session["parameters"],
            "users": len(session["users"]),
            "items": len(session["items"]),
            "messages": sum(map(len, case.steps["messages"].values())),
            "stages": stages,
            "stages_right": right,
        },
    )


def _show(case: Case, played: Played) -> None:
    session, hello = case.given["session"], played.hello
    ours = [role for role in ROLES if role not in case.given["roles"]]
    among = f", among our {' and '.join(ours)}" if ours else ""
    typer.echo(
        visible(f"{hello.name} {hello.version} ({hello.language})")
        + f" plays {', '.join(case.given['roles'])}{among}"
    )
    count = sum(map(len, case.steps["messages"].values()))
    typer.echo(
        f"{len(session['users']):,} users, {len(session['items']):,} items, {count:,} messages, "
        f"{session['suite']}"
    )
    if played.stages is None:
        typer.echo(f"no trace: {played.untraced}")
    elif played.outcome is Outcome.PASS:
        typer.echo(f"trace: all {played.stages[1]:,} stages are those of F_fix")
    else:
        right, stages = played.stages
        typer.echo(f"trace: the first {right:,} of {stages:,} stages are those of F_fix")
    if played.outcome is Outcome.PASS:
        typer.echo("bit exact: V is F_fix's V, and every message is the one that is due")
    else:
        typer.echo(f"{played.outcome.value}: {played.detail}")
