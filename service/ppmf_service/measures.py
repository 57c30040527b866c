# SPDX-License-Identifier: GPL-3.0-or-later
"""What trainings took, what was erased, and when the peer was there, for the operator.

Times, counts and bytes alone, all of which follow from public sizes or from what the operator sees
anyway: nothing here is secret, and it outlives the session (chapter 8, "What a server keeps,
and what it erases").
"""

from __future__ import annotations

import resource
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from ppmf_secure.primitives.workers import WorkerHealth
from ppmf_service.database import Database

MOST_SAMPLES = 300
"""About how many samples of an epoch are kept; of a longer one, fewer in a minute."""

MOST_LINKS = 1000
"""How many changes of the link are kept, the last ones."""

FINISHED, LOST = "finished", "lost"
_MOST_REASON = 200
_WORKERS = "workers, workers_there, workers_memory, workers_cpu, workers_at"


class Taken(Protocol):
    """What one phase of an epoch took, such as a `Measure`."""

    @property
    def phase(self) -> str:
        """Its name."""

    @property
    def seconds(self) -> float:
        """Wall time."""

    @property
    def bytes_sent(self) -> int:
        """The bytes of messages to the peer."""

    @property
    def bytes_received(self) -> int:
        """The bytes of messages from the peer."""


@dataclass(frozen=True, slots=True)
class PhaseCost:
    """What one phase of an epoch took."""

    phase: str
    seconds: float
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, slots=True)
class Sample:
    """How far an epoch was so many seconds after its beginning, and the bytes until then."""

    seconds: float
    phase: str
    done: int
    total: int
    bytes_sent: int
    bytes_received: int


@dataclass(frozen=True, slots=True)
class WorkersCost:
    """How the workers of an epoch did when they were last asked.

    count: how many there were at its beginning. there: how many answered. memory: the most bytes
    that one of these has had. cpu_seconds: the processor time of these. at: when they were asked.
    """

    count: int
    there: int
    memory: int
    cpu_seconds: float
    at: int


@dataclass(frozen=True, slots=True)
class EpochCost:
    """What one epoch took.

    began, ended: seconds since 1970; ended is None while it runs. outcome: "finished", "lost" if
    the server was ended meanwhile, the class of an error, or "" while it runs. memory: the most
    bytes that the engine's process has had. workers: None where it has none.
    """

    epoch: int
    began: int
    ended: int | None
    outcome: str
    memory: int
    phases: tuple[PhaseCost, ...]
    workers: WorkersCost | None = None


@dataclass(frozen=True, slots=True)
class Erased:
    """That something was erased: what, how many of them, and how many bytes these were."""

    at: int
    what: str
    count: int
    bytes: int


@dataclass(frozen=True, slots=True)
class LinkChange:
    """That the peer was met or lost, and why."""

    at: int
    up: bool
    why: str


class Measures:
    """The tables of what trainings took; a session is named by its number in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    # -- epochs ------------------------------------------------------------------------------------

    def began(self, session: int, epoch: int) -> None:
        """Note that an epoch begins; an earlier one that has not ended was lost."""
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE epochs SET outcome = ? WHERE session = ? AND outcome = ''", (LOST, session)
            )
            connection.execute(
                "INSERT INTO epochs (session, epoch, began, outcome, memory) "
                "VALUES (?, ?, ?, '', ?) ON CONFLICT DO NOTHING",
                (session, epoch, self._database.clock.now(), most_memory()),
            )

    def sample(
        self, session: int, epoch: int, phase: str, done: int, total: int, taken: Iterable[Taken]
    ) -> None:
        """Note how far an epoch is, and what it took until now."""
        taken = list(taken)
        seconds = sum(one.seconds for one in taken)
        sent = sum(one.bytes_sent for one in taken)
        received = sum(one.bytes_received for one in taken)
        with self._database.transaction() as connection:
            self._write(session, epoch, taken)
            last = connection.execute(
                "SELECT max(seconds) FROM samples WHERE session = ? AND epoch = ?", (session, epoch)
            ).fetchone()[0]
            if last is not None and seconds - last < seconds / MOST_SAMPLES:
                return
            connection.execute(
                "INSERT INTO samples (session, epoch, seconds, phase, done, total, sent, received) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (session, epoch, seconds, phase, done, total, sent, received),
            )

    def workers(self, session: int, epoch: int, count: int, health: Iterable[WorkerHealth]) -> None:
        """Note how the workers of an epoch do, of which there were so many at its beginning."""
        processes = [one.process for one in health]
        with self._database.transaction() as connection:
            connection.execute(
                "UPDATE epochs SET workers = ?, workers_there = ?, workers_at = ?, "
                "workers_memory = max(workers_memory, ?), workers_cpu = max(workers_cpu, ?) "
                "WHERE session = ? AND epoch = ?",
                (
                    count,
                    len(processes),
                    self._database.clock.now(),
                    max((one.most_memory for one in processes), default=0),
                    sum(one.cpu_seconds for one in processes),
                    session,
                    epoch,
                ),
            )

    def running_workers(self) -> WorkersCost | None:
        """The workers of the epoch that runs; None if none runs, or it has none."""
        row = self._database.row(
            f"SELECT {_WORKERS} FROM epochs WHERE outcome = '' ORDER BY began DESC"
        )
        return None if row is None or not row["workers"] else WorkersCost(*row)

    def ended(self, session: int, epoch: int, outcome: str, taken: Iterable[Taken]) -> None:
        """Note that an epoch has ended, how, and what it took."""
        with self._database.transaction() as connection:
            self._write(session, epoch, list(taken))
            connection.execute(
                "UPDATE epochs SET ended = ?, outcome = ? WHERE session = ? AND epoch = ?",
                (self._database.clock.now(), outcome, session, epoch),
            )

    def epochs(self, session: int) -> list[EpochCost]:
        """What each epoch of a session took, the first first."""
        phases: dict[int, list[PhaseCost]] = {}
        for epoch, *cost in self._database.rows(
            "SELECT epoch, phase, seconds, sent, received FROM phases WHERE session = ? "
            "ORDER BY epoch, place",
            (session,),
        ):
            phases.setdefault(epoch, []).append(PhaseCost(*cost))
        return [
            EpochCost(
                row["epoch"],
                row["began"],
                row["ended"],
                row["outcome"],
                row["memory"],
                tuple(phases.get(row["epoch"], ())),
                WorkersCost(*tuple(row)[5:]) if row["workers"] else None,
            )
            for row in self._database.rows(
                f"SELECT epoch, began, ended, outcome, memory, {_WORKERS} FROM epochs "
                "WHERE session = ? ORDER BY epoch",
                (session,),
            )
        ]

    def samples(self, session: int, epoch: int) -> list[Sample]:
        """The samples of an epoch, the first first."""
        rows = self._database.rows(
            "SELECT seconds, phase, done, total, sent, received FROM samples "
            "WHERE session = ? AND epoch = ? ORDER BY number",
            (session, epoch),
        )
        return [Sample(*row) for row in rows]

    # -- erasures ----------------------------------------------------------------------------------

    def erased(self, session: int, what: str, count: int, size: int = 0) -> None:
        """Note that something was erased, in the transaction in which it is; nothing is not."""
        if not count:
            return
        with self._database.transaction() as connection:
            connection.execute(
                "INSERT INTO erasures (session, at, what, count, bytes) VALUES (?, ?, ?, ?, ?)",
                (session, self._database.clock.now(), what, count, size),
            )

    def erasures(self, session: int) -> list[Erased]:
        """What was erased of a session, the first first."""
        rows = self._database.rows(
            "SELECT at, what, count, bytes FROM erasures WHERE session = ? ORDER BY number",
            (session,),
        )
        return [Erased(*row) for row in rows]

    # -- the link ----------------------------------------------------------------------------------

    def link(self, up: bool, why: str = "") -> None:
        """Note that the peer was met or lost, unless that is what was noted last."""
        with self._database.transaction() as connection:
            last = self.last_link()
            if last is not None and last.up is up:
                return
            connection.execute(
                "INSERT INTO links (at, up, why) VALUES (?, ?, ?)",
                (self._database.clock.now(), int(up), why[:_MOST_REASON]),
            )
            connection.execute(
                "DELETE FROM links WHERE number <= (SELECT max(number) FROM links) - ?",
                (MOST_LINKS,),
            )

    def last_link(self) -> LinkChange | None:
        """The last change of the link; None if there was none yet."""
        row = self._database.row("SELECT at, up, why FROM links ORDER BY number DESC LIMIT 1")
        return None if row is None else LinkChange(row[0], bool(row[1]), row[2])

    def losses(self, since: int, until: int) -> int:
        """How often the peer was lost from one second to another one."""
        row = self._database.row(
            "SELECT count(*) FROM links WHERE NOT up AND at BETWEEN ? AND ?", (since, until)
        )
        return 0 if row is None else int(row[0])

    # -- within ------------------------------------------------------------------------------------

    def _write(self, session: int, epoch: int, taken: Iterable[Taken]) -> None:
        with self._database.transaction() as connection:
            connection.executemany(
                "INSERT OR REPLACE INTO phases "
                "(session, epoch, place, phase, seconds, sent, received) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (session, epoch, at, one.phase, one.seconds, one.bytes_sent, one.bytes_received)
                    for at, one in enumerate(taken)
                ),
            )
            connection.execute(
                "UPDATE epochs SET memory = ? WHERE session = ? AND epoch = ?",
                (most_memory(), session, epoch),
            )


def seconds_left(samples: list[Sample]) -> float | None:
    """About how many seconds an epoch still takes, by the half-steps since its first sample; None
    if none has been finished since.
    """
    if len(samples) < 2:
        return None
    first, last = samples[0], samples[-1]
    if last.done <= first.done or last.seconds <= first.seconds:
        return None
    return (last.total - last.done) * (last.seconds - first.seconds) / (last.done - first.done)


def most_memory() -> int:
    """The most bytes of memory that this process has had."""
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return most if sys.platform == "darwin" else most << 10
