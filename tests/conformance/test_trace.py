# SPDX-License-Identifier: Apache-2.0
"""The trace: a party that is wrong in one place is told the first stage that differs, and where."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ppmf_conformance import cases, party_runs, runner
from ppmf_conformance.adapters import sessions_and_uploads
from ppmf_conformance.adapters.party import Parties
from ppmf_conformance.adapters.stages import stages
from ppmf_conformance.cases import Case
from ppmf_conformance.line_protocol import Answer, ProtocolError
from ppmf_conformance.our_parties import OwnParties
from ppmf_conformance.results import Outcome
from ppmf_conformance.trace import Trace
from ppmf_secure.parties import training
from ppmf_secure.primitives.coins import Coins
from ppmf_secure.primitives.rating_code import RatingCode
from ppmf_secure.protocols import half_step, step_sizes, sub_problem
from ppmf_secure.protocols.observer import nobody
from ppmf_secure.session.checkpoint import RatingBits
from ppmf_secure.session.cipher_suites import cipher_suite
from ppmf_spec.errors import StateError
from ppmf_spec.requirements import collect
from ppmf_spec.roles import CSP

ROOT = Path(__file__).parents[2]
CHAPTER = ROOT / "spec" / "07-conformance.md"
SUITE = cases.shipped()
SECURE = (sys.executable, "-m", "ppmf_conformance.adapters.secure")
LIPSCHITZ, BINARY = "trace/lipschitz", "trace/count-binary"


def traced(run: str, role: str) -> Case:
    """A traced run, with that role under test."""
    (found,) = SUITE.pick([f"{run}-csp"])
    return replace(found, given={**found.given, "roles": [role]})


class WrongParty:
    """Our own parties, of which a function is another while they have their turn."""

    def __init__(self, owner: Any, name: str, other: Callable[[Any], Any]) -> None:
        self._ours = OwnParties()
        self._owner, self._name, self._other = owner, name, other

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        right = vars(self._owner)[self._name]
        plain = right.__func__ if isinstance(right, classmethod) else right
        with pytest.MonkeyPatch.context() as patch:
            wrong = self._other(plain)
            patch.setattr(
                self._owner,
                self._name,
                classmethod(wrong) if isinstance(right, classmethod) else wrong,
            )
            return self._ours.run(case_id, op, given)


def result(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function whose result is changed."""
    return lambda right: lambda *given, **named: change(right(*given, **named))


def outcome(change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A sub-protocol whose result is changed."""

    def wrong(right: Any) -> Any:
        def program(*given: Any, **named: Any) -> Any:
            return change((yield from right(*given, **named)))

        return program

    return wrong


def argument(number: int, change: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function one of whose arguments is changed."""

    def wrong(right: Any) -> Any:
        def with_other(*given: Any, **named: Any) -> Any:
            changed = (*given[:number], change(given[number]), *given[number + 1 :])
            return right(*changed, **named)

        return with_other

    return wrong


def last_doubled(numbers: Any) -> Any:
    """Shares (..., n) whose last row of numbers is doubled."""
    changed = numbers.copy()
    changed[-1] <<= np.uint64(1)
    return changed


def planes_exchanged(bits: Any) -> Any:
    return replace(bits, planes=bits.planes[[1, 0, *range(2, len(bits.planes))]])


def code_bit_flipped(code: Any) -> Any:
    return np.concatenate([code[:1] ^ 1, code[1:]])


def matrix_wrong(problem: Any) -> Any:
    return replace(problem, gram=last_doubled(problem.gram))


def thresholds_reversed(steps: Any) -> Any:
    reversed_rows = {name: labels[:, ::-1] for name, labels in steps.thresholds.items()}
    return replace(steps, thresholds=reversed_rows)


class LastTime:
    """A function whose result is changed when it is called for the last time of so many."""

    def __init__(self, times: int, change: Callable[[Any], Any]) -> None:
        self._left, self._change = times, change

    def __call__(self, right: Any) -> Any:
        def counted(*given: Any) -> Any:
            self._left -= 1
            found = right(*given)
            return found if self._left else self._change(found)

        return counted


FAULTS: dict[str, tuple[tuple[str, str], Any, str, Callable[[Any], Any], str]] = {
    "a bit of the code": (
        (LIPSCHITZ, "users"),
        RatingCode,
        "encode",
        result(code_bit_flipped),
        "bits, row 0 (1): plane 1 of item 0: ",
    ),
    "planes exchanged": (
        (LIPSCHITZ, "csp"),
        training,
        "convert",
        argument(1, planes_exchanged),
        "w, row 0 (1), [0]: ",
    ),
    "the least rating": (
        (LIPSCHITZ, "csp"),
        RatingCode,
        "of",
        result(lambda code: replace(code, least=code.least + 1)),
        "x, row 0 (1), [0]: ",
    ),
    "damping of the biases": (
        (LIPSCHITZ, "csp"),
        step_sizes.CountRule,
        "damping",
        result(lambda damping: damping + 32),
        "bias_steps of the users, row 0 (1): ",
    ),
    "counts of the factors": (
        (BINARY, "csp"),
        step_sizes.StepRule,
        "make",
        lambda right: (
            lambda self, server, counts, terms, site: right(
                self,
                server,
                last_doubled(counts) if "count" in site.purpose else counts,
                terms,
                site,
            )
        ),
        "factor_steps of the users, row 1 (4): ",
    ),
    "products of columns": (
        (LIPSCHITZ, "recsys"),
        sub_problem,
        "_shared_products",
        outcome(lambda products: [*products[:-1], last_doubled(products[-1])]),
        "Phi of the items in iteration 1, row 0 (1), [7]: ",
    ),
    "the matrix": (
        (LIPSCHITZ, "recsys"),
        sub_problem,
        "_assemble",
        result(matrix_wrong),
        "S of the users in iteration 1, row 0 (1), [2][0]: ",
    ),
    "the offset": (
        (LIPSCHITZ, "csp"),
        sub_problem,
        "_assemble",
        result(lambda found: replace(found, gradient_at_zero=last_doubled(found.gradient_at_zero))),
        "o of the users in iteration 1, row 0 (1), [2]: ",
    ),
    "the squares": (
        (LIPSCHITZ, "csp"),
        sub_problem,
        "_assemble",
        result(lambda found: replace(found, squares=found.gram[0, 0])),
        "q2 of the users in iteration 1, row 0 (1): ",
    ),
    "the curvature": (
        (LIPSCHITZ, "csp"),
        step_sizes.StepRule,
        "make",
        lambda right: (
            lambda self, server, measures, *more: right(
                self, server, measures if self.made_once else last_doubled(measures), *more
            )
        ),
        "factor_steps of the users in iteration 1, row 2 (7): ",
    ),
    "thresholds": (
        (LIPSCHITZ, "recsys"),
        step_sizes.StepRule,
        "make",
        outcome(thresholds_reversed),
        "tau of the users in iteration 1, row 0 (1): ",
    ),
    "the ridge": (
        (LIPSCHITZ, "recsys"),
        training,
        "half_gradient",
        outcome(last_doubled),
        "G of the users in iteration 1, inner step 0, row 0 (1), [2]: ",
    ),
    "the moves": (
        (LIPSCHITZ, "csp"),
        half_step,
        "_moves",
        outcome(last_doubled),
        "HG of the users in iteration 1, inner step 0, row 0 (1), [2]: ",
    ),
    "the inertia": (
        (LIPSCHITZ, "csp"),
        training,
        "inner_step",
        argument(1, lambda side: replace(side, previous=side.share)),
        "Z of the users in iteration 1, inner step 1, row 0 (1), [0]: ",
    ),
    "the new words": (
        (BINARY, "recsys"),
        half_step,
        "_update",
        outcome(lambda labels: labels[:, ::-1]),
        "words of the users in iteration 1, inner step 0, row 0 (1), [0]: ",
    ),
    "arithmetic shares": (
        (BINARY, "csp"),
        half_step,
        "to_arithmetic",
        outcome(lambda share: share + np.uint64(1)),
        "shares of the users in iteration 1, inner step 0, row 0 (1), [0]: ",
    ),
    "the last iteration": (
        (BINARY, "csp"),
        sub_problem,
        "_assemble",
        LastTime(4, matrix_wrong),
        "S of the items in iteration 2, row 0 (a0), [2][0]: ",
    ),
}
"""By a mistake: the run and role, whose function is another, its name, what it is instead, and
what the suite says of it."""


@pytest.mark.req("PPMF-CON-042")
@pytest.mark.parametrize("name", FAULTS)
def test_the_first_stage_that_differs_is_named(name: str) -> None:
    (run, role), owner, function, other, said = FAULTS[name]
    target = WrongParty(owner, function, other)
    found, detail = party_runs.play(traced(run, role), target, traced=role != "users")
    assert found is Outcome.FAIL
    assert detail.startswith(said), detail
    assert ", not " in detail


def test_every_stage_has_a_party_that_is_wrong_there() -> None:
    due = {stage.name for run in (LIPSCHITZ, BINARY) for stage in stages(traced(run, "csp").given)}
    named = {re.split(r"[ ,]", fault[-1])[0] for fault in FAULTS.values()}
    assert due - named == {"theta"}  # of the same circuit as tau


def test_without_a_trace_the_same_party_is_told_the_output_alone() -> None:
    (run, role), owner, function, other, _ = FAULTS["the offset"]
    target = WrongParty(owner, function, other)
    found, detail = party_runs.play(traced(run, role), target)
    assert found is Outcome.FAIL
    assert detail.startswith("factors[0][0]: ")


def test_what_ends_a_run_is_told_beside_the_stage_that_differs() -> None:
    """The shares of the step in which it ends are put together as far as both have shown them."""
    trace = Trace(traced(LIPSCHITZ, "csp").given)
    shown = [{"stage": "w", "at": [], "shares": [["0"] * 2] * 3}]
    for server in ("recsys", "csp"):
        trace.take(server, shown)
    assert trace.difference() == ""  # the bits come first, and are not there yet
    assert trace.difference(ended=True).startswith("w, row ")


class Untraced:
    """Our own parties, whose trace is changed."""

    def __init__(self, change: Callable[[list[dict[str, Any]]], Any]) -> None:
        self._ours = OwnParties()
        self._change = change

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        answer = self._ours.run(case_id, op, given)
        if op == "party.step" and answer.status == "ok":
            answer.out["trace"] = self._change(answer.out.get("trace", []))
        return answer


def without(name: str) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda shown: [stage for stage in shown if stage["stage"] != name]


def renamed(**change: Any) -> Callable[[list[dict[str, Any]]], Any]:
    return lambda shown: [{**stage, **change} for stage in shown]


@pytest.mark.req("PPMF-CON-040", "PPMF-CON-041")
def test_a_trace_that_leaves_a_stage_out_fails() -> None:
    run = traced(LIPSCHITZ, "recsys")
    assert party_runs.play(run, Untraced(lambda shown: shown), traced=True)[0] is Outcome.PASS
    found, detail = party_runs.play(run, Untraced(without("HG")), traced=True)
    assert found is Outcome.FAIL
    assert detail == ("trace of recsys: HG of the users in iteration 1, inner step 0 is missing")


@pytest.mark.req("PPMF-CON-040", "PPMF-CON-041")
@pytest.mark.parametrize(
    ("change", "why"),
    [
        (renamed(stage="Y"), "trace of recsys: Y, where the run has none"),
        (renamed(at=["1", "users", "7"]), "where the run has none"),
        (lambda shown: shown + shown, "trace of recsys: bits, twice"),
        (renamed(shares=["1"]), "not its lists"),
        (renamed(shares="1"), "party.step: .*shares: not of type array"),
        (renamed(shares=["zz"] * 3), "bits: not hexadecimal"),
        (renamed(), None),
    ],
)
def test_a_trace_of_another_form_is_reported(change: Any, why: str | None) -> None:
    run = traced(LIPSCHITZ, "recsys")
    if why is None:
        assert party_runs.play(run, Untraced(change), traced=True)[0] is Outcome.PASS
        return
    with pytest.raises(ProtocolError, match=why):
        party_runs.play(run, Untraced(change), traced=True)


def test_numbers_of_a_trace_are_strings_of_decimals() -> None:
    def not_decimal(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [{**s, "shares": [["1.0"] * 2] * 3} if s["stage"] == "w" else s for s in shown]

    with pytest.raises(ProtocolError, match="trace: w: integer: not a decimal integer"):
        party_runs.play(traced(LIPSCHITZ, "recsys"), Untraced(not_decimal), traced=True)


@pytest.mark.req("PPMF-CON-042")
def test_a_share_is_any_integer_that_has_it_in_the_ring() -> None:
    def lifted(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
        def lift(value: Any) -> Any:
            return (
                [lift(one) for one in value]
                if isinstance(value, list)
                else str(int(value) - (1 << 70))
            )

        return [{**s, "shares": lift(s["shares"])} if s["stage"] == "Z" else s for s in shown]

    assert (
        party_runs.play(traced(LIPSCHITZ, "csp"), Untraced(lifted), traced=True)[0] is Outcome.PASS
    )


@pytest.mark.req("PPMF-CON-040", "PPMF-CON-042")
def test_the_adapter_declares_the_trace_and_is_asked_for_it() -> None:
    plan = runner.Plan(SECURE, SUITE.pick(["trace/*", "parties/lipschitz-csp"]))
    summary = runner.run(plan)
    assert [result.detail for result in summary.results if result.fails] == []
    assert summary.asked == len(plan.cases)
    untraced = runner.run(replace(plan, trace=False, cases=SUITE.pick([f"{LIPSCHITZ}-csp"])))
    assert [result.outcome for result in untraced.results] == [Outcome.PASS]


@pytest.mark.req("PPMF-CON-043")
def test_a_session_that_is_no_trial_is_not_traced() -> None:
    (one,) = SUITE.pick(["trace/refused-no-trial-csp"])
    assert party_runs.play(one, OwnParties(), traced=True)[0] is Outcome.PASS
    parties = Parties()
    asked = {"role": "csp", "coins": "x", "trace": True, **one.given}
    with pytest.raises(StateError, match="a trial alone"):
        parties.new(asked)
    assert parties.new({**asked, "trace": False}).keys() == {"handle"}


@pytest.mark.req("PPMF-CON-043")
def test_a_program_refuses_an_observer_of_a_session_that_is_no_trial() -> None:
    (one,) = SUITE.pick(["trace/refused-no-trial-csp"])
    session = sessions_and_uploads.session(one.given["session"])
    choice = cipher_suite(session.suite)
    bits = RatingBits(np.zeros((5, 3, 1), dtype=np.uint8))
    seen: list[str] = []
    program = training.train(
        CSP, session, choice, bits, Coins.seeded("x"), observer=lambda stage, *_: seen.append(stage)
    )
    with pytest.raises(StateError, match="a trial alone"):
        next(program)
    assert seen == []
    next(training.train(CSP, session, choice, bits, Coins.seeded("x"), observer=nobody))


@pytest.mark.req("PPMF-CON-043")
def test_nobody_but_the_adapter_of_a_party_gives_an_observer() -> None:
    """A keyword `observer` is given in adapters alone, and passed on inside the parties."""
    given = set()
    packages = ["ppmf", "audit", "costs", "conformance", "reference", "secure", "service", "spec"]
    for package in packages:
        for path in (ROOT / package).rglob("*.py"):
            tree = ast.parse(path.read_text(encoding="utf-8"))
            calls = (node for node in ast.walk(tree) if isinstance(node, ast.Call))
            if any(word.arg == "observer" for call in calls for word in call.keywords):
                given.add(str(path.relative_to(ROOT)))
    assert given == {
        "conformance/ppmf_conformance/adapters/party.py",
        "conformance/ppmf_conformance/adapters/transcripts.py",
        "secure/ppmf_secure/parties/csp.py",
        "secure/ppmf_secure/parties/recsys.py",
    }


@pytest.mark.req("PPMF-CON-041")
def test_the_stages_are_those_of_the_chapter() -> None:
    text = collect([CHAPTER])["PPMF-CON-041"].text
    listed = [
        name
        for line in text.splitlines()
        if line.startswith("| `")
        for name in re.findall(r"`([^`]+)`", line.split("|")[1])
    ]
    runs = [SUITE.pick([f"{run}-csp"])[0].given for run in (LIPSCHITZ, BINARY)]
    made: set[str] = {stage.name for run in runs for stage in stages(run)}
    assert made == set(listed)
    places = {(stage.name, len(stage.at)) for run in runs for stage in stages(run)}
    assert {size for name, size in places if name == "factor_steps"} == {1, 2}


@pytest.mark.req("PPMF-CON-041")
def test_spare_bits_of_a_row_say_nothing() -> None:
    def spare_set(shown: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Two items and six planes leave four spare bits, the highest of the last byte."""

        def set_in(text: str) -> str:
            return text[:-2] + f"{int(text[-2:], 16) | 0xF0:02x}"

        return [
            {**s, "shares": [set_in(one) for one in s["shares"]]} if s["stage"] == "bits" else s
            for s in shown
        ]

    run = traced(LIPSCHITZ, "recsys")
    assert party_runs.play(run, Untraced(spare_set), traced=True)[0] is Outcome.PASS
