# SPDX-License-Identifier: GPL-3.0-or-later
"""Files and folders that nobody but their owner can read: transcripts and what is kept.

Whoever else may write a folder could put a link there before a party writes, or read what it wrote.
So a folder that is there already must be the caller's own and closed to others (mode 0700), and a
file is made under a name that cannot be guessed, without following a link (mode 0600).
"""

from __future__ import annotations

import os
import stat
import tempfile
from pathlib import Path

from ppmf_spec.errors import StateError


def private_folder(path: Path) -> None:
    """Make a folder with mode 0700 if there is none.

    Raises StateError if what is there is a link, another user's, or open to others (PPMF-RES-011).
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        found = path.lstat()
        if not stat.S_ISDIR(found.st_mode):
            raise StateError(
                f"{path}: not a folder, where a folder of one's own is needed"
            ) from None
        if found.st_uid != os.geteuid():
            raise StateError(f"{path}: the folder of another user") from None
        if stat.S_IMODE(found.st_mode) & 0o077:
            raise StateError(f"{path}: others may use this folder; close it (chmod 700)") from None


def new_file(path: Path) -> int:
    """The descriptor of an empty file with mode 0600, in the place of what is there, if anything.

    It is made under a name that cannot be guessed, with O_EXCL and O_NOFOLLOW, and then renamed: a
    link that stands at the path is replaced and not followed (PPMF-RES-011).
    """
    descriptor, name = partial_file(path)
    try:
        name.replace(path)
    except OSError:
        os.close(descriptor)
        name.unlink()
        raise
    return descriptor


def partial_file(path: Path) -> tuple[int, Path]:
    """A new file beside the path, to be renamed: its descriptor, and its name, NAME.*.partial."""
    try:
        descriptor, name = tempfile.mkstemp(".partial", f"{path.stem}.", path.parent)
    except OSError as error:  # it names the file for the user, not the temporary one
        raise OSError(error.errno, error.strerror or str(error), str(path)) from error
    return descriptor, Path(name)


def own_file(path: Path, *, written: bool = True) -> int:
    """The descriptor of a file that is there, for reading and, if written, writing at its end.

    Raises StateError if it is a link or another user's (PPMF-RES-011).
    """
    try:
        how = os.O_RDWR | os.O_APPEND if written else os.O_RDONLY
        descriptor = os.open(path, how | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        if path.is_symlink():
            raise StateError(f"{path}: a link, where a file of one's own is needed") from None
        raise
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode) or found.st_uid != os.geteuid():
        os.close(descriptor)
        raise StateError(f"{path}: not a file of one's own")
    return descriptor
