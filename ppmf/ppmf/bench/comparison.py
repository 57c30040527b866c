# SPDX-License-Identifier: Apache-2.0
"""The cost of the same work in this project and on SPU."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from ppmf.bench.measured_runs import Measured
from ppmf.bench.spu import Entry


@dataclass(frozen=True, slots=True)
class Compared:
    """A piece of work: the seconds and the bytes that both servers sent, here and on SPU.

    at_least: SPU was stopped, so its seconds are those until then and its bytes are unknown (0).
    """

    work: str
    seconds: float
    bytes_sent: float
    spu_seconds: float
    spu_bytes: float
    at_least: bool = False

    @property
    def ratio(self) -> float:
        """The ratio of the seconds on SPU to those here."""
        return self.spu_seconds / self.seconds

    def json(self) -> dict[str, object]:
        """The JSON object of this for the results file."""
        return {
            "work": self.work,
            "seconds": self.seconds,
            "bytes_sent": self.bytes_sent,
            "spu_seconds": self.spu_seconds,
            "spu_bytes_sent": self.spu_bytes,
            "ratio": round(self.ratio, 2),
            "at_least": self.at_least,
        }


def half_steps(run: Measured, entries: Sequence[Entry]) -> Iterator[Compared]:
    """Comparisons of the products of a half-step, of its updates, and of an iteration.

    The work that is counted here is more than that on SPU in each of them. "products" is a mean
    over both sides, and has the sharing of the columns besides the products. "updates" has the
    gradients and moves besides the clamps. The first half-step multiplies public columns: it sends
    nothing and is not counted.
    """
    iterations = run.params.iterations
    parts = (
        (
            "products of a half-step",
            ("product W Phi", "product R Y"),
            "products",
            2 * iterations - 1,
        ),
        ("clamps of a half-step", ("clamp",), "updates", 2 * iterations),
    )
    for work, theirs, phase, count in parts:
        seconds = run.seconds[phase] / count
        sent = sum(n for (_, name), n in run.sent.items() if name == phase) / count
        yield from _compared(work, seconds, sent, theirs, entries)
    yield from _compared(
        "an iteration",
        run.iterated / iterations,
        run.bytes_iterated / iterations,
        ("iteration",),
        entries,
    )


def whole(run: Measured, entries: Sequence[Entry]) -> Iterator[Compared]:
    """Comparisons of a whole training (here with processes, keys, uploads) and its iterations."""
    size = f"{run.ratings.n_users} x {run.ratings.n_items}"
    for work, seconds, sent, theirs in (
        (f"training {size}", run.wall, run.bytes_sent, ("set-up", "training")),
        (f"iterations {size}", run.iterated, run.bytes_iterated, ("training",)),
    ):
        yield from _compared(work, seconds, sent, theirs, entries)


def _compared(
    work: str, seconds: float, sent: float, theirs: Sequence[str], entries: Sequence[Entry]
) -> Iterator[Compared]:
    """The comparison of one piece of work, if SPU was asked for it."""
    by_part: Mapping[str, Entry] = {entry.part: entry for entry in entries}
    stopped = by_part.get(theirs[-1].split()[0])
    if stopped is not None and stopped.seconds is None:
        yield Compared(work, seconds, sent, stopped.limit, 0, at_least=True)
        return
    found = [by_part[part] for part in theirs if part in by_part]
    if len(found) == len(theirs):
        spu_seconds = sum(entry.seconds or 0.0 for entry in found)
        spu_bytes = sum(entry.bytes_sent or 0 for entry in found)
        yield Compared(work, seconds, sent, spu_seconds, spu_bytes)
