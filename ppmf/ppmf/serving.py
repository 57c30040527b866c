# SPDX-License-Identifier: Apache-2.0
"""What the commands of a server's operator share: its configuration, times and sessions."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.transport.store import in_use
from ppmf_service import keys
from ppmf_service.config import Ports, ServerConfig, example, read_config
from ppmf_service.session_rows import SessionRow
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_service.storage import Storage, opened
from ppmf_spec.errors import ParametersError, StateError
from ppmf_spec.files import write_atomically
from ppmf_spec.roles import Role

ConfigFile = Annotated[
    Path,
    typer.Option(
        "--config",
        metavar="FILE",
        help="The server's configuration, as `ppmf session init` makes one.",
        show_default=False,
    ),
]
SessionId = Annotated[
    str | None,
    typer.Argument(
        metavar="SESSION",
        help="The first digits of the session's id. [default: the only one there is to choose]",
        show_default=False,
    ),
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]

_UNITS = {"m": 60, "h": 3600, "d": 86400}
_LASTING = re.compile(r"([0-9]{1,6})([mhd])").fullmatch


def make_server(folder: Path, role: Role, ports: Ports | None = None) -> bytes:
    """Make the folder of a new server: its configuration, its signing key and its certificate.

    ports: of both servers, on this machine; the usual ones if none are given.

    Returns the point of the key. Raises StateError for a file that is there already.
    """
    written = folder / f"{role}.toml"
    for path in (written, folder / f"{role}.pem"):
        if path.exists():
            raise StateError(f"{path}: there is a file already")
    private_folder(folder)
    key = keys.make_signing_key(Coins.system())
    keys.write_signing_key(folder / "signing.pem", key)
    certificate, _ = keys.link_certificate(key)
    write_atomically(folder / f"{role}.pem", certificate)
    write_atomically(written, example(role, ports).encode())
    return keys.public_point(key)


@contextmanager
def storage(config: Path, role: Role | None = None) -> Iterator[Storage]:
    """The storage of the server of a configuration; StateError if it is of the other role."""
    found = read_config(config)
    if role is not None and found.role is not role:
        raise StateError(f"{config}: the configuration of {found.role}; this is for {role}")
    with opened(found) as storage:
        yield storage


@contextmanager
def stopped(config: ServerConfig) -> Iterator[None]:
    """The context in which the server of a configuration does not run; StateError if it does."""
    with ExitStack() as stack:
        try:
            stack.enter_context(in_use(config.folder))
        except StateError:
            raise StateError(f"{config.role} runs: stop it first") from None
        yield


def chosen(sessions: Sessions, given: str | None, among: tuple[State, ...]) -> SessionRow:
    """The session that was named, or the only one in one of these states.

    Raises StateError if it is not clear which one is meant, or it is in another state.
    """
    states = ", ".join(among)
    if given is not None:
        row = sessions.find(given)
        if row.state not in among:
            raise StateError(f"session {row.key.hex()[:12]} is {row.state}, not {states}")
        return row
    rows = [row for row in sessions.all() if row.state in among]
    if not rows:
        raise StateError(f"there is no session here that is {states}; see `ppmf status`")
    if len(rows) > 1:
        raise StateError(f"there are {len(rows)} sessions that are {states}: name one")
    return rows[0]


def moment(text: str, now: int, option: str) -> int:
    """A time in seconds since 1970: "90m", "12h", "30d" from now, or 2030-01-31T12:00Z.

    "never" is 0. Raises ParametersError, which names the option, for anything else.
    """
    if text == "never":
        return 0
    lasting = _LASTING(text)
    if lasting:
        return now + int(lasting[1]) * _UNITS[lasting[2]]
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise ValueError
        at = int(found.timestamp())
    except (ValueError, OverflowError):
        raise ParametersError(
            f"{option}: such as 90m, 12h, 30d, never, or a time with its zone, 2030-01-31T12:00Z"
        ) from None
    if at <= now:
        raise ParametersError(f"{option}: is in the past")
    return at


def shown_moment(seconds: int) -> str:
    """A time for a person, in UTC."""
    if not seconds:
        return "never"
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M UTC")
    except (ValueError, OverflowError, OSError):
        return f"second {seconds}"
