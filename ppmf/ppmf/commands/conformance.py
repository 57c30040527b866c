# SPDX-License-Identifier: Apache-2.0
"""`ppmf conformance`: tests of an implementation, in any language, against the specification."""

from __future__ import annotations

import hashlib
import shlex
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options, outputs
from ppmf.commands.play import own_case, run_own
from ppmf.commands.server_checks import api
from ppmf.commands.transcript import transcript
from ppmf.data.rating_tables import Duplicates
from ppmf.docstring_help import add
from ppmf_conformance import (
    adapter_check,
    cases,
    claim,
    requirement_titles,
    runner,
    version,
)
from ppmf_conformance.cases import Case
from ppmf_conformance.deadline import Deadlines, checked
from ppmf_conformance.known_failures import read as read_known_failures
from ppmf_conformance.line_protocol import Hello
from ppmf_conformance.reports import Context, Report, html_page, junit, ndjson
from ppmf_conformance.results import Exit, Outcome, Result, Summary, reproduction
from ppmf_conformance.visible_text import visible
from ppmf_spec.errors import RangeError
from ppmf_spec.files import write_atomically

_SHOWN = 20
"""The number of failures that are printed; the report has all."""

REPORTS = _RESULTS, _JUNIT, _PAGE = ("results.ndjson", "junit.xml", "index.html")
"""The files of a report."""

HELLO_SECONDS = 30.0
"""The least seconds for the introduction, because a runtime may take long to start."""

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Command = Annotated[
    list[str],
    typer.Argument(metavar="-- CMD [ARGS]...", help="The adapter.", show_default=False),
]


def _deadline(seconds: float) -> float:
    """The seconds of an option, checked."""
    try:
        return checked(seconds)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None


Seconds = Annotated[
    float,
    typer.Option("--deadline", metavar="SECONDS", callback=_deadline, help="For one answer."),
]
Only = Annotated[
    list[str],
    typer.Option("--only", metavar="GLOB", help="Cases whose id matches; repeatable."),
]
Trace = Annotated[
    bool,
    typer.Option(
        "--trace/--no-trace",
        help="Ask a party that can show its shares for them, and name the first stage that "
        "differs.",
    ),
]


@app.callback(invoke_without_command=True)
def conformance(context: typer.Context) -> None:
    """Hold an implementation, in any language, against the specification.

    An adapter is a program that answers JSON lines (chapter 7 of the specification).
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(
    command: Command,
    only: Only = [],  # noqa: B006 (typer copies it)
    known_failures: Annotated[
        Path | None,
        typer.Option("--known-failures", metavar="FILE", help="Globs of ids, and reasons."),
    ] = None,
    report_to: Annotated[
        Path | None,
        typer.Option("--report", metavar="DIR", help="Where to write the reports."),
    ] = None,
    deadline: Seconds = 30.0,
    trace: Trace = True,
    as_json: console.Json = False,
) -> int:
    """Ask an implementation every case that it declares.

    Exit status: 0 all as expected; 1 a failure; 2 usage; 4 a pattern that matches nothing;
    5 nothing ran. The report is a folder: results.ndjson, junit.xml, index.html.

    Examples:
      ppmf conformance run -- node adapter.mjs
      ppmf conformance run --only 'prox/*' --report out -- ./adapter --fast
      ppmf conformance run --json -- node adapter.mjs
    """
    shipped = cases.shipped()
    dead = [one for one in only if not shipped.pick([one])]
    if dead:
        console.warn(f"--only {dead[0]}: no case of that id")
        return int(Exit.DEAD_PATTERN)
    plan = runner.Plan(
        tuple(command),
        shipped.pick(only),
        read_known_failures(known_failures) if known_failures else (),
        Deadlines(hello=max(HELLO_SECONDS, deadline), call=deadline),
        trace=trace,
    )
    if report_to is not None:
        report_to.mkdir(parents=True, exist_ok=True)
        for name in REPORTS:
            outputs.check(report_to / name, (known_failures, *map(Path, command)))
    context = Context(
        version(),
        shipped.digest,
        requirement_titles.titles(),
        requirement_titles.sentences(),
        cases.features_of(shipped.cases),
    )
    with ExitStack() as stack:
        on_hello: Callable[[Hello], None] = lambda _: None  # noqa: E731
        on_result: Callable[[Result], None] = lambda _: None  # noqa: E731
        writer = None
        if report_to is not None:
            path = report_to / _RESULTS
            writer = stack.enter_context(ndjson.Writer(path, context, command))
            on_hello, on_result = writer.hello, writer.result
        bars = stack.enter_context(console.bars())
        done = 0

        def count(result: Result) -> None:
            nonlocal done
            done += 1
            bars.show("cases", done, len(plan.cases), result.case.family)
            on_result(result)

        summary = runner.run(plan, on_hello=on_hello, on_result=count)
        if writer is not None:
            writer.summary(summary)
    if report_to is not None:
        found = Report(context, summary)
        write_atomically(report_to / _JUNIT, junit.render(found))
        write_atomically(report_to / _PAGE, html_page.render(found))
    if as_json:
        _put_json(summary, context, report_to)
    else:
        _show(summary, context, report_to)
    return int(summary.exit)


def _put_json(summary: Summary, context: Context, report_to: Path | None) -> None:
    """Print the results as one object; a failure has the members of its line in the report."""
    command = list(summary.command)
    failures = [ndjson.record(result, command) for result in summary.results if result.fails]
    console.put_json(
        "conformance-run",
        {
            "exit": int(summary.exit),
            "suite": context.version,
            "vectors": context.vectors,
            "command": command,
            "implementation": ndjson.implementation(summary.hello),
            "cases": len(summary.results),
            "asked": summary.asked,
            "counts": summary.counts,
            "failures": failures,
            "dead_patterns": list(summary.dead_patterns),
            "unknown_features": context.unknown_features(summary.hello),
            "claim": claim.lines(summary, context, cases.shipped().cases),
            "refusal": summary.refusal,
            "report": None if report_to is None else str(report_to),
        },
    )


def _show(summary: Summary, context: Context, report_to: Path | None) -> None:
    """Print the results."""
    if summary.hello is not None:
        hello = summary.hello
        typer.echo(visible(f"{hello.name} {hello.version} ({hello.language})"))
        for line in context.unknown_features(hello):
            typer.echo(line)
    if summary.refusal:
        typer.echo(f"{shlex.join(summary.command)}: {summary.refusal}")
    # What was refused as a whole has been said, and is no failure of each case.
    failures = [
        result
        for result in summary.results
        if result.fails
        and not (result.outcome is Outcome.NOT_RUN and result.detail == summary.refusal)
    ]
    for result in failures[:_SHOWN]:
        typer.echo(f"{result.outcome.value:9} {result.case.id}: {_why(result)}")
        typer.echo(f"          {reproduction(result.case.id, summary.command)}")
    if len(failures) > _SHOWN:
        typer.echo(f"… and {len(failures) - _SHOWN} more")
    for pattern in summary.dead_patterns:
        typer.echo(f"known failure {pattern}: matches no case that was to run")
    counts = ", ".join(f"{count} {verdict}" for verdict, count in summary.counts.items())
    typer.echo(f"{len(summary.results)} cases: {counts}")
    typer.echo(f"vectors sha256 {context.vectors}")
    for line in claim.lines(summary, context, cases.shipped().cases):
        typer.echo(visible(line))
    if report_to is not None:
        typer.echo(f"report: {report_to / 'index.html'}")


def _why(result: Result) -> str:
    return result.detail or f"passes, and is listed as known: {result.known}"


def play(
    command: Command,
    ratings: Annotated[
        Path,
        typer.Option("--ratings", metavar="R", help="The ratings.", show_default=False),
    ],
    roles: Annotated[
        str,
        typer.Option(
            "--roles",
            metavar="ROLES",
            help="What the adapter plays: some of users, recsys and csp, with commas between.",
            show_default=False,
        ),
    ],
    params: options.ParametersFile = None,
    suite: Annotated[
        str,
        typer.Option(
            "--suite",
            metavar="SUITE",
            help="Keys of toy length: paillier-512-insecure or rlwe-64-insecure.",
        ),
    ] = "paillier-512-insecure",
    catalogue: options.CatalogueFile = None,
    user_list: options.UserListFile = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    deadline: Seconds = 30.0,
    trace: Trace = True,
    as_json: console.Json = False,
) -> int:
    """Play one run of your own parameters and ratings, with your party among ours.

    The suite plays the roles that you do not name, carries the messages, and holds what your party
    sends against the lengths that are due, and V against F_fix, bit for bit. If your adapter
    declares party.trace, the shares of both servers are put together after each stage, and the
    first stage, row and number that differ are named (chapter 7, "The trace").

    It is for toys: an adapter writes lines of JSON, keys are far too short, and a trace shows
    everything. All keys follow from a label, so that the same files are the same run again.

    Exit status: 0 bit exact; 1 not; 2 usage.

    Examples:
      ppmf conformance play --params P.toml --ratings R.csv --roles recsys -- node adapter.mjs
      ppmf conformance play --ratings R.csv --roles users,csp --suite rlwe-64-insecure -- ./mine
      ppmf conformance play --ratings R.csv --roles csp --json -- ./mine
    """
    case = own_case(
        ratings,
        params,
        roles,
        suite,
        (catalogue, user_list),
        (columns, separator, duplicates, rounding),
    )
    deadlines = Deadlines(hello=max(HELLO_SECONDS, deadline), call=deadline)
    return run_own(case, command, deadlines, trace=trace, as_json=as_json)


def check_adapter(
    command: Command,
    deadline: Seconds = 30.0,
    as_json: console.Json = False,
) -> int:
    """Check an adapter by itself: its lines, their order and its end, but not its arithmetic.

    Exit status: 0 fit to be asked; 1 not; 2 usage.
    """
    deadlines = Deadlines(hello=max(HELLO_SECONDS, deadline), call=deadline)
    findings = []
    for finding in adapter_check.check(command, cases.shipped().cases, deadlines):
        findings.append(finding)
        if as_json:
            continue
        typer.echo(f"{'no ' if finding.fault else 'yes'}  {finding.what}")
        if finding.fault:
            typer.echo(f"     {finding.fault}")
    failed = any(finding.fault for finding in findings)
    if as_json:
        told = [{"what": one.what, "fault": one.fault or None} for one in findings]
        console.put_json("adapter-check", {"fit": not failed, "findings": told})
    return int(Exit.FAILURE if failed else Exit.AS_EXPECTED)


def vectors(
    to: Annotated[
        Path | None,
        typer.Argument(metavar="[DIR]", help="Copy them there, to be read without Python."),
    ] = None,
    only: Only = [],  # noqa: B006 (typer copies it)
    as_json: console.Json = False,
) -> None:
    """List the cases, or copy the files of vectors and their schema into a folder.

    Examples:
      ppmf conformance vectors --only 'step/*'
      ppmf conformance vectors out && cd out && sha256sum -c SHA256SUMS
      ppmf conformance vectors out --only 'step/*'
    """
    shipped = cases.shipped()
    for one in only:
        if not shipped.pick([one]):
            raise RangeError(f"--only {one}: no case of that id")
    picked = shipped.pick(only)
    if to is None:
        if as_json:
            _put_vectors(picked, shipped.digest, None)
            return
        console.table(
            ["id", "level", "requirements", "what"],
            [[c.id, c.level, " ".join(c.requirements), c.comment] for c in picked],
        )
        return
    to.mkdir(parents=True, exist_ok=True)
    copied = cases.files_of_vectors(only)
    for name, content in copied.items():
        write_atomically(to / name, content)
    digest = hashlib.sha256(copied[cases.DIGESTS]).hexdigest()
    if as_json:
        _put_vectors(picked, digest, to)
        return
    typer.echo(f"{len(picked)} cases, sha256 {digest}")
    if only:
        console.note(f"a part of the vectors, whose own digest is {shipped.digest}")


def _put_vectors(listed: Sequence[Case], digest: str, folder: Path | None) -> None:
    """Print the cases as one object, with the folder that they were copied to."""
    told = [
        {
            "id": one.id,
            "op": one.op,
            "content": one.content,
            "level": one.level,
            "requirements": list(one.requirements),
            "what": one.comment,
        }
        for one in listed
    ]
    copied = None if folder is None else str(folder)
    console.put_json("vectors", {"sha256": digest, "folder": copied, "cases": told})


add(app, "run", run)
add(app, "play", play)
add(app, "check", check_adapter)
add(app, "vectors", vectors)
add(app, "api", api)
add(app, "transcript", transcript)
