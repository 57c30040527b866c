# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of a server: it brings every session from state to state, together with the peer.

RecSys asks and CSP answers (`link.control`). Each step looks at the database, which alone says
where a session is; what the engine remembers beside it may be lost at any moment, and is found
again. A state is kept before its effects are seen outside: the closing before it is sent, the
number of an epoch before its first message, V before its receipt (PPMF-SRV-004, PPMF-LNK-014).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_secure.link import control
from ppmf_secure.link.control import Control
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_service.clock import Clock
from ppmf_service.clock_watch import ClockWatch
from ppmf_service.config import ServerConfig
from ppmf_service.database import Database
from ppmf_service.engine.csp import CspSteps
from ppmf_service.engine.recsys import RecSysSteps
from ppmf_service.engine.steps import ASK_AGAIN_SECONDS, PAUSE_SECONDS, Steps, line_of
from ppmf_service.erasure import Erasure
from ppmf_service.link.link import Link
from ppmf_service.measures import Measures
from ppmf_service.report import Reports
from ppmf_service.session_rows import UnknownSessionError
from ppmf_spec.errors import EncodingError, PeerError, PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS

POLL_SECONDS = 0.5
"""How often the database is looked at, which the operator and the users' interface write."""

_LOOK_SECONDS = 0.1
"""How often an engine that rests looks whether they have written, which costs next to nothing."""

_MOST_MESSAGES = 64
"""The most control messages that are taken before the engine looks at everything else."""

_MOST_SECONDS = 1.0
"""After how long it looks at everything else, though there are more."""


class Stop(Protocol):
    """What says that the engine is to end."""

    def is_set(self) -> bool:
        """Whether it is."""


class Engine:
    """The engine of one server.

    key: its signing key. coins: makes fresh coins, for each use anew. suites: finds the cipher
    suite of a name. log: told what happened: a literal and its members, as `logs.event`.
    """

    def __init__(
        self,
        config: ServerConfig,
        database: Database,
        link: Link,
        clock: Clock,
        key: ec.EllipticCurvePrivateKey,
        peer_key: bytes,
        *,
        coins: Callable[[], Coins] = Coins.system,
        suites: Callable[[str], CipherSuite] = cipher_suite,
        log: Callable[..., None] = lambda *_, **__: None,
    ) -> None:
        make = RecSysSteps if config.role is RECSYS else CspSteps
        self.steps: Steps = make(
            config, database, link, clock, key, peer_key, coins=coins, suites=suites, log=log
        )
        self.epochs = self.steps.epochs
        self._erasure = Erasure(config, database, self.steps.sessions)
        self._measures = Measures(database)
        self._reports = Reports(config, database, self.steps.sessions)
        self._watch = ClockWatch(database)
        self._doubt_was = False
        self._link_was: bool | None = None
        self._generation = link.generation
        self._next_sweep = 0.0
        self._version = 0
        """Of the database, when it was looked at last."""
        link.meanwhile = self._meanwhile

    def run(self, stop: Stop) -> None:
        """Step until `stop` is set. Raises the errors of a bug."""
        while not stop.is_set():
            try:
                pause = self.step()
            except OSError as error:  # of the database
                self.steps.log("the database cannot be used", detail=StateError(line_of(error)))
                self.steps.clock.sleep(PAUSE_SECONDS[0])
                continue
            if pause > 0:
                self.rest(pause)
        self.close()

    def rest(self, seconds: float) -> None:
        """Wait for the peer, at most so long, or until somebody else has written to the database:
        the last upload does not wait for the next look at everything.
        """
        until = self.steps.clock.monotonic() + seconds
        while (left := until - self.steps.clock.monotonic()) > 0:
            if self.steps.link.wait(min(left, _LOOK_SECONDS)):
                return
            with suppress(OSError):  # `step` meets it again
                version = self.steps.database.version()
                if version != self._version:
                    self._version, self.steps.next_poll = version, 0.0
                    return

    def step(self) -> float:
        """Do what can be done now; in how many seconds there may be more to do, 0 for at once.

        Over a link that waits, an epoch that runs is waited for, but not for long.
        """
        self._notice_generation()
        moved = self._answer_all()
        now = self.steps.clock.monotonic()
        if now >= self.steps.next_poll or moved:
            self.steps.next_poll = now + POLL_SECONDS
            self._poll()
        if self.epochs.running is not None:
            self.epochs.advance()
            return 0.0 if self.steps.link.waits else POLL_SECONDS
        return 0.0 if self.steps.control.waiting else POLL_SECONDS

    def close(self) -> None:
        """Give up what runs; it goes on when the engine starts again."""
        self.epochs.give_up(PeerError("this server stops"))

    def _notice_generation(self) -> None:
        """Begin anew with a peer that began anew: what was asked is lost, and the epoch too."""
        if self.steps.link.generation != self._generation:
            self._generation = self.steps.link.generation
            self.steps.begin_anew()
            if self.steps.me is CSP:  # RecSys counts anew
                self.epochs.count_anew()

    def _poll(self) -> None:
        self._note_link()
        self._look_at_clock()
        self._sweep()
        for row in self.steps.sessions.due():
            if self.steps.trouble_waits(row):
                continue
            with self.steps.guarded(row.proposed):
                self.steps.step(row)

    def _note_link(self) -> None:
        """Note for the operator that the peer was met or lost."""
        up = self.steps.link.connected
        if up is not self._link_was:
            with suppress(OSError):  # the disk may be full
                self._measures.link(up, "" if up else self.steps.link.trouble)
                self._link_was = up

    def _meanwhile(self) -> None:
        """What must not wait until the peer takes what is sent: to erase what is due, and to end an
        epoch whose session has ended (PPMF-SRV-015, PPMF-LNK-018).
        """
        now = self.steps.clock.monotonic()
        if now < self.steps.next_poll:
            return
        self.steps.next_poll = now + POLL_SECONDS
        self._look_at_clock()
        self._sweep()
        epoch = self.epochs.running
        if epoch is not None and self.steps.sessions.get(epoch.session_id).state.final:
            self.steps.link.give_up(epoch.stream, PeerError("the session has ended"))

    def _look_at_clock(self) -> None:
        """Look whether the clock can be believed, before anything is done because of a time."""
        self.steps.by = 0
        with suppress(OSError, StateError):  # the disk may be full, or the database locked
            self.steps.by = self._watch.by()
        if self._watch.in_doubt is not self._doubt_was:
            self._doubt_was = self._watch.in_doubt
            told = "the clock is in doubt" if self._doubt_was else "the clock is believed again"
            self.steps.log(told)

    def _sweep(self) -> None:
        """Erase what is due; what cannot be erased is tried again, and holds up no session."""
        now = self.steps.clock.monotonic()
        if now < self._next_sweep:
            return
        try:
            for key in self._erasure.sweep(self.steps.by):
                self.steps.log("erased", session=key)
                self._write_report(key)
        except OSError as error:
            self._next_sweep = now + ASK_AGAIN_SECONDS
            self.steps.log("cannot be erased yet", detail=StateError(line_of(error)))

    def _write_report(self, key: bytes) -> None:
        """Write the report of a session that has ended; `ppmf report` does it at any time."""
        try:
            self._reports.write(key)
        except OSError as error:
            self.steps.log("no report", session=key, detail=StateError(line_of(error)))
        except PpmfError as error:  # a damaged part holds up nothing else
            self.steps.log("no report", session=key, detail=error)

    def _answer_all(self) -> bool:
        """Take the control messages that are here, so many at most that a peer who goes on sending
        holds up nothing else. Returns whether there were any.
        """
        moved, until = False, self.steps.clock.monotonic() + _MOST_SECONDS
        for _ in range(_MOST_MESSAGES):
            if self.steps.clock.monotonic() > until:  # a large proposal takes seconds to read
                return moved
            try:
                message = self.steps.control.receive()
            except PeerError:  # the peer has started anew
                self._notice_generation()
                return moved
            except EncodingError as error:
                self.steps.log("control message refused", error=error.kind, detail=error)
                self._notice_generation()
                moved = True
                continue
            if message is None:
                return moved
            moved = True
            self._notice_generation()
            if self.steps.control.generation == self._generation:  # else it is of a peer that ended
                self._answer(message)
        return moved

    def _answer(self, message: Control) -> None:
        try:
            row = self.steps.sessions.get(message.key)
        except UnknownSessionError as error:
            row = None
            if self.steps.me is RECSYS or not isinstance(message, control.Propose):
                self._refuse(message, error)
                return
        try:
            self.steps.answer(row, message)
        except (PpmfError, OSError) as error:
            refusal: PpmfError = StateError("a file could not be read or written")
            if isinstance(error, PpmfError):
                refusal = error
            if row is not None and not row.state.final:
                with self.steps.guarded(row.proposed):
                    raise error
            else:
                self.steps.log("refused", error=refusal.kind, detail=refusal, session=message.key)
            self._refuse(message, refusal)

    def _refuse(self, message: Control, error: PpmfError) -> None:
        """Answer a question by its refusal; answers are not answered."""
        if self.steps.me is CSP:
            self.steps.control.send(control.Refused.of(message, error))
