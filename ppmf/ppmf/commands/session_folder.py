# SPDX-License-Identifier: Apache-2.0
"""`ppmf session`: a server's folder, its key, and the peer's."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ppmf import console, serving
from ppmf_secure.primitives.coins import Coins
from ppmf_service import clock_watch, keys
from ppmf_service.backup import check_place
from ppmf_service.states import State
from ppmf_service.storage import Storage
from ppmf_spec.errors import StateError
from ppmf_spec.files import write_atomically
from ppmf_spec.roles import CSP, RECSYS, Role

Server = Annotated[
    Role,
    typer.Option("--role", metavar="recsys|csp", help="Which server it is.", show_default=False),
]


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


def clock(settings: serving.ConfigFile, yes: serving.Yes = False) -> None:
    """Say that the clock of a server is right, after it leapt.

    A server whose clock leaps, or shows quite another time at the start than it noted last, closes,
    gives up and erases nothing because of a time, until its clock has gone evenly for some time:
    a wrong clock would end every session at once. `ppmf status` says so. If the clock is right,
    since the server did not run for days, this ends the wait.

    Examples:
      ppmf session clock --config recsys/recsys.toml
    """
    with serving.storage(settings) as storage:
        found = clock_watch.noted(storage.database)
        if found is None or not found.in_doubt:
            console.say("the clock is not in doubt")
            return
        now = storage.database.clock.now()
        console.say(f"it is {serving.shown_moment(now)} by the clock of this machine")
        ended = sum(0 < row.expires <= now for row in storage.sessions.active())
        if ended:
            console.say(f"by that, {ended} sessions that are under way have expired")
        if not yes:
            typer.confirm("Is it right?", abort=True)
        clock_watch.confirm(storage.database)
    console.say("noted")


def _check_none_active(storage: Storage) -> None:
    waiting = storage.sessions.due()  # also those of which CSP has not the receipt yet
    active = sum(not row.state.final or row.state is State.FINISHED for row in waiting)
    if active:
        raise StateError(
            f"{active} sessions are not over; they are signed with the old key, so wait for them "
            "or give them up (`ppmf session abandon`)"
        )
