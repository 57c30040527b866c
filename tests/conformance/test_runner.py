# SPDX-License-Identifier: Apache-2.0
"""The runner: right adapters pass, wrong ones fail in the right case, and nothing stops a run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import cast

import pytest

from ppmf_conformance import cases, known_failures, party_runs, runner
from ppmf_conformance.adapter_process import AdapterProcess, CrashError, HangError
from ppmf_conformance.adapters.broken_oracle import FAULTS
from ppmf_conformance.deadline import BYTES_A_SECOND, DEADLINES, Deadline, Deadlines
from ppmf_conformance.known_failures import KnownFailure
from ppmf_conformance.line_protocol import Answer, Hello, ProtocolError
from ppmf_conformance.results import Exit, Outcome, Summary
from ppmf_spec.errors import EncodingError
from tests.support.adapters import HELLO, ORACLE, broken, script

SHORT = Deadlines(hello=30, call=1.0)
"""For adapters that are meant to run into it; all others get the ample default."""
SUITE = cases.shipped()


def ask(
    command: Sequence[str],
    *patterns: str,
    known: tuple[KnownFailure, ...] = (),
    deadlines: Deadlines = DEADLINES,
) -> Summary:
    return runner.run(runner.Plan(tuple(command), SUITE.pick(patterns), known, deadlines))


@pytest.fixture(scope="module")
def oracle() -> Summary:
    return runner.run(runner.Plan(ORACLE, SUITE.cases))


@pytest.mark.req("PPMF-CON-005")
def test_the_oracle_adapter_passes_all_cases_that_it_declares(oracle: Summary) -> None:
    assert [r.case.id for r in oracle.results if r.fails] == []
    assert oracle.exit is Exit.AS_EXPECTED
    assert oracle.asked >= 600
    undeclared = {r.case.op for r in oracle.results if r.outcome is Outcome.UNDECLARED}
    assert oracle.hello is not None
    assert undeclared == {case.op for case in SUITE.cases} - oracle.hello.features


@pytest.mark.req("PPMF-CON-010", "PPMF-CON-011", "PPMF-CON-012", "PPMF-CON-018")
@pytest.mark.parametrize("name", [name for name in FAULTS if name != "mute"])
def test_a_broken_adapter_fails_in_the_case_named_for_it(name: str) -> None:
    fault = FAULTS[name]
    family = fault.case.partition("/")[0]
    hangs = fault.outcome is Outcome.HANG
    patterns = [fault.case, "init/one-*"] if hangs else [f"{family}/*"]
    summary = ask(broken(name), *patterns, deadlines=SHORT if hangs else DEADLINES)
    found = {result.case.id: result for result in summary.results}
    assert found[fault.case].outcome is fault.outcome
    assert found[fault.case].fails
    assert summary.exit is Exit.FAILURE
    if name in ("crash", "hang", "chatty"):
        assert [r.case.id for r in summary.results if r.fails] == [fault.case]


@pytest.mark.req("PPMF-CON-010", "PPMF-CON-011", "PPMF-CON-015")
def test_an_adapter_that_never_says_hello_leaves_a_full_report() -> None:
    plan = runner.Plan(broken("mute"), SUITE.cases, deadlines=Deadlines(0.5, 0.5))
    summary = runner.run(plan)
    assert {result.outcome for result in summary.results} == {Outcome.NOT_RUN}
    assert len(summary.results) == len(SUITE.cases)
    assert summary.exit is Exit.NOTHING_RAN
    assert summary.refusal == "no hello: no answer within 0.5 s"


@pytest.mark.req("PPMF-CON-011")
def test_a_silent_adapter_is_stopped_and_the_rest_is_reported() -> None:
    summary = ask(broken("silent"), "init/*", deadlines=SHORT)
    outcomes = [result.outcome for result in summary.results]
    assert outcomes[:3] == [Outcome.HANG] * 3
    assert set(outcomes[3:]) == {Outcome.NOT_RUN}
    assert all(result.fails for result in summary.results)


@pytest.mark.req("PPMF-CON-007")
@pytest.mark.parametrize(
    ("reaction", "outcome"),
    [
        ("sys.exit(0)", Outcome.CRASH),
        ("os.kill(os.getpid(), 9)", Outcome.CRASH),
        ("print('{\"seq\":1', end='', flush=True); sys.exit(0)", Outcome.CRASH),
        ("print('{}', flush=True)", Outcome.MALFORMED),
        ('print(\'{"seq":2,"status":"unsupported"}\', flush=True)', Outcome.MALFORMED),
        ('print(\'{"seq":1,"status":"unsupported"}\', flush=True)', Outcome.UNSUPPORTED),
        ('print(\'{"seq":1,"status":"error","message":"m"}\', flush=True)', Outcome.ERROR),
        ('print(\'{"seq":1,"status":"ok","out":{}}\', flush=True)', Outcome.FAIL),
        ("pass", Outcome.HANG),
    ],
)
def test_each_reaction_of_an_adapter_has_its_own_outcome(reaction: str, outcome: Outcome) -> None:
    hello = f"import os, sys\ninput()\nprint({HELLO!r}, flush=True)\ninput()"
    text = f"{hello}\n{reaction}\nsys.stdin.read()"
    summary = ask(
        script(text),
        "init/defaults",
        deadlines=SHORT if outcome is Outcome.HANG else DEADLINES,
    )
    assert [result.outcome for result in summary.results] == [outcome]
    assert summary.exit is Exit.FAILURE


@pytest.mark.req("PPMF-CON-010")
def test_an_adapter_that_ignores_its_input_is_ended_with_its_children() -> None:
    text = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"input()\nprint({HELLO!r}, flush=True)\ntime.sleep(600)"
    )
    target = AdapterProcess(script(text), Deadlines(20, 0.3))
    try:
        target.hello()
        with pytest.raises(HangError, match=r"0.3 s"):
            target.run("x", "init", {"long": "x" * (1 << 20)})
    finally:
        target.close()
    with pytest.raises(CrashError, match="ended with exit status"):
        target.receive(Deadline(5))


@pytest.mark.req("PPMF-CON-010")
def test_a_run_of_long_messages_is_waited_for_longer() -> None:
    longest = SUITE.pick(("chunks/entries-csp",))[0]
    assert party_runs.length(longest) // BYTES_A_SECOND == 32
    assert not any(party_runs.length(case) for case in SUITE.pick(("init/*",)))
    found = []

    class Asked:
        more = 0

        def run(self, case_id: str, op: str, given: object) -> Answer:
            found.append(self.more)
            return Answer("error", {})

    asked = runner.Conversation(runner.Plan((), (longest,)))
    hello = Hello("", "", "", "", longest.features, tuple(party_runs.roles(longest)))
    asked._target, asked._hello = cast(AdapterProcess, Asked()), hello
    assert asked.ask(longest)[0] is Outcome.ERROR
    assert found == [32]


@pytest.mark.req("PPMF-CON-014", "PPMF-CON-015")
def test_a_line_that_answers_no_call_is_an_error_of_the_next_call() -> None:
    lines = f"print({HELLO!r})\nprint('a second line', flush=True)"
    text = f"import time\ninput()\n{lines}\ntime.sleep(600)"
    target = AdapterProcess(script(text), Deadlines(20, 20))
    try:
        target.hello()
        until = time.monotonic() + 20
        while target._lines.empty() and time.monotonic() < until:
            time.sleep(0.01)
        with pytest.raises(ProtocolError, match="a line that answers no call"):
            target.run("x", "init", {})
    finally:
        target.close()


def test_known_failures_are_strict() -> None:
    name, fault = "ridge-doubled", FAULTS["ridge-doubled"]
    reason = KnownFailure("half-step/ridge-*", "issue 1")
    assert ask(broken(name), fault.case, known=(reason,)).exit is Exit.AS_EXPECTED
    dead = ask(broken(name), fault.case, known=(reason, KnownFailure("ridge/*", "issue 2")))
    assert dead.exit is Exit.DEAD_PATTERN
    assert dead.dead_patterns == ("ridge/*",)
    fixed = ask(ORACLE, fault.case, known=(reason,))
    assert fixed.results[0].verdict == "fixed"
    assert fixed.exit is Exit.FAILURE


@pytest.mark.req("PPMF-CON-014")
def test_the_list_of_known_failures_is_read(tmp_path: Path) -> None:
    path = tmp_path / "known"
    path.write_text("# ours\n\nprox/*  issue 7: ties\nstep/zero-step issue 8\n")
    found = known_failures.read(path)
    assert found == (
        KnownFailure("prox/*", "issue 7: ties"),
        KnownFailure("step/zero-step", "issue 8"),
    )
    assert known_failures.reason("prox/x/y", found) == "issue 7: ties"
    assert known_failures.reason("step/zero", found) is None
    path.write_text("prox/*\n")
    with pytest.raises(EncodingError, match=r"known:1: .* reason"):
        known_failures.read(path)


@pytest.mark.req("PPMF-CON-015")
def test_a_failed_case_of_a_should_does_not_fail_a_run() -> None:
    text = (
        "import sys, json\n"
        f"hello = {HELLO!r}.replace('init', 'params.warn')\n"
        "for line in sys.stdin:\n"
        "    call = json.loads(line)\n"
        "    out = {'seq': call.get('seq'), 'status': 'ok', 'out': {'idle': False}}\n"
        "    print(hello if call['call'] == 'hello' else json.dumps(out), flush=True)\n"
    )
    summary = ask(script(text), "bounds/warn-*")
    assert summary.counts == {"advice": 4, "pass": 4}
    assert summary.exit is Exit.AS_EXPECTED
