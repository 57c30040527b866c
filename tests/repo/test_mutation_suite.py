# SPDX-License-Identifier: Apache-2.0
"""The mutation score of the conformance suite: how mutants are made, judged, kept and argued."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ppmf_conformance.adapters.values import shown
from ppmf_conformance.cases import Vectors, shipped
from ppmf_conformance.line_protocol import ROLES
from ppmf_conformance.our_parties import OwnParties
from tests.support.adapters import HELLO, script
from tools.mutation.suite import javascript, operators, probe, report
from tools.mutation.suite.baseline import DEADLINES, Baseline, content, what_ran
from tools.mutation.suite.change import Change
from tools.mutation.suite.mutants import (
    Argued,
    Mutant,
    drawn,
    function_at,
    kinds,
    listed,
    mutant,
    targets,
)
from tools.mutation.suite.verdicts import Cache, Verdict, judged, quick

SCRIPT = (
    "const f = (x) => {\n  if (x < 1n) refuse(`a ${`b ${x}`}`, /[/]+/);\n  return -x * 2n;\n};\n"
)
MODULE = (
    "class A:\n    def f(self, xs):\n        if not xs:\n            raise ValueError\n"
    "        for x in xs:\n            self.put(x)\n        return min(xs) // 2\n"
)


def made(changes: Any, source: str) -> set[str]:
    """The lines that differ from the source, one for each change."""
    lines = source.splitlines()
    return {
        "; ".join(line.strip() for line in one.apply().splitlines() if line not in lines)
        for one in changes
    }


def test_the_mutations_of_a_script_are_of_its_tokens() -> None:
    assert made(javascript.mutations(SCRIPT), SCRIPT) == {
        "if (x <= 1n) refuse(`a ${`b ${x}`}`, /[/]+/);",
        "if (x < 2n) refuse(`a ${`b ${x}`}`, /[/]+/);",
        "if (false) refuse(`a ${`b ${x}`}`, /[/]+/);",
        "return -x + 2n;",
        "return -x * 3n;",
    }


def test_the_tokens_of_the_adapter_are_its_text_without_blanks() -> None:
    target = targets()["node"]
    for name in target.files():
        source = (target.root / name).read_text(encoding="utf-8")
        found = javascript.tokens(source)
        ends = [0, *(token.end for token in found)]
        between = [source[end : token.start] for end, token in zip(ends, found, strict=False)] + [
            source[ends[-1] :]
        ]
        assert all(not gap.strip() or gap.strip().startswith(("//", "/*")) for gap in between)


def test_the_mutations_of_a_module_are_plausible_mistakes() -> None:
    assert made(operators.mutations(MODULE), MODULE) == {
        "if xs:",
        "if False:",
        "for x in reversed(list(xs)):",
        "pass",
        "return max(xs) // 2",
        "return min(xs) * 2",
        "return min(xs) // 3",
    }


def test_a_change_belongs_to_the_method_that_holds_it() -> None:
    assert function_at(MODULE, MODULE.index("put")) == "A.f"
    assert function_at("X = 1\n" + MODULE, 0) == ""


def test_the_sample_does_not_depend_on_the_place_of_a_change() -> None:
    def sources(blank: str) -> list[str]:
        source = blank + MODULE
        every = [("a.py", source, change) for change in operators.mutations(source)]
        return [change.new for _, (_, _, change) in drawn(every, "seed")]

    assert sources("") == sources("# one more line\n\n")
    assert sources("") != [one.new for one in operators.mutations(MODULE)]


def test_equal_changes_of_one_function_are_told_apart() -> None:
    same = [("a.py", "x = 1\ny = 1\n", Change(at, "1", "2", str)) for at in (4, 10)]
    assert {change.offset for _, (_, _, change) in drawn(same, "seed")} == {4, 10}


def test_what_was_drawn_once_comes_before_what_comes_new() -> None:
    every = [("a.py", MODULE, change) for change in operators.mutations(MODULE)]
    names = [name for name, _ in drawn(every, "seed")]
    assert names == sorted(names)
    kept = names[-2:]
    assert [name for name, _ in drawn(every, "seed", kept)] == [*kept, *names[:-2]]


def test_every_listed_kind_is_of_an_existing_line() -> None:
    for target in targets().values():
        for one in listed(target):
            assert one.before != one.after
            if one.module.endswith(".py"):
                compile(one.text, one.module, "exec")
    assert {entry["target"] for entry in kinds()} <= set(targets())


def test_every_argued_mutant_is_of_an_existing_line() -> None:
    for entry in Argued().entries:
        source = (targets()[entry["target"]].root / entry["module"]).read_text(encoding="utf-8")
        assert " ".join(entry["before"].split()) in " ".join(source.split())
        assert entry["before"] not in entry["after"]
        assert entry["reason"].endswith((".", ")"))


def wrong(before: str, after: str) -> Mutant:
    """A mutant of the oracle's fixed.py."""
    target = targets()["reference"]
    source = (target.root / "fixed.py").read_text(encoding="utf-8")
    assert source.count(before) == 1
    text = source.replace(before, after)
    return mutant(target, "fixed.py", source, text, source.index(before))


def few() -> Vectors:
    """Three cases: one that does not call `descend`, and two that do."""
    one = [case for case in shipped().cases if case.op == "prox"]
    found = [case for case in shipped().cases if case.op == "words.descend"]
    return Vectors((*one[:1], *found[-2:]), "")


def baseline(suite: Vectors) -> Baseline:
    """What the original would do with these cases; its features are asked of the adapter."""
    from ppmf_conformance.adapters.oracle import OPERATIONS

    calls = ["fixed.py:descend"]
    return Baseline(
        code="now",
        contents={},
        milliseconds={case.id: 3 - at for at, case in enumerate(suite.cases)},
        called={case.id: calls if case.op == "words.descend" else [] for case in suite.cases},
        features=sorted(OPERATIONS),
        probe="",
    )


def test_the_cases_that_call_what_is_changed_come_first_and_the_quickest_before_others() -> None:
    suite = few()
    ordered, reached = baseline(suite).order(wrong("- h * g", "+ h * g"), suite.cases)
    assert [case.id for case in ordered] == [suite.cases[at].id for at in (2, 1, 0)]
    assert reached == 2


def test_a_case_reaches_a_change_in_a_script_if_it_runs_its_place() -> None:
    one = Mutant("node", "a.mjs", "", "", "", 50, "x" * 1000, "y")
    called = {"outer": ["a.mjs 10 40", "a.mjs 60 200"], "inner": ["a.mjs 40 60"], "other": []}
    functions = ["a.mjs 10 200", "a.mjs 300 320"]
    modules = {"a.mjs": hashlib.sha256(b"y").hexdigest()}
    found = Baseline("", {}, dict.fromkeys(called, 1), called, [], "", functions, modules)
    assert found.reached(one) == {"inner"}
    assert found.reached(replace(one, offset=100)) == {"outer"}
    assert found.reached(replace(one, offset=310)) == set()
    assert found.reached(replace(one, offset=900)) == {"outer", "inner"}
    assert found.reached(replace(one, module="b.mjs")) == set()
    assert found.reached(replace(one, original="z")) == {"outer", "inner"}


def test_a_function_that_is_new_since_the_baseline_is_reached_by_all_that_run_its_module() -> None:
    one = Mutant("secure", "a.py", "new", "", "", 0, "", "z")
    called = {"some": ["a.py:old"], "since": ["a.py:new"], "other": ["b.py:new"]}
    found = Baseline("", {}, {}, called, [], "")
    assert found.reached(one) == {"some", "since"}
    known = replace(found, modules={"a.py": hashlib.sha256(b"z").hexdigest()})
    assert known.reached(one) == {"since"}
    assert known.reached(replace(one, function="")) == {"some", "since"}
    assert known.reached(replace(one, function="old")) == {"some"}


def test_the_stretches_that_ran_for_a_case_are_joined(tmp_path: Path) -> None:
    lines = [
        {"functions": [["file:///c/a.mjs", 0, 90], ["file:///c/a.mjs", 5, 30], ["node:x", 1, 2]]},
        {"id": "one", "called": [["file:///c/a.mjs", 5, 10], ["node:x", 1, 2]]},
        {"id": "one", "called": [["file:///c/a.mjs", 10, 12], ["file:///c/a.mjs", 20, 30]]},
        {"id": "two", "called": ["a.py:f"]},
    ]
    trace = tmp_path / "trace.ndjson"
    trace.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    assert what_ran(trace, Path("/c")) == (
        {"one": ["a.mjs 20 30", "a.mjs 5 12"], "two": ["a.py:f"]},
        ["a.mjs 5 30"],
    )


def test_a_mutant_that_hangs_is_not_waited_for_long() -> None:
    suite = few()
    found = replace(baseline(suite), milliseconds=dict.fromkeys(baseline(suite).called, 10_000))
    assert baseline(suite).deadlines(suite.cases).call == 20
    assert found.deadlines(suite.cases).call == 40


def test_a_mutant_dies_at_the_first_case_that_fails() -> None:
    suite, broken = few(), wrong("- h * g", "+ h * g")
    verdict, left = quick(targets()["reference"], broken, baseline(suite), suite.cases)
    assert (verdict.outcome, verdict.asked, verdict.reached) == ("killed", 1, 2)
    assert verdict.case == suite.cases[2].id
    assert verdict.detail
    assert list(left) == [suite.cases[0]]


def test_a_mutant_that_passes_the_quickest_cases_runs_the_others() -> None:
    suite, same = few(), wrong("- h * g", "- g * h")
    found = replace(baseline(suite), milliseconds=dict.fromkeys(baseline(suite).called, 8_000))
    verdict, left = quick(targets()["reference"], same, found, suite.cases)
    assert (verdict.outcome, verdict.asked, verdict.reached) == ("pending", 1, 2)
    verdict = judged(targets()["reference"], same, found, left)
    assert (verdict.outcome, verdict.asked, verdict.seen) == ("survived", 1, True)


@pytest.mark.parametrize("run", probe.RUNS, ids=lambda run: str(run[0]))
def test_the_parties_take_the_sessions_of_the_probe(run: tuple[str, str, dict[str, Any]]) -> None:
    given, parties = probe.given(*run), OwnParties()
    wanted = ("session", "ratings", "sealing_secret", "consent_keys")
    for role in ROLES:
        asked = {name: given[name] for name in wanted} | {"role": role, "coins": role}
        answer = parties.run("probe", "party.new", shown(asked))
        assert (answer.status, answer.message) == ("ok", "")


def test_a_probe_that_is_refused_says_nothing() -> None:
    hello = HELLO.replace('"init"', '"train.fixed"')
    refusing = script(
        f"input()\nprint({hello!r}, flush=True)\ninput()\n"
        'print(\'{"seq":1,"status":"reject","class":"parameters","message":"no"}\', flush=True)'
    )
    with pytest.raises(ValueError, match="the probe lipschitz ends with .*parameters"):
        probe.digest(refusing, DEADLINES, ends=True)


def test_a_mutant_that_no_case_calls_is_not_run() -> None:
    suite = few()
    found = replace(baseline(suite), called={})
    verdict, _ = quick(targets()["reference"], wrong("- h * g", "+ h * g"), found, suite.cases)
    assert (verdict.outcome, verdict.dead) == ("unreached", False)


def test_a_mutant_that_died_stays_dead_as_long_as_its_case_is_the_same(tmp_path: Path) -> None:
    suite, one = few(), wrong("- h * g", "+ h * g")
    case = suite.cases[2]
    dead = Verdict("killed", case.id, "so", 1, 2, digest=content(case))
    Cache(tmp_path / "verdicts.json", suite).put(one, dead, "code")
    assert Cache(tmp_path / "verdicts.json", suite).get(one, "other code") == dead
    other = Vectors((*suite.cases[:2], replace(case, given={})), "")
    assert Cache(tmp_path / "verdicts.json", other).get(one, "code") is None


def test_a_mutant_that_lives_is_asked_what_it_has_not_passed(tmp_path: Path) -> None:
    suite, one = few(), wrong("- h * g", "+ h * g")
    fewer = Vectors(suite.cases[:2], "")
    cache = Cache(tmp_path / "verdicts.json", fewer)
    assert cache.left(one, "code", fewer.cases) == list(fewer.cases)
    cache.put(one, Verdict("pending", asked=1), "code", fewer.cases[1:])
    assert cache.get(one, "code") is not None
    assert cache.get(one, "other code") is None
    assert cache.left(one, "code", fewer.cases) == list(fewer.cases[1:])
    cache.put(one, Verdict("survived"), "code")
    assert cache.get(one, "code") is not None
    assert cache.get(one, "other code") is None
    assert cache.get(one, "other code", argued=True) is not None
    again = Cache(tmp_path / "verdicts.json", suite)
    assert again.get(one, "code") is None
    assert again.left(one, "code", suite.cases) == [suite.cases[2]]
    assert again.left(one, "other code", suite.cases) == list(suite.cases)


def test_the_table_counts_what_can_be_killed() -> None:
    one = wrong("- h * g", "+ h * g")
    dead = Verdict("killed", "words/a")
    alive = replace(dead, outcome="survived", case="", seen=True)
    records = [
        report.record(replace(one, kind="sign"), dead, ""),
        report.record(one, dead, ""),
        report.record(one, alive, ""),
        report.record(one, alive, "It is the same."),
        report.record(one, None, ""),
        report.record(one, replace(alive, outcome="pending"), ""),
        report.record(one, replace(alive, outcome="pending"), "It is the same."),
    ]
    assert "| `reference`, listed kinds | 1 | 1 | 0 | 0 | 0 | 0 | 100.0% |" in report.tables(
        records
    )
    assert "| `reference`, sample | 6 | 1 | 2 | 1 | 1 | 2 | 50.0% |" in report.tables(records)
    assert "| sign | `reference` `fixed.py`, `descend` | `words/a` |" in report.tables(records)


def test_the_file_of_the_figures_is_read_as_it_was_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [report.record(wrong("- h * g", "+ h * g"), None, "")]
    monkeypatch.setattr(report, "FILE", tmp_path / "figures.json")
    report.FILE.write_text(report.written(records, "digest"), encoding="utf-8")
    assert report.read() == records


def test_the_figures_of_the_page_leave_nothing_alive_that_a_run_of_rank_3_would_show() -> None:
    records = report.read()
    assert [one for one in records if one["outcome"] == "not run"] == []
    alive = [one for one in records if one["outcome"] in report.ALIVE]
    assert [one for one in alive if one["seen"] or one["kind"]] == []
    dead = [one for one in records if one["outcome"] in report.DEAD]
    assert len(dead) >= 19 * len(alive)
