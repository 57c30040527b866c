# SPDX-License-Identifier: GPL-3.0-or-later
"""The folders of a run's checkpoints, one for each server, readable by their owner alone.

A `Store` is the folder of one server. The functions are about the folder of the whole run, which
holds the public session, the key of the tags of all files, and the stores of both servers.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from pathlib import Path

from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.resumption import MOST_CHECKPOINTS
from ppmf_secure.session import kept_files, set_up
from ppmf_secure.session.checkpoint import Kept
from ppmf_secure.session.kept_files import KEY_BYTES, Keeper, KeptFile
from ppmf_secure.session.private_files import partial_file, private_folder
from ppmf_secure.session.session import Session
from ppmf_secure.session.set_up import SignedSession
from ppmf_spec import strict_cbor
from ppmf_spec.errors import EncodingError, StateError
from ppmf_spec.roles import CSP, RECSYS, Role

_LOCK = "in-use"
_OPEN_LOCK = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
_RUN = "run.cbor"
_RATINGS = "ratings.state"
_CLOSING = "closing.state"
_ADMISSION = "admission.state"
_KEPT_ONCE = (_RATINGS, _CLOSING, _ADMISSION)
_EPOCH = "epoch.state"
_KEY = "tags.key"
_FORMAT = "ppmf-run/1"
_ALL = "all"
"""In the place of a party, in the file of the session."""


class Store:
    """The store of one server's checkpoints, each with its tag (PPMF-RES-008).

    Without a folder it keeps nothing. keeper: whose files they are.
    """

    def __init__(self, folder: Path | None = None, keeper: Keeper | None = None) -> None:
        self._folder = folder
        self._keeper = keeper or Keeper(bytes(KEY_BYTES), b"", _ALL)
        if folder is not None:
            private_folder(folder)

    @classmethod
    def of_run(cls, run: Path | None, party: Role, session: Session, epoch: int) -> Store:
        """The store of a party, in the folder of a run."""
        if run is None:
            return cls()
        return cls(run / party, Keeper(read_key(run), session.id, party, epoch))

    def lock(self) -> AbstractContextManager[None]:
        """The context in which no other server may use this folder (PPMF-RES-009).

        Raises StateError if another one does, such as a server of a run that seems to have ended.
        """
        return in_use(self._folder)

    def keep(self, name: str, iteration: int | None, data: Callable[[], bytes]) -> None:
        """Write shares durably, then remove checkpoints that are too old to be agreed on.

        data: makes the bytes (PPMF-RES-015).
        """
        if self._folder is None:
            return
        stem = name if iteration is None else f"{name}-{iteration}"
        write_durably(self._folder / f"{stem}.state", self._keeper.write(stem, data()))
        # at an interruption the peer may be one iteration behind, but never more
        last_two = {f"{name}-{iteration}.state", f"{name}-{(iteration or 0) - 1}.state"}
        for path in self._checkpoints():
            if iteration is not None and path.name not in last_two:
                path.unlink()

    def begin(self, epoch: int) -> None:
        """Keep the number of an epoch, durably, before anything is sent in it; what is kept from
        now on is of that epoch (PPMF-RES-016).
        """
        self._keeper = replace(self._keeper, epoch=epoch)
        if self._folder is not None:
            write_durably(self._folder / _EPOCH, self._keeper.write(Path(_EPOCH).stem, b""))

    def last_epoch(self) -> int:
        """The highest number of an epoch that was kept, by itself or with a checkpoint; 0 if there
        is none (PPMF-RES-019). Raises as `kept`.
        """
        if self._folder is None:
            return 0
        found = [path for path in (self._folder / _EPOCH, *self._checkpoints()) if path.is_file()]
        return max((self._read(path).epoch for path in found), default=0)

    def kept_once(self, name: str) -> bytes | None:
        """What was kept under the name of something that is kept once; None if it was not.

        Raises as `kept` for damage.
        """
        if self._folder is None or not (path := self._folder / f"{name}.state").is_file():
            return None
        return bytes(self._read(path).content)

    def kept(self) -> Kept:
        """The ratings and the last checkpoints, as many as a server keeps (PPMF-RES-015).

        Raises StateError if not even the ratings are complete, EncodingError if a file is damaged
        (PPMF-ERR-004, PPMF-RES-008).
        """
        folder = self._folder
        if folder is None or not all((folder / name).is_file() for name in _KEPT_ONCE):
            raise StateError(f"{folder}: nothing to resume from: the ratings were not complete")
        # after an interruption between writing and removing there may be one more
        found = sorted(
            map(self._read, self._checkpoints()),
            key=lambda kept: (kept.epoch, int(kept.name.rpartition("-")[2])),
        )
        ratings, closing, admission = (self._read(folder / name).content for name in _KEPT_ONCE)
        newest = tuple(bytes(kept.content) for kept in found[-MOST_CHECKPOINTS:])
        return Kept(bytes(ratings), bytes(closing), bytes(admission), newest)

    def _read(self, path: Path) -> KeptFile:
        return self._keeper.read(path.stem, path.read_bytes(), path.name)

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
    with os.fdopen(os.open(folder / _LOCK, _OPEN_LOCK, 0o600), "w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StateError(f"{folder}: the run that keeps its checkpoints here goes on") from None
        yield


def save_session(
    folder: Path, signed: SignedSession, *, epoch: int, coins: Coins | None = None
) -> None:
    """Write the public session, and the epoch that is about to begin, to the folder of a run.

    coins: of which the key of the tags is drawn, for a new run (epoch 0), which needs a folder of
    its own. Raises StateError if there is another run in it.
    """
    private_folder(folder)
    if epoch == 0 and (folder / _RUN).exists():
        raise StateError(f"{folder}: holds the checkpoints of a run; resume it, or name another")
    content = strict_cbor.encode([_FORMAT, epoch, set_up.write(signed)])
    if coins is not None:
        write_durably(folder / _KEY, coins.bytes(KEY_BYTES))
    keeper = Keeper(read_key(folder), signed.session.id, _ALL, epoch)
    write_durably(folder / _RUN, keeper.write(Path(_RUN).stem, content))


def load_session(folder: Path) -> tuple[SignedSession, int]:
    """The session of a run and its last epoch; StateError if there is none (PPMF-ERR-004)."""
    path = folder / _RUN
    if not path.is_file():
        raise StateError(f"{folder}: nothing to resume from: no {_RUN} here")
    kept = kept_files.read(read_key(folder), path.read_bytes(), str(path))
    if (kept.party, kept.name) != (_ALL, path.stem):
        raise StateError(f"{path}: another file of the run in its place")
    try:
        content = strict_cbor.decode(kept.content)
    except EncodingError as error:
        raise EncodingError(f"{path}: {error}") from None
    match content:
        case [name, int(epoch), memoryview() as file] if name == _FORMAT:
            signed = set_up.read(file, str(path))
            if kept.session_id != signed.session.id:
                raise StateError(f"{path}: of another session")
            return signed, epoch
    raise EncodingError(f"{path}: not of format {_FORMAT}")


def read_key(folder: Path) -> bytes:
    """The key of the tags of a run's files. Raises StateError if there is none, EncodingError if it
    is not of its length.
    """
    path = folder / _KEY
    if not path.is_file():
        raise StateError(f"{folder}: nothing to resume from: no {_KEY} here")
    key = path.read_bytes()
    if len(key) != KEY_BYTES:
        raise EncodingError(f"{path}: {len(key)} bytes where {KEY_BYTES} are due")
    return key


def resumable(folder: Path) -> bool:
    """Whether the folder has a run whose ratings are complete, so that `resume` can go on."""
    kept = (f"{server}/{name}" for server in (RECSYS, CSP) for name in _KEPT_ONCE)
    return all((folder / name).is_file() for name in (_RUN, _KEY, *kept))


def discard(folder: Path) -> None:
    """Remove a run's checkpoints, and their folders if these are empty then; nothing else."""
    for place, names in (
        (folder, (_RUN, _KEY, "*.partial", _LOCK)),
        (folder / RECSYS, ("*.state", "*.partial", _LOCK)),
        (folder / CSP, ("*.state", "*.partial", _LOCK)),
        (folder, ()),
    ):
        for path in [path for name in names for path in place.glob(name)]:
            path.unlink()
        with suppress(OSError):  # not there, or not empty
            place.rmdir()


def write_durably(path: Path, content: bytes) -> None:
    """Write a file, whole or not at all, so that it survives a loss of power."""
    descriptor, temporary = partial_file(path)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:  # it names the file for the user, not the temporary one
        with suppress(OSError):
            temporary.unlink()
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
