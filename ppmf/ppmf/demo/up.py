# SPDX-License-Identifier: Apache-2.0
"""`ppmf up`: a working pair of servers on this machine, and if wanted all their users."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options
from ppmf.commands import audit as audit_command
from ppmf.commands import oracle
from ppmf.commands import train as training
from ppmf.data import rating_sources
from ppmf.data.rating_tables import Duplicates
from ppmf.demo import checks, slices
from ppmf.pair import Pair
from ppmf_audit import Finding, audit
from ppmf_reference import fixed
from ppmf_secure.protocols.suite_choice import AUTOMATIC
from ppmf_secure.protocols.upload import user_rows
from ppmf_service.client import UserClient, new_http
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_spec.errors import StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.profiles import ItemProfiles
from ppmf_spec.ratings import Ratings
from ppmf_spec.roles import CSP, RECSYS

_LINKS = 3
"""Of how many users the links are shown."""

_INTAKE_IS_OVER = (State.CLOSED, State.SETTING_UP, State.TRAINING, State.FINISHED)


def up(
    folder: Annotated[
        Path,
        typer.Option(
            "--folder",
            metavar="DIR",
            help="All that both servers have: keys, databases, logs, and the invitations.",
        ),
    ] = Path("ppmf-pair"),
    play_users: Annotated[
        bool,
        typer.Option(
            "--play-users",
            help="Also play all users: upload what they rated, wait for V, and check it.",
        ),
    ] = False,
    audited: Annotated[
        bool,
        typer.Option(
            "--audit/--no-audit",
            help="With --play-users: keep all that is sent, and audit it when V is there.",
        ),
    ] = True,
    data_path: slices.DataPath = None,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    users: slices.Users = None,
    items: slices.Items = None,
    rank: slices.Rank = None,
    iterations: slices.Iterations = None,
    suite: training.SuiteName = AUTOMATIC,
    insecure_test_keys: training.InsecureTestKeys = False,
) -> None:
    """Start both servers on this machine, with a session and invitations: a trial.

    RecSys and CSP are two processes with a folder each. They agree on a session, are linked over
    TLS, and take uploads over HTTP on 127.0.0.1, as they would on two machines of two companies;
    on one machine they protect nobody. Ctrl-C ends both, and the same command starts them again.

    With --play-users every user of the data set uploads over HTTP. V is then fetched as a user
    does, and compared with the training in the clear, and what all parties sent is audited, as
    `ppmf demo` does; exit status 1 if a check fails.

    Files:
      DIR/recsys/, DIR/csp/     configuration, keys, database and log of each server
      DIR/invitations/USER.txt  both halves of a user's invitation
      DIR/transcripts/          with --play-users: what each party sent and received

    Examples:
      ppmf up
      ppmf up --play-users
      ppmf up --play-users --users 943 --items 1682 --rank 10 --iterations 8 --folder whole
      ppmf submit mine.csv --trial --invitation ppmf-pair/invitations/USER.txt
      ppmf status --config ppmf-pair/recsys/recsys.toml
    """
    training.check_name(suite, insecure_test_keys)
    size = slices.DemoSize.of(suite)
    parameters = Parameters(
        rank=size.rank if rank is None else rank,
        iterations=size.iterations if iterations is None else iterations,
    )
    source = rating_sources.find(
        data_path,
        reading=options.reading(columns, separator, duplicates, rounding),
        announce=console.say,
        note=console.note,
    )
    train, test = slices.split(source, users or size.rows, items or size.rows, parameters)
    chosen = training.chosen_suite(suite, parameters, train.n_users, train.n_items)
    training.say_suite(suite, chosen.name, parameters, train.n_users, train.n_items)
    pair = Pair(folder)
    if not pair.made:
        pair.make()
    if not pair.users():
        pair.enrol(train.n_users)
    pair.write_titles({item: source.titles.get(item, item) for item in train.items})
    pair.keep_transcripts(play_users and audited)
    with pair.running():
        _say_where(pair)
        row = _session(pair, train, parameters, chosen.name)
        if play_users:
            published = _play(pair, row, train)
            _check(published, train, test, parameters, _audit(pair, row) if audited else None)
            return
        _say_how(pair, row)
        try:
            pair.until_state(row.key, (), lambda now: console.say(f"{_short(now)}  {_line(now)}"))
            console.say("It has ended; the servers still answer users, until Ctrl-C.")
            threading.Event().wait()
        except KeyboardInterrupt:
            console.note(f"`ppmf up --folder {folder}` starts both again")
            raise


def _session(pair: Pair, train: Ratings, params: Parameters, suite: str) -> SessionRow:
    """The session of this pair, which is agreed on now if it was not.

    Raises StateError for one of other items or parameters, which was meant for other ratings.
    """
    rows = pair.rows()
    if not rows and len(pair.users()) == train.n_users:
        rows = [pair.propose(params, pair.users(), train.items, suite)]
    if not rows or not pair.is_of(rows[-1], params, train.n_users, train.items, suite):
        raise StateError(
            f"{pair.folder}: its session is of other users, items or parameters than these: name "
            f"another folder"
        )
    if rows[-1].state is State.PROPOSED:
        pair.accept(rows[-1].proposed)
    if rows[-1].state.final:
        return rows[-1]
    return pair.until_state(rows[-1].key, (State.OPEN, *_INTAKE_IS_OVER), _silent)


def _play(pair: Pair, row: SessionRow, train: Ratings) -> ItemProfiles:
    """V, after all users have uploaded and both servers have trained."""
    session_id = row.key
    began = time.monotonic()
    if row.state is State.OPEN:
        by_pseudonym = zip(pair.users(), (each for _, each in user_rows(train)), strict=True)
        with console.iterations("uploads", train.n_users) as done:
            sent = pair.play(session_id, list(by_pseudonym), done)
        took = time.monotonic() - began
        console.say(
            f"{train.n_users:,} users uploaded {console.size(sent)} in {console.seconds(took)}"
        )
    began = time.monotonic()
    with _bar() as shown:
        pair.until_state(session_id, (State.FINISHED,), shown)
    console.say(f"V was there {console.seconds(time.monotonic() - began)} later")
    with new_http() as http:
        client = UserClient(pair.invitation(pair.users()[0]), http)
        published, data = client.profiles(client.session(session_id).session)
    console.say(f"fetched as a user does: {console.size(len(data))}")
    console.say()
    return published


def _audit(pair: Pair, row: SessionRow) -> Finding | None:
    """The audit of what all parties sent, as one finding; None if the servers kept nothing."""
    transcripts = pair.transcripts(row.key)
    if transcripts is None:
        console.note("the servers kept no transcripts of this session: there is no audit")
        return None
    findings = audit(transcripts)
    console.say("What the transcripts contain")
    audit_command.show(findings)
    console.say()
    return checks.audited(findings)


def _check(
    published: ItemProfiles,
    train: Ratings,
    test: Ratings,
    params: Parameters,
    audited: Finding | None,
) -> None:
    """Print the checks of V, and the one of the transcripts; exit status 1 if one failed."""
    with console.iterations("F_fix", params.iterations) as done:
        expected = fixed.train(train, params, on_iteration=done)
    errors = checks.held_out_errors(published, train, test, params)
    found = [
        checks.equality(published, expected),
        checks.distance(published, oracle.enclose(train, params)),
        *([audited] if audited else []),
        checks.useful(errors, len(test)),
    ]
    console.say("Checks")
    audit_command.show(found)
    if not all(one.ok for one in found):
        raise typer.Exit(1)


@contextmanager
def _bar() -> Iterator[Callable[[SessionRow], None]]:
    """Progress of a training, by half-steps."""
    with console.bars() as bars:

        def show(now: SessionRow) -> None:
            total = max(1, now.total)
            bars.show("training", now.done, total, now.phase or now.state, min(total, now.done + 1))

        yield show


def _say_where(pair: Pair) -> None:
    recsys, csp = pair.config(RECSYS), pair.config(CSP)
    console.facts(
        [
            ("RecSys", f"{recsys.api.public_url}, log {pair.folder / RECSYS / 'log.jsonl'}"),
            ("CSP", f"{csp.api.public_url}, log {pair.folder / CSP / 'log.jsonl'}"),
            ("link", f"TLS 1.3 at {csp.link.host}:{csp.link.port}"),
            ("trial", "both servers are on one machine: this protects nobody"),
        ]
    )
    console.say()


def _say_how(pair: Pair, row: SessionRow) -> None:
    console.say(f"Session {row.key.hex()}: {row.users:,} users, {row.items:,} items, {row.state}")
    console.say()
    console.say("Take part as one of the users: their links open the page, with their invitations:")
    for user in pair.users()[:_LINKS]:
        console.say_whole(f"  {pair.link(user)}")
    console.say("Or send ratings of your own without the page:")
    invitation = pair.invitations / f"{pair.users()[0]}.txt"
    console.say(f"  ppmf submit mine.csv --trial --invitation {invitation}")
    console.say("See what the session waits for:")
    console.say(f"  ppmf status --config {pair.folder / RECSYS / f'{RECSYS}.toml'}")
    console.say("Close the intake when those who want to take part have uploaded:")
    console.say(f"  ppmf session close --config {pair.folder / RECSYS / f'{RECSYS}.toml'}")
    console.say()


def _line(row: SessionRow) -> str:
    if row.total:
        return f"{row.state}: {row.phase}, {row.done} of {row.total} half-steps"
    return str(row.state)


def _short(row: SessionRow) -> str:
    return row.key.hex()[:12]


def _silent(_: SessionRow) -> None:
    """Show nothing."""
