# SPDX-License-Identifier: GPL-3.0-or-later
"""The engine of a server: it brings every session from state to state, together with the peer.

RecSys asks and CSP answers (`link.control`). Each step looks at the database, which alone says
where a session is; what the engine remembers beside it may be lost at any moment, and is found
again. A state is kept before its effects are seen outside: the closing before it is sent, the
number of an epoch before its first message, V before its receipt (PPMF-SRV-004, PPMF-LNK-014).

What goes wrong in a session stops neither the engine nor the session: it is noted for the operator
and tried again after a pause, which grows. Only too few users, the operator or the time end a
session without V.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric import ec

from ppmf_secure.link import control
from ppmf_secure.link.control import Control
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.protocols.admission import AbandonedError, examine, read_closing
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.session import proposals
from ppmf_secure.session.checkpoint import write_closing
from ppmf_secure.session.cipher_suites import CipherSuite, cipher_suite
from ppmf_secure.session.kept_files import Keeper
from ppmf_secure.session.session import Session
from ppmf_secure.transport.recorded_ends import Progress
from ppmf_secure.transport.store import Store, write_durably
from ppmf_service.clock import Clock
from ppmf_service.config import TRIAL, ServerConfig
from ppmf_service.database import Database
from ppmf_service.enrolment import Members
from ppmf_service.erasure import Erasure
from ppmf_service.link.control_messages import ControlMessages
from ppmf_service.link.link import Link
from ppmf_service.sessions import (
    TRAINED_BEFORE,
    SessionRow,
    Sessions,
    UnknownSessionError,
    short,
)
from ppmf_service.states import State
from ppmf_service.training import (
    Decision,
    Epoch,
    decide_at_csp,
    decide_at_recsys,
    kept_closing,
    kept_decision,
)
from ppmf_service.uploads import Uploads
from ppmf_spec import profiles, wire
from ppmf_spec.errors import EncodingError, ParametersError, PeerError, PpmfError, StateError
from ppmf_spec.roles import CSP, RECSYS

POLL_SECONDS = 0.5
"""How often the database is looked at, which the operator and the users' interface write."""

ASK_AGAIN_SECONDS = 15.0
"""After how long a question that was not answered is asked again."""

AWAY_SECONDS = 10.0
"""After how long the operator is told that the peer is not there."""

PAUSE_SECONDS = (1.0, 300.0)
"""The pause after something went wrong, at first and at most; it doubles each time."""

MOST_PEER_PAUSE = 10.0
"""The longest pause after the peer was lost, which costs little to try again."""

_MOST_SESSIONS = 1000
"""The most sessions that are neither finished nor given up at a time."""

_MOST_MESSAGES = 64
"""The most control messages that are taken before the engine looks at everything else."""

_CLOSED = {State.CLOSED, State.SETTING_UP, State.TRAINING, State.FINISHED}
_TRAINING = (State.SETTING_UP, State.TRAINING)


class Stop(Protocol):
    """What says that the engine is to end."""

    def is_set(self) -> bool:
        """Whether it is."""


class BusyError(PeerError):
    """Another session is trained now."""


@dataclass
class _Trouble:
    """What went wrong with a session last: when to try again, and the pause after that."""

    until: float
    pause: float


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
        self._config = config
        self._database = database
        self._link = link
        self._clock = clock
        self._key = key
        self._peer_key = peer_key
        self._coins = coins
        self._suites = suites
        self._log = log
        self._me = config.role
        self._sessions = Sessions(database, suites)
        self._uploads = Uploads(database, self._sessions)
        self._members = Members(database, self._sessions)
        self._erasure = Erasure(config, database, self._sessions)
        self._control = ControlMessages(link)
        self._generation = link.generation
        self._asked: dict[tuple[bytes, str], float] = {}
        """When a question was asked last, or a peer told of an end."""
        self._trouble: dict[bytes, _Trouble] = {}
        self._decisions: dict[bytes, Decision] = {}
        self._closings: dict[bytes, control.ClosingControl] = {}
        """At CSP the closings that wait: for `closes`, or for the operator."""
        self._epoch: Epoch | None = None
        self._stream = 0
        """The highest number of a stream of an epoch, in this generation."""
        self._finished: int | None = None
        """The stream of the last epoch that finished here."""
        self._complete: dict[bytes, int] = {}
        """At RecSys since when all users of a session are present."""
        self._away_since: float | None = None
        self._next_poll = 0.0
        self._next_sweep = 0.0
        self._next_progress = 0.0

    # -- steps -------------------------------------------------------------------------------------

    def run(self, stop: Stop) -> None:
        """Step until `stop` is set. Raises the errors of a bug."""
        while not stop.is_set():
            try:
                pause = self.step()
            except OSError as error:  # of the database
                self._log("the database cannot be used", detail=StateError(_line(error)))
                self._clock.sleep(PAUSE_SECONDS[0])
                continue
            if pause > 0:
                self._link.wait(pause)
        self.close()

    def step(self) -> float:
        """Do what can be done now; in how many seconds there may be more to do, 0 for at once.

        Over a link that waits, an epoch that runs is waited for, but not for long.
        """
        self._notice_generation()
        moved = self._answer_all()
        now = self._clock.monotonic()
        if now >= self._next_poll or moved:
            self._next_poll = now + POLL_SECONDS
            self._poll()
        if self._epoch is not None:
            self._advance_epoch(self._epoch)
            return 0.0 if self._link.waits else POLL_SECONDS
        return 0.0 if self._control.waiting else POLL_SECONDS

    def close(self) -> None:
        """Give up what runs; it goes on when the engine starts again."""
        if self._epoch is not None:
            self._epoch.give_up(PeerError("this server stops"))
            self._epoch = None

    def _notice_generation(self) -> None:
        """Begin anew with a peer that began anew: what was asked is lost, and the epoch too."""
        if self._link.generation != self._generation:
            self._generation = self._link.generation
            self._asked.clear()
            self._trouble.clear()
            if self._me is CSP:  # RecSys counts anew
                self._stream, self._finished = 0, None

    def _poll(self) -> None:
        self._sweep()
        for row in self._sessions.all():
            if self._trouble_waits(row):
                continue
            with self._guarded(row.proposed):
                if self._me is RECSYS:
                    self._step_recsys(row)
                else:
                    self._step_csp(row)

    def _sweep(self) -> None:
        """Erase what is due; what cannot be erased is tried again, and holds up no session."""
        now = self._clock.monotonic()
        if now < self._next_sweep:
            return
        try:
            for key in self._erasure.sweep():
                self._log("erased", session=key)
        except OSError as error:
            self._next_sweep = now + ASK_AGAIN_SECONDS
            self._log("cannot be erased yet", detail=StateError(_line(error)))

    @contextmanager
    def _guarded(self, proposed: bytes) -> Iterator[None]:
        """Note what goes wrong with a session, and try again after a pause."""
        try:
            yield
        except AbandonedError as error:
            self._end(proposed, State.ABANDONED, error)
        except ParametersError as error:
            self._end(proposed, State.FAILED, error)
        except PpmfError as error:
            self._note(proposed, error)
        except OSError as error:
            self._note(proposed, StateError(_line(error)))

    def _note(self, proposed: bytes, error: PpmfError) -> None:
        last = self._trouble.get(proposed)
        most = MOST_PEER_PAUSE if isinstance(error, PeerError) else PAUSE_SECONDS[1]
        pause = PAUSE_SECONDS[0] if last is None else min(2 * last.pause, most)
        self._trouble[proposed] = _Trouble(self._clock.monotonic() + pause, pause)
        self._decisions.pop(proposed, None)
        row = self._sessions.get(proposed)
        self._log("goes on later", session=row.key, error=error.kind, detail=error)
        with suppress(OSError):  # the disk may be full
            self._sessions.note_error(proposed, error)

    def _end(self, proposed: bytes, state: State, error: PpmfError) -> None:
        """End a session here, and tell the peer."""
        row = self._sessions.get(proposed)
        if not row.state.final:
            self._log("ended", session=row.key, state=state, error=error.kind, detail=error)
            self._sessions.note_error(proposed, error)
            self._sessions.move(proposed, state, because=f"{error.kind}: {error}")
        self._drop(row)
        self._tell_end(self._sessions.get(proposed))

    def _drop(self, row: SessionRow) -> None:
        """Forget what runs for a session."""
        self._decisions.pop(row.proposed, None)
        self._closings.pop(row.proposed, None)
        if self._epoch is not None and self._runs(row):
            self._epoch.give_up(PeerError("the session has ended"))
            self._epoch = None

    def _tell_end(self, row: SessionRow) -> None:
        """Tell the peer, once in a generation, that a session has ended here."""
        if row.buried is None and self._due(row.proposed, "ended", once=True):
            kind, line = row.last_error or (StateError.kind, f"it was {row.state}")
            self._control.send(control.Ended(row.key, row.state, kind, control.bounded(line)))

    def _trouble_waits(self, row: SessionRow) -> bool:
        trouble = self._trouble.get(row.proposed)
        return trouble is not None and self._clock.monotonic() < trouble.until

    def _went_well(self, row: SessionRow) -> None:
        """Forget what went wrong with a session before."""
        self._trouble.pop(row.proposed, None)
        if row.last_error is not None:
            self._sessions.clear_error(row.key)

    def _due(self, proposed: bytes, question: str, *, once: bool = False) -> bool:
        """Whether a question is due, which is noted to be asked now."""
        now = self._clock.monotonic()
        if not self._link.connected:
            self._note_absence(proposed, now)
            return False
        self._away_since = None
        last = self._asked.get((proposed, question))
        if last is not None and (once or now < last + ASK_AGAIN_SECONDS):
            return False
        self._asked[proposed, question] = now
        return True

    def _note_absence(self, proposed: bytes, now: float) -> None:
        """Note for the operator that a session waits for a peer that is not there."""
        if self._away_since is None:
            self._away_since = now
        row = self._sessions.get(proposed)
        if now < self._away_since + AWAY_SECONDS or row.state.final:
            return
        why = f": {self._link.trouble}" if self._link.trouble else ""
        error = PeerError(f"{self._me.peer} cannot be reached{why}")
        if row.last_error != (error.kind, str(error)):
            self._sessions.note_error(proposed, error)

    def _move(self, row: SessionRow, state: State, because: str = "") -> None:
        self._sessions.move(row.key, state, because=because)
        self._log("state", session=row.key, state=state)
        self._went_well(row)

    # -- RecSys asks -------------------------------------------------------------------------------

    def _step_recsys(self, row: SessionRow) -> None:
        match row.state:
            case State.PROPOSED:
                if self._due(row.proposed, "propose"):
                    data = proposals.write_proposal(self._sessions.proposal(row.key))
                    self._control.send(control.Propose(row.proposed, data))
            case State.ACCEPTED:
                if self._due(row.proposed, "sign"):
                    signature = self._sessions.signed_session(row.key).by_recsys
                    self._control.send(control.Sign(row.key, signature))
            case State.OPEN:
                self._close_in_time(row)
            case State.CLOSED:
                self._ask_closing(row)
            case State.SETTING_UP | State.TRAINING:
                self._ask_epoch(row)
            case State.FINISHED:
                if (
                    row.receipt is None
                    and row.buried is None
                    and self._due(row.proposed, "receipt")
                ):
                    self._control.send(self._receipt(row))
            case State.FAILED | State.ABANDONED:
                self._drop(row)
                self._tell_end(row)

    def _close_in_time(self, row: SessionRow) -> None:
        """Close the intake when it is time (PPMF-ADM-003)."""
        now = self._clock.now()
        if self._uploads.count(row.key) == row.users:
            since = self._complete.setdefault(row.proposed, now)
            if now >= since + self._config.policy.grace:
                self._freeze(row, "all users are present")
                return
        else:
            self._complete.pop(row.proposed, None)
        if row.closes and now >= row.closes:
            self._freeze(row, "it is time")

    def _freeze(self, row: SessionRow, because: str) -> None:
        self._uploads.freeze(row.key, because)
        self._log("state", session=row.key, state=State.CLOSED)
        self._step_recsys(self._sessions.get(row.key))

    def _ask_closing(self, row: SessionRow) -> None:
        decision = self._decisions.get(row.proposed)
        if decision is None:
            session = self._session(row)
            decision = decide_at_recsys(
                session,
                self._suites(session.suite),
                self._uploads.frozen(row.key),
                self._store(row),
                str(self._database.path),
            )
            if decision.advance() and decision.abandoned is not None:
                raise decision.abandoned
            self._decisions[row.proposed] = decision
        if self._due(row.proposed, "closing"):
            assert decision.answer is not None, "the program has sent the closing"
            self._control.send(control.ClosingControl(row.key, decision.answer))

    def _ask_epoch(self, row: SessionRow) -> None:
        """Ask for an epoch; or, of one that runs, whether it runs at CSP too."""
        epoch = self._epoch
        if epoch is not None and self._runs(row):
            if self._due(row.proposed, "epoch"):
                self._control.send(control.EpochHello(row.key, epoch.stream.number))
        elif epoch is None and self._first_to_train(row) and self._due(row.proposed, "epoch"):
            self._stream += 1
            self._control.send(control.EpochHello(row.key, self._stream))

    def _first_to_train(self, row: SessionRow) -> bool:
        """Whether no older session is to be trained, other than those in trouble."""
        return not any(
            other.state in _TRAINING
            and other.number < row.number
            and not self._trouble_waits(other)
            for other in self._sessions.active()
        )

    def _receipt(self, row: SessionRow) -> control.Receipt:
        assert row.id is not None, "it was accepted"
        assert row.profiles_digest is not None, "it is finished"
        signature = proposals.sign_receipt(self._key, row.id, row.profiles_digest)
        return control.Receipt(row.key, row.profiles_digest, signature)

    # -- CSP on its own ----------------------------------------------------------------------------

    def _step_csp(self, row: SessionRow) -> None:
        match row.state:
            case State.PROPOSED:
                if row.trial and self._config.policy.accept == TRIAL:
                    self._sessions.accept(row.key, self._key, self._coins())
                    self._log("state", session=row.key, state=State.ACCEPTED)
                    self._went_well(row)
                    self._step_csp(self._sessions.get(row.key))
            case State.ACCEPTED:
                if self._due(row.proposed, "accept"):
                    self._control.send(self._acceptance(row))
            case State.CLOSED:
                if row.proposed in self._closings:
                    self._decide(row, self._closings[row.proposed])
            case State.FAILED | State.ABANDONED:
                self._drop(row)
                self._tell_end(row)
            case _:
                pass

    def _acceptance(self, row: SessionRow) -> control.Accept:
        acceptance, by_csp = self._sessions.acceptance(row.key)
        return control.Accept(row.proposed, proposals.write_acceptance(acceptance), by_csp)

    def _decide(self, row: SessionRow, question: control.ClosingControl) -> None:
        """Go on with the decision about a closing, and answer once it is made."""
        session = self._session(row)
        decision = self._decisions.get(row.proposed)
        said: bytes | None = None
        if decision is not None and self._clock.now() >= row.closes:
            decision = None  # it waited, and meanwhile codes may have been replaced (PPMF-ENR-008)
        if decision is None:
            self._check_confirmed(row, session, question)
            consent_keys = self._members.consent_keys(session, self._coins())
            decision = self._decisions[row.proposed] = decide_at_csp(
                session,
                self._suites(session.suite),
                self._sessions.sealing_key(row.key),
                consent_keys,
                self._store(row),
                self._clock,
            )
            said = question.message
        if not decision.advance(said):
            return
        answer = decision.answer
        assert answer is not None, "the program has ended, and so has sent the admission"
        del self._closings[row.proposed], self._decisions[row.proposed]
        self._admitted(row, answer)
        if decision.abandoned is not None:
            raise decision.abandoned

    def _admitted(self, row: SessionRow, answer: bytes) -> None:
        """Note the admission, and send it."""
        assert row.id is not None, "it was accepted"
        found = wire.Link(row.id, 0, CSP, RECSYS).decode(answer, wire.Admission)
        self._sessions.admit(row.key, found.admitted, remember=True)
        if row.state is State.CLOSED and kept_decision(self._session(row), self._store(row)):
            self._move(row, State.SETTING_UP)
        self._control.send(control.AdmissionControl(row.key, answer))

    def _check_confirmed(
        self, row: SessionRow, session: Session, question: control.ClosingControl
    ) -> None:
        """Raise StateError if the operator has to say first that this catalogue may be trained once
        more, with users who differ so much (PPMF-SRV-018).
        """
        if row.confirmed or self._sessions.difference(row.key, ()) is None:
            return
        closing = _closing(session, question)
        listed = read_closing(session, closing)
        self._store(row).keep("closing", None, lambda: write_closing(session, closing, None))
        consent_keys = self._members.consent_keys(session, self._coins())
        seeds = examine(session, self._sessions.sealing_key(row.key), consent_keys, listed)
        found = self._sessions.difference(row.key, [session.users[at] for at in seeds])
        if found is not None:
            raise StateError(
                f"{TRAINED_BEFORE} (session {short(found.last)}): {found.joined} "
                f"users joined, {found.left} left, {found.stayed} stayed: look, and then "
                f"`ppmf session confirm`"
            )

    # -- messages ----------------------------------------------------------------------------------

    def _answer_all(self) -> bool:
        """Take the control messages that are here, so many at most that a peer who goes on sending
        holds up nothing else. Returns whether there were any.
        """
        moved = False
        for _ in range(_MOST_MESSAGES):
            try:
                message = self._control.receive()
            except PeerError:  # the peer has started anew
                self._notice_generation()
                return moved
            except EncodingError as error:
                self._log("control message refused", error=error.kind, detail=error)
                self._notice_generation()
                moved = True
                continue
            if message is None:
                return moved
            moved = True
            self._answer(message)
        return moved

    def _answer(self, message: Control) -> None:
        try:
            row = self._sessions.get(message.key)
        except UnknownSessionError as error:
            row = None
            if self._me is RECSYS or not isinstance(message, control.Propose):
                self._refuse(message, error)
                return
        try:
            if self._me is CSP:
                self._answer_as_csp(row, message)
            else:
                assert row is not None, "RecSys is proposed nothing"
                self._answer_as_recsys(row, message)
        except (PpmfError, OSError) as error:
            refusal: PpmfError = StateError("a file could not be read or written")
            if isinstance(error, PpmfError):
                refusal = error
            if row is not None and not row.state.final:
                with self._guarded(row.proposed):
                    raise error
            else:
                self._log("refused", error=refusal.kind, detail=refusal, session=message.key)
            self._refuse(message, refusal)

    def _refuse(self, message: Control, error: PpmfError) -> None:
        """Answer a question by its refusal; answers are not answered."""
        if self._me is CSP:
            self._control.send(control.Refused.of(message, error))

    # CSP answers

    def _answer_as_csp(self, row: SessionRow | None, message: Control) -> None:
        if isinstance(message, control.Propose):
            self._answer_propose(message)
            return
        assert row is not None, "only proposals are of unknown sessions"
        if row.state in (State.FAILED, State.ABANDONED) and not isinstance(message, control.Ended):
            self._asked.pop((row.proposed, "ended"), None)
            self._tell_end(row)
            return
        match message:
            case control.Sign(_, by_recsys):
                self._sessions.opened(row.key, by_recsys)
                if row.state is State.ACCEPTED:
                    self._log("state", session=row.key, state=State.OPEN)
                self._control.send(control.Opened(row.key))
            case control.ClosingControl():
                self._answer_closing(row, message)
            case control.EpochHello(_, stream):
                self._answer_epoch(row, stream)
            case control.Receipt(_, digest, signature):
                if row.receipt is None:
                    self._check_state(row, *_TRAINING)
                    if row.state is State.SETTING_UP:  # of this epoch nothing was seen here
                        self._move(row, State.TRAINING)
                    self._drop(row)
                    self._sessions.receipt(row.key, digest, signature)
                    self._log("state", session=row.key, state=State.FINISHED)
                elif (row.profiles_digest, row.receipt) != (digest, signature):
                    raise StateError("receipt: another one than the first")
                self._control.send(control.Received(row.key))
            case control.Ended():
                self._take_end(row, message)
            case _:
                raise StateError(f"link: {message.name} is nothing that CSP is asked")

    def _answer_propose(self, message: control.Propose) -> None:
        proposal = proposals.read_proposal(message.proposal)
        if proposals.proposal_digest(proposals.write_proposal(proposal)) != message.key:
            raise StateError("propose: the key is not the digest of the proposal")
        if proposal.signing_key != self._peer_key:
            raise StateError("propose: RecSys' signing key is not that of the configuration")
        if not self._sessions.known(message.key):
            if len(self._sessions.active()) >= _MOST_SESSIONS:
                raise StateError("propose: too many sessions are not finished")
            self._suites(proposal.suite)
            row = self._sessions.propose(proposal)
            self._log("state", session=row.key, state=State.PROPOSED)
        row = self._sessions.get(message.key)
        if row.state is State.PROPOSED:
            with self._guarded(row.proposed):
                self._step_csp(row)
            row = self._sessions.get(message.key)
        if row.state is State.PROPOSED:
            kind, line = row.last_error or (StateError.kind, "CSP's operator has not accepted it")
            refused = control.Refused(message.key, message.name, kind, control.bounded(line))
            self._control.send(refused)
        elif row.state in (State.FAILED, State.ABANDONED):
            self._asked.pop((row.proposed, "ended"), None)
            self._tell_end(row)
        else:
            self._asked[row.proposed, "accept"] = self._clock.monotonic()
            self._control.send(self._acceptance(row))

    def _answer_closing(self, row: SessionRow, message: control.ClosingControl) -> None:
        self._check_state(row, State.OPEN, *_CLOSED)
        session = self._session(row)
        session.check_time(self._clock.now())
        closing = _closing(session, message)
        if row.state is not State.OPEN:
            decided = kept_decision(session, self._store(row))
            if decided is not None:
                answer = wire.Link(session.id, 0, CSP, RECSYS).encode(decided.again(closing))
                self._admitted(row, answer)
                return
            self._check_state(row, State.CLOSED)
        before = kept_closing(session, self._store(row))
        if before is not None and before != closing:
            raise StateError("closing: another one than that which was answered")
        read_closing(session, closing)
        if row.state is State.OPEN:
            self._move(row, State.CLOSED)
        self._closings[row.proposed] = message
        if not self._trouble_waits(row):
            with self._guarded(row.proposed):
                self._decide(self._sessions.get(row.key), message)
        row = self._sessions.get(row.key)
        if row.state is State.CLOSED and row.last_error is not None and self._trouble_waits(row):
            kind, line = row.last_error
            refused = control.Refused(row.key, message.name, kind, control.bounded(line))
            self._control.send(refused)

    def _answer_epoch(self, row: SessionRow, stream: int) -> None:
        self._check_state(row, *_TRAINING)
        runs = None if self._epoch is None else self._epoch.stream.number
        if stream not in (runs, self._finished):
            if stream <= self._stream:
                raise StateError("this epoch has ended")
            if self._epoch is not None:
                if self._epoch.session_id != row.id:
                    raise BusyError("another session is trained now")
                self._epoch.give_up(PeerError("another epoch begins"))
                self._epoch = None
            self._stream = stream
            self._begin_epoch(row, stream, met=False)
        self._control.send(control.Ready(row.key, stream))

    # RecSys takes answers

    def _answer_as_recsys(self, row: SessionRow, message: Control) -> None:
        match message:
            case control.Refused():
                self._take_refusal(row, message)
            case control.Accept(_, acceptance, by_csp):
                if row.id is None:
                    found = proposals.read_acceptance(acceptance)
                    if found.signing_key != self._peer_key:
                        raise StateError(
                            "accept: CSP's signing key is not that of the configuration"
                        )
                    row = self._sessions.accepted(row.key, found, by_csp, self._key)
                    self._log("state", session=row.key, state=row.state)
                    self._went_well(row)
                    self._step_recsys(row)
                elif not row.state.final:  # the same again, or refused
                    again = proposals.read_acceptance(acceptance)
                    self._sessions.accepted(row.key, again, by_csp, self._key)
            case control.Opened():
                if row.state is State.ACCEPTED:
                    self._sessions.opened(row.key)
                    self._log("state", session=row.key, state=State.OPEN)
                    self._went_well(row)
            case control.AdmissionControl(_, data):
                if row.state is State.CLOSED:
                    self._take_admission(row, data)
            case control.Ready(_, stream):
                if row.state in _TRAINING and self._epoch is None and stream == self._stream:
                    self._begin_epoch(row, stream, met=True)
            case control.Received():
                if row.state is State.FINISHED and row.receipt is None:
                    made = self._receipt(row)
                    self._sessions.receipt(row.key, made.digest, made.signature)
            case control.Ended():
                self._take_end(row, message)
            case _:
                raise StateError(f"link: {message.name} is nothing that RecSys is told")

    def _take_refusal(self, row: SessionRow, message: control.Refused) -> None:
        """What CSP refuses for now, its operator has to look at; it is asked again later."""
        if not row.state.final:
            error = message.error(CSP)
            if message.question == control.EpochHello.name and self._runs(row):
                assert self._epoch is not None, "it runs"
                self._epoch.give_up(PeerError("it does not run at the peer"))
                self._epoch = None
            self._log("refused by the peer", session=row.key, error=error.kind, detail=error)
            if message.question == control.EpochHello.name:
                self._note(row.proposed, error)  # meanwhile another session may be trained
            else:
                self._sessions.note_error(row.key, error)

    def _take_admission(self, row: SessionRow, data: bytes) -> None:
        decision = self._decisions.get(row.proposed)
        if decision is None:  # it is made again, and CSP asked again
            self._asked.pop((row.proposed, "closing"), None)
            return
        if not decision.advance(data):
            raise StateError("admission: the decision has not ended")
        session = self._session(row)
        admission = wire.Link(session.id, 0, CSP, RECSYS).decode(data, wire.Admission)
        self._sessions.admit(row.key, admission.admitted)
        del self._decisions[row.proposed]
        if decision.abandoned is not None:
            raise decision.abandoned
        self._move(row, State.SETTING_UP)
        self._ask_epoch(self._sessions.get(row.key))

    # both

    def _take_end(self, row: SessionRow, message: control.Ended) -> None:
        """The peer has ended a session, so it ends here too, unless V is there."""
        if row.state.final:
            return
        error = message.error(self._me.peer)
        state = State.ABANDONED if message.state == State.ABANDONED else State.FAILED
        self._asked[row.proposed, "ended"] = self._clock.monotonic()  # the peer knows
        self._end(row.proposed, state, error)

    def _runs(self, row: SessionRow) -> bool:
        """Whether an epoch of the session runs here."""
        return self._epoch is not None and self._epoch.session_id == row.id

    def _check_state(self, row: SessionRow, *due: State) -> None:
        if row.state not in due:
            raise StateError(f"session {short(row.key)}: it is {row.state} at {self._me}")

    # -- epochs ------------------------------------------------------------------------------------

    def _begin_epoch(self, row: SessionRow, stream: int, *, met: bool) -> None:
        """Begin an epoch on a stream, as soon as its state is kept."""
        session = self._session(row)
        suite = self._suites(session.suite)
        fitted_scheme(session, suite)
        store = self._store(row)
        if row.state is not State.SETTING_UP:
            self._sessions.move(row.key, State.SETTING_UP, because="another epoch")
        opened = self._link.open(stream, met=met)
        try:
            self._epoch = Epoch(
                self._me,
                session,
                suite,
                store,
                self._link,
                opened,
                self._coins(),
                self._clock,
                on_begin=lambda epoch: self._note_epoch(row, epoch),
                on_progress=lambda progress: self._note_progress(row, progress),
                asked=lambda: self._control.waiting or self._clock.monotonic() >= self._next_poll,
            )
        except BaseException:
            self._link.give_up(opened, StateError("the epoch could not begin"))
            raise

    def _note_epoch(self, row: SessionRow, epoch: int) -> None:
        self._sessions.began(row.key, epoch)
        self._log("epoch", session=row.key, epoch=epoch)

    def _note_progress(self, row: SessionRow, progress: Progress) -> None:
        """Note how far the training is, at most once in a second: each note waits for the disk."""
        now = self._clock.monotonic()
        if progress.phase in ("keys", "set-up") or now < self._next_progress:
            return
        self._went_well(row)
        self._next_progress = now + 1.0
        with self._database.transaction():
            self._sessions.move(row.key, State.TRAINING)
            self._sessions.progress(row.key, progress.phase, progress.done, progress.total)

    def _advance_epoch(self, epoch: Epoch) -> None:
        row = self._sessions.get(epoch.session_id)
        finished = False
        with self._guarded(row.proposed):
            try:
                finished = epoch.advance()
            except BaseException:
                self._epoch = None
                self._asked.pop((row.proposed, "epoch"), None)
                raise
            if finished:
                self._epoch = None
                self._finished = epoch.stream.number
                self._went_well(row)
                if self._me is RECSYS:
                    self._publish(self._sessions.get(row.key), epoch)

    def _publish(self, row: SessionRow, epoch: Epoch) -> None:
        """Write V, durably, and end the session (PPMF-SRV-016)."""
        assert row.id is not None, "it was trained"
        content = profiles.dumps(epoch.result).encode()
        path = self._config.profiles_file(row.id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, content)
        with self._database.transaction():
            self._sessions.move(row.key, State.TRAINING)
            total = 2 * self._session(row).parameters.iterations
            self._sessions.progress(row.key, "output", total, total)
            row = self._sessions.publish(row.key, hashlib.sha256(content).digest())
        self._log("state", session=row.key, state=State.FINISHED)
        self._step_recsys(row)

    # -- within ------------------------------------------------------------------------------------

    def _session(self, row: SessionRow) -> Session:
        return self._sessions.signed_session(row.key).session

    def _store(self, row: SessionRow) -> Store:
        """The files that this server keeps of a session."""
        assert row.id is not None, "it was accepted"
        key = self._sessions.tag_key(row.key, self._coins())
        folder = self._config.session_folder(row.id)
        folder.parent.mkdir(mode=0o700, exist_ok=True)
        return Store(folder, Keeper(key, row.id, self._me))


def _closing(session: Session, message: control.ClosingControl) -> wire.Closing:
    """The closing in a control message; raises as `Link.decode`."""
    return wire.Link(session.id, 0, RECSYS, CSP).decode(message.message, wire.Closing)


def _line(error: OSError) -> str:
    """What the system did not let this server do."""
    what = error.filename or "a file"
    return f"{what}: {error.strerror or error}"
