# SPDX-License-Identifier: Apache-2.0
"""The runner: right adapters pass, wrong ones fail where they should, and nothing stops it."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ppmf import main
from ppmf_conformance import cases, known_failures, requirement_titles, runner
from ppmf_conformance.adapter_process import AdapterProcess, CrashError, HangError
from ppmf_conformance.adapters.broken_oracle import FAULTS
from ppmf_conformance.deadline import DEADLINES, Deadline, Deadlines
from ppmf_conformance.known_failures import KnownFailure
from ppmf_conformance.reports import Context, Report, html_page, junit, ndjson
from ppmf_conformance.results import Exit, Outcome, Summary
from ppmf_spec.errors import EncodingError

ADAPTERS = (sys.executable, "-m")
ORACLE = (*ADAPTERS, "ppmf_conformance.adapters.oracle")
SHORT = Deadlines(hello=30, call=1.0)
"""For adapters that are meant to run into it; all others get the ample default."""
SUITE = cases.shipped()


def broken(name: str) -> tuple[str, ...]:
    return (*ADAPTERS, "ppmf_conformance.adapters.broken_oracle", name)


def ask(
    command: Sequence[str],
    *patterns: str,
    known: tuple[KnownFailure, ...] = (),
    deadlines: Deadlines = DEADLINES,
) -> Summary:
    return runner.run(runner.Plan(tuple(command), SUITE.pick(patterns), known, deadlines))


def script(text: str) -> tuple[str, ...]:
    return (sys.executable, "-c", text)


HELLO = json.dumps(
    {
        "protocol": 1,
        "implementation": {"name": "x", "version": "1", "language": "x", "issues": ""},
        "features": ["init"],
        "roles": [],
    }
)


@pytest.fixture(scope="module")
def oracle() -> Summary:
    return runner.run(runner.Plan(ORACLE, SUITE.cases))


@pytest.mark.req("PPMF-CON-005")
def test_the_oracle_is_right_in_all_it_declares(oracle: Summary) -> None:
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
def test_a_silent_adapter_is_given_up_and_the_rest_is_reported() -> None:
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
def test_whatever_an_adapter_does_is_told_apart(reaction: str, outcome: Outcome) -> None:
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
def test_a_program_that_reads_nothing_or_stays_is_ended_with_its_children() -> None:
    text = (
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        f"print({HELLO!r}, flush=True)\ntime.sleep(600)"
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


@pytest.mark.req("PPMF-CON-014", "PPMF-CON-015")
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
def test_advice_that_is_not_followed_does_not_fail_a_run() -> None:
    text = (
        "import sys, json\n"
        f"hello = {HELLO!r}.replace('init', 'params.warn')\n"
        "for line in sys.stdin:\n"
        "    call = json.loads(line)\n"
        "    out = {'seq': call.get('seq'), 'status': 'ok', 'out': {'idle': False}}\n"
        "    print(hello if call['call'] == 'hello' else json.dumps(out), flush=True)\n"
    )
    summary = ask(script(text), "bounds/warn-*")
    assert summary.counts == {"advice": 2, "pass": 2}
    assert summary.exit is Exit.AS_EXPECTED


def report(folder: Path, name: str, *patterns: str) -> tuple[Report, Path]:
    """A run of a broken adapter, and its NDJSON."""
    context = Context("1", SUITE.digest, requirement_titles.titles())
    path = folder / f"{name}.ndjson"
    plan = runner.Plan(broken(name), SUITE.pick(patterns))
    with ndjson.Writer(path, context, plan.command) as writer:
        summary = runner.run(plan, on_hello=writer.hello, on_result=writer.result)
        writer.summary(summary)
    return Report(context, summary), path


@pytest.mark.req("PPMF-CON-001", "PPMF-CON-016", "PPMF-CON-017")
def test_two_runs_give_the_same_lines_but_for_times(tmp_path: Path) -> None:
    texts = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        _, path = report(tmp_path / name, "crash", "init/*", "bounds/*")
        lines = [json.loads(line) for line in path.read_text().splitlines()]
        for line in lines:
            line.pop("milliseconds", None)
        texts.append(lines)
    assert texts[0] == texts[1]
    run, *results, summary = texts[0]
    assert run["vectors"] == SUITE.digest
    assert run["suite"] == "1"
    assert run["implementation"]["name"] == "broken on purpose"
    assert "init" in run["features"]
    assert summary["counts"] == {"fail": 1, "pass": len(results) - 1}
    (failed,) = [line for line in results if line["verdict"] == "fail"]
    words = shlex.split(failed["reproduce"])
    assert words[:6] == ["ppmf", "conformance", "run", "--only", "init/seed-empty", "--"]
    again = runner.run(runner.Plan(tuple(words[6:]), SUITE.pick(words[4:5])))
    assert [result.outcome for result in again.results] == [Outcome.CRASH]


def test_junit_counts_what_failed(tmp_path: Path) -> None:
    found, _ = report(tmp_path, "crash", "init/*", "hash/*")
    root = ElementTree.fromstring(junit.render(found))
    suites = {suite.get("name"): suite for suite in root}
    assert suites["init"].get("errors") == "1"
    assert suites["init"].get("failures") == "0"
    assert suites["hash"].get("skipped") == suites["hash"].get("tests")
    error = suites["init"].find("testcase/error")
    assert error is not None
    assert "ppmf conformance run --only init/seed-empty" in (error.text or "")


def test_the_page_stands_alone_and_holds_every_case(tmp_path: Path) -> None:
    found, _ = report(tmp_path, "wrong-row-order", "ratings/*")
    text = html_page.render(found).decode()
    assert "http://" not in text
    assert "https://" not in text
    assert "{{" not in text
    data = text.partition('id="data">')[2].partition("</script>")[0]
    assert "<" not in data
    table = json.loads(data)
    assert len(table["cases"]) == len(found.summary.results)
    assert table["titles"]["PPMF-FIX-003"] == "Order of rows"


@pytest.mark.req("PPMF-CON-015")
def test_the_command_ends_with_the_status_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def status(*arguments: str) -> int:
        return main.main(["conformance", "run", *arguments])

    assert status("--only", "init/*", "--report", str(tmp_path / "r"), "--", *ORACLE) == 0
    assert {path.name for path in (tmp_path / "r").iterdir()} == {
        "results.ndjson",
        "junit.xml",
        "index.html",
    }
    assert status("--only", "words/*", "--", *broken("round-floor")) == 1
    shown = capsys.readouterr().out
    assert "ppmf conformance run --only words/round-half -- " in shown
    assert status("--only", "none/*", "--", *ORACLE) == 4
    assert status("--only", "hash/*", "--", *ORACLE) == 5
    assert status("--", str(tmp_path / "none")) == 2
    assert status() == 2


def test_the_command_lists_and_copies_the_vectors(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main.main(["conformance", "vectors", "--only", "init/seed-*"]) == 0
    assert "init/seed-utf8" in capsys.readouterr().out
    assert main.main(["conformance", "vectors", "--only", "none"]) == 2
    assert main.main(["conformance", "vectors", str(tmp_path / "v")]) == 0
    assert cases.load(tmp_path / "v").digest == SUITE.digest
    assert (tmp_path / "v" / "vectors.schema.json").is_file()


@pytest.mark.req("PPMF-CON-002", "PPMF-CON-006", "PPMF-CON-008", "PPMF-CON-009", "PPMF-CON-019")
@pytest.mark.parametrize(
    ("command", "status", "said"),
    [
        (ORACLE, 0, "yes  ends when its input ends"),
        (broken("mute"), 1, "no   introduces itself"),
        (broken("silent"), 1, "no   answers the unknown with unsupported"),
        (broken("chatty"), 0, "yes  answers calls in their order"),
        (script("print('hello')"), 1, "no   introduces itself"),
        (script(f"input(); print({HELLO!r}); input()"), 1, "no   answers the unknown"),
    ],
)
def test_an_adapter_itself_is_checked(
    command: Sequence[str],
    status: int,
    said: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ppmf.commands.conformance.HELLO_SECONDS", 1.0)
    assert main.main(["conformance", "check", "--deadline", "0.5", "--", *command]) == status
    assert said in capsys.readouterr().out
