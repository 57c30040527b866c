# SPDX-License-Identifier: Apache-2.0
"""`ppmf status`: what each session of a server waits for, since when, and for whom."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import httpx
import typer

from ppmf import console, serving
from ppmf_service.config import Listen
from ppmf_service.sessions import SessionRow
from ppmf_service.states import State
from ppmf_service.storage import Storage
from ppmf_spec.roles import CSP, RECSYS

_PATIENCE = 2.0
"""The seconds within which the server's program has to answer."""


def status(
    settings: serving.ConfigFile,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the sessions that have ended, but for the last.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Show what each session of a server waits for, since when, and for whom.

    It reads the server's database, so it answers whether the server runs or not, and says which.
    Exit status 1 if the server does not run, or a session has met an error.

    Examples:
      ppmf status --config recsys/recsys.toml
      ppmf status --config csp/csp.toml --json
    """
    with serving.storage(settings) as storage:
        runs = _runs(storage.config.monitoring)
        rows = storage.sessions.all()
        shown = [row for row in rows if everything or not row.state.final] or rows[-1:]
        now = storage.database.clock.now()
        if as_json:
            found = [_facts(storage, row, now) for row in shown]
            console.put_json(
                "status", {"role": storage.config.role, "running": runs, "sessions": found}
            )
        else:
            _say(storage, shown, now, runs=runs)
    if not runs or any(row.last_error and row.state is not State.ABANDONED for row in shown):
        raise typer.Exit(1)


def _say(storage: Storage, shown: list[SessionRow], now: int, *, runs: bool) -> None:
    role = storage.config.role
    started = f"no: `ppmf serve {role}` starts it"
    console.facts([("server", role), ("running", "yes" if runs else started)])
    if not shown:
        console.say()
        console.say("There is no session yet.")
    for row in shown:
        console.say()
        console.say(f"Session {row.key.hex()[:12]}", style="bold")
        facts = [
            ("state", f"{row.state}, since {_ago(row.since, now)}"),
            ("waits for", _waits_for(storage, row, now)),
            ("users", _users(storage, row)),
        ]
        if row.total and row.state in (State.SETTING_UP, State.TRAINING):
            facts.append(("training", f"{row.phase}, {row.done} of {row.total} half-steps"))
            facts.append(("epoch", f"{row.epoch}"))
        if row.last_error is not None:
            facts.append(("last error", ": ".join(row.last_error)))
        facts += list(_erasure(row, now))
        console.facts(facts)


def _waits_for(storage: Storage, row: SessionRow, now: int) -> str:
    """For what a session waits at this server, and for whom."""
    role, config = storage.config.role, storage.config
    peer = role.peer
    match row.state:
        case State.PROPOSED if role is CSP:
            return "you: look at it and accept it, `ppmf session accept`"
        case State.PROPOSED:
            return f"{peer}: its operator has to accept the session"
        case State.ACCEPTED:
            return f"{peer}: its signature"
        case State.OPEN if role is CSP:
            return f"{peer}: the closing of the intake{_closes(row, now)}"
        case State.OPEN:
            missing = row.users - storage.uploads.count(row.key)
            if missing:
                return f"users: {missing} of {row.users} have not uploaded{_closes(row, now)}"
            return f"users who replace their uploads, for at most {config.policy.grace} s"
        case State.CLOSED if role is CSP and row.to_confirm:
            return "you: look at the last error, then `ppmf session confirm`"
        case State.CLOSED if role is CSP:
            return f"nothing: {role} examines the uploads{_closes(row, now)}"
        case State.CLOSED:
            return f"{peer}: whom it admits{_closes(row, now)}"
        case State.SETTING_UP:
            return f"{peer}: the exchange of keys and encrypted rows"
        case State.TRAINING:
            return "nothing: both servers train"
        case State.FINISHED | State.FAILED | State.ABANDONED:
            return "nothing: it has ended"


def _closes(row: SessionRow, now: int) -> str:
    if not row.closes:
        return "; it is closed by RecSys' operator"
    if row.closes <= now:
        return f"; it closed {_ago(row.closes, now)}"
    return f"; it closes in {_lasting(row.closes - now)}"


def _users(storage: Storage, row: SessionRow) -> str:
    if row.admitted_count is not None:
        return f"{row.admitted_count:,} of {row.users:,} take part"
    if storage.config.role is RECSYS and row.state is State.OPEN:
        return f"{storage.uploads.count(row.key):,} of {row.users:,} have uploaded"
    return f"{row.users:,} are invited"


def _erasure(row: SessionRow, now: int) -> Iterator[tuple[str, str]]:
    if row.erased is not None:
        yield "erased", f"secrets, {_ago(row.erased, now)}"
    elif row.expires:
        when = _ago(row.expires, now) if row.expires <= now else f"in {_lasting(row.expires - now)}"
        yield "expires", when


def _facts(storage: Storage, row: SessionRow, now: int) -> dict[str, object]:
    return {
        "session": row.key.hex(),
        "state": row.state,
        "since": row.since,
        "waits_for": _waits_for(storage, row, now),
        "users": row.users,
        "present": storage.uploads.count(row.key) if storage.config.role is RECSYS else None,
        "admitted": row.admitted_count,
        "phase": row.phase or None,
        "half_steps": [row.done, row.total],
        "epoch": row.epoch,
        "closes": row.closes or None,
        "expires": row.expires or None,
        "erased": row.erased,
        "error": None if row.last_error is None else ": ".join(row.last_error),
    }


def _runs(monitoring: Listen) -> bool:
    """Whether the server's program answers its operator."""
    url = f"http://{_host(monitoring.host)}:{monitoring.port}/readyz"
    try:
        return httpx.get(url, timeout=_PATIENCE, trust_env=False).status_code == 200
    except httpx.HTTPError:
        return False


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _ago(then: int, now: int) -> str:
    return f"{serving.shown_moment(then)} ({_lasting(max(0, now - then))} ago)"


def _lasting(seconds: int) -> str:
    """A span of time in its two largest units."""
    units = [
        (seconds // 86_400, "d"),
        (seconds // 3600 % 24, "h"),
        (seconds // 60 % 60, "min"),
        (seconds % 60, "s"),
    ]
    while len(units) > 1 and not units[0][0]:
        units.pop(0)
    return " ".join(f"{count} {unit}" for count, unit in units[:2])
