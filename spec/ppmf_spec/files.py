# SPDX-License-Identifier: Apache-2.0
"""Whole files, read and written.

Reading ends in the text or in one clear error; writing leaves the whole new file or the old one,
at the place that the user named.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from contextlib import suppress
from pathlib import Path

from ppmf_spec.errors import EncodingError

_BINARY = getattr(os, "O_BINARY", 0)
_IRREPLACEABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.EBUSY, errno.EXDEV)
"""Errors after which a file that is there may still be written in place."""


def read_bytes(path: Path) -> bytes:
    """The bytes of the file. Raises EncodingError, naming the file, if it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise EncodingError(f"{path}: cannot be read: {error.strerror}") from error


def read_text(path: Path) -> str:
    """The file as text: UTF-8, a byte-order mark dropped, line ends (CRLF, CR) left alone.

    Raises EncodingError naming the file, and the line of the first byte that does not decode.
    """
    content = read_bytes(path)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise EncodingError(f"{path}:{line}: not UTF-8 text") from error


def write_atomically(path: Path, content: bytes) -> None:
    """Put `content` where `path` says: a reader finds the old file or the new one.

    So does a reader after a crash. The bytes go to a file beside it, reach the disk, and take its
    name. A symbolic link stays, and the file that it means is replaced. A file that is replaced
    passes on its mode and, where the system allows it, its owner; a new one has the mode that the
    umask leaves.

    What is no regular file (a device, a pipe, this process' own standard output) is written in
    place, and so is a file that cannot be replaced (in a folder that is not writable, or mounted by
    itself). An OSError names `path`: a full or read-only disk is no fault of the input.
    """
    try:
        _write(path, content)
    except OSError as error:
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error


def is_own_output(path: Path) -> bool:
    """Whether `path` is what this process writes its standard output to."""
    try:
        return os.path.samestat(path.stat(), os.fstat(1))
    except OSError:
        return False


def _write(path: Path, content: bytes) -> None:
    try:
        found = path.stat()
    except FileNotFoundError:  # or a link to nowhere, whose target is made
        found = None
    if is_own_output(path):
        # Opening it anew would write over, or be written over by, what is printed besides.
        sys.stdout.flush()
        with os.fdopen(os.dup(1), "wb") as file:
            file.write(content)
    elif found is not None and not stat.S_ISREG(found.st_mode):
        _write_in_place(path, content)
    elif found is not None and not os.access(path, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    else:
        _replace(Path(os.path.realpath(path)), content, found)


def _write_in_place(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)


def _replace(path: Path, content: bytes, old: os.stat_result | None) -> None:
    """Write a regular file that is `old` now, or not there."""
    partial: Path | None = None
    try:
        # Until it has the old file's mode nobody else may read what the old file may hide.
        partial, descriptor = _new_beside(path, 0o666 if old is None else 0o600)
        with os.fdopen(descriptor, "wb") as file:
            if old is not None:
                _pass_on(old, partial)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if old is None or error.errno not in _IRREPLACEABLE:
            raise
        _write_in_place(path, content)
    finally:
        if partial is not None:
            with suppress(OSError):  # an error above says more
                partial.unlink()


def _new_beside(path: Path, mode: int) -> tuple[Path, int]:
    """A new file in the folder of `path`, and its descriptor, which is open for writing."""
    number = 0
    while True:
        # The name is short, because the user's may be as long as the system allows.
        new = path.with_name(f".{os.getpid()}-{number}.partial")
        with suppress(FileExistsError):
            return new, os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _BINARY, mode)
        number += 1


def _pass_on(old: os.stat_result, new: Path) -> None:
    """Give a new file the owner, the group and the mode of an old one, as far as allowed."""
    now = new.stat()
    if sys.platform != "win32":
        for user, group in ((-1, old.st_gid), (old.st_uid, -1)):
            if (user, group) not in ((-1, now.st_gid), (now.st_uid, -1)):
                with suppress(OSError):
                    os.chown(new, user, group)
    new.chmod(stat.S_IMODE(old.st_mode))
