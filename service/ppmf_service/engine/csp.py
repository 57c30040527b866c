# SPDX-License-Identifier: GPL-3.0-or-later
"""CSP's steps: it answers what RecSys asks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ppmf_secure.link import control
from ppmf_secure.link.control import Control
from ppmf_secure.protocols.admission import examine, read_closing, read_rows
from ppmf_secure.protocols.ratings_product import fitted_scheme
from ppmf_secure.session import proposals, set_up
from ppmf_secure.session.checkpoint import write_closing
from ppmf_secure.session.session import Session
from ppmf_service.config import TRIAL
from ppmf_service.engine.steps import TRAINED, BusyError, Steps, closing_of
from ppmf_service.engine.training import Epoch, decide_at_csp, kept_closing, kept_decision
from ppmf_service.session_rows import SessionRow, short
from ppmf_service.states import State
from ppmf_service.trained_before import TRAINED_BEFORE
from ppmf_spec import wire
from ppmf_spec.errors import ParametersError, PeerError, StateError
from ppmf_spec.roles import CSP, RECSYS

_MOST_SESSIONS = 1000
"""The most sessions that are neither finished nor given up at a time."""

MOST_WAITING, MOST_WAITING_BYTES = 16, 1 << 27
"""The most proposals that wait for the operator, and their bytes (PPMF-SRV-023)."""

MOST_TRIALS, MOST_TRIAL_BYTES = 100, 1 << 28
"""The most sessions within a day, and bytes of all that are kept, after which the operator has to
accept trials too (PPMF-SRV-023)."""

_DAY = 86_400

_CLOSED = {State.CLOSED, *TRAINED, State.FINISHED}


class CspSteps(Steps):
    """The steps of CSP."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._closings: dict[bytes, control.ClosingControl] = {}
        """The closings that wait: for `closes`, or for the operator."""

    def drop(self, row: SessionRow) -> None:
        """Forget what runs for a session."""
        self._closings.pop(row.proposed, None)
        super().drop(row)

    def trained(self, row: SessionRow, epoch: Epoch) -> None:
        """Wait for the receipt."""

    def step(self, row: SessionRow) -> None:
        """Do what CSP does by itself in a session."""
        match row.state:
            case State.PROPOSED:
                if row.trial and self.config.policy.accept == TRIAL:
                    self._check_trials()
                    self.sessions.accept(row.key, self.key, self.coins(), peer=self.peer_key)
                    self.log("state", session=row.key, state=State.ACCEPTED)
                    self.went_well(row)
                    self.step(self.sessions.get(row.key))
            case State.ACCEPTED:
                if self.due(row.proposed, "accept"):
                    self.control.send(self._acceptance(row))
            case State.CLOSED:
                if row.proposed in self._closings:
                    self._decide(row, self._closings[row.proposed])
            case State.FAILED | State.ABANDONED:
                self.drop(row)
                self.tell_end(row)
            case _:
                pass

    def answer(self, row: SessionRow | None, message: Control) -> None:
        """Answer a question of RecSys."""
        if isinstance(message, control.Propose):
            self._answer_propose(message)
            return
        assert row is not None, "only proposals are of unknown sessions"
        if isinstance(message, control.Ended) and row.id is None:
            self._take_end_unaccepted(row)
            return
        if row.state in (State.FAILED, State.ABANDONED) and not isinstance(message, control.Ended):
            self.say_end(row)
            self.sessions.note_told(row.key)  # else it asks again
            return
        match message:
            case control.Sign(_, by_recsys):
                self.sessions.opened(row.key, by_recsys)
                if row.state is State.ACCEPTED:
                    self.log("state", session=row.key, state=State.OPEN)
                self.control.send(control.Opened(row.key))
            case control.ClosingControl():
                self._answer_closing(row, message)
            case control.EpochHello(_, stream):
                self._answer_epoch(row, stream)
            case control.Receipt(_, digest, signature):
                if row.receipt is None:
                    self.check_state(row, *TRAINED)
                    if row.state is State.SETTING_UP:  # of this epoch nothing was seen here
                        self.move(row, State.TRAINING)
                    self.drop(row)
                    self.sessions.receipt(row.key, digest, signature)
                    self.log("state", session=row.key, state=State.FINISHED)
                elif (row.profiles_digest, row.receipt) != (digest, signature):
                    raise StateError("receipt: another one than the first")
                self.control.send(control.Received(row.key))
            case control.Ended():
                self.take_end(row, message)
            case _:
                raise StateError(f"link: {message.name} is nothing that CSP is asked")

    def _answer_propose(self, message: control.Propose) -> None:
        if proposals.proposal_digest(message.proposal) != message.key:
            raise StateError("propose: the key is not the digest of the proposal")
        if not self.sessions.known(message.key):  # else it was read once, and is the same again
            self._check_room(len(message.proposal))
            try:
                self._note_proposal(message)
            except ParametersError as error:  # it never fits, and nothing of it is kept
                line = control.bounded(str(error))
                self.control.send(control.Ended(message.key, State.FAILED, error.kind, line))
                return
        row = self.sessions.get(message.key)
        if row.state is State.PROPOSED:
            with self.guarded(row.proposed):
                self.step(row)
            row = self.sessions.get(message.key)
        if row.state is State.PROPOSED:
            kind, line = row.last_error or (StateError.kind, "CSP's operator has not accepted it")
            refused = control.Refused(message.key, message.name, kind, control.bounded(line))
            self.control.send(refused)
        elif row.state in (State.FAILED, State.ABANDONED):
            self.say_end(row)
            self.sessions.note_told(row.key)
        else:
            self.asked[row.proposed, "accept"] = self.clock.monotonic()
            self.control.send(self._acceptance(row))

    def _check_room(self, size: int) -> None:
        """Raise StateError if too many proposals, or too large ones, wait for the operator already
        to take in one of so many bytes (PPMF-SRV-023).
        """
        count, held = self.sessions.waiting()
        if count >= MOST_WAITING or held + size > MOST_WAITING_BYTES:
            raise StateError(
                f"propose: {count} proposals of {held} bytes wait for CSP's operator, who has to "
                "accept some or give them up first"
            )
        if len(self.sessions.active()) >= _MOST_SESSIONS:
            raise StateError("propose: too many sessions are not finished")

    def _note_proposal(self, message: control.Propose) -> None:
        """Note a proposal that is new. Raises what is wrong with it, ParametersError for one that
        could never be accepted.
        """
        proposal = proposals.read_proposal(message.proposal)
        if proposal.signing_key != self.peer_key:
            raise StateError("propose: RecSys' signing key is not that of the configuration")
        if 0 < proposal.expires <= self.clock.now():
            raise StateError("propose: the session has expired")
        tried, _ = set_up.accept(self.key, self.coins())  # whether it fits depends on nothing of it
        fitted_scheme(Session(proposal, tried), self.suites(proposal.suite))
        row = self.sessions.propose(proposal)
        self.log("state", session=row.key, state=State.PROPOSED)

    def _check_trials(self) -> None:
        """Raise StateError if the operator has to accept the next trial, since many were accepted
        without them (PPMF-SRV-023).
        """
        accepted, held = self.sessions.held(self.clock.now() - _DAY)
        if accepted >= MOST_TRIALS or held > MOST_TRIAL_BYTES:
            raise StateError(
                f"{accepted} sessions were accepted within a day, and {held} bytes are kept: "
                "CSP's operator has to accept this one"
            )

    def _take_end_unaccepted(self, row: SessionRow) -> None:
        """RecSys has taken a proposal back that was never accepted: nothing of it is kept, and
        RecSys is told so that it need not say so again (PPMF-SRV-023).
        """
        self.drop(row)
        if not row.state.final:  # one that CSP's operator gave up is remembered
            self.sessions.forget(row.key)
            self.log("state", session=row.key, state=State.ABANDONED)
        line = "it was never accepted"
        self.control.send(control.Ended(row.key, State.ABANDONED, StateError.kind, line))

    def _answer_closing(self, row: SessionRow, message: control.ClosingControl) -> None:
        self.check_state(row, State.OPEN, *_CLOSED)
        session = self.session(row)
        session.check_time(self.clock.now())
        closing = closing_of(session, message)
        if row.state is not State.OPEN:
            decided = kept_decision(session, self.store(row))
            if decided is not None:
                answer = wire.Link(session.id, 0, CSP, RECSYS).encode(decided.again(closing))
                self._admitted(row, answer)
                return
            self.check_state(row, State.CLOSED)
        before = kept_closing(session, self.store(row))
        if before is not None and before != closing:
            raise StateError("closing: another one than that which was answered")
        read_closing(session, closing)
        if row.state is State.OPEN:
            self.move(row, State.CLOSED)
        self._closings[row.proposed] = message
        if not self.trouble_waits(row):
            with self.guarded(row.proposed):
                self._decide(self.sessions.get(row.key), message)
        row = self.sessions.get(row.key)
        if row.state is State.CLOSED and row.last_error is not None and self.trouble_waits(row):
            kind, line = row.last_error
            refused = control.Refused(row.key, message.name, kind, control.bounded(line))
            self.control.send(refused)

    def _answer_epoch(self, row: SessionRow, stream: int) -> None:
        self.check_state(row, *TRAINED)
        epoch = self.epochs.running
        # RecSys may have started anew, and count streams from 1 again
        runs = epoch.stream.number if epoch is not None and self.epochs.lives else None
        if stream not in (runs, self.epochs.finished):
            if stream <= self.epochs.stream:
                raise StateError("this epoch has ended")
            if self.epochs.lives and not self.epochs.runs(row):
                raise BusyError("another session is trained now")
            self.epochs.give_up(PeerError("another epoch begins"))
            self.epochs.stream = stream
            self.epochs.begin(row, stream, met=False)
        self.control.send(control.Ready(row.key, stream))

    def _acceptance(self, row: SessionRow) -> control.Accept:
        acceptance, by_csp = self.sessions.acceptance(row.key)
        return control.Accept(row.proposed, proposals.write_acceptance(acceptance), by_csp)

    def _decide(self, row: SessionRow, question: control.ClosingControl) -> None:
        """Go on with the decision about a closing, and answer once it is made."""
        session = self.session(row)
        decision = self.decisions.get(row.proposed)
        said: bytes | None = None
        if decision is not None and self.by >= row.closes:
            self.forget_decision(row.proposed)
            decision = None  # it waited, and meanwhile codes may have been replaced (PPMF-ENR-008)
        if decision is None:
            consent_keys = self.members.consent_keys(session, self.coins())
            self._check_confirmed(row, session, question, consent_keys)
            decision = self.decisions[row.proposed] = decide_at_csp(
                session,
                self.suites(session.suite),
                self.sessions.sealing_key(row.key),
                consent_keys,
                self.store(row),
                lambda: self.by,
                self.recorder(row),
            )
            said = question.message
        if not decision.advance(said):
            return
        answer = decision.answer
        assert answer is not None, "the program has ended, and so has sent the admission"
        del self._closings[row.proposed]
        self.forget_decision(row.proposed)
        self._admitted(row, answer)
        if decision.abandoned is not None:
            raise decision.abandoned

    def _admitted(self, row: SessionRow, answer: bytes) -> None:
        """Note the admission, and send it.

        Where too few are admitted there is no training, and with those who took part in the last
        one the next one is still to be compared (PPMF-SRV-028).
        """
        assert row.id is not None, "it was accepted"
        found = wire.Link(row.id, 0, CSP, RECSYS).decode(answer, wire.Admission)
        count = len(read_rows(found.admitted, row.users, "admission"))
        trained = count >= self.session(row).least
        self.sessions.admit(row.key, found.admitted, remember=trained)
        if row.state is State.CLOSED and kept_decision(self.session(row), self.store(row)):
            self.move(row, State.SETTING_UP)
        self.control.send(control.AdmissionControl(row.key, answer))

    def _check_confirmed(
        self,
        row: SessionRow,
        session: Session,
        question: control.ClosingControl,
        consent_keys: Mapping[str, bytes],
    ) -> None:
        """Raise StateError if the operator has to say first that this catalogue may be trained once
        more, with users who differ so much; what they have confirmed is this set of users, and no
        other one (PPMF-SRV-028, -029).
        """
        unseen = self.sessions.trained_unseen(row.key)
        if unseen is None and not self.sessions.trained_before(row.key):
            return
        closing = closing_of(session, question)
        listed = read_closing(session, closing)
        self.store(row).keep("closing", None, lambda: write_closing(session, closing, None))
        seeds = examine(session, self.sessions.sealing_key(row.key), consent_keys, listed)
        who = [session.users[at] for at in seeds]
        shown = self.sessions.to_show(row.key, who)
        if shown == row.confirmed:
            return
        found = self.sessions.differences(row.key, who)
        told = TRAINED_BEFORE
        if found:
            nearest = min(found, key=lambda one: one.few)
            where = "session" if len(found) == 1 else f"{len(found)} times; the nearest is session"
            told += (
                f" ({where} {short(nearest.earlier)}): {nearest.joined} users joined, "
                f"{nearest.left} left, {nearest.stayed} stayed"
            )
        if unseen is not None:
            told += (
                ", or may have been: this server was restored from a backup, and does not know "
                "who took part since that was made"
            )
        if row.confirmed is not None:
            told += "; these are not those that were confirmed"
        error = StateError(f"{told}: look, and then `ppmf session confirm`")
        self.sessions.show(row.key, shown, error, found)
        raise error
