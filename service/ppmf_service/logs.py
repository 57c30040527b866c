# SPDX-License-Identifier: GPL-3.0-or-later
"""What a server logs: lines of JSON, whose members and values are of a closed list.

Nobody has to trust that each place in the program is careful with what it logs. `event` takes only
the members of `MEMBERS`, and of each only values of its form: numbers, names of states and routes,
ids of sessions. A token, a code, a rating, bits or a digest of them fit none of the forms. The text
of an error is logged only if it is a `PpmfError`, whose messages contain no secret (PPMF-ERR-002);
of any other exception the log has its type and the place in the program (PPMF-API-020).
"""

from __future__ import annotations

import json
import logging
import re
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Callable, Mapping
from typing import TextIO

from ppmf_spec.errors import PpmfError

_NAME = re.compile(r"[A-Za-z][A-Za-z _.-]{0,24}")
"""A name is shorter than a code, a token or a digest in digits, and has no digits."""

_ROUTE = re.compile(r"/[a-z0-9_/{}.-]{0,79}")
_PLACE = re.compile(r"[A-Za-z0-9_.]{1,80}:[0-9]{1,7}")
_SESSION_BYTES = 32
_MOST_TEXT = 400


def _name(value: object) -> str | None:
    return str(value) if isinstance(value, str) and _NAME.fullmatch(value) else None


def _route(value: object) -> str | None:
    return value if isinstance(value, str) and _ROUTE.fullmatch(value) else None


def _place(value: object) -> str | None:
    return value if isinstance(value, str) and _PLACE.fullmatch(value) else None


def _session(value: object) -> str | None:
    return value.hex() if isinstance(value, bytes) and len(value) == _SESSION_BYTES else None


def _count(value: object) -> int | None:
    return value if type(value) is int and 0 <= value < 1 << 64 else None


def _seconds(value: object) -> float | None:
    return round(float(value), 6) if isinstance(value, int | float) else None


def _detail(value: object) -> str | None:
    """The one line of a refusal. Any other text is not logged."""
    if not isinstance(value, PpmfError):
        return None
    return str(value)[:_MOST_TEXT].encode("ascii", "backslashreplace").decode()


MEMBERS: Mapping[str, Callable[[object], str | int | float | None]] = {
    "session": _session,
    "epoch": _count,
    "bytes": _count,
    "count": _count,
    "done": _count,
    "total": _count,
    "status": _count,
    "seconds": _seconds,
    "role": _name,
    "peer": _name,
    "state": _name,
    "phase": _name,
    "method": _name,
    "outcome": _name,
    "error": _name,
    "route": _route,
    "place": _place,
    "detail": _detail,
}
"""The members that a line can have, and what makes of a value what is logged, or None if the value
is not of the member's form."""

UNTOLD = "untold"
"""What stands in the place of a value that is not of its form."""


MOST_LINES = 60
"""How many lines of one event, and one class of statuses, are logged in a minute."""

_MINUTE = 60.0


class Log:
    """Where lines go, from any thread: each whole, in one write.

    Whoever may ask a server something could fill its disk with what it logs. So of each event at
    most `most` lines are logged in a minute, and then one line on how many were left out
    (PPMF-API-025).

    stream: where to. least: the least level that is logged. now: the time, in seconds since 1970.
    monotonic: a clock, in seconds.
    """

    def __init__(
        self,
        stream: TextIO | None = None,
        *,
        least: int = logging.INFO,
        now: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
        most: int = MOST_LINES,
    ) -> None:
        self._stream = stream
        self._least = least
        self._now = now
        self._monotonic = monotonic
        self._most = most
        self._until = 0.0
        self._counts: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()

    def event(self, name: str, *, level: int = logging.INFO, **members: object) -> None:
        """Log that something happened.

        name: in a few words; it is a literal of the program. members: see `MEMBERS`; None is left
        out. Raises KeyError for a member that is not on the list.
        """
        found: dict[str, object] = {
            "time": round(self._now(), 3),
            "level": logging.getLevelName(level).lower(),
            "event": name,
        }
        for member, value in members.items():
            if value is not None:
                told = MEMBERS[member](value)
                found[member] = UNTOLD if told is None else told
        if level < self._least:
            return
        status = found.get("status")
        self._write(found, (name, status // 100 if isinstance(status, int) else 0))

    def _write(self, found: Mapping[str, object], kind: tuple[str, int]) -> None:
        with self._lock:
            lines = []
            if (at := self._monotonic()) >= self._until:
                lines += self._left_out()
                self._until = at + _MINUTE
            self._counts[kind] += 1
            if self._counts[kind] <= self._most:
                lines.append(json.dumps(found, allow_nan=False) + "\n")
            if lines:
                stream = sys.stderr if self._stream is None else self._stream
                stream.write("".join(lines))
                stream.flush()

    def _left_out(self) -> list[str]:
        """A line on each kind of which lines were left out in the minute that ended."""
        lines = []
        for (name, hundreds), count in self._counts.items():
            if count > self._most:
                found: dict[str, object] = {
                    "time": round(self._now(), 3),
                    "level": "warning",
                    "event": "lines left out",
                    "of": name,
                    "count": count - self._most,
                }
                if hundreds:
                    found["status"] = f"{hundreds}xx"
                lines.append(json.dumps(found) + "\n")
        self._counts.clear()
        return lines

    def failure(self, name: str, error: BaseException, **members: object) -> None:
        """Log an error: a refusal with its line, any other exception with its type and place."""
        if isinstance(error, PpmfError):
            members |= {"error": error.kind, "detail": error}
        else:
            members |= {"error": type(error).__name__, "place": place_of(error)}
        self.event(name, level=logging.ERROR, **members)


_log = Log()


def use(log: Log) -> None:
    """Make this the log of the process, that `event` and `failure` write to."""
    global _log
    _log = log


def event(name: str, *, level: int = logging.INFO, **members: object) -> None:
    """Log to the log of the process; see `Log.event`."""
    _log.event(name, level=level, **members)


def failure(name: str, error: BaseException, **members: object) -> None:
    """Log an error to the log of the process; see `Log.failure`."""
    _log.failure(name, error, **members)


def place_of(error: BaseException) -> str | None:
    """Where in the program an exception was raised, as module:line, if that is known."""
    frames = traceback.extract_tb(error.__traceback__)
    if not frames:
        return None
    last = frames[-1]
    stem = last.filename.replace("\\", "/").rpartition("/")[2].removesuffix(".py")
    return f"{stem}:{last.lineno or 0}"


class LibraryHandler(logging.Handler):
    """Passes on of what libraries log that it happened, and nothing of what it says.

    A library may put an address with a token, or the text of an exception, into its messages.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Log the name of the library's logger, its level, and where in the program it is."""
        error = record.exc_info[1] if record.exc_info else None
        event(
            "a library reports",
            level=record.levelno,
            role=record.name.partition(".")[0],
            error=type(error).__name__ if error is not None else None,
            place=f"{record.module}:{record.lineno}",
        )


def watch_libraries(*names: str) -> None:
    """Let the loggers of these libraries, from warnings on, go to the log, by `LibraryHandler`."""
    for name in names:
        logger = logging.getLogger(name)
        logger.handlers = [LibraryHandler()]
        logger.setLevel(logging.WARNING)
        logger.propagate = False
