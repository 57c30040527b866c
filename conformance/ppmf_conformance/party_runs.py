# SPDX-License-Identifier: Apache-2.0
"""Whole runs in which the implementation under test plays some of the parties.

The parties of this project play the others. The suite carries the messages from one party to the
next, so it sees every byte, and may change some (`message_edits`). What a party under test sends is
held against chapter 5 and against the names and lengths that the case lists. Where each server is
ours or shows its shares, they are put together after each stage (`trace`). After the run the party
is asked what it must answer once it has ended.
"""

from __future__ import annotations

from collections import defaultdict, deque
from dataclasses import dataclass, replace
from typing import Any, Protocol

from ppmf_conformance import json_text, schema
from ppmf_conformance.cases import Case
from ppmf_conformance.fresh_fields import FreshFields
from ppmf_conformance.judgement import judge
from ppmf_conformance.line_protocol import ROLES, Answer, ProtocolError
from ppmf_conformance.message_edits import Delivery, lost
from ppmf_conformance.results import Outcome, PartyCall
from ppmf_conformance.trace import SERVERS, Trace
from ppmf_spec import wire
from ppmf_spec.errors import PpmfError
from ppmf_spec.extras import MissingExtraError, needed_by

OP = "party.run"
"""The operation of cases that are a whole run; it is never one call."""
CALLS = ("party.new", "party.step", "party.free")
"""What the parties of a run are asked."""
RESUMED = "party.resume"
"""What the servers of an interrupted run are asked too; the feature that says that they can be."""
EMPTY: tuple[str, list[Any]] = ("trace", [])
"""A member that an answer to `party.step` may have or leave out (PPMF-CON-040)."""

MOST_TRACED = 1024
"""The most pairs of a user and an item in a run of which a trace is asked (PPMF-CON-042)."""


class Calls(Protocol):
    """What answers the calls to a party: an adapter's process, or `OwnParties` in this process."""

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        """The answer to a call."""
        ...


def has(case: Case) -> bool:
    """Whether a case is a whole run."""
    return case.op == OP


def roles(case: Case) -> frozenset[str]:
    """The roles that the implementation under test plays."""
    return frozenset(case.given["roles"]) if has(case) else frozenset()


def length(case: Case) -> int:
    """The bytes of all messages that are due in a run; 0 for a call."""
    epochs = [case.steps["messages"], *case.steps.get("later", ())] if has(case) else []
    return sum(int(due[1]) for epoch in epochs for link in epoch.values() for due in link)


@dataclass(slots=True)
class Record:
    """What a report shows of a run that did not pass.

    call: the call at which it ended; None before the first. answer: what came out of the whole run;
    None where it did not come to its end. trace: the stages that were shown, if any.
    """

    call: PartyCall | None = None
    answer: Answer | None = None
    trace: Trace | None = None


def play(
    case: Case, target: Calls, record: Record | None = None, *, traced: bool | None = None
) -> tuple[Outcome, str]:
    """Play a case to its end, or to the first refusal; `record` is filled in on the way.

    traced: whether the target shows a server's shares; None if nobody is to show any.

    The outcome is NOT_RUN if a party of this project is needed and the secure implementation is not
    installed.
    """
    record = record or Record()
    calls = dict.fromkeys(ROLES, target)
    free = set(ROLES) - roles(case)
    if free:
        # Imported when it is needed: pure operations do not load the secure implementation.
        try:
            with needed_by("a run with our own parties"):
                from ppmf_conformance.our_parties import OwnParties
        except MissingExtraError as missing:
            return Outcome.NOT_RUN, str(missing)
        calls |= dict.fromkeys(free, OwnParties())
    trace = record.trace = Trace(case.given) if _traceable(case, traced) else None
    parties = {role: CalledParty(role, calls[role], case, record, trace) for role in ROLES}
    outcome, detail = _Run(case, parties, record, trace).play()
    for party in parties.values():
        fault = party.end(checked=outcome is Outcome.PASS and party.under_test)
        if fault:
            outcome, detail = Outcome.FAIL, fault
            record.call = party.last
    return outcome, detail


def _traceable(case: Case, traced: bool | None) -> bool:
    """Whether both servers show their shares, of a run whose secrets the case gives
    (PPMF-CON-042).
    """
    if traced is None or "out" not in case.expect:
        return False
    if case.given.get("tamper") or case.given.get("interrupts"):
        return False
    session = case.given["session"]
    if len(session["users"]) * len(session["items"]) > MOST_TRACED:
        return False
    return traced or not roles(case) & set(SERVERS)


class StopError(Exception):
    """The end of a run with a verdict."""

    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.verdict = (outcome, detail)


class CalledParty:
    """One party of a run, reached by calls."""

    def __init__(
        self, role: str, calls: Calls, case: Case, record: Record, trace: Trace | None = None
    ) -> None:
        self.role = role
        self.last: PartyCall | None = None
        self._record = record
        self.under_test = role in roles(case)
        self._calls = calls
        self._case = case
        self._handle: str | None = None
        self._trace = trace if role in SERVERS else None
        self.started = False
        self.done = False
        self.output: Any = None
        self.refused: list[str] = []
        self._refused = False

    def new(self) -> None:
        """Begin the party."""
        session = self._case.given["session"]
        given = {"role": self.role, "session": session, "coins": self._coins()}
        if self.role == "users":
            given["ratings"] = self._case.given["ratings"]
        if self.role == "csp":
            given["sealing_secret"] = self._case.given["sealing_secret"]
        if self.role != "recsys":
            given["consent_keys"] = self._case.given["consent_keys"]
        if self._trace is not None or self._case.given.get("trace"):
            given["trace"] = True
        out = self._ask("party.new", given)
        if not isinstance(out.get("handle"), str):
            raise ProtocolError("party.new: no handle")
        self._handle = out["handle"]

    def resume(self, epoch: int) -> None:
        """Stop the server, and let it go on in a later epoch (PPMF-CON-045)."""
        given = {"handle": self._handle, "coins": f"{self._coins()}/{epoch}"}
        self._handle = None  # it is freed, whatever the answer is
        out = self._ask("party.resume", given)
        if not isinstance(out.get("handle"), str):
            raise ProtocolError("party.resume: no handle")
        self._handle = out["handle"]
        self.started = self.done = False

    def step(self, inbox: list[tuple[str, bytes | None]]) -> list[tuple[str, bytes]]:
        """Hand over the messages that have arrived; returns those that the party sends
        (PPMF-CON-030).
        """
        self.started = True
        entries = [
            {"from": sender, "message": None if message is None else message.hex()}
            for sender, message in inbox
        ]
        out = self._ask("party.step", {"handle": self._handle, "inbox": entries})
        wrong = schema.faults(out, schema.named("protocol"), "party-step")
        if wrong:
            raise ProtocolError(f"party.step: {wrong[0]}")
        self.done, self.output = out["done"], out["output"]
        if self._trace is not None:
            self._trace.take(self.role, out.get("trace", []))
        self.refused += [refusal["class"] for refusal in out["refused"]]
        return [(one["to"], bytes.fromhex(one["message"])) for one in out["outbox"]]

    def end(self, *, checked: bool) -> str:
        """End the party. Returns what is wrong with its answers after its run, if that is to be
        checked, and else "" (PPMF-CON-031, -034, -035).
        """
        if self._handle is None:
            return ""
        free: dict[str, Any] = {"handle": self._handle}
        step: dict[str, Any] = {**free, "inbox": []}
        gone = Answer("reject", {}, "state")
        after = [("party.free", free, Answer("ok", {}), "of a party")]
        if checked:
            after.append(("party.step", step, gone, "of a freed handle"))
            after.append(("party.free", free, gone, "of a freed handle"))
            if self._refused:
                after.insert(0, ("party.step", step, gone, "after a refusal"))
            elif self.done:
                sender = "recsys" if self.role == "csp" else "csp"
                late = {**step, "inbox": [{"from": sender, "message": "00"}]}
                nothing = {"outbox": [], "refused": [], "done": True, "output": self.output}
                after.insert(0, ("party.step", late, Answer("ok", nothing), "after the end"))
        for op, given, due, when in after:
            found = self._calls.run(self._case.id, op, given)
            self.last = PartyCall(self.role, op, given, answer=found)
            shown = {name: value for name, value in found.out.items() if (name, value) != EMPTY}
            if checked and (found.status, found.kind, shown) != (due.status, due.kind, due.out):
                wanted = due.kind or json_text.line(due.out)
                return f"{self.role}: {op} {when}: {wanted} is due"
        return ""

    def _coins(self) -> str:
        return f"{self._case.given['coins']}/{self.role}"

    def _ask(self, op: str, given: dict[str, Any]) -> dict[str, Any]:
        self._record.call = self.last = PartyCall(self.role, op, given)
        answer = self._calls.run(self._case.id, op, given)
        self._record.call = self.last = replace(self.last, answer=answer)
        if answer.status == "ok":
            return answer.out
        self._refused = answer.status == "reject"
        if self.under_test:
            raise StopError(*judge(self._case, answer))
        what = f"{answer.kind or answer.status}: {answer.message}"
        raise StopError(Outcome.FAIL, f"our {self.role} ends with {what}")


class _Run:
    """The parties in turn, until all are done."""

    def __init__(
        self,
        case: Case,
        parties: dict[str, CalledParty],
        record: Record,
        trace: Trace | None = None,
    ) -> None:
        self._case = case
        self._trace = trace
        self._record = record
        self._parties = parties
        self._epoch = 0
        self._cut = False
        self._interrupts: list[dict[str, str]] = case.given.get("interrupts", [])
        self._delivery = self._delivery_of_epoch()
        self._late = case.given.get("delivery") == "late"
        self._waiting: dict[str, deque[tuple[str, bytes | None]]] = defaultdict(deque)
        self._taken: dict[str, int] = defaultdict(int)
        self._sent: dict[str, int] = defaultdict(int)
        self._fresh = {role: FreshFields() for role in ROLES}

    def play(self) -> tuple[Outcome, str]:
        try:
            # a party under test comes first, since it may have to refuse the session
            for party in sorted(self._parties.values(), key=lambda party: not party.under_test):
                party.new()
            while not all(party.done for party in self._parties.values()):
                moved = [self._turn(party) for party in self._parties.values()]
                if not any(moved) and not self._hand_over() and not self._interrupt():
                    waiting = [role for role, party in self._parties.items() if not party.done]
                    # Of the parties that wait, one under test is more likely to be at fault.
                    asked = [self._parties[role] for role in waiting]
                    self._record.call = max(asked, key=lambda party: party.under_test).last
                    raise StopError(
                        Outcome.FAIL, f"nobody sends what {', '.join(waiting)} wait for"
                    )
        except StopError as stop:
            differs = self._trace.difference(ended=True) if self._trace else ""
            if differs and differs != str(stop):
                return Outcome.FAIL, f"{differs}; then {stop}"
            return stop.verdict
        recsys = self._parties["recsys"]
        out = {**(recsys.output or {}), "refused": recsys.refused}
        self._record.call, self._record.answer = recsys.last, Answer("ok", out)
        verdict = judge(self._case, self._record.answer)
        missing = self._trace.missing() if self._trace else ""
        return (Outcome.FAIL, missing) if verdict[0] is Outcome.PASS and missing else verdict

    def _turn(self, party: CalledParty) -> bool:
        """Give the party its turn; returns whether it had anything to do."""
        inbox = self._delivery.collect(party.role)
        if self._late and party.under_test:
            self._waiting[party.role] += inbox
            inbox = []
        return self._step(party, inbox)

    def _hand_over(self) -> bool:
        """Hand one message to a party under test, where nobody can go on without (PPMF-CON-037).

        Returns whether there was one.
        """
        for role, waiting in self._waiting.items():
            if waiting and not self._parties[role].done:
                sender, message = waiting.popleft()
                back, link = f"{role}>{sender}", f"{sender}>{role}"
                needed = self._case.steps["needed"].get(link, [])
                number, self._taken[link] = self._taken[link], self._taken[link] + 1
                if number < len(needed) and self._sent[back] < int(needed[number]):
                    name = self._case.steps["messages"][back][self._sent[back]][0]
                    raise StopError(
                        Outcome.FAIL,
                        f"{role} waits for message {number} of {sender} before it sends "
                        f"message {self._sent[back]}, {name}, which does not need it",
                    )
                return self._step(self._parties[role], [(sender, message)])
        return False

    def _step(self, party: CalledParty, inbox: list[tuple[str, bytes | None]]) -> bool:
        """Let the party go on with these messages; RecSys is told when the users are done
        (PPMF-CON-039). Returns whether it had anything to do.
        """
        if party.done or (party.started and not inbox):
            return False
        sent = party.step(inbox)
        differs = self._trace.difference() if self._trace else ""
        if differs:
            raise StopError(Outcome.FAIL, differs)
        for to, message in sent:
            number = self._check(party, to, message)
            if not self._is_lost(party.role, to, number):
                self._delivery.put(party.role, to, message)
        if party.done and party.role == "users":
            self._delivery.leave(party.role, "recsys")
        return True

    def _is_lost(self, sender: str, receiver: str, number: int) -> bool:
        """Whether a message of the epoch is one that an interruption loses, or a later one of its
        link (PPMF-CON-045).
        """
        if self._epoch >= len(self._interrupts):
            return False
        found = lost(self._interrupts[self._epoch], sender, receiver, number)
        self._cut = self._cut or found
        return found

    def _interrupt(self) -> bool:
        """Stop both servers, which go on in the next epoch, if a message of this one was lost and
        they have done what they can without it (PPMF-CON-045). Returns whether they were stopped.
        """
        if not self._cut:
            return False
        self._cut = False
        self._epoch += 1
        self._delivery = self._delivery_of_epoch()
        self._sent.clear()
        for role in sorted(SERVERS, key=lambda role: not self._parties[role].under_test):
            self._parties[role].resume(self._epoch)
        return True

    def _delivery_of_epoch(self) -> Delivery:
        tamper = self._case.given.get("tamper")
        here = tamper is not None and int(tamper.get("epoch", "0")) == self._epoch
        return Delivery(tamper if here else None)

    def _check(self, party: CalledParty, receiver: str, message: bytes) -> int:
        """The number of a message on its link, after a check of the form, route, name and length
        of one of a party under test (PPMF-CON-032).
        """
        sender = party.role
        link = f"{sender}>{receiver}"
        number = self._sent[link]
        self._sent[link] += 1
        if party.under_test:
            self._check_form(sender, receiver, number, message)
        return number

    def _check_form(self, sender: str, receiver: str, number: int, message: bytes) -> None:
        link = f"{sender}>{receiver}"
        where = f"message {number} from {sender} to {receiver}"
        steps = self._case.steps
        epoch = steps["later"][self._epoch - 1] if self._epoch else steps["messages"]
        due = epoch.get(link, [])
        wanted = due[number] if number < len(due) else None
        if self._record.call is not None:
            self._record.call = replace(self._record.call, due={link: wanted, "number": number})
        try:
            envelope = wire.decode(message)
        except PpmfError as error:
            raise StopError(Outcome.FAIL, f"{where}: {error}") from None
        name = envelope.message.name
        if (sender, receiver) not in envelope.message.routes:
            raise StopError(Outcome.FAIL, f"{where}: {name} does not go this way")
        if wanted is None:
            raise StopError(Outcome.FAIL, f"{where}: {name}, where nothing more is due")
        if [name, str(len(message))] != wanted:
            told = " of ".join(reversed(wanted))
            raise StopError(Outcome.FAIL, f"{where}: {name} of {len(message)} bytes, not {told}")
        wrong = self._fresh[sender].fault(envelope.message)
        if wrong:
            raise StopError(Outcome.FAIL, f"{where}: {name}: {wrong}")
