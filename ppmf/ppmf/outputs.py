# SPDX-License-Identifier: Apache-2.0
"""The files that a command writes: they are looked at before any work is done."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from pathlib import Path

import typer

from ppmf import console
from ppmf_spec.files import is_own_output


def check(out: Path, inputs: Iterable[Path | None]) -> None:
    """Refuse a file to be written that cannot be, or that a command reads as well.

    Raises typer.BadParameter if `out` is one of the inputs, also through links, and OSError if it
    is a folder or would lie in one that is not there. Inputs that are None, or not there, are
    passed over.
    """
    for one in inputs:
        if one is not None and _same_file(out, one):
            raise typer.BadParameter(f"{out}: the result would replace what {one} holds")
    if out.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(out))
    parent = Path(os.path.realpath(out)).parent
    if not out.exists() and not parent.is_dir():
        why = errno.ENOTDIR if parent.exists() else errno.ENOENT
        raise OSError(why, os.strerror(why), str(out))


def written(out: Path, line: str) -> None:
    """Print the line that says what was written to `out`; not into the result itself."""
    if is_own_output(out):
        console.note(line)
    else:
        console.say(line)


def _same_file(one: Path, other: Path) -> bool:
    """Whether both paths mean one regular file. A terminal may be read and written."""
    try:
        found = one.stat()
        return stat.S_ISREG(found.st_mode) and os.path.samestat(found, other.stat())
    except OSError:
        return False
