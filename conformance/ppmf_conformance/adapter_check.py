# SPDX-License-Identifier: Apache-2.0
"""Checks of an adapter by itself: its lines, their order, its flushing and its end.

No result is judged, so the implementation behind the adapter does not matter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from ppmf_conformance import line_protocol, party_runs
from ppmf_conformance.adapter_process import AdapterProcess, CrashError, HangError
from ppmf_conformance.cases import Case, features_of, unknown_features
from ppmf_conformance.deadline import Deadline, Deadlines
from ppmf_conformance.line_protocol import Hello, ProtocolError

UNKNOWN = "no_such.operation"
IN_FLIGHT = 8
"""The number of calls that are sent before an answer is read."""


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check; `fault` is empty when the check held."""

    what: str
    fault: str


def check(command: Sequence[str], cases: Sequence[Case], deadlines: Deadlines) -> Iterator[Finding]:
    """The findings, in order; a failed introduction is the last one (PPMF-CON-019).

    Raises OSError when there is no such program.
    """
    asked = _AskedAdapter(command, deadlines)
    hello: list[Hello] = []
    finding = asked.about("introduces itself", lambda _, found: hello.append(found))
    yield finding
    if finding.fault:
        return
    some = _one_of_each(hello[0], cases)
    yield asked.about("declares what the suite knows", lambda _, found: _known(found, cases))
    yield asked.about("answers the unknown with unsupported", lambda target, _: _unknown(target))
    yield asked.about("answers one of each operation", lambda target, _: _each(target, some))
    yield asked.about(
        "answers calls in their order", lambda target, _: _in_order(target, some, deadlines)
    )
    yield asked.about("ends when its input ends", lambda target, _: _ends(target, deadlines))


class _AskedAdapter:
    """The adapter, started anew for every check, so that one fault does not hide another."""

    def __init__(self, command: Sequence[str], deadlines: Deadlines) -> None:
        self._command = command
        self._deadlines = deadlines

    def about(self, what: str, look: Callable[[AdapterProcess, Hello], None]) -> Finding:
        target = AdapterProcess(self._command, self._deadlines)
        try:
            look(target, target.hello())
        except (CrashError, HangError, ProtocolError) as fault:
            return Finding(what, str(fault))
        finally:
            target.close()
        return Finding(what, "")


def _known(hello: Hello, cases: Sequence[Case]) -> None:
    strange = unknown_features(hello.features, features_of(cases))
    if strange:
        raise ProtocolError("; ".join(strange))
    if not hello.features and not hello.roles:
        raise ProtocolError("declares no feature and no role: there is nothing to ask")


def _unknown(target: AdapterProcess) -> None:
    answer = target.run("check/unknown", UNKNOWN, {})
    if answer.status != "unsupported":
        raise ProtocolError(f"{UNKNOWN} was answered with {answer.status}")


def _one_of_each(hello: Hello, cases: Sequence[Case]) -> list[Case]:
    """The first case of each operation that is declared and is one call."""
    first: dict[str, Case] = {}
    for case in cases:
        # A whole run is not a call: nobody is asked `party.run` itself (chapter 7).
        if party_runs.has(case):
            continue
        if case.op in case.features and case.features <= hello.features:
            first.setdefault(case.op, case)
    return list(first.values())


def _each(target: AdapterProcess, cases: Sequence[Case]) -> None:
    for case in cases:
        answer = target.run(case.id, case.op, case.given)
        if answer.status in ("unsupported", "error"):
            raise ProtocolError(f"{case.id}: {answer.status} {answer.message}".rstrip())


def _in_order(target: AdapterProcess, cases: Sequence[Case], deadlines: Deadlines) -> None:
    """Send several calls at once, and require one answer for each, in order."""
    some = [cases[k % len(cases)] for k in range(IN_FLIGHT)] if cases else []
    for seq, case in enumerate(some, start=10_000):
        target.send(line_protocol.run_line(seq, case.id, case.op, case.given))
    for seq, _ in enumerate(some, start=10_000):
        line_protocol.parse_answer(target.receive(Deadline(deadlines.call)), seq)


def _ends(target: AdapterProcess, deadlines: Deadlines) -> None:
    status = target.end_input(Deadline(deadlines.call))
    if status:
        raise ProtocolError(f"exit status {status} where 0 is due")
