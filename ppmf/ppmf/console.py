# SPDX-License-Identifier: Apache-2.0
"""The output of commands: tables on standard output, notes and progress on standard error.

Progress bars are shown only on a terminal that can redraw a line. Titles of films and names of
files are shown as they are, never read as markup.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from fractions import Fraction

from rich import box
from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    TaskID,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

OUT = Console(markup=False, emoji=False, highlight=False)
ERR = Console(stderr=True, markup=False, emoji=False, highlight=False)


def say(line: str = "", *, style: str = "") -> None:
    """Print a line of the result on standard output."""
    OUT.print(line, style=style)


def note(line: str) -> None:
    """Print a note for the person at the terminal on standard error."""
    ERR.print(f"ppmf: {line}", style="dim", soft_wrap=True)


def table(headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: str = "") -> None:
    """Print a plain table; `right` names the right-aligned columns, with commas between them."""
    flush = set(right.split(","))
    shown = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, header_style="bold")
    for heading in headings:
        shown.add_column(heading, justify="right" if heading in flush else "left", overflow="fold")
    for row in rows:
        shown.add_row(*row)
    OUT.print(shown)


def facts(rows: Iterable[tuple[str, str]]) -> None:
    """Print names and values in two columns without lines."""
    shown = Table.grid(padding=(0, 2))
    for name, value in rows:
        shown.add_row(name, value)
    OUT.print(shown)


def size(count: int) -> str:
    """A number of bytes for a person: 812 B, 12.3 kB, 4.5 MB."""
    if count < 1000:
        return f"{count} B"
    value = float(count)
    for unit in ("kB", "MB", "GB"):
        value /= 1000
        if value < 999.95:
            return f"{value:.1f} {unit}"
    return f"{value / 1000:.1f} TB"


def seconds(value: float) -> str:
    """A time for a person: 0.03 s, 71.3 s, 12 min 5 s."""
    if value < 10:
        return f"{value:.2f} s"
    if value < 600:
        return f"{value:.1f} s"
    return f"{int(value) // 60} min {int(value) % 60} s"


def power_of_two(value: Fraction) -> str:
    """An upper bound of a small positive number as a power of two: 2^-61."""
    if value <= 0:
        return "0"
    exponent = value.numerator.bit_length() - value.denominator.bit_length() - 1
    while Fraction(2) ** exponent < value:
        exponent += 1
    return f"2^{exponent}"


class Bars:
    """Progress bars with the time left, one for each name."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._tasks: dict[str, TaskID] = {}

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the bars that are shown."""
        return tuple(self._tasks)

    def show(self, name: str, done: float, total: float, phase: str = "") -> None:
        """Show that `done` of `total` units of `name` are finished and `phase` is under way."""
        if name not in self._tasks:
            self._tasks[name] = self._progress.add_task(name, total=total, phase=phase)
        self._progress.update(self._tasks[name], completed=done, total=total, phase=phase)

    def drop(self, name: str) -> None:
        """Remove the bar of `name`, if there is one."""
        if name in self._tasks:
            self._progress.remove_task(self._tasks.pop(name))


@contextmanager
def bars() -> Iterator[Bars]:
    """Progress bars on standard error while the block runs; they are removed at its end."""
    watched = ERR.is_terminal and not ERR.is_dumb_terminal
    with Progress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[phase]}"),
        console=ERR,
        transient=True,
        disable=not watched,
        speed_estimate_period=600,  # a half-step may take minutes
    ) as progress:
        yield Bars(progress)


@contextmanager
def iterations(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar for a loop that reports 1, 2, .. total."""
    with bars() as shown:
        shown.show(name, 0, total)
        yield lambda done: shown.show(name, done, total)
