# SPDX-License-Identifier: Apache-2.0
"""The run of the suite: it asks an implementation every case that the implementation declares.

A case in which the program ends or hangs costs that case alone: the program is started anew and
asked the next one (PPMF-CON-011). After several such cases in succession the program is given up,
and the remaining cases are reported as not run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from ppmf_conformance import known_failures, party_runs, trace
from ppmf_conformance.adapter_process import AdapterProcess, CrashError, HangError
from ppmf_conformance.cases import Case
from ppmf_conformance.deadline import BYTES_A_SECOND, DEADLINES, Deadlines
from ppmf_conformance.judgement import judge
from ppmf_conformance.known_failures import KnownFailure
from ppmf_conformance.line_protocol import Answer, Hello, ProtocolError
from ppmf_conformance.results import Outcome, PartyCall, Result, Summary
from ppmf_conformance.visible_text import visible

GIVE_UP = 3
"""After so many cases in succession that end the program, or vain starts, it is given up."""

_ENDINGS = {CrashError: Outcome.CRASH, HangError: Outcome.HANG, ProtocolError: Outcome.MALFORMED}


@dataclass(frozen=True, slots=True)
class Plan:
    """The adapter, the cases in their order, and the rules of a run.

    trace: whether parties that can show their shares are asked to (PPMF-CON-042).
    """

    command: tuple[str, ...]
    cases: tuple[Case, ...]
    known: tuple[KnownFailure, ...] = ()
    deadlines: Deadlines = DEADLINES
    give_up: int = GIVE_UP
    trace: bool = True


def run(
    plan: Plan,
    *,
    on_hello: Callable[[Hello], None] = lambda _: None,
    on_result: Callable[[Result], None] = lambda _: None,
) -> Summary:
    """Run a plan to its end; `on_result` is given every result as soon as it is known.

    Raises OSError when there is no such program.
    """
    summary = Summary(plan.command, dead_patterns=known_failures.dead(plan.known, plan.cases))
    asked = Conversation(plan)
    try:
        summary.hello = asked.open()
        if summary.hello is not None:
            on_hello(summary.hello)
        for case in plan.cases:
            started = time.monotonic()
            outcome, detail = asked.ask(case)
            spent = round(1000 * (time.monotonic() - started))
            excuse = known_failures.reason(case.id, plan.known)
            result = Result(case, outcome, detail, spent, excuse, asked.answer, asked.call)
            summary.results.append(result)
            on_result(result)
    finally:
        asked.close()
    summary.refusal = asked.refusal
    return summary


class Conversation:
    """The program under test, across all its starts."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._target: AdapterProcess | None = None
        self._hello: Hello | None = None
        self._in_a_row = 0
        self.refusal = ""
        self.answer: Answer | None = None
        self.call: PartyCall | None = None
        self.trace: trace.Trace | None = None

    def open(self) -> Hello | None:
        """Start the program; returns its introduction, or None when there is none."""
        self._start()
        return self._hello

    def ask(self, case: Case) -> tuple[Outcome, str]:
        """The outcome of one case.

        `answer` is then what was answered to it; of a run, `call` is the call at which it ended,
        and `trace` what was shown of it.
        """
        self.answer, self.call, self.trace = None, None, None
        hello = self._hello
        if hello is not None and not declared(case, hello):
            return Outcome.UNDECLARED, ""
        if not self.refusal and self._target is None:
            self._start()
        target = self._target
        if self.refusal or target is None or hello is None:
            return Outcome.NOT_RUN, self.refusal
        target.more = party_runs.length(case) // BYTES_A_SECOND
        try:
            one = self._run if party_runs.has(case) else self._one
            verdict = one(case, target)
        except (CrashError, HangError, ProtocolError) as ending:
            self.close()
            self._in_a_row += 1
            if self._in_a_row >= self._plan.give_up:
                self.refusal = f"given up after {self._in_a_row} such cases in succession"
            return _ENDINGS[type(ending)], visible(str(ending))
        self._in_a_row = 0
        outcome, detail = verdict
        return outcome, visible(detail)

    def close(self) -> None:
        """End the program, if it runs."""
        if self._target is not None:
            self._target.close()
            self._target = None

    def _one(self, case: Case, target: AdapterProcess) -> tuple[Outcome, str]:
        self.answer = target.run(case.id, case.op, case.given)
        return judge(case, self.answer)

    def _run(self, case: Case, target: AdapterProcess) -> tuple[Outcome, str]:
        record = party_runs.Record()
        try:
            outcome, detail = party_runs.play(case, target, record, traced=self._traced())
        finally:
            self.answer, self.call, self.trace = record.answer, record.call, record.trace
        if outcome is Outcome.PASS:
            self.call = None
        return outcome, detail

    def _traced(self) -> bool | None:
        """Whether the program shows shares; None if nobody is to show any."""
        if not self._plan.trace or self._hello is None:
            return None
        return trace.FEATURE in self._hello.features

    def _start(self) -> None:
        """Start the program, several times if need be; sets `refusal` if it cannot be had."""
        for _ in range(self._plan.give_up):
            self._target = AdapterProcess(self._plan.command, self._plan.deadlines)
            try:
                hello = self._target.hello()
            except (CrashError, HangError, ProtocolError) as ending:
                self.close()
                self.refusal = f"no hello: {visible(str(ending))}"
                if isinstance(ending, HangError):
                    return
            else:
                self._hello = self._hello or hello
                self.refusal = ""
                return


def declared(case: Case, hello: Hello) -> bool:
    """Whether an implementation declares all that a case needs (PPMF-CON-005)."""
    return case.features <= hello.features and party_runs.roles(case) <= set(hello.roles)
