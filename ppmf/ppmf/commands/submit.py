# SPDX-License-Identifier: Apache-2.0
"""`ppmf submit`: a user's part in a training of two organisations."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, options
from ppmf.commands.recommend import own_ratings
from ppmf.data import rating_sources, rating_tables
from ppmf.data.rating_tables import Duplicates, Reading
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import Row
from ppmf_secure.session.invitations import MOST_CHARACTERS, Invitation, join, read_half
from ppmf_secure.session.session import Session
from ppmf_service import client, submission
from ppmf_service.client import Receipt, UserClient
from ppmf_service.user_folder import UserFolder
from ppmf_spec import ratings
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.files import read_text
from ppmf_spec.rating_files import RawRatings
from ppmf_spec.rating_scale import RatingScale

_ID_DIGITS = 64


def submit(
    ratings_file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[RATINGS]",
            help="Your own ratings, and no others. [default: those that were kept]",
            show_default=False,
        ),
    ] = None,
    invited: Annotated[
        list[str] | None,
        typer.Option(
            "--invitation",
            metavar="FILE",
            help="A file with one half of your invitation, or with both; - for standard input. "
            "Give it once for each half. [default: the invitation that was kept, or you are asked]",
            show_default=False,
        ),
    ] = None,
    folder: options.UserFolderOption = None,
    session_id: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="ID",
            help="The session, by its id. [default: the newest that is open]",
            show_default=False,
        ),
    ] = None,
    trial: Annotated[
        bool,
        typer.Option(
            "--trial",
            help="Send to a session that is marked as a trial too, which protects nobody.",
        ),
    ] = False,
    replace: Annotated[
        bool,
        typer.Option(
            "--replace",
            help="Let --invitation take the place of the one that is kept, as after a new half.",
        ),
    ] = False,
    withdraw: Annotated[
        bool, typer.Option("--withdraw", help="Withdraw what was sent, while the intake is open.")
    ] = False,
    status: Annotated[
        bool, typer.Option("--status", help="Ask what RecSys has, and how far the training is.")
    ] = False,
    forget: Annotated[
        bool,
        typer.Option("--forget", help="Remove what was kept on this machine, and send nothing."),
    ] = False,
    user: Annotated[
        str | None,
        typer.Option("--user", metavar="ID", help="Whose ratings, if RATINGS has several users'."),
    ] = None,
    ignore_unknown: Annotated[
        bool,
        typer.Option("--ignore-unknown", help="Leave out ratings of items that are not asked for."),
    ] = False,
    columns: options.ColumnNames = None,
    separator: options.Separator = None,
    duplicates: options.DuplicatesPolicy = Duplicates.REFUSE,
    rounding: options.Rounding = False,
    as_json: console.Json = False,
) -> None:
    """Send your ratings to a training, hidden from everybody.

    The session is fetched from both servers and checked against the invitation. Then one message
    leaves this machine, for RecSys: the ratings under a mask that RecSys does not know, and the
    seed of the mask sealed to CSP, which never sees the masked ratings. The invitation, the ratings
    and the message are kept in a folder that nobody else can read, so that trying again sends the
    same message again, and that a later session needs no more than `ppmf submit`.

    Other ratings replace what was sent before, until the intake closes. Which message RecSys uses
    rests on its honesty; --status shows what it says.

    A session that is marked as a trial protects nobody. Ratings are sent to one only if you say so,
    when you are asked or by --trial.

    Examples:
      ppmf submit mine.csv --invitation from-recsys.txt --invitation from-csp.txt
      ppmf submit
      ppmf submit --status
      ppmf submit --withdraw
      ppmf submit --forget
    """
    if sum((withdraw, status, forget)) > 1:
        raise typer.BadParameter("--withdraw, --status and --forget exclude each other")
    if (withdraw or status or forget) and ratings_file is not None:
        raise typer.BadParameter("RATINGS are for sending alone")
    kept = UserFolder(folder or options.user_folder())
    if forget:
        kept.forget()
        console.say(f"removed: {kept.path}")
        return
    invitation = _invitation(kept, invited or [], replace=replace)
    with client.new_http() as http:
        one = UserClient(invitation, http)
        phase = None if status else "open"
        session = _session(one, session_id, phase)
        _show_session(session, as_json)
        if status:
            _show_status(one, session, as_json)
        elif withdraw:
            _tell(session, submission.withdraw(one, kept, session), "withdrawn", 0, as_json)
        else:
            reading = options.reading(columns, separator, duplicates, rounding)
            raw, row = _row(kept, session, ratings_file, user, reading, ignore_unknown)
            _check_trial(kept, session, said=trial)
            kept.keep_ratings(raw)
            sent = submission.submit(one, kept, session, row, Coins.system())
            outcome = "there already" if sent.before else "sent"
            _tell(session, sent.receipt, outcome, sent.sent, as_json)


def _invitation(kept: UserFolder, invited: list[str], *, replace: bool) -> Invitation:
    """The invitation of the options, which is kept from now on, or the one that was kept."""
    if not invited:
        found = kept.invitation()
        if found is not None:
            return found
        if not sys.stdin.isatty():
            raise StateError(f"{kept.path}: no invitation is kept; --invitation names yours")
        halves = _asked()
    else:
        halves = [half for one in invited for half in _lines(one)]
    if len(halves) != 2:
        raise EncodingError(f"invitation: {len(halves)} lines where its two halves are due")
    invitation = join(*map(read_half, halves))
    if kept.replaces(invitation) and not replace:
        if not sys.stdin.isatty():
            raise StateError(
                f"{kept.path}: another invitation of this user is kept; if you were told that you "
                "get a new half, `ppmf submit --replace` puts it in the place of the old one"
            )
        typer.confirm(
            "Another invitation of this user is kept here. Were you told that you get a new half, "
            "and is it to take the place of the old one?",
            abort=True,
        )
    kept.keep_invitation(invitation)
    return invitation


def _asked() -> list[str]:
    """The halves of the invitation, as somebody pastes them; they are not shown."""
    return [
        typer.prompt(f"The half of your invitation that {who} sent", hide_input=True)
        for who in ("RecSys", "the enroller")
    ]


def _check_trial(kept: UserFolder, session: Session, *, said: bool) -> None:
    """Raise StateError unless the session is no trial, or the user says that they know
    (PPMF-API-023). What was sent once in a session needs no second word.
    """
    if not session.proposal.trial or said or kept.last(session.id) is not None:
        return
    if not sys.stdin.isatty():
        raise StateError(
            "this session is a trial, which protects nobody; `ppmf submit --trial` sends ratings "
            "that need no protection"
        )
    typer.confirm("This session is a trial, which protects nobody. Send ratings to it?", abort=True)


def _lines(text: str) -> list[str]:
    """The halves in a file or in standard input."""
    options.refuse_half("--invitation", text)
    if text == "-":
        content = sys.stdin.read(4 * MOST_CHARACTERS)
    else:
        content = read_text(Path(text))
    if len(content) > 3 * MOST_CHARACTERS:
        raise EncodingError(f"{text}: too long for an invitation")
    return content.split()


def _session(one: UserClient, text: str | None, phase: str | None) -> Session:
    """The session of that id, or the newest of this user in that phase."""
    if text is None:
        return one.newest(phase).session
    try:
        found = bytes.fromhex(text) if len(text) == _ID_DIGITS else b""
    except ValueError:
        found = b""
    if not found:
        raise typer.BadParameter(f"--session: {_ID_DIGITS} hexadecimal digits are due")
    return one.session(found).session


def _row(
    kept: UserFolder,
    session: Session,
    file: Path | None,
    user: str | None,
    reading: Reading,
    ignore_unknown: bool,
) -> tuple[RawRatings, Row]:
    """The user's ratings, as they were read and as a row of the session.

    Raises RangeError, beginning with `FILE:LINE`, for the first that does not fit.
    """
    if file is None:
        if not kept.ratings.is_file():
            raise StateError(f"{kept.path}: no ratings are kept; name a file of yours")
        raw = rating_tables.read(kept.ratings, rating_tables.AS_FOUND, console.note)
    else:
        found = rating_tables.read(rating_sources.ratings_file(file), reading, console.note)
        raw = own_ratings(found, user)
    raw = rating_tables.settled(raw, reading, RatingScale.of(session.parameters), console.note)
    fitting = raw
    if ignore_unknown:
        items = set(session.items)
        fitting = raw.take([at for at, item in enumerate(raw.items) if item in items])
        if len(fitting) < len(raw):
            left = len(raw) - len(fitting)
            console.note(f"{left:,} of {len(raw):,} ratings are of items that are not asked for")
    users = sorted(set(fitting.users)) or ["nobody"]
    row = ratings.quantise(fitting, session.parameters, users=users, items=session.items)
    return raw, Row(row.item, row.value)


def _show_session(session: Session, as_json: bool) -> None:
    if session.proposal.trial:
        console.warn("this session is a trial: do not send ratings that are to stay secret")
    if as_json:
        return
    closes = "when RecSys closes it"
    if session.closes:
        closes = f"{datetime.fromtimestamp(session.closes, UTC):%Y-%m-%d %H:%M} UTC"
    console.facts(
        [
            ("session", session.id.hex()),
            ("users", f"{len(session.users):,}, of whom {session.least:,} have to take part"),
            ("items", f"{len(session.items):,}"),
            ("intake closes", closes),
        ]
    )


def _tell(session: Session, receipt: Receipt, outcome: str, sent: int, as_json: bool) -> None:
    if as_json:
        console.put_json(
            "submission",
            {
                "session": session.id.hex(),
                "trial": session.proposal.trial,
                "outcome": outcome,
                "serial": receipt.serial,
                "bytes": sent,
            },
        )
        return
    size = f"{sent:,} bytes, " if sent else ""
    console.facts([(outcome, f"{size}serial {receipt.serial}, acknowledged by RecSys")])


def _show_status(one: UserClient, session: Session, as_json: bool) -> None:
    receipt, progress = one.receipt(session), one.status(session.id)
    if as_json:
        console.put_json(
            "submission-status",
            {
                "session": session.id.hex(),
                "trial": session.proposal.trial,
                "phase": progress.phase,
                "tenths": progress.tenths,
                "serial": None if receipt is None else receipt.serial,
                "withdrawn": None if receipt is None else receipt.withdrawn,
                "admitted": None if receipt is None else receipt.admitted,
            },
        )
        return
    has = "nothing of yours"
    if receipt is not None:
        admitted = {None: "", True: ", admitted by CSP", False: ", not admitted by CSP"}
        what = "a withdrawal" if receipt.withdrawn else "an upload"
        has = f"{what} of serial {receipt.serial}{admitted[receipt.admitted]}"
    part = f", {progress.tenths} tenths done" if progress.phase == "training" else ""
    console.facts([("phase", f"{progress.phase}{part}"), ("RecSys has", has)])
