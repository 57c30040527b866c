# SPDX-License-Identifier: Apache-2.0
"""Reports of a run: the lines of NDJSON, JUnit, and the page that shows every case."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from xml.etree import ElementTree

import pytest

from ppmf_conformance import cases, requirement_titles, runner
from ppmf_conformance.reports import Context, Report, html_page, junit, ndjson
from ppmf_conformance.results import Outcome
from tests.support.adapters import broken, script

SUITE = cases.shipped()


def report(folder: Path, name: str, *patterns: str) -> tuple[Report, Path]:
    """A run of a broken adapter, and its NDJSON."""
    context = Context(
        "1", SUITE.digest, requirement_titles.titles(), requirement_titles.sentences()
    )
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


def test_the_page_needs_no_other_file_and_holds_every_case(tmp_path: Path) -> None:
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
    assert "ascending order of id" in table["sentences"]["PPMF-FIX-003"]
    assert table["vectors"] == SUITE.digest


@pytest.mark.req("PPMF-CON-001")
def test_the_page_has_a_claim_with_all_that_it_must_name(tmp_path: Path) -> None:
    found, _ = report(tmp_path, "wrong-row-order", "ratings/*")
    claim = html_page.claim(found)
    hello = found.summary.hello
    assert hello is not None
    for text in ("suite 1", SUITE.digest, *hello.features, "known failures: none"):
        assert text in claim
    assert "roles:" in claim


def test_a_failed_case_has_its_input_and_both_outputs(tmp_path: Path) -> None:
    found, _ = report(tmp_path, "wrong-row-order", "ratings/*")
    text = html_page.render(found).decode()
    data = text.partition('id="data">')[2].partition("</script>")[0]
    by_id = {case["id"]: case for case in json.loads(data)["cases"]}
    failed = [result for result in found.summary.results if result.fails]
    assert failed
    for result in failed:
        shown = by_id[result.case.id]
        assert json.loads(shown["in"]) == result.case.given
        assert json.loads(shown["expected"]) == result.case.expect
        assert result.answer is not None
        assert json.loads(shown["answered"])["out"] == result.answer.out
    for result in found.summary.results:
        assert ("in" in by_id[result.case.id]) == (result.verdict not in ("pass", "undeclared"))


PARTIES = """
import sys
from ppmf_conformance.adapters import party
from ppmf_conformance.adapters.line_server import introduction, serve

def refuse(given):
    raise ValueError("made up")

def end(given):
    sys.exit(3)

def cut(given):
    out = parties.step(given)
    for one in out["outbox"][:1]:
        one["message"] = one["message"][:-2]
    return out

def spoil(given):
    out = parties.step(given)
    if out["output"] is not None:
        out["output"]["factors"][0][0] = "1"
    return out

parties = party.Parties()
fault = {fault}
serve(introduction("parties", ["party.run"], party.ROLES), parties.operations | fault)
"""
"""An adapter of the feature `party.run`, whose operations `fault` are wrong."""


def shown_of_a_run(case_id: str, fault: str) -> dict[str, str]:
    """What the page has of a run with an adapter of that fault."""
    context = Context("1", SUITE.digest, {})
    adapter = script(PARTIES.replace("{fault}", fault))
    summary = runner.run(runner.Plan(adapter, SUITE.pick([case_id])))
    text = html_page.render(Report(context, summary)).decode()
    (shown,) = json.loads(text.partition('id="data">')[2].partition("</script>")[0])["cases"]
    assert isinstance(shown, dict)
    return shown


@pytest.mark.parametrize(
    ("case_id", "fault", "call", "answered"),
    [
        ("parties/lipschitz-csp", '{"party.new": refuse}', "party.new of csp", "made up"),
        ("parties/lipschitz-csp", '{"party.step": cut}', "party.step of csp", "outbox"),
        ("parties/lipschitz-csp", '{"party.step": end}', "party.step of csp", "no answer"),
        ("parties/lipschitz-recsys", '{"party.step": spoil}', "party.step of recsys", "factors"),
        ("tampered/recsys-cut", '{"party.step": cut}', "party.step of recsys", "outbox"),
    ],
)
def test_a_run_that_failed_has_the_call_that_failed(
    case_id: str, fault: str, call: str, answered: str
) -> None:
    shown = shown_of_a_run(case_id, fault)
    assert shown["verdict"] == "fail"
    assert shown["call"] == call
    assert ('"role":' in shown["call_in"]) == call.startswith("party.new")
    assert ('"inbox":' in shown["call_in"]) == call.startswith("party.step")
    assert answered in shown["call_answered"]
    assert json.loads(shown["expected"])["status"] in ("ok", "reject")


def test_a_run_with_a_wrong_message_has_the_message_that_was_due() -> None:
    shown = shown_of_a_run("parties/lipschitz-csp", '{"party.step": cut}')
    due = json.loads(shown["call_due"])
    assert due == {"csp>recsys": ["server-key", "136"], "number": 0}


def test_a_run_that_passed_has_no_call() -> None:
    shown = shown_of_a_run("parties/lipschitz-csp", "{}")
    assert shown["verdict"] == "pass"
    assert "call" not in shown


def test_a_case_without_an_answer_says_so(tmp_path: Path) -> None:
    found, _ = report(tmp_path, "crash", "init/seed-empty")
    text = html_page.render(found).decode()
    assert '"answered":"no answer: crash"' in text


def test_a_long_value_is_cut_and_says_so() -> None:
    assert html_page.shortened("a" * 20, limit=8) == "aaaaaaaa… (20 characters)"
