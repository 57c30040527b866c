# SPDX-License-Identifier: Apache-2.0
"""`ppmf backup` and `ppmf restore`: what of a server has to outlast its disk."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, serving
from ppmf_service import backup as backups
from ppmf_service.clock import SystemClock
from ppmf_service.config import read_config
from ppmf_spec.roles import CSP


def backup(
    settings: serving.ConfigFile,
    out: Annotated[
        Path,
        typer.Option(
            "--out", metavar="DIR", help="A new folder for the backup.", show_default=False
        ),
    ],
) -> None:
    """Write a backup of a server, which may run meanwhile.

    It holds the enrolment, which sessions there were, the published item profiles and the reports.
    It holds no upload, no key of a session and no checkpoint, so it may outlive what the server
    erases; a session that is not over is in it as given up. Make one after each enrolment and each
    training. CSP's backup has the users' consent keys: keep it from RecSys.

    The configuration, the signing key and the peer's certificate are not in it: keep a copy of
    these three files apart, where nobody else can read it.

    Files:
      DIR/service.sqlite   the database
      DIR/profiles/        the item profiles (RecSys)
      DIR/titles.json      the titles of items (RecSys, if it has any)
      DIR/reports/         the reports of sessions

    Examples:
      ppmf backup --config recsys/recsys.toml --out backups/2030-01-31
    """
    with serving.storage(settings) as storage:
        made = backups.make(storage.config, storage.database, out)
    console.say(f"{out}: {_held(made)}")
    if made.given_up:
        console.note(
            f"sessions that are not over: {made.given_up}; the backup has them as given up"
        )


def restore(
    folder: Annotated[
        Path,
        typer.Argument(metavar="DIR", help="A backup that `ppmf backup` made.", show_default=False),
    ],
    settings: serving.ConfigFile,
) -> None:
    """Put a backup back, after a server's disk was lost or its database damaged.

    The server must not run, and its old folder (`folder` of the configuration) must be moved away
    first. Only a backup that `ppmf backup` made may be put back: a copy of the folder would repeat
    what is done once. Sessions that were not over when the backup was made are given up; propose
    new ones, in which users upload again.

    Examples:
      ppmf restore backups/2030-01-31 --config recsys/recsys.toml
    """
    config = read_config(settings)
    found = backups.restore(config, folder, SystemClock())
    console.say(f"restored {config.folder} as it was on {serving.shown_moment(found.at)}")
    console.say(_held(found))
    console.say()
    console.say("What was done since then is undone, so before you start the server:")
    half = "codes" if config.role is CSP else "tokens"
    console.say(f"- enrol again whom you enrolled since (`ppmf enrol {half} --user-list`)")
    console.say("- replace again each half that you replaced since (the same, with --replace)")
    console.say("- remove again each user whom you removed since (`ppmf enrol remove`)")
    console.say(
        f"- tell the operator of {config.role.peer}: they give up the sessions that "
        "`ppmf session list` shows there as not over (`ppmf session abandon`)"
    )
    if config.role is CSP:
        console.say("The next training of each catalogue waits for `ppmf session confirm`.")


def _held(found: backups.Backup) -> str:
    return (
        f"enrolled users: {found.users:,}; sessions: {found.sessions:,}, of which with item "
        f"profiles: {found.profiles:,}"
    )
