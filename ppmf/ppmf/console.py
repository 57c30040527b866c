# SPDX-License-Identifier: Apache-2.0
"""The output of commands: tables on standard output, notes and progress on standard error.

Progress is a bar on a terminal that can redraw a line, and elsewhere a plain line now and then. How
much is said on standard error is decided once, by `ppmf --quiet` and `ppmf -v`. With `--json` a
command prints one JSON object in place of all tables. Titles of films and names of files are shown
as they are, never read as markup.
"""

from __future__ import annotations

import io
import json
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from typing import Annotated

import typer
from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    ProgressColumn,
    Task,
    TaskID,
    TaskProgressColumn,
    TextColumn,
)
from rich.table import Table
from rich.text import Text

OUT = Console(markup=False, emoji=False, highlight=False)
ERR = Console(stderr=True, markup=False, emoji=False, highlight=False)

_WIDEST = 1_000_000
"""The width, in columns, of a table that no terminal shows."""

PLAIN_SECONDS = 5.0
"""The least time between two plain lines of progress; it grows to `_PLAIN_AT_MOST`."""

_PLAIN_AT_MOST = 30.0
_BEAT_SECONDS = 1.0
_YEAR_HOURS = 8766
_PLAIN_PART = 0.05
"""The part of the time passed after which the next plain line is due."""

Json = Annotated[
    bool,
    typer.Option("--json", help="Print one JSON object on standard output, and nothing else."),
]


class Level(IntEnum):
    """How much is said on standard error: errors alone, notes and progress, details too."""

    QUIET = 0
    NORMAL = 1
    VERBOSE = 2


_level = Level.NORMAL


def set_level(level: Level) -> None:
    """Decide how much is said on standard error from here on."""
    global _level
    _level = level


def say(line: str = "", *, style: str = "") -> None:
    """Print a line of the result on standard output; a terminal breaks it between words."""
    OUT.print(line, style=style, soft_wrap=not OUT.is_terminal)


def say_whole(line: str) -> None:
    """Print a line that a terminal must not break, such as a link that somebody copies."""
    OUT.print(line, soft_wrap=True)


def note(line: str) -> None:
    """Print a note for the person at the terminal on standard error, unless it is to be quiet."""
    if _level >= Level.NORMAL:
        ERR.print(f"ppmf: {line}", style="dim", soft_wrap=True)


def warn(line: str) -> None:
    """Print a line that is the reason of a failure: --quiet does not hide it."""
    ERR.print(f"ppmf: {line}", soft_wrap=True)


def detail(line: str) -> None:
    """Print a note that only `ppmf -v` shows."""
    if _level >= Level.VERBOSE:
        note(line)


@contextmanager
def timed(what: str) -> Iterator[None]:
    """Say after the block, if details are shown, how long it took."""
    started = time.monotonic()
    yield
    detail(f"{what}: {seconds(time.monotonic() - started)}")


def put_json(kind: str, content: Mapping[str, object]) -> None:
    """Print the one JSON object of a command, with the member `format`, "ppmf-`kind`/1", first.

    It is on one line, in ASCII, so that neither a narrow terminal nor an old locale changes it.
    """
    typer.echo(json.dumps({"format": f"ppmf-{kind}/1", **content}, allow_nan=False))


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: str = "") -> None:
    """Print a plain table; `right` names the right-aligned columns, with commas between them."""
    flush = set(right.split(","))
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in flush else "left", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    _print(shown)


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns without lines."""
    shown = Table.grid(padding=(0, 2))
    for name, value in rows:
        shown.add_row(name, value)
    _print(shown)


def _print(shown: Table) -> None:
    """Print a table: as wide as the terminal, or, for a program, with each row on one line."""
    if OUT.is_terminal:
        OUT.print(shown)
        return
    drawn = io.StringIO()
    Console(file=drawn, width=_WIDEST, markup=False, emoji=False, highlight=False).print(shown)
    lines = drawn.getvalue().splitlines()
    OUT.out("\n".join(line.rstrip() for line in lines))


def size(count: int) -> str:
    """A number of bytes for a person: 812 B, 12.3 kB, 4.5 MB, 37.5 TB."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB", "TB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:,.1f} PB"


def seconds(value: float) -> str:
    """A time for a person: 0.03 s, 41.3 s, 2 min 5 s, 3 h 20 min, 2 days 4 h, 30 years."""
    if value < 9.995:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    whole = round(value)
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    minutes = round(value / 60)
    if minutes < 48 * 60:
        return f"{minutes // 60} h {minutes % 60} min"
    hours = round(value / 3600)
    if hours >= 10 * _YEAR_HOURS:
        return f"{hours / _YEAR_HOURS:,.0f} years"
    return f"{hours // 24:,} days {hours % 24} h"


def about(value: float) -> str:
    """A time that is a guess, without figures that it does not have: 8 s, 40 s, 2 min, 3 h."""
    if value < 59.5:
        return f"{max(1, round(value))} s"
    if value < 99.5 * 60:
        return f"{round(value / 60)} min"
    if value < 47.5 * 3600:
        return f"{round(value / 3600)} h"
    days = round(value / 86400)
    return (
        f"{days} days" if days < 2 * _YEAR_HOURS / 24 else f"{24 * days / _YEAR_HOURS:,.0f} years"
    )


def power_of_two(value: Fraction) -> str:
    """An upper bound of a small positive number as a power of two: 2^-61."""
    if value <= 0:
        return "0"
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - 1
    while Fraction(2) ** exponent < value:
        exponent += 1
    return f"2^{exponent}"


class _TimeLeft(ProgressColumn):
    """The time passed and, once it can be told, the time left."""

    def render(self, task: Task) -> Text:
        passed = task.finished_time if task.finished else task.elapsed
        left = task.time_remaining
        text = "" if passed is None else seconds(int(passed) if passed > 60 else round(passed, 1))
        return Text(text if left is None or task.finished else f"{text}, {about(left)} left")


class Bars:
    """Progress with the time left, one bar for each name, or a plain line of all of them.

    A plain line is printed when `plain` is true and one is due: `show` and `beat` look, which may
    be called in different threads. `clock` gives the time in seconds.
    """

    def __init__(
        self,
        progress: Progress,
        *,
        plain: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._progress = progress
        self._plain = plain
        self._clock = clock
        self._tasks: dict[str, TaskID] = {}
        self._began = self._printed = clock()
        self._steps: dict[str, _Step] = {}
        self._lock = threading.Lock()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bars that are shown."""
        return tuple(self._tasks)

    def show(
        self, name: str, done: float, total: float, phase: str = "", until: float | None = None
    ) -> None:
        """Show that `done` of `total` units of `name` are finished and `phase` is under way.

        `until` is what will be done when the phase ends, if that is known.
        """
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, phase=phase)
        self._progress.update(self._tasks[name], completed=done, total=total, phase=phase)
        now, part = self._clock(), done / total if total else 0.0
        end = part if until is None or not total else max(part, until / total)
        with self._lock:
            before = self._steps.get(name)
            first = part if before is None else before.first
            self._steps[name] = _Step(phase, first, part, end, now)
            self._line_if_due(now)

    def beat(self) -> None:
        """Print a line if one is due, although nothing has been finished."""
        with self._lock:
            self._line_if_due(self._clock())

    def drop(self, name: str) -> None:
        """Remove the bar of `name`, if there is one."""
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))
            with self._lock:
                self._steps.pop(name, None)

    def _line_if_due(self, now: float) -> None:
        passed = now - self._began
        due = min(max(PLAIN_SECONDS, _PLAIN_PART * passed), _PLAIN_AT_MOST)
        if not self._plain or not self._steps or now - self._printed < due:
            return
        self._printed = now
        shown = "; ".join(
            f"{name} {one.part:.0%}{' ' + one.phase if one.phase else ''}"
            for name, one in self._steps.items()
        )
        left = min(self._steps.values(), key=lambda one: one.part).left(self._began, now)
        told = "" if left is None else f", about {about(left)} left"
        note(f"{shown}; {about(passed)} passed{told}")


@dataclass(frozen=True, slots=True)
class _Step:
    """Where something is: the part that is done, of 1, since the time `at`, of which `first` was
    done at the beginning; and the part at which the phase ends.
    """

    phase: str
    first: float
    part: float
    end: float
    at: float

    def left(self, began: float, now: float) -> float | None:
        """The seconds that are left, or None where no speed is known yet or nothing is left.

        What is done of the phase that is under way is guessed from the speed so far.
        """
        gained = self.part - self.first
        if gained <= 0 or self.at <= began:
            return None
        speed = gained / (self.at - began)
        rest = 1 - min(self.part + speed * (now - self.at), self.end)
        return rest / speed if rest > 0 else None


@contextmanager
def bars() -> Iterator[Bars]:
    """Progress on standard error while the block runs; bars are removed at its end.

    Where plain lines are printed, a thread looks for whether one is due: a half-step may take
    minutes in which nothing is finished.
    """
    watched = ERR.is_terminal and not ERR.is_dumb_terminal
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        _TimeLeft(),
        TextColumn("{task.fields[phase]}"),
        console=ERR,
        transient=True,
        disable=not watched or _level < Level.NORMAL,
        speed_estimate_period=600,  # a half-step may take minutes
    ) as progress:
        shown = Bars(progress, plain=not watched)
        ended = threading.Event()
        thread = threading.Thread(target=_beat, args=(shown, ended), daemon=True)
        if not watched:
            thread.start()
        try:
            yield shown
        finally:
            ended.set()
            if not watched:
                thread.join()


def _beat(shown: Bars, ended: threading.Event) -> None:
    while not ended.wait(_BEAT_SECONDS):
        shown.beat()


@contextmanager
def iterations(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """Progress of a loop that reports 1, 2, .. total."""
    with bars() as shown:
        shown.show(name, 0, total)
        yield lambda done: shown.show(name, done, total, until=min(done + 1, total))
