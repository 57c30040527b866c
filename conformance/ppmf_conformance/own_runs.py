# SPDX-License-Identifier: Apache-2.0
"""One run of any parameters and ratings, with an adapter's parties among ours.

It is a case like those of the vectors, made at once: the messages that are due follow from the
sizes, V from the oracle. All keys follow from a label, so that the same input is the same run.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from ppmf_conformance import line_protocol, party_runs, version
from ppmf_conformance.cases import Case
from ppmf_conformance.deadline import Deadlines
from ppmf_conformance.line_protocol import ROLES, Hello
from ppmf_conformance.results import Outcome, PartyCall
from ppmf_conformance.runner import Conversation, Plan
from ppmf_conformance.trace import FEATURE, SERVERS
from ppmf_spec.errors import ParametersError, StateError
from ppmf_spec.extras import needed_by
from ppmf_spec.parameters import Parameters
from ppmf_spec.ratings import Ratings

CASE_ID = "own/run"
"""The id of the case in the calls to an adapter."""

_MOST = line_protocol.MAX_LINE // 2 - (1 << 16)
"""The bytes of messages that fit a line, in which each byte is two digits."""


@dataclass(frozen=True, slots=True)
class Played:
    """What came of a run.

    detail: one line that says where it differs, or why it did not end; empty if it is bit exact.
    stages: how many stages were right, and how many there are; None without a trace. untraced: the
    reason why there is none, or an empty text.
    call: of a run that is not bit exact, the call at which it ended, if there was one.
    """

    hello: Hello
    outcome: Outcome
    detail: str
    stages: tuple[int, int] | None
    untraced: str
    call: PartyCall | None


def case_of(params: Parameters, ratings: Ratings, suite: str, roles: Collection[str]) -> Case:
    """The case of a run whose `roles` an adapter plays.

    Raises ParametersError for a suite that is not of a toy run, for sizes that do not fit the suite
    or the ring, and for more at once than fits a line.
    """
    with needed_by("a run with our own parties"):
        from ppmf_conformance.adapters import toy_runs
    if suite not in toy_runs.SUITES:
        raise ParametersError(f"suite {suite[:40]!a}: must be one of {', '.join(toy_runs.SUITES)}")
    run = toy_runs.toy_run(params, ratings, suite, CASE_ID)
    if run.longest > _MOST:
        raise ParametersError(
            f"a run of {ratings.n_users:,} users and {ratings.n_items:,} items is no toy: a server "
            f"sends up to {run.longest:,} bytes at once, and a line of an adapter holds {_MOST:,}: "
            "take fewer users and items, or a lower rank"
        )
    return Case(
        id=CASE_ID,
        family="own",
        op=party_runs.OP,
        requirements=("PPMF-RUN-001",),
        level="MUST",
        features=frozenset({party_runs.OP}),
        flags=("positive",),
        comment="a run of the user's own",
        given={**run.given, "roles": [role for role in ROLES if role in roles]},
        steps={"messages": run.messages},
        expect={"status": "ok", "out": {**run.output, "refused": []}},
        source={"generator": "own", "version": version(), "seed": CASE_ID},
    )


def play(case: Case, command: Sequence[str], deadlines: Deadlines, *, trace: bool) -> Played:
    """Play a case of `case_of` with the adapter that a command starts.

    Raises StateError if the adapter does not introduce itself, or declares no parties or not the
    roles of the case; OSError if there is no such program.
    """
    asked = Conversation(Plan(tuple(command), (case,), deadlines=deadlines, trace=trace))
    try:
        hello = asked.open()
        if hello is None:
            raise StateError(f"the adapter: {asked.refusal}")
        if party_runs.OP not in hello.features:
            raise StateError(f"the adapter declares no feature {party_runs.OP}")
        lacking = party_runs.roles(case) - set(hello.roles)
        if lacking:
            declared = ", ".join(hello.roles) or "none"
            raise StateError(
                f"the adapter does not play {', '.join(sorted(lacking))}: of the roles it declares "
                f"{declared}"
            )
        outcome, detail = asked.ask(case)
    finally:
        asked.close()
    shown = asked.trace
    stages = None if shown is None else (shown.held, shown.total)
    why = "" if stages else _untraced(case, hello, trace=trace)
    return Played(hello, outcome, detail, stages, why, asked.call)


def _untraced(case: Case, hello: Hello, *, trace: bool) -> str:
    """Why a run has no trace."""
    if not trace:
        return "it was not asked for"
    servers = party_runs.roles(case) & set(SERVERS)
    if servers and FEATURE not in hello.features:
        return f"the adapter does not show its shares (it declares no {FEATURE})"
    most = party_runs.MOST_TRACED
    return f"the run has more than {most:,} pairs of a user and an item"
