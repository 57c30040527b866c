# SPDX-License-Identifier: GPL-3.0-or-later
"""What both roles' steps rest on: storage, questions that are due, and what goes wrong.

What goes wrong in a session stops neither the engine nor the session: it is noted for the operator
and tried again after a pause, which grows. Only too few users, the operator or the time end a
session without V.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_secure.link import control
from ppmf_secure.link.control import Control
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.admission import AbandonedError
from ppmf_secure.session.cipher_suites import CipherSuite
from ppmf_secure.session.kept_files import Keeper
from ppmf_secure.session.private_files import private_folder
from ppmf_secure.session.session import Session
from ppmf_secure.session.transcript import Recorder, record_session
from ppmf_secure.transport.store import Store
from ppmf_service.clock import Clock
from ppmf_service.config import TRIAL, ServerConfig
from ppmf_service.database import Database
from ppmf_service.engine.epochs import Epochs
from ppmf_service.engine.training import Decision, Epoch, LostError
from ppmf_service.enrolment import Members
from ppmf_service.link.control_messages import ControlMessages
from ppmf_service.link.link import Link
from ppmf_service.session_rows import SessionRow, short
from ppmf_service.sessions import Sessions
from ppmf_service.states import State
from ppmf_service.uploads import Uploads
from ppmf_spec import wire
from ppmf_spec.errors import ParametersError, PeerError, PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS

ASK_AGAIN_SECONDS = 15.0
"""After how long a question that was not answered is asked again."""

AWAY_SECONDS = 10.0
"""After how long the operator is told that the peer is not there."""

PAUSE_SECONDS = (1.0, 300.0)
"""The pause after something went wrong, at first and at most; it doubles each time."""

MOST_PEER_PAUSE = 10.0
"""The longest pause after the peer was lost, which costs little to try again."""

TRAINED = (State.SETTING_UP, State.TRAINING)
"""The states in which there are epochs."""


class BusyError(PeerError):
    """Another session is trained now."""


@dataclass
class _Trouble:
    """What went wrong with a session last: when to try again, and the pause after that.

    confirmed: what the operator had confirmed by then.
    """

    until: float
    pause: float
    confirmed: bytes | None


class Steps(ABC):
    """The steps of one server; arguments as those of `Engine`.

    asked: when a question was asked last, or a peer told of an end, by session and question.
    decisions: the decisions about who takes part that are not made yet. epochs: the one that runs.
    next_poll: when the database is to be looked at again. by: the time by which an intake is
    closed and an answer waits no longer, 0 while the clock is in doubt (PPMF-SRV-026).
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
        coins: Callable[[], Coins],
        suites: Callable[[str], CipherSuite],
        log: Callable[..., None],
    ) -> None:
        self.config = config
        self.database = database
        self.link = link
        self.clock = clock
        self.key = key
        self.peer_key = peer_key
        self.coins = coins
        self.suites = suites
        self.log = log
        self.me = config.role
        self.sessions = Sessions(database, suites)
        self.uploads = Uploads(database, self.sessions)
        self.members = Members(database, self.sessions)
        self.control = ControlMessages(link)
        self.epochs = Epochs(self)
        self.asked: dict[tuple[bytes, str], float] = {}
        self.decisions: dict[bytes, Decision] = {}
        self.next_poll = 0.0
        self.by = 0
        self._trouble: dict[bytes, _Trouble] = {}
        self._away_since: float | None = None

    # -- of each role ------------------------------------------------------------------------------

    @abstractmethod
    def step(self, row: SessionRow) -> None:
        """Do what is due in a session by itself."""

    @abstractmethod
    def answer(self, row: SessionRow | None, message: Control) -> None:
        """Do what a control message asks for or says; `row` is its session, if it is known."""

    @abstractmethod
    def trained(self, row: SessionRow, epoch: Epoch) -> None:
        """Go on after an epoch that finished."""

    def begin_anew(self) -> None:
        """Ask everything again: the peer began anew."""
        self.asked.clear()
        self._trouble.clear()

    # -- what goes wrong ---------------------------------------------------------------------------

    @contextmanager
    def guarded(self, proposed: bytes) -> Iterator[None]:
        """Note what goes wrong with a session, and try again after a pause."""
        try:
            yield
        except AbandonedError as error:
            self.end(proposed, State.ABANDONED, error)
        except (ParametersError, LostError) as error:
            self.end(proposed, State.FAILED, error)
        except PpmfError as error:
            self.note(proposed, error)
        except OSError as error:
            self.note(proposed, StateError(line_of(error)))

    def note(self, proposed: bytes, error: PpmfError) -> None:
        """Note what went wrong with a session, which is tried again after a pause."""
        last = self._trouble.get(proposed)
        most = MOST_PEER_PAUSE if isinstance(error, PeerError) else PAUSE_SECONDS[1]
        pause = PAUSE_SECONDS[0] if last is None else min(2 * last.pause, most)
        row = self.sessions.get(proposed)
        until = self.clock.monotonic() + pause
        self._trouble[proposed] = _Trouble(until, pause, row.confirmed)
        self.forget_decision(proposed)
        self.log("goes on later", session=row.key, error=error.kind, detail=error)
        with suppress(OSError):  # the disk may be full
            self.sessions.note_error(proposed, error)

    def end(self, proposed: bytes, state: State, error: PpmfError) -> None:
        """End a session here, and tell the peer."""
        row = self.sessions.get(proposed)
        if not row.state.final:
            self.log("ended", session=row.key, state=state, error=error.kind, detail=error)
            self.sessions.note_error(proposed, error)
            self.sessions.move(proposed, state, because=f"{error.kind}: {error}")
        self.drop(row)
        self.tell_end(self.sessions.get(proposed))

    def drop(self, row: SessionRow) -> None:
        """Forget what runs for a session."""
        self.forget_decision(row.proposed)
        if self.epochs.runs(row):
            self.epochs.give_up(PeerError("the session has ended"))

    def tell_end(self, row: SessionRow) -> None:
        """Tell the peer, once in a generation, that a session has ended here."""
        if self.due(row.proposed, "ended", once=True):
            self.say_end(row)

    def say_end(self, row: SessionRow) -> None:
        """Say that a session has ended here."""
        kind, line = row.last_error or (StateError.kind, f"it was {row.state}")
        self.control.send(control.Ended(row.key, row.state, kind, control.bounded(line)))

    def take_end(self, row: SessionRow, message: control.Ended) -> None:
        """The peer has ended a session, so it ends here too, unless V is there. It is told so in
        turn, and then neither tells the other one again (PPMF-LNK-016).
        """
        if row.state.final:
            self.sessions.note_told(row.key)
            if row.state is not State.FINISHED:
                self.tell_end(row)
            return
        error = message.error(self.me.peer)
        state = State.ABANDONED if message.state == State.ABANDONED else State.FAILED
        self.end(row.proposed, state, error)
        self.sessions.note_told(row.key)

    def trouble_waits(self, row: SessionRow) -> bool:
        """Whether a session rests after something went wrong; not if the operator has confirmed
        something since.
        """
        trouble = self._trouble.get(row.proposed)
        if trouble is None or trouble.confirmed != row.confirmed:
            return False
        return self.clock.monotonic() < trouble.until

    def went_well(self, row: SessionRow) -> None:
        """Forget what went wrong with a session before."""
        self._trouble.pop(row.proposed, None)
        if row.last_error is not None:
            self.sessions.clear_error(row.key)

    def due(self, proposed: bytes, question: str, *, once: bool = False) -> bool:
        """Whether a question is due, which is noted to be asked now."""
        now = self.clock.monotonic()
        if not self.link.connected:
            self.note_absence(proposed, now)
            return False
        self._away_since = None
        last = self.asked.get((proposed, question))
        if last is not None and (once or now < last + ASK_AGAIN_SECONDS):
            return False
        self.asked[proposed, question] = now
        return True

    def note_absence(self, proposed: bytes, now: float) -> None:
        """Note for the operator that a session waits for a peer that is not there."""
        if self._away_since is None:
            self._away_since = now
        row = self.sessions.get(proposed)
        if now < self._away_since + AWAY_SECONDS or row.state.final:
            return
        why = f": {self.link.trouble}" if self.link.trouble else ""
        error = PeerError(f"{self.me.peer} cannot be reached{why}")
        if row.last_error != (error.kind, str(error)):
            self.sessions.note_error(proposed, error)

    def move(self, row: SessionRow, state: State, because: str = "") -> None:
        """Go to a state, and say so in the log."""
        self.sessions.move(row.key, state, because=because)
        self.log("state", session=row.key, state=state)
        self.went_well(row)

    def check_state(self, row: SessionRow, *due: State) -> None:
        """Raise StateError if a session is in none of these states."""
        if row.state not in due:
            raise StateError(f"session {short(row.key)}: it is {row.state} at {self.me}")

    def session(self, row: SessionRow) -> Session:
        """The session that both servers signed; raises as `Sessions.signed_session`."""
        return self.sessions.signed_session(row.key).session

    def store(self, row: SessionRow) -> Store:
        """The files that this server keeps of a session."""
        assert row.id is not None, "it was accepted"
        key = self.sessions.tag_key(row.key, self.coins())
        folder = self.config.session_folder(row.id)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        return Store(folder, Keeper(key, row.id, self.me))

    def recorder(self, row: SessionRow, *, epoch: int = 0) -> Recorder:
        """What records what this server sends and receives, in a trial session whose transcripts
        its operator wants (PPMF-SRV-025), and otherwise nothing.
        """
        folder = None
        if row.trial and self.config.policy.transcripts == TRIAL:
            assert row.id is not None, "it was accepted"
            folder = self.config.transcripts_folder(row.id)
            private_folder(folder.parent)
            if not epoch:
                record_session(folder, self.sessions.file(row.key))
        return Recorder(folder, self.me, epoch=epoch)

    def forget_decision(self, proposed: bytes) -> None:
        """Forget the decision of a session that is not made yet, or is kept now."""
        decision = self.decisions.pop(proposed, None)
        if decision is not None:
            decision.close()


def closing_of(session: Session, message: control.ClosingControl) -> wire.Closing:
    """The closing in a control message; raises as `Link.decode`."""
    return wire.Link(session.id, 0, RECSYS, CSP).decode(message.message, wire.Closing)


def line_of(error: OSError) -> str:
    """What the system did not let this server do."""
    what = error.filename or "a file"
    return f"{what}: {error.strerror or error}"
