# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of a run's checkpoints, one for each server, readable by their owner alone.

A `Store` is the folder of one server. The functions are about the folder of the whole run, which
holds the public session and the stores of both servers.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from ppmf_secure.session.checkpoint import Kept
from ppmf_secure.session.session import Session
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.parameters import Parameters
from ppmf_spec.roles import CSP, RECSYS

_LOCK = "in-use"
_SESSION = "session.cbor"
_RATINGS = "ratings.state"
_FORMAT = "ppmf-session/1"


class Store:
    """The store of one server's checkpoints. Without a folder it keeps nothing."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        if folder is not None:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)

    def keep(self, name: str, iteration: int | None, data: Callable[[], bytes]) -> None:
        """Write shares durably, then remove checkpoints that are too old to be agreed on.

        data: makes the bytes (PPMF-RES-004).
        """
        if self._folder is None:
            return
        stem = name if iteration is None else f"{name}-{iteration}"
        _write_durably(self._folder / f"{stem}.state", data())
        # at an interruption the peer may be one iteration behind, but never more
        last_two = {f"{name}-{iteration}.state", f"{name}-{(iteration or 0) - 1}.state"}
        for path in self._checkpoints():
            if iteration is not None and path.name not in last_two:
                path.unlink()

    def kept(self) -> Kept:
        """All that is kept; StateError if not even the ratings are complete (PPMF-ERR-004)."""
        folder = self._folder
        if folder is None or not (folder / _RATINGS).is_file():
            raise StateError(f"{folder}: nothing to resume from: the ratings were not complete")
        return Kept(
            (folder / _RATINGS).read_bytes(),
            tuple(path.read_bytes() for path in self._checkpoints()),
        )

    def _checkpoints(self) -> list[Path]:
        return [] if self._folder is None else sorted(self._folder.glob("model-*.state"))


@contextmanager
def in_use(folder: Path | None) -> Iterator[None]:
    """The context of a run that keeps checkpoints in a folder. Raises StateError if another run
    does so at the same time.

    Two epochs at once would overwrite each other's checkpoints. The lock ends with the process,
    however that ends, so an interrupted run needs no unlocking.
    """
    if folder is None or not folder.is_dir():
        yield
        return
    with (folder / _LOCK).open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"{folder}: the run that keeps its checkpoints here goes on") from None
        yield


def save_session(folder: Path, session: Session, *, epoch: int) -> None:
    """Write the public session, and the epoch that is about to begin, to the folder of a run.

    A new run (epoch 0) needs a folder of its own. Raises StateError if there is another run in it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if epoch == 0 and (folder / _SESSION).exists():
        raise StateError(f"{folder}: holds the checkpoints of a run; resume it, or name another")
    public = [session.parameters.to_toml(), session.users, session.items, session.suite]
    content = strict_cbor.encode([_FORMAT, epoch, session.nonce, *public])
    _write_durably(folder / _SESSION, content)


def load_session(folder: Path) -> tuple[Session, int]:
    """The session of a run and its last epoch; StateError if there is none (PPMF-ERR-004)."""
    path = folder / _SESSION
    if not path.is_file():
        raise StateError(f"{folder}: nothing to resume from: no {_SESSION} here")
    data = path.read_bytes()
    try:
        content = strict_cbor.decode(data, depth=2, items=len(data))
    except EncodingError as error:
        raise EncodingError(f"{path}: {error}") from None
    match content:
        case [name, int(epoch), memoryview() as nonce, str(toml), [*users], [*items], str(suite)]:
            ids = [str(one) for one in (*users, *items) if isinstance(one, str)]
            if name == _FORMAT and len(ids) == len(users) + len(items):
                rows = tuple(ids[: len(users)]), tuple(ids[len(users) :])
                return Session(Parameters.from_toml(toml), *rows, suite, bytes(nonce)), epoch
    raise EncodingError(f"{path}: not of format {_FORMAT}")


def resumable(folder: Path) -> bool:
    """Whether the folder has a run whose ratings are complete, so that `resume` can go on."""
    needed = (_SESSION, f"{RECSYS}/{_RATINGS}", f"{CSP}/{_RATINGS}")
    return all((folder / name).is_file() for name in needed)


def discard(folder: Path) -> None:
    """Remove a run's checkpoints, and their folders if these are empty then; nothing else."""
    for place, names in (
        (folder, (_SESSION, "session.partial", _LOCK)),
        (folder / RECSYS, ("*.state", "*.partial")),
        (folder / CSP, ("*.state", "*.partial")),
        (folder, ()),
    ):
        for path in [path for name in names for path in place.glob(name)]:
            path.unlink()
        with suppress(OSError):  # not there, or not empty
            place.rmdir()


def _write_durably(path: Path, content: bytes) -> None:
    temporary = path.with_suffix(".partial")
    try:
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # it names the file for the user, not the temporary one
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
