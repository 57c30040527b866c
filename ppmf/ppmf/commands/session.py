# SPDX-License-Identifier: Apache-2.0
"""`ppmf session`: the sessions of a server, for its operator."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options, serving
from ppmf.commands.train import InsecureTestKeys, SuiteName, check_name, chosen_suite, say_suite
from ppmf.data import id_lists, item_titles
from ppmf.data.columns import BY_USUAL_NAMES, Columns
from ppmf.data.columns import Role as Column
from ppmf.docstring_help import add
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.protocols.suite_choice import AUTOMATIC
from ppmf_secure.session import set_up
from ppmf_secure.session.session import NONCE_BYTES, Proposal, Session, default_least
from ppmf_service import keys, page
from ppmf_service.backup import check_place
from ppmf_service.session_rows import SessionRow
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_service.storage import Storage
from ppmf_service.trained_before import TRAINED_BEFORE
from ppmf_spec.errors import StateError
from ppmf_spec.files import write_atomically
from ppmf_spec.roles import CSP, RECSYS, Role

_ABOUT = """Agree with the other server on sessions, and look after them.

\b
RecSys' operator and CSP's operator, each on their own machine:
  ppmf session init recsys --role recsys      ppmf session init csp --role csp
Each gives the other its certificate (recsys.pem, csp.pem), and puts what they got beside their
configuration. After the enrolment (`ppmf enrol`) and with both servers running (`ppmf serve`):
  ppmf session propose --config recsys/recsys.toml --catalogue movies.csv --closes 7d
  ppmf session accept --config csp/csp.toml
"""

app = typer.Typer(rich_markup_mode=None, add_completion=False)

Server = Annotated[
    Role,
    typer.Option("--role", metavar="recsys|csp", help="Which server it is.", show_default=False),
]


@app.callback(invoke_without_command=True, help=_ABOUT)
def session(context: typer.Context) -> None:
    """Show the help if no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def init(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="A new folder.", show_default=False)
    ],
    role: Server,
) -> None:
    """Make a server's folder: its configuration, its signing key, its certificate for the peer.

    The signing key is what others know this server by, for as long as it runs. Keep a copy of it
    where nobody else can read it. A file that is there already is never replaced.

    Files:
      DIR/ROLE.toml       the configuration, to be edited
      DIR/signing.pem     the signing key, secret
      DIR/ROLE.pem        the certificate of the link, for the operator of the other server
      DIR/data/           the database and checkpoints, secret, made when they are needed

    Examples:
      ppmf session init recsys --role recsys
      ppmf session init csp --role csp
    """
    if role not in (RECSYS, CSP):
        raise typer.BadParameter("recsys or csp", param_hint="--role")
    point = serving.make_server(folder, role)
    written = folder / f"{role}.toml"
    console.say(f"made {written}, to be edited, and {folder / 'signing.pem'}, which is secret")
    console.say(f"give {folder / f'{role}.pem'} to the operator of {role.peer}; both of you")
    console.say(f"compare its fingerprint: {keys.fingerprint(point).hex()}")


def peer(
    certificate: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="The certificate that the other operator handed over.",
            show_default=False,
        ),
    ],
    settings: serving.ConfigFile,
    yes: serving.Yes = False,
) -> None:
    """Take the other server's certificate: at the beginning, and when its key was rotated.

    It is copied to `peer_certificate` of the configuration. A server that runs has to be started
    again to see it. No session may be under way with the peer's old key.

    Examples:
      ppmf session peer csp.pem --config recsys/recsys.toml
    """
    content, point = keys.read_certificate(certificate)
    with serving.storage(settings) as storage:
        place = storage.config.link.peer_certificate
        known = keys.read_certificate(place)[1] if place.exists() else None
        if known == point:
            console.say(f"{place} is this certificate already")
            return
        if known is not None:
            _check_none_active(storage)
        console.say(f"the fingerprint of {storage.config.role.peer}'s key:")
        console.say(keys.fingerprint(point).hex())
        if not yes:
            typer.confirm("Did its operator tell you the same, by another way?", abort=True)
        write_atomically(place, content)
    console.say(f"wrote {place}; start the server again if it runs")


def rotate_key(settings: serving.ConfigFile, yes: serving.Yes = False) -> None:
    """Give this server a new signing key, which is the key of the link as well.

    The server must not run, and no session may be under way. The other operator gets the new
    certificate and takes it with `ppmf session peer`; the link is down until then. Invitations
    name CSP's key: if it is CSP's, each user needs a new half of the enroller
    (`ppmf enrol codes --replace`). The old key stays beside the new one, under a name that ends
    in `.old`, until you erase it.

    Examples:
      ppmf session rotate-key --config csp/csp.toml
    """
    with serving.storage(settings) as storage, serving.stopped(storage.config):
        ours, role = storage.config, storage.config.role
        _check_none_active(storage)
        old = keys.read_signing_key(ours.signing_key, ours.passphrase)
        was = keys.fingerprint(keys.public_point(old)).hex()
        console.say(f"the fingerprint of the key that goes: {was}")
        if not yes:
            typer.confirm("Replace it by a new one?", abort=True)
        aside = ours.signing_key.with_name(f"{ours.signing_key.name}.{was[:12]}.old")
        passphrase = keys.read_passphrase(ours.passphrase)
        key = keys.make_signing_key(Coins.system())
        fresh = ours.signing_key.with_name(f"{ours.signing_key.name}.new")
        fresh.unlink(missing_ok=True)
        keys.write_signing_key(fresh, key, passphrase)
        # from here on one of the two is at its place, and the other under a name that says so
        ours.signing_key.replace(aside)
        fresh.replace(ours.signing_key)
        certificate = settings.with_name(f"{role}.pem")
        write_atomically(certificate, keys.link_certificate(key)[0])
    console.say(f"wrote {ours.signing_key} and {certificate}; the old key is {aside}")
    console.say(f"give {certificate} to the operator of {role.peer}, for `ppmf session peer`;")
    console.say(f"compare its fingerprint: {keys.fingerprint(keys.public_point(key)).hex()}")
    if role is CSP:
        console.say("each user needs a new half of the enroller: `ppmf enrol codes --replace`")


def moved(settings: serving.ConfigFile, yes: serving.Yes = False) -> None:
    """Say that a server's folder was moved, so that the server may run with it at its new place.

    A server notices when its database was copied, since an old copy must never be put back: what
    users withdrew would be there again, and a session could be trained twice. Say this only of a
    folder that was copied while the server did not run, if no other copy has run since.

    Examples:
      ppmf session moved --config recsys/recsys.toml
    """
    with serving.storage(settings) as storage, serving.stopped(storage.config):
        if not yes:
            typer.confirm(
                f"Is {storage.config.folder} as the server left it, and the only one?", abort=True
            )
        check_place(storage.database, moved=True)
    console.say("noted")


def _check_none_active(storage: Storage) -> None:
    waiting = storage.sessions.due()  # also those of which CSP has not the receipt yet
    active = sum(not row.state.final or row.state is State.FINISHED for row in waiting)
    if active:
        raise StateError(
            f"{active} sessions are not over; they are signed with the old key, so wait for them "
            "or give them up (`ppmf session abandon`)"
        )


def propose(
    settings: serving.ConfigFile,
    catalogue: Annotated[
        Path,
        typer.Option(
            "--catalogue",
            metavar="FILE",
            help="The public list of items: ids, one a line, or a table with a column of items.",
            show_default=False,
        ),
    ],
    closes: Annotated[
        str,
        typer.Option(
            "--closes",
            metavar="WHEN",
            help="When the intake of uploads closes: 90m, 12h, 7d from now, a time such as "
            "2030-01-31T12:00Z, or never, until you close it.",
        ),
    ] = "7d",
    expires: Annotated[
        str,
        typer.Option(
            "--expires", metavar="WHEN", help="When all of it has to be over and is erased."
        ),
    ] = "30d",
    user_list: Annotated[
        Path | None,
        typer.Option(
            "--user-list",
            metavar="FILE",
            help="The pseudonyms of the users, one a line. [default: all who are enrolled]",
            show_default=False,
        ),
    ] = None,
    params: options.ParametersFile = None,
    suite: SuiteName = AUTOMATIC,
    least: Annotated[
        int,
        typer.Option(
            "--least",
            metavar="N",
            help="How many users have to take part. [default: half of them, and at least 20]",
            show_default=False,
            min=0,
        ),
    ] = 0,
    trial: Annotated[
        bool,
        typer.Option("--trial", help="Mark the session as a trial, which protects nobody."),
    ] = False,
    insecure_test_keys: InsecureTestKeys = False,
) -> None:
    """Propose a session to CSP, as RecSys.

    The running server (`ppmf serve recsys`) sends the proposal; once CSP's operator has accepted
    it, both sign, and users can upload until it closes.

    Examples:
      ppmf session propose --config recsys.toml --catalogue movies.csv
      ppmf session propose --config recsys.toml --catalogue movies.csv --closes 12h --least 100
    """
    check_name(suite, insecure_test_keys or trial)
    parameters = options.parameters(params)
    items = id_lists.read(catalogue, Column.ITEM, BY_USUAL_NAMES)
    with serving.storage(settings, RECSYS) as storage:
        ours = storage.config
        key = keys.read_signing_key(ours.signing_key, ours.passphrase)
        enrolled = storage.members.users()
        if user_list is not None:
            enrolled = id_lists.read(user_list, Column.USER, BY_USUAL_NAMES).ids
            if lacking := len(set(enrolled).difference(storage.members.enrolled("token"))):
                raise StateError(f"{user_list}: {lacking} of these users are not enrolled here")
        if not enrolled:
            raise StateError("no user is enrolled yet: see `ppmf enrol tokens`")
        now = storage.database.clock.now()
        closing = serving.moment(closes, now, "--closes")
        end = serving.moment(expires, now, "--expires")
        chosen = chosen_suite(suite, parameters, len(enrolled), len(items.ids))
        coins = Coins.system()
        proposal = Proposal(
            parameters,
            enrolled,
            items.ids,
            chosen.name,
            keys.public_point(key),
            coins.bytes(NONCE_BYTES),
            least or default_least(len(enrolled)),
            closing,
            end,
            (ours.api.public_url, ours.link.peer_url),
            trial=trial,
        )
        # whether it can be trained does not depend on who accepts it
        tried, _ = set_up.accept(key, coins)
        fitted_scheme(Session(proposal, tried), chosen)
        row = storage.sessions.propose(proposal)
        say_suite(suite, chosen.name, parameters, len(enrolled), len(items.ids))
        console.say(f"proposed session {row.key.hex()[:12]}")
        _show(proposal, row)
    console.note("`ppmf serve recsys` sends it to CSP, whose operator accepts it")


def accept(
    settings: serving.ConfigFile,
    named: serving.SessionId = None,
    yes: serving.Yes = False,
) -> None:
    """Accept a session that RecSys proposed, as CSP, and sign it.

    The facts that are shown are what you agree to: whose ratings are trained, on which items, and
    until when.

    Examples:
      ppmf session accept --config csp.toml
      ppmf session accept --config csp.toml 3fa9c2 --yes
    """
    with serving.storage(settings, CSP) as storage:
        sessions, ours = storage.sessions, storage.config
        row = serving.chosen(sessions, named, (State.PROPOSED,))
        proposal = sessions.proposal(row.key)
        _show(proposal, row)
        _show_last(sessions, row)
        if not yes:
            typer.confirm("Accept and sign this session?", abort=True)
        key = keys.read_signing_key(ours.signing_key, ours.passphrase)
        found = sessions.accept(row.key, key, Coins.system(), peer=ours.link.peer_key)
    console.say(f"accepted session {found.hex()}")


def confirm(
    settings: serving.ConfigFile,
    named: serving.SessionId = None,
    yes: serving.Yes = False,
) -> None:
    """Let a training of a catalogue that was trained before begin, as CSP.

    Two trainings that differ in a few users may show what these few rated, to whoever compares
    the two results. So CSP waits here until its operator has seen how many users differ. What is
    confirmed is what was shown: if others are to take part by then, CSP waits again.

    Examples:
      ppmf session confirm --config csp.toml
    """
    with serving.storage(settings, CSP) as storage:
        row = serving.chosen(storage.sessions, named, (State.CLOSED,))
        if row.shown is not None and row.confirmed == row.shown:
            console.say(f"session {row.key.hex()[:12]} is confirmed already")
            return
        told = "" if row.last_error is None else row.last_error[1]
        if row.shown is None or not told.startswith(TRAINED_BEFORE):
            raise StateError(
                f"session {row.key.hex()[:12]}: nothing to confirm; if these items were trained "
                "before, csp says so once it has examined who takes part"
            )
        console.say(told)
        if not yes:
            typer.confirm("Let the training begin?", abort=True)
        storage.sessions.confirm(row.key, row.shown)
        console.say(f"confirmed session {row.key.hex()[:12]}")


def close(
    settings: serving.ConfigFile,
    named: serving.SessionId = None,
    yes: serving.Yes = False,
) -> None:
    """Close the intake of uploads now, as RecSys.

    Whoever has not uploaded by now does not take part.

    Examples:
      ppmf session close --config recsys.toml
    """
    with serving.storage(settings, RECSYS) as storage:
        row = serving.chosen(storage.sessions, named, (State.OPEN,))
        present = storage.uploads.count(row.key)
        console.say(f"session {row.key.hex()[:12]}: {present} of {row.users} users are present")
        if not yes:
            typer.confirm("Close its intake?", abort=True)
        present = storage.uploads.freeze(row.key, because="closed by the operator")
        console.say(f"closed, with {present} users")


def titles(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="A table with columns of items and of titles, u.item or movies.dat.",
            show_default=False,
        ),
    ],
    settings: serving.ConfigFile,
    columns: options.ColumnNames = None,
) -> None:
    """Let the page for users show the titles of items, at RecSys.

    RecSys serves a page on which users search and rate items. Without titles it shows their ids.
    Everybody can fetch the titles; nothing but what is shown depends on them. The same command
    again replaces them, also while the server runs.

    Examples:
      ppmf session titles movies.csv --config recsys.toml
    """
    named = BY_USUAL_NAMES if columns is None else Columns.parse(columns)
    with serving.storage(settings, RECSYS) as storage:
        found = item_titles.read(table, named, console.note)
        written = page.write_titles(storage.config.folder, found)
    console.say(f"{len(found):,} titles are on the page now, from {written}")


def abandon(
    settings: serving.ConfigFile,
    named: serving.SessionId = None,
    waiting: Annotated[
        bool,
        typer.Option("--waiting", help="All proposals that nobody has accepted, instead of one."),
    ] = False,
    because: Annotated[
        str, typer.Option("--because", metavar="TEXT", help="The reason, for the record.")
    ] = "given up by the operator",
    yes: serving.Yes = False,
) -> None:
    """Give a session up; what users sent is erased.

    Examples:
      ppmf session abandon --config recsys.toml 3fa9c2
      ppmf session abandon --config csp.toml --waiting
    """
    running = tuple(state for state in State if not state.final)
    with serving.storage(settings) as storage:
        if waiting:
            if named is not None:
                raise typer.BadParameter(
                    "it stands in the place of a session", None, None, "--waiting"
                )
            rows = [one for one in storage.sessions.active() if one.state is State.PROPOSED]
            asked = f"Give {len(rows)} proposals up for good?"
        else:
            rows = [serving.chosen(storage.sessions, named, running)]
            asked = f"Give session {rows[0].key.hex()[:12]} up for good?"
        if rows and not yes:
            typer.confirm(asked, abort=True)
        for row in rows:
            storage.sessions.move(row.key, State.ABANDONED, because=because)
            console.say(f"abandoned session {row.key.hex()[:12]}")
        if not rows:
            console.say("no proposal waits")
            return
    console.note("the running server tells the other one, and erases what is secret")


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
            _show(storage.sessions.proposal(row.key), row)
        console.facts(
            (name, str(value))
            for name, value in _facts(storage, row).items()
            if value is not None and name not in _OF_PROPOSAL
        )
        for event in storage.sessions.events(row.key):
            because = f"  ({event.because})" if event.because else ""
            console.say(f"{serving.shown_moment(event.at)}  {event.state}{because}")


_OF_PROPOSAL = ("users", "items", "closes", "expires", "trial")


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


def _show(proposal: Proposal, row: SessionRow) -> None:
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


def _show_last(sessions: Sessions, row: SessionRow) -> None:
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


for _name, _command in (
    ("init", init),
    ("peer", peer),
    ("rotate-key", rotate_key),
    ("moved", moved),
    ("propose", propose),
    ("accept", accept),
    ("list", listed),
    ("show", show),
    ("close", close),
    ("titles", titles),
    ("confirm", confirm),
    ("abandon", abandon),
):
    add(app, _name, _command)
