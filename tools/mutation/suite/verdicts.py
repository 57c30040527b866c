# SPDX-License-Identifier: Apache-2.0
"""The verdict on a mutant: the first case that fails, or that it passed all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ppmf_conformance import runner
from ppmf_conformance.cases import Case, Vectors
from ppmf_conformance.line_protocol import Hello
from ppmf_conformance.results import Outcome, Result
from ppmf_spec.files import write_atomically
from tools.mutation.suite import probe
from tools.mutation.suite.baseline import DEADLINES, Baseline, content, contents
from tools.mutation.suite.copies import command, copy_of
from tools.mutation.suite.mutants import Mutant, Target


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    outcome: `killed` by the answer to a case, `hung`, `broken` (it does not start), `survived`,
    `unreached` (no case calls the function, so none was asked), or `pending` after a first pass.
    case: the case that failed first, and detail: how. asked: the number of cases asked.
    reached: of how many cases it changes a function.
    seen: of one that lives, whether a run of `probe` differs from that of the original.
    digest: what the verdict rests upon: the content of the case, or the code. passed: of one that
    lives, the name of the set of the cases that it passed.
    """

    outcome: str
    case: str = ""
    detail: str = ""
    asked: int = 0
    reached: int = 0
    seen: bool = False
    digest: str = ""
    passed: str = ""

    @property
    def dead(self) -> bool:
        """Whether the suite stops the mutant."""
        return self.outcome in {"killed", "hung", "broken"}


class _Failed(Exception):  # noqa: N818 (an end, and no error)
    def __init__(self, result: Result) -> None:
        self.result = result


PATIENCE = 10.0
"""The seconds that the cases of a first pass take the original: nearly all mutants die in these."""


def quick(
    target: Target, mutant: Mutant, baseline: Baseline, cases: Sequence[Case]
) -> tuple[Verdict, Sequence[Case]]:
    """The verdict after the quickest of these cases that call what is changed, `pending` if all
    pass; and the cases that are left.
    """
    ordered, reached = baseline.order(mutant, cases)
    if not reached:
        return Verdict("unreached"), []
    count = baseline.within(ordered[:reached], PATIENCE)
    found = _run(target, mutant, baseline, ordered[:count]) or Verdict("pending", asked=count)
    return replace(found, reached=reached), ordered[count:]


def judged(
    target: Target,
    mutant: Mutant,
    baseline: Baseline,
    cases: Sequence[Case],
    traced: Sequence[Case] = (),
) -> Verdict:
    """The verdict after all of these cases that run what is changed; the others cannot tell.

    traced: cases that are asked before, with a trace.
    """
    reached = baseline.reached(mutant)
    shown = [case for case in traced if case.id in reached]
    asked = [case for case in cases if case.id in reached]
    if shown and (found := _run(target, mutant, baseline, shown, trace=True)) is not None:
        return found
    if asked and (found := _run(target, mutant, baseline, asked)) is not None:
        return found
    return Verdict("survived", asked=len(asked), seen=seen(target, mutant, baseline))


def seen(target: Target, mutant: Mutant, baseline: Baseline) -> bool:
    """Whether a run of `probe` differs from that of the original."""
    with copy_of(target, mutant) as folder:
        return probe.digest(command(target, folder), DEADLINES) != baseline.probe


def _run(
    target: Target,
    mutant: Mutant,
    baseline: Baseline,
    cases: Sequence[Case],
    *,
    trace: bool = False,
) -> Verdict | None:
    """The verdict of a run of these cases, which ends at the first failure; None if all pass."""
    asked = 0

    def on_result(result: Result) -> None:
        nonlocal asked
        asked += 1
        if result.fails or result.verdict == "advice":  # advice is what a SHOULD gives
            raise _Failed(result)

    def on_hello(hello: Hello) -> None:
        if sorted(hello.features | set(hello.roles)) != baseline.features:
            raise ValueError("other features")

    with copy_of(target, mutant) as folder:
        adapter = tuple(command(target, folder))
        deadlines = baseline.deadlines(cases)
        plan = runner.Plan(adapter, tuple(cases), deadlines=deadlines, give_up=1, trace=trace)
        try:
            runner.run(plan, on_hello=on_hello, on_result=on_result)
        except _Failed as failed:
            case, outcome = failed.result.case, failed.result.outcome
            said = " ".join(failed.result.detail.split())[:160].replace(str(folder.parent), "")
            name = {Outcome.HANG: "hung", Outcome.NOT_RUN: "broken"}.get(outcome, "killed")
            return Verdict(name, case.id, said, asked, digest=content(case))
        except ValueError as wrong:
            return Verdict("broken", detail=str(wrong))
    return None


class Cache:
    """The verdicts of earlier runs, in one file, so that an interrupted run goes on.

    A mutant that died stays dead as long as its text and the case that killed it are the same. One
    that lived is asked the cases that it has not passed yet, or all if any code has changed.
    """

    def __init__(self, file: Path, vectors: Vectors) -> None:
        self._file = file
        self._verdicts: dict[str, Verdict] = {}
        self._sets: dict[str, list[str]] = {}
        self._contents = contents(vectors)
        self.everything = self._name(list(self._contents.values()))
        if file.exists():
            table = json.loads(file.read_text(encoding="utf-8"))
            self._verdicts = {key: Verdict(**one) for key, one in table["verdicts"].items()}
            self._sets |= table["sets"]

    def get(self, mutant: Mutant, code: str, *, argued: bool = False) -> Verdict | None:
        """The verdict on a mutant that still holds, which may be one after a first pass; `code` is
        the digest of all code. That on one that is argued to be equivalent holds whatever changes.
        """
        found = self._verdicts.get(mutant.key)
        if found is None or (argued and not found.dead):
            return found
        if found.dead:
            return found if found.digest == self._contents.get(found.case, "") else None
        if found.outcome == "pending":
            return found if found.digest == code else None
        return found if (found.digest, found.passed) == (code, self.everything) else None

    def left(self, mutant: Mutant, code: str, cases: Sequence[Case]) -> list[Case]:
        """Those of the cases that a mutant that lives has not passed yet."""
        found = self._verdicts.get(mutant.key)
        if found is None or found.digest != code or found.outcome == "unreached":
            return list(cases)
        passed = set(self._sets.get(found.passed, ()))
        return [case for case in cases if self._contents[case.id] not in passed]

    def put(self, mutant: Mutant, verdict: Verdict, code: str, left: Sequence[Case] = ()) -> None:
        """Keep a verdict; of one that lives, with the cases that are left."""
        if not verdict.dead:
            gone = {case.id for case in left}
            passed = self._name([c for name, c in self._contents.items() if name not in gone])
            verdict = replace(verdict, digest=code, passed=passed)
        self._verdicts[mutant.key] = verdict
        used = {one.passed for one in self._verdicts.values()} | {self.everything}
        table = {
            "verdicts": {key: asdict(one) for key, one in self._verdicts.items()},
            "sets": {name: found for name, found in self._sets.items() if name in used},
        }
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, json.dumps(table, indent=1).encode())

    def _name(self, found: list[str]) -> str:
        """The name of a set of cases, from their contents."""
        name = hashlib.sha256(" ".join(sorted(found)).encode()).hexdigest()[:24]
        self._sets[name] = sorted(found)
        return name
