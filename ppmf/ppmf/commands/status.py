# SPDX-License-Identifier: Apache-2.0
"""`ppmf status`: what each session of a server waits for, since when, for whom, and what comes."""

from __future__ import annotations

import math
import shutil
import time
from collections.abc import Iterator
from typing import Annotated

import httpx
import typer

from ppmf import console, serving
from ppmf_service import clock_watch, health
from ppmf_service.config import Listen
from ppmf_service.measures import seconds_left
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_service.storage import Storage
from ppmf_spec.roles import CSP, RECSYS

_PATIENCE = 2.0
"""The seconds within which the server's program has to answer."""

_WATCH_SECONDS = 2.0
_LITTLE_DISK = 1 << 30
"""Below so many bytes, the operator is told that the disk is nearly full."""

_CLEAR = "\x1b[H\x1b[2J"


def status(
    settings: serving.ConfigFile,
    everything: Annotated[
        bool, typer.Option("--all", help="Also the sessions that have ended, but for the last.")
    ] = False,
    watch: Annotated[
        bool, typer.Option("--watch", help="Show it again every two seconds, until Ctrl-C.")
    ] = False,
    as_json: console.Json = False,
) -> None:
    """Show what each session of a server waits for, since when, for whom, and what happens next.

    It reads the server's database, so it answers whether the server runs or not, and says which.
    Exit status 1 if the server does not run, its clock is in doubt, or a session has met an error.

    Examples:
      ppmf status --config recsys/recsys.toml
      ppmf status --config csp/csp.toml --watch
      ppmf status --config csp/csp.toml --json
    """
    if watch and as_json:
        raise typer.BadParameter("--watch and --json exclude each other")
    while watch:
        with serving.storage(settings) as storage:
            typer.echo(_CLEAR, nl=False)
            _look(storage, everything=everything)
        time.sleep(_WATCH_SECONDS)
    with serving.storage(settings) as storage:
        if not _look(storage, everything=everything, as_json=as_json):
            raise typer.Exit(1)


def _look(storage: Storage, *, everything: bool, as_json: bool = False) -> bool:
    """Show it once; whether the server runs and no session has met an error."""
    runs = _runs(storage.config.monitoring)
    rows = storage.sessions.all()
    shown = [row for row in rows if everything or not row.state.final] or rows[-1:]
    now = storage.database.clock.now()
    if as_json:
        link = storage.measures.last_link() if runs else None
        content: dict[str, object] = {
            "role": storage.config.role,
            "running": runs,
            "engine": health.trouble(storage.config.folder) or None,
            "link": None if link is None else {"up": link.up, "since": link.at, "why": link.why},
            "disk_free": _free(storage),
            "clock_doubt": _doubt(storage) or None,
            "sessions": [_facts(storage, row, now) for row in shown],
        }
        console.put_json("status", content)
    else:
        _say(storage, shown, now, runs=runs)
    if health.trouble(storage.config.folder) or _doubt(storage):
        return False
    return runs and not any(row.last_error and row.state is not State.ABANDONED for row in shown)


def _say(storage: Storage, shown: list[SessionRow], now: int, *, runs: bool) -> None:
    role = storage.config.role
    free = _free(storage)
    console.facts(
        [
            ("server", f"{role}, {'runs' if runs else 'does not run'}"),
            ("link", _link(storage, now) if runs else "unknown while the server does not run"),
            (
                "disk",
                f"{console.size(free)} free" + (": too little" if free < _LITTLE_DISK else ""),
            ),
        ]
    )
    if told := health.trouble(storage.config.folder):
        console.say(f"{told[0].upper()}{told[1:]}.")
    if left := _doubt(storage):
        console.say(
            "The clock has leapt: nothing is closed, given up or erased because of a time for "
            f"{_lasting(left)} more, while the server runs. If {serving.shown_moment(now)} is "
            "right, say so: `ppmf session clock`."
        )
    if not runs:
        console.say(f"`ppmf serve {role}` starts it.")
    if not shown:
        console.say()
        console.say("There is no session yet.")
    for row in shown:
        console.say()
        trial = ", a trial" if row.trial else ""
        console.say(f"Session {row.key.hex()[:12]}: {row.state}{trial}", style="bold")
        facts = [
            ("since", _ago(row.since, now)),
            ("waits for", _waits_for(storage, row)),
            ("next", _next(storage, row, now)),
            ("users", _users(storage, row)),
        ]
        if row.state in (State.SETTING_UP, State.TRAINING):
            facts += list(_training(storage, row))
        if row.last_error is not None:
            facts.append(("last error", ": ".join(row.last_error)))
        facts += list(_erasure(row, now))
        console.facts(facts)


def _link(storage: Storage, now: int) -> str:
    link, peer = storage.measures.last_link(), storage.config.role.peer
    if link is None:
        return f"{peer} was not there yet"
    if link.up:
        return f"{peer} is there, since {_ago(link.at, now)}"
    why = f": {link.why}" if link.why else ""
    return f"{peer} is not there, since {_ago(link.at, now)}{why}"


def _waits_for(storage: Storage, row: SessionRow) -> str:
    """For whom a session waits at this server, and for what."""
    role, peer = storage.config.role, storage.config.role.peer
    match row.state:
        case State.PROPOSED if role is CSP:
            return "you: look at it and accept it, `ppmf session accept`"
        case State.PROPOSED:
            return f"{peer}: its operator has to accept the session"
        case State.ACCEPTED:
            return f"{peer}: its signature"
        case State.OPEN if role is CSP:
            return f"{peer}: the closing of the intake"
        case State.OPEN:
            missing = row.users - storage.uploads.count(row.key)
            if missing:
                return f"users: {missing:,} of {row.users:,} have not uploaded"
            return "users who replace their uploads"
        case State.CLOSED if role is CSP and row.to_confirm:
            return "you: look at the last error, then `ppmf session confirm`"
        case State.CLOSED if role is CSP:
            return "nobody: this server examines the uploads"
        case State.CLOSED:
            return f"{peer}: whom it admits"
        case State.SETTING_UP:
            return f"{peer}: the exchange of keys and encrypted rows"
        case State.TRAINING:
            return "nobody: both servers train"
        case State.FINISHED if role is RECSYS and row.receipt is None and row.buried is None:
            return f"{peer}: that it has the receipt of V"
        case State.FINISHED | State.FAILED | State.ABANDONED:
            return "nobody: it has ended"


def _next(storage: Storage, row: SessionRow, now: int) -> str:
    """What happens next, and by when."""
    expires = f"; given up {_in(row.expires, now)} if not" if row.expires else ""
    match row.state:
        case State.PROPOSED | State.ACCEPTED:
            return f"both servers sign it, and users can upload{expires}"
        case State.OPEN if storage.config.role is RECSYS and (
            row.users == storage.uploads.count(row.key)
        ):
            grace = storage.config.policy.grace
            return f"the intake closes within {_lasting(grace)}, since all have uploaded"
        case State.OPEN:
            when = f"{_in(row.closes, now)}, or " if row.closes else ""
            by_hand = "" if row.closes else ", or when you close it: `ppmf session close`"
            by_hand = by_hand if storage.config.role is RECSYS else ""
            return f"the intake closes {when}when all have uploaded{by_hand}"
        case State.CLOSED if row.closes > now and storage.config.role is CSP:
            return f"the admission, and the training, {_in(row.closes, now)} at the latest"
        case State.CLOSED:
            return f"the training{expires}"
        case State.SETTING_UP:
            return f"the half-steps{expires}"
        case State.TRAINING:
            return f"the item profiles{expires}"
        case State.FINISHED if row.erased is None:
            return "the erasure of its secrets"
        case State.FINISHED | State.FAILED | State.ABANDONED:
            if row.buried is None and row.expires:
                return f"all but a tombstone is erased {_in(row.expires, now)}"
            return "nothing"


def _training(storage: Storage, row: SessionRow) -> Iterator[tuple[str, str]]:
    """How far the training is, how fast it goes, and about how long it still takes."""
    if not row.total:
        return
    yield "half-step", f"{row.done} of {row.total}, {row.phase}; epoch {row.epoch}"
    if (workers := storage.measures.running_workers()) is not None:
        yield (
            "workers",
            f"{workers.there} of {workers.count} are there, "
            f"{_ago(workers.at, storage.database.clock.now())}; at most "
            f"{console.size(workers.memory)} each",
        )
    samples = storage.measures.samples(row.number, row.epoch)
    left = seconds_left(samples)
    if left is not None and row.total > row.done:
        each = left / (row.total - row.done)
        yield (
            "pace",
            f"{console.seconds(each)} a half-step, about {_lasting(round(left) or 1)} to go",
        )
    if samples:
        last = samples[-1]
        yield (
            "traffic",
            f"{console.size(last.bytes_sent)} sent, {console.size(last.bytes_received)} received",
        )


def _users(storage: Storage, row: SessionRow) -> str:
    if row.admitted_count is not None:
        took = "took" if row.state.final else "take"
        return f"{row.admitted_count:,} of {row.users:,} {took} part"
    if storage.config.role is RECSYS and row.state is State.OPEN:
        return f"{storage.uploads.count(row.key):,} of {row.users:,} have uploaded"
    return f"{row.users:,} are invited"


def _erasure(row: SessionRow, now: int) -> Iterator[tuple[str, str]]:
    if row.erased is not None:
        yield "erased", f"its secrets, {_ago(row.erased, now)}"
    if row.buried is not None:
        yield "", f"all else but the tombstone, {_ago(row.buried, now)}"


def _facts(storage: Storage, row: SessionRow, now: int) -> dict[str, object]:
    training = row.state in (State.SETTING_UP, State.TRAINING)
    left = seconds_left(storage.measures.samples(row.number, row.epoch)) if training else None
    workers = storage.measures.running_workers() if training else None
    return {
        "session": row.key.hex(),
        "state": row.state,
        "since": row.since,
        "waits_for": _waits_for(storage, row),
        "next": _next(storage, row, now),
        "users": row.users,
        "present": storage.uploads.count(row.key) if storage.config.role is RECSYS else None,
        "admitted": row.admitted_count,
        "phase": row.phase or None,
        "half_steps": [row.done, row.total],
        "workers": None if workers is None else {"count": workers.count, "there": workers.there},
        "seconds_left": None if left is None else round(left),
        "epoch": row.epoch,
        "closes": row.closes or None,
        "expires": row.expires or None,
        "erased": row.erased,
        "error": None if row.last_error is None else ": ".join(row.last_error),
    }


def _doubt(storage: Storage) -> int:
    """For how many seconds more the clock is in doubt, if nobody speaks; 0 for none."""
    found = clock_watch.noted(storage.database)
    return 0 if found is None else math.ceil(found.left)


def _free(storage: Storage) -> int:
    return shutil.disk_usage(storage.config.folder).free


def _runs(monitoring: Listen) -> bool:
    """Whether the server's program answers its operator."""
    url = f"http://{_host(monitoring.host)}:{monitoring.port}/readyz"
    try:
        return httpx.get(url, timeout=_PATIENCE, trust_env=False).status_code in (200, 503)
    except httpx.HTTPError:
        return False


def _host(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _ago(then: int, now: int) -> str:
    return f"{serving.shown_moment(then)} ({_lasting(max(0, now - then))} ago)"


def _in(then: int, now: int) -> str:
    if then <= now:
        return "now"
    return f"in {_lasting(then - now)}"


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
