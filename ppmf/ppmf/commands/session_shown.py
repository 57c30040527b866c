# SPDX-License-Identifier: Apache-2.0
"""`ppmf session`: what is shown of sessions."""

from __future__ import annotations

from dataclasses import asdict

from ppmf import console, serving
from ppmf_secure.session.session import Proposal
from ppmf_service import keys
from ppmf_service.session_rows import SessionRow
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_service.storage import Storage
from ppmf_spec.roles import RECSYS

_OF_PROPOSAL = ("users", "items", "closes", "expires", "trial")


def listed(settings: serving.ConfigFile, as_json: console.Json = False) -> None:
    """List all sessions of a server.

    Examples:
      ppmf session list --config csp.toml
      ppmf session list --config csp.toml --json
    """
    with serving.storage(settings) as storage:
        rows = storage.sessions.all()
        if as_json:
            console.put_json("sessions", {"sessions": [_facts(storage, row) for row in rows]})
            return
        shown = [
            [
                row.key.hex()[:12],
                row.state,
                serving.shown_moment(row.since),
                _present(storage, row),
                f"{row.items}",
                serving.shown_moment(row.expires),
            ]
            for row in rows
        ]
    console.table(["session", "state", "since", "users", "items", "expires"], shown)


def show(
    settings: serving.ConfigFile,
    named: serving.SessionId = None,
    as_json: console.Json = False,
) -> None:
    """Show one session: what was agreed on, and what became of it.

    Examples:
      ppmf session show --config csp.toml 3fa9c2
    """
    with serving.storage(settings) as storage:
        row = serving.chosen(storage.sessions, named, tuple(State))
        if as_json:
            console.put_json("session", _facts(storage, row))
            return
        if storage.sessions.has_proposal(row.key):
            show_agreed(storage.sessions.proposal(row.key), row)
        console.facts(
            (name, str(value))
            for name, value in _facts(storage, row).items()
            if value is not None and name not in _OF_PROPOSAL
        )
        for event in storage.sessions.events(row.key):
            because = f"  ({event.because})" if event.because else ""
            console.say(f"{serving.shown_moment(event.at)}  {event.state}{because}")


def show_agreed(proposal: Proposal, row: SessionRow) -> None:
    """What the operators agree on."""
    console.facts(
        (
            ("proposal", row.proposed.hex()),
            ("RecSys' key", keys.fingerprint(proposal.signing_key).hex()),
            ("users", f"{len(proposal.users)}, of whom {proposal.least} have to take part"),
            ("items", f"{len(proposal.items)}"),
            ("parameters", proposal.parameters.digest().hex()),
            ("suite", proposal.suite),
            ("closes", serving.shown_moment(proposal.closes)),
            ("expires", serving.shown_moment(proposal.expires)),
            ("addresses", " ".join(proposal.addresses)),
            ("trial", "yes: it protects nobody" if proposal.trial else "no"),
        )
    )


def show_last(sessions: Sessions, row: SessionRow) -> None:
    """Say whether the same catalogue was trained before."""
    before = [
        one
        for one in sessions.all()
        if one.catalogue == row.catalogue and one.state is State.FINISHED
    ]
    if before:
        console.say(
            f"these items were trained before, in session {before[-1].key.hex()[:12]} with "
            f"{before[-1].admitted_count} users; CSP will ask again once it knows who takes part"
        )


def _present(storage: Storage, row: SessionRow) -> str:
    if row.admitted_count is not None:
        return f"{row.admitted_count} of {row.users}"
    if storage.config.role is RECSYS and row.state is State.OPEN:
        return f"{storage.uploads.count(row.key)} of {row.users}"
    return f"{row.users}"


def _facts(storage: Storage, row: SessionRow) -> dict[str, object]:
    """What is shown of a session, for programs."""
    kept = asdict(row)
    for name in ("number", "admitted", "signed", "last_error", "shown", "told"):
        del kept[name]
    kept["confirmed"] = row.confirmed is not None
    shown = {
        name: value.hex() if isinstance(value, bytes) else value for name, value in kept.items()
    }
    shown["error"] = None if row.last_error is None else ": ".join(row.last_error)
    if storage.config.role is RECSYS and row.state is State.OPEN:
        shown["present"] = storage.uploads.count(row.key)
    return shown
