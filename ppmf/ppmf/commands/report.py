# SPDX-License-Identifier: Apache-2.0
"""`ppmf report`: what became of a session at a server, and what it took."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from ppmf import console, serving
from ppmf_secure.session.private_files import private_folder
from ppmf_service.report import write_report
from ppmf_service.states import State


def report(
    settings: serving.ConfigFile,
    named: serving.SessionId = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out",
            metavar="DIR",
            help="The folder to write to. [default: reports, in the server's folder]",
            show_default=False,
        ),
    ] = None,
    as_json: console.Json = False,
) -> None:
    """Report on a session of a server: time and bytes by phase, memory, who took part, erasures.

    The server writes the same report by itself when a session has ended, and again when more of it
    is erased. Nothing in it is secret. The page is one file, which needs no network and no script.

    Files:
      DIR/SESSION.html   the page
      DIR/SESSION.json   the same for programs

    Examples:
      ppmf report --config recsys/recsys.toml
      ppmf report 3fa9c2 --config csp/csp.toml --out .
      ppmf report --config csp/csp.toml --json
    """
    with serving.storage(settings) as storage:
        rows = storage.sessions.all()
        row = rows[-1] if rows and named is None else None
        row = row or serving.chosen(storage.sessions, named, tuple(State))
        facts = storage.reports.facts(row.key)
        if as_json:
            console.put_json("service-report", facts)
            return
        if out is None:
            _, page = storage.reports.write(row.key)
        else:
            private_folder(out) if not out.exists() else None
            _, page = write_report(out, facts)
    _say(facts)
    console.say(f"wrote {page}")


def _say(facts: Any) -> None:
    """Show the phases of the last epoch."""
    console.facts(
        [
            ("session", f"{facts['session'][:12]}, {facts['state']}"),
            ("took part", _took_part(facts)),
        ]
    )
    if facts["epochs"]:
        last = facts["epochs"][-1]
        rows = [
            [
                one["phase"],
                console.seconds(one["seconds"]),
                console.size(one["bytes_sent"]),
                console.size(one["bytes_received"]),
            ]
            for one in last["phases"]
        ]
        console.say()
        console.say(
            f"epoch {last['epoch']}, {last['outcome']}, at most "
            f"{console.size(last['memory_bytes'])} of memory"
        )
        if (workers := last["workers"]) is not None:
            console.say(
                f"{workers['there']} of {workers['count']} workers at the end, at most "
                f"{console.size(workers['memory_bytes'])} of memory each, "
                f"{console.seconds(workers['cpu_seconds'])} of processor time"
            )
        console.table(["phase", "time", "sent", "received"], rows, right="time,sent,received")
    console.say()


def _took_part(facts: Any) -> str:
    if facts["admitted"] is None:
        return f"not decided, of {facts['users']:,} users"
    return f"{facts['admitted']:,} of {facts['users']:,} users"
