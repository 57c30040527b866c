# SPDX-License-Identifier: Apache-2.0
"""`ppmf session`: the sessions of a server, for its operator."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options, serving
from ppmf.commands.session_folder import clock, init, moved, peer, rotate_key
from ppmf.commands.session_shown import listed, show, show_agreed, show_last
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
from ppmf_service.states import State
from ppmf_service.trained_before import TRAINED_BEFORE
from ppmf_spec.errors import StateError
from ppmf_spec.roles import CSP, RECSYS

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


@app.callback(invoke_without_command=True, help=_ABOUT)
def session(context: typer.Context) -> None:
    """Show the help if no command is named."""
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


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
        show_agreed(proposal, row)
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
        show_agreed(proposal, row)
        show_last(sessions, row)
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
    the two results. So CSP waits here until its operator has seen how many users differ from those
    of each earlier training. What is
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
        found = storage.sessions.shown_differences(row.key)
        if len(found) > 1:
            console.table(
                ["compared with", "joined", "left", "stayed"],
                [
                    [one.earlier.hex()[:12], f"{one.joined}", f"{one.left}", f"{one.stayed}"]
                    for one in found
                ],
            )
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


for _name, _command in (
    ("init", init),
    ("peer", peer),
    ("rotate-key", rotate_key),
    ("moved", moved),
    ("clock", clock),
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
