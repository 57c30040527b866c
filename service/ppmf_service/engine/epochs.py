# SPDX-License-Identifier: GPL-3.0-or-later
"""The one epoch that runs at a server, and the streams that epochs had."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from ppmf_secure.protocols.message_plan import most_ahead
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_secure.transport.store import Store
from ppmf_service.engine.training import Epoch, LostError
from ppmf_service.engine.workers import remove_left, room_of, workers_of
from ppmf_service.measures import FINISHED, Measures
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_spec.errors import PpmfError, StateError

if TYPE_CHECKING:
    from ppmf_service.engine.steps import Steps

_HEALTH_SECONDS = 10.0
"""How long, at least, workers are not asked again how they are."""


class Epochs:
    """The epochs of a server, one at a time.

    running: the one that runs. stream: the highest number of a stream of an epoch, in this
    generation of the link. finished: the stream of the last epoch that finished here.
    """

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self.running: Epoch | None = None
        self.stream = 0
        self.finished: int | None = None
        self._next_progress = self._next_health = 0.0
        self._measures = Measures(steps.database)
        remove_left(steps.config.workers)

    def runs(self, row: SessionRow) -> bool:
        """Whether an epoch of the session runs here."""
        return self.running is not None and self.running.session_id == row.id

    @property
    def lives(self) -> bool:
        """Whether an epoch runs, and the peer may still send something for it."""
        return self.running is not None and self.running.stream.lost is None

    def give_up(self, error: PpmfError) -> None:
        """End the epoch that runs, if any, and tell the peer why."""
        if self.running is not None:
            self.running.give_up(error)
            self.running = None

    def count_anew(self) -> None:
        """Begin to count streams anew, as the peer does."""
        self.stream, self.finished = 0, None

    def begin(self, row: SessionRow, stream: int, *, met: bool) -> None:
        """Begin an epoch on a stream, as soon as its state is kept."""
        session = self._steps.session(row)
        suite = self._steps.suites(session.suite)
        fitted_scheme(session, suite)
        store = self._steps.store(row)
        number = _next_epoch(row, store)
        if row.state is not State.SETTING_UP:
            self._steps.sessions.move(row.key, State.SETTING_UP, because="another epoch")
        ahead = most_ahead(session, suite)[self._steps.me.peer]
        opened = self._steps.link.open(stream, met=met, ahead=ahead)
        try:
            self.running = Epoch(
                self._steps.me,
                number,
                session,
                suite,
                store,
                self._steps.link,
                opened,
                self._steps.coins(),
                self._steps.clock,
                on_begin=lambda epoch: self._note_epoch(row, epoch),
                on_progress=lambda progress: self._note_progress(row, progress),
                asked=lambda: (
                    self._steps.control.waiting
                    or self._steps.clock.monotonic() >= self._steps.next_poll
                ),
                recorder=lambda epoch: self._steps.recorder(row, epoch=epoch),
                workers=workers_of(self._steps.config.workers),
                room=room_of(self._steps.config.matrices),
            )
        except BaseException:
            self._steps.link.give_up(opened, StateError("the epoch could not begin"))
            raise

    def advance(self) -> None:
        """Run the epoch that runs as far as it goes."""
        epoch = self.running
        assert epoch is not None, "one runs"
        row = self._steps.sessions.get(epoch.session_id)
        finished = False
        with self._steps.guarded(row.proposed):
            try:
                finished = epoch.advance()
            except BaseException as error:
                kind = error.kind if isinstance(error, PpmfError) else type(error).__name__
                self._note_cost(row, epoch, kind)
                self.running = None
                self._steps.asked.pop((row.proposed, "epoch"), None)
                raise
            if finished:
                self.running = None
                self.finished = epoch.stream.number
                self._note_cost(row, epoch, FINISHED)
                self._steps.went_well(row)
                self._steps.trained(self._steps.sessions.get(row.key), epoch)

    def _note_epoch(self, row: SessionRow, epoch: int) -> None:
        with self._steps.database.transaction():
            self._steps.sessions.began(row.key, epoch)
            self._measures.began(row.number, epoch)
        self._steps.log("epoch", session=row.key, epoch=epoch)

    def _note_progress(self, row: SessionRow, progress: Progress) -> None:
        """Note how far the training is, at most once in a second: each note waits for the disk."""
        now = self._steps.clock.monotonic()
        if progress.phase in ("keys", "set-up") or now < self._next_progress:
            return
        self._steps.went_well(row)
        self._next_progress = now + 1.0
        asked = self.running is not None and now >= self._next_health
        if self.running is not None and asked:  # before the database is locked: they may be slow
            self._next_health = now + _HEALTH_SECONDS
            self.running.ask_workers()
        with self._steps.database.transaction():
            self._steps.sessions.move(row.key, State.TRAINING)
            self._steps.sessions.progress(row.key, progress.phase, progress.done, progress.total)
            if self.running is not None:
                number = self._steps.sessions.get(row.key).epoch
                far = (progress.phase, progress.done, progress.total)
                self._measures.sample(row.number, number, *far, self.running.taken)
                if asked:
                    self._note_health(row, number, self.running)

    def _note_cost(self, row: SessionRow, epoch: Epoch, outcome: str) -> None:
        """Note what an epoch took, which has ended."""
        with suppress(OSError):  # the disk may be full
            number = self._steps.sessions.get(row.key).epoch
            self._measures.ended(row.number, number, outcome, epoch.taken)
            self._note_health(row, number, epoch)

    def _note_health(self, row: SessionRow, number: int, epoch: Epoch) -> None:
        """Note how the workers did when they were last asked, if there are any."""
        if epoch.health is not None:
            self._measures.workers(row.number, number, *epoch.health)


def _next_epoch(row: SessionRow, store: Store) -> int:
    """The number of the next epoch: after each that the files or the database know.

    Either of the two may be lost, or be of an older backup, and what was drawn in an epoch must
    never be drawn in another one of its number (PPMF-RES-016, PPMF-RES-019). Raises LostError if
    half-steps were computed and neither knows an epoch.
    """
    last = max(store.last_epoch(), row.epoch)
    if not last and row.state is State.TRAINING:
        raise LostError("the numbers of the epochs are lost, so that none can begin")
    return last + 1
