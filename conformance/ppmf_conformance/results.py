# SPDX-License-Identifier: Apache-2.0
"""The results of cases, and the result of the run that they make up."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import Any

from ppmf_conformance.cases import Case
from ppmf_conformance.line_protocol import Answer, Hello


class Outcome(StrEnum):
    """The end of a case."""

    PASS = "pass"
    FAIL = "fail"  # an answer, and not the one that is due
    CRASH = "crash"
    HANG = "hang"
    MALFORMED = "malformed"  # a line that the protocol does not allow
    ERROR = "error"  # the adapter says that it is at fault
    UNSUPPORTED = "unsupported"  # although the feature was declared
    NOT_RUN = "not-run"  # the program had been given up, or the suite lacks what the case needs
    UNDECLARED = "undeclared"  # not asked: the feature is not declared


ASKED = frozenset(Outcome) - {Outcome.NOT_RUN, Outcome.UNDECLARED}
HELD = frozenset({Outcome.PASS, Outcome.UNDECLARED})


class Exit(IntEnum):
    """The exit status of `ppmf conformance run` (PPMF-CON-015)."""

    AS_EXPECTED = 0
    FAILURE = 1
    USAGE = 2
    DEAD_PATTERN = 4
    NOTHING_RAN = 5


@dataclass(frozen=True, slots=True)
class PartyCall:
    """A call to a party of a run (PPMF-CON-030), with what came back.

    role: the party's; op and given: the operation and its input. answer: None where none came.
    due: the message that was due in its place, where one of the answer's was wrong; else None.
    """

    role: str
    op: str
    given: Any
    answer: Answer | None = None
    due: Any = None


@dataclass(frozen=True, slots=True)
class Result:
    """One case's outcome.

    known: the reason in the list of known failures; None if the case is not on the list.
    milliseconds: the time that the answer took, the only member in which two runs may differ.
    answer: what was answered; None where there was none. For a run, what came out of it whole.
    call: for a run that did not pass, the call at which it ended; else None.
    """

    case: Case
    outcome: Outcome
    detail: str
    milliseconds: int
    known: str | None = None
    answer: Answer | None = None
    call: PartyCall | None = None

    @property
    def verdict(self) -> str:
        """`pass`, `known`, `advice`, `undeclared`, `fixed` or `fail`; the last two fail the run."""
        if self.known is not None and self.outcome is not Outcome.UNDECLARED:
            return "fixed" if self.outcome is Outcome.PASS else "known"
        if self.outcome in HELD:
            return self.outcome.value
        advice = self.case.level == "SHOULD" and self.outcome is Outcome.FAIL
        return "advice" if advice else "fail"

    @property
    def fails(self) -> bool:
        """Whether this result fails the run."""
        return self.verdict in ("fail", "fixed")


def reproduction(case_id: str, command: Sequence[str]) -> str:
    """One line for a shell that runs this case alone (PPMF-CON-017)."""
    return shlex.join(["ppmf", "conformance", "run", "--only", case_id, "--", *command])


@dataclass(slots=True)
class Summary:
    """A whole run: the adapter, the results, and the patterns that matched nothing."""

    command: tuple[str, ...]
    hello: Hello | None = None
    results: list[Result] = field(default_factory=list)
    dead_patterns: tuple[str, ...] = ()
    refusal: str = ""
    """The reason why the program could not be asked at all; empty if it could."""

    @property
    def counts(self) -> dict[str, int]:
        """The number of cases of each verdict that occurs."""
        return dict(sorted(Counter(result.verdict for result in self.results).items()))

    @property
    def asked(self) -> int:
        """The number of cases that the implementation was asked."""
        return sum(result.outcome in ASKED for result in self.results)

    @property
    def exit(self) -> Exit:
        """The exit status: that of no case, else of a failure, else of a dead pattern, else 0."""
        if not self.asked:
            return Exit.NOTHING_RAN
        if any(result.fails for result in self.results):
            return Exit.FAILURE
        return Exit.DEAD_PATTERN if self.dead_patterns else Exit.AS_EXPECTED
