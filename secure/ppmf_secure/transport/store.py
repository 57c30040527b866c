# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a run's checkpoints lie: a folder for each server, readable by its user alone."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cbor2

from ppmf_secure.checkpoint import Kept
from ppmf_secure.session import Session
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.parameters import Parameters

_SESSION = "session.cbor"
_FORMAT = "ppmf-session/1"
_KEPT_ITERATIONS = 2
"""The peer may be one iteration behind when both are interrupted, never two."""


class Store:
    """One party's checkpoints in `folder`; with no folder it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, name: str, iteration: int | None, data: Callable[[], bytes]) -> None:
        """Write `data()` durably, then let go of what is too old to be agreed on."""
        if self._folder is None:
            return
        stem = name if iteration is None else f"{name}-{iteration:06d}"
        _write_durably(self._folder / f"{stem}.state", data())
        for old in self._checkpoints()[:-_KEPT_ITERATIONS]:
            old.unlink()

    def kept(self) -> Kept:
        """All that is there; StateError when not even the ratings had arrived."""
        folder = self._folder
        if folder is None or not (folder / "ratings.state").is_file():
            raise StateError(f"{folder}: nothing to resume from: the ratings were not complete")
        return Kept(
            (folder / "ratings.state").read_bytes(),
            {int(path.stem.split("-")[1]): path.read_bytes() for path in self._checkpoints()},
        )

    def _checkpoints(self) -> list[Path]:
        return [] if self._folder is None else sorted(self._folder.glob("sides-*.state"))


def save_session(folder: Path, session: Session, *, epoch: int) -> None:
    """Write down the public session, and the epoch that is about to begin."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    public = [session.parameters.to_toml(), session.users, session.items, session.suite]
    content = cbor2.dumps([_FORMAT, epoch, session.nonce, *public], canonical=True)
    _write_durably(folder / _SESSION, content)


def load_session(folder: Path) -> tuple[Session, int]:
    """The session of a folder and its last epoch; StateError when there is none."""
    path = folder / _SESSION
    if not path.is_file():
        raise StateError(f"{folder}: nothing to resume from: no {_SESSION} here")
    try:
        content = cbor2.loads(path.read_bytes())
    except (cbor2.CBORDecodeError, ValueError) as error:
        raise EncodingError(f"{path}: not CBOR") from error
    match content:
        case [str(name), int(epoch), bytes(nonce), str(toml), [*users], [*items], str(suite)] if (
            name == _FORMAT
        ):
            parameters = Parameters.from_toml(toml)
            return Session(parameters, tuple(users), tuple(items), suite, nonce), epoch
    raise EncodingError(f"{path}: not of format {_FORMAT}")


def _write_durably(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".partial")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
