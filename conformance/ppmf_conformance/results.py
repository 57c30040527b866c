# SPDX-License-Identifier: Apache-2.0
"""What came of each case, and what that makes of the run."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum

from ppmf_conformance.cases import Case
from ppmf_conformance.line_protocol import Hello


class Outcome(StrEnum):
    """How a case ended."""

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
class Result:
    """One case's outcome.

    known: the reason given for it in the list of known failures; None if it is not on the list.
    milliseconds: how long the answer took, the only thing in which two runs may differ.
    """

    case: Case
    outcome: Outcome
    detail: str
    milliseconds: int
    known: str | None = None

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
        """Whether the run fails for it."""
        return self.verdict in ("fail", "fixed")


def reproduction(case_id: str, command: Sequence[str]) -> str:
    """One line for a shell that runs this case alone (PPMF-CON-017)."""
    return shlex.join(["ppmf", "conformance", "run", "--only", case_id, "--", *command])


@dataclass(slots=True)
class Summary:
    """A whole run: who was asked, what came of it, and which patterns matched nothing."""

    command: tuple[str, ...]
    hello: Hello | None = None
    results: list[Result] = field(default_factory=list)
    dead_patterns: tuple[str, ...] = ()
    refusal: str = ""
    """Why the program could not be spoken to at all, if so."""

    @property
    def counts(self) -> dict[str, int]:
        """How many cases have each verdict, the ones that occur."""
        return dict(sorted(Counter(result.verdict for result in self.results).items()))

    @property
    def asked(self) -> int:
        """How many cases the implementation was asked."""
        return sum(result.outcome in ASKED for result in self.results)

    @property
    def exit(self) -> Exit:
        """Nothing ran, else a failure, else a dead pattern, else all as expected."""
        if not self.asked:
            return Exit.NOTHING_RAN
        if any(result.fails for result in self.results):
            return Exit.FAILURE
        return Exit.DEAD_PATTERN if self.dead_patterns else Exit.AS_EXPECTED
