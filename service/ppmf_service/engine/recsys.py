# SPDX-License-Identifier: GPL-3.0-or-later
"""RecSys' steps: it asks, and takes CSP's answers."""

from __future__ import annotations

import hashlib
from typing import Any

from ppmf_secure.link import control
from ppmf_secure.link.control import Control
from ppmf_secure.session import proposals
from ppmf_secure.transport.store import write_durably
from ppmf_service.engine.steps import TRAINED, Steps
from ppmf_service.engine.training import Epoch, decide_at_recsys
from ppmf_service.session_rows import SessionRow
from ppmf_service.states import State
from ppmf_spec import profiles, wire
from ppmf_spec.errors import PeerError, StateError
from ppmf_spec.roles import CSP, RECSYS


class RecSysSteps(Steps):
    """The steps of RecSys."""

    def __init__(self, *given: Any, **more: Any) -> None:
        super().__init__(*given, **more)
        self._complete: dict[bytes, float] = {}
        """Since when all users of a session are present."""

    def step(self, row: SessionRow) -> None:
        """Ask what is due in a session."""
        match row.state:
            case State.PROPOSED:
                if self.due(row.proposed, "propose"):
                    data = proposals.write_proposal(self.sessions.proposal(row.key))
                    self.control.send(control.Propose(row.proposed, data))
            case State.ACCEPTED:
                if self.due(row.proposed, "sign"):
                    signature = self.sessions.signed_session(row.key).by_recsys
                    self.control.send(control.Sign(row.key, signature))
            case State.OPEN:
                self._close_in_time(row)
            case State.CLOSED:
                self._askclosing_of(row)
            case State.SETTING_UP | State.TRAINING:
                self._ask_epoch(row)
            case State.FINISHED:
                if row.receipt is None and row.buried is None and self.due(row.proposed, "receipt"):
                    self.control.send(self._receipt(row))
            case State.FAILED | State.ABANDONED:
                self.drop(row)
                self.tell_end(row)

    def answer(self, row: SessionRow | None, message: Control) -> None:
        """Take an answer of CSP."""
        assert row is not None, "RecSys is proposed nothing"
        match message:
            case control.Refused():
                self._take_refusal(row, message)
            case control.Accept(_, acceptance, by_csp):
                if row.id is None:
                    found = proposals.read_acceptance(acceptance)
                    if found.signing_key != self.peer_key:
                        raise StateError(
                            "accept: CSP's signing key is not that of the configuration"
                        )
                    row = self.sessions.accepted(row.key, found, by_csp, self.key)
                    self.log("state", session=row.key, state=row.state)
                    self.went_well(row)
                    self.step(row)
                elif not row.state.final:  # the same again, or refused
                    again = proposals.read_acceptance(acceptance)
                    self.sessions.accepted(row.key, again, by_csp, self.key)
            case control.Opened():
                if row.state is State.ACCEPTED:
                    self.sessions.opened(row.key)
                    self.log("state", session=row.key, state=State.OPEN)
                    self.went_well(row)
            case control.AdmissionControl(_, data):
                if row.state is State.CLOSED:
                    self._take_admission(row, data)
            case control.Ready(_, stream):
                if (
                    row.state in TRAINED
                    and self.epochs.running is None
                    and stream == self.epochs.stream
                ):
                    self.epochs.begin(row, stream, met=True)
            case control.Received():
                if row.state is State.FINISHED and row.receipt is None:
                    made = self._receipt(row)
                    self.sessions.receipt(row.key, made.digest, made.signature)
            case control.Ended():
                self.take_end(row, message)
            case _:
                raise StateError(f"link: {message.name} is nothing that RecSys is told")

    def _close_in_time(self, row: SessionRow) -> None:
        """Close the intake when it is time (PPMF-ADM-003, PPMF-SRV-026)."""
        now = self.clock.monotonic()
        if self.uploads.count(row.key) == row.users:
            since = self._complete.setdefault(row.proposed, now)
            if now >= since + self.config.policy.grace:
                self._freeze(row, "all users are present")
                return
        else:
            self._complete.pop(row.proposed, None)
        if 0 < row.closes <= self.by:
            self._freeze(row, "it is time")

    def _freeze(self, row: SessionRow, because: str) -> None:
        self.uploads.freeze(row.key, because)
        self.log("state", session=row.key, state=State.CLOSED)
        self.step(self.sessions.get(row.key))

    def _askclosing_of(self, row: SessionRow) -> None:
        decision = self.decisions.get(row.proposed)
        if decision is None:
            session = self.session(row)
            decision = decide_at_recsys(
                session,
                self.suites(session.suite),
                self.uploads.frozen(row.key),
                self.store(row),
                str(self.database.path),
                self.recorder(row),
            )
            self.decisions[row.proposed] = decision
            if decision.advance() and decision.abandoned is not None:
                raise decision.abandoned
        if self.due(row.proposed, "closing"):
            assert decision.answer is not None, "the program has sent the closing"
            self.control.send(control.ClosingControl(row.key, decision.answer))

    def _ask_epoch(self, row: SessionRow) -> None:
        """Ask for an epoch; or, of one that runs, whether it runs at CSP too."""
        epoch = self.epochs.running
        if epoch is not None and self.epochs.runs(row):
            if self.epochs.lives and self.due(row.proposed, "epoch"):
                self.control.send(control.EpochHello(row.key, epoch.stream.number))
        elif epoch is None and self._first_to_train(row) and self.due(row.proposed, "epoch"):
            self.epochs.stream += 1
            self.control.send(control.EpochHello(row.key, self.epochs.stream))

    def _first_to_train(self, row: SessionRow) -> bool:
        """Whether no older session is to be trained, other than those in trouble."""
        return not any(
            other.state in TRAINED and other.number < row.number and not self.trouble_waits(other)
            for other in self.sessions.active()
        )

    def _receipt(self, row: SessionRow) -> control.Receipt:
        assert row.id is not None, "it was accepted"
        assert row.profiles_digest is not None, "it is finished"
        signature = proposals.sign_receipt(self.key, row.id, row.profiles_digest)
        return control.Receipt(row.key, row.profiles_digest, signature)

    def _take_refusal(self, row: SessionRow, message: control.Refused) -> None:
        """What CSP refuses for now, its operator has to look at; it is asked again later."""
        if row.state.final:
            if message.question == control.Ended.name:  # CSP does not know it, or not any more
                self.sessions.note_told(row.key)
        else:
            error = message.error(CSP)
            if message.question == control.EpochHello.name and self.epochs.runs(row):
                self.epochs.give_up(PeerError("it does not run at the peer"))
            self.log("refused by the peer", session=row.key, error=error.kind, detail=error)
            if message.question == control.EpochHello.name:
                self.note(row.proposed, error)  # meanwhile another session may be trained
            else:
                self.sessions.note_error(row.key, error)

    def _take_admission(self, row: SessionRow, data: bytes) -> None:
        decision = self.decisions.get(row.proposed)
        if decision is None:  # it is made again, and CSP asked again
            self.asked.pop((row.proposed, "closing"), None)
            return
        if not decision.advance(data):
            raise StateError("admission: the decision has not ended")
        session = self.session(row)
        admission = wire.Link(session.id, 0, CSP, RECSYS).decode(data, wire.Admission)
        self.sessions.admit(row.key, admission.admitted)
        self.forget_decision(row.proposed)
        if decision.abandoned is not None:
            raise decision.abandoned
        self.move(row, State.SETTING_UP)
        self._ask_epoch(self.sessions.get(row.key))

    def trained(self, row: SessionRow, epoch: Epoch) -> None:
        """Write V, durably, and end the session (PPMF-SRV-016)."""
        assert row.id is not None, "it was trained"
        content = profiles.dumps(epoch.result).encode()
        path = self.config.profiles_file(row.id)
        path.parent.mkdir(mode=0o700, exist_ok=True)
        write_durably(path, content)
        with self.database.transaction():
            self.sessions.move(row.key, State.TRAINING)
            total = 2 * self.session(row).parameters.iterations
            self.sessions.progress(row.key, "output", total, total)
            row = self.sessions.publish(row.key, hashlib.sha256(content).digest())
        self.log("state", session=row.key, state=State.FINISHED)
        self.step(row)
