# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a server's engine keeps ending, for `/readyz` and `ppmf status`.

The supervisor notes it in a small file, since the engine may be unable to use the database, and
whoever asks may be another process.
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

_FILE = "engine-ends"
_MOST_BYTES = 1000


def note_end(folder: Path, times: int, line: str) -> None:
    """Note that the engine has ended so many times, one soon after the other, and how at last."""
    again = "once" if times == 1 else f"{times} times, each time soon"
    with suppress(OSError):  # the disk may be full, which is why it ends
        (folder / _FILE).write_text(f"the engine ended {again}; at last with {line}\n", "ascii")


def note_well(folder: Path) -> None:
    """Note that the engine goes on."""
    with suppress(OSError):
        (folder / _FILE).unlink(missing_ok=True)


def trouble(folder: Path) -> str:
    """One line on an engine that keeps ending; "" if it does not."""
    try:
        with (folder / _FILE).open("rb") as file:
            return file.read(_MOST_BYTES).decode("ascii", "replace").strip()
    except OSError:
        return ""
