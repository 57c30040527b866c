# SPDX-License-Identifier: Apache-2.0
"""What the original does: which cases it is asked, how long each takes, what each calls."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from ppmf_conformance import runner
from ppmf_conformance.cases import Case, Vectors
from ppmf_conformance.deadline import Deadlines
from tools.mutation.suite import probe
from tools.mutation.suite.copies import command, copy_of
from tools.mutation.suite.mutants import Mutant, Target
from tools.packages import ROOT

DEADLINES = Deadlines(hello=120.0, call=120.0)
"""Long enough for a machine that is busy with other things; a mutant that hangs is rare."""


QUICK = 60
"""The milliseconds that a quick case takes at most."""


@dataclass(frozen=True)
class Baseline:
    """What was found on the original.

    code: the digest of the target's code. contents: of each case its digest, by its id.
    milliseconds: of each case that is asked, by its id. called: by its id, what it calls: of a
    Python package `module.py:Class.method`, else `module start end`. features: what is declared.
    probe: the digest of the runs of `probe`.
    """

    code: str
    contents: dict[str, str]
    milliseconds: dict[str, int]
    called: dict[str, list[str]]
    features: list[str]
    probe: str

    def order(self, mutant: Mutant, cases: Sequence[Case]) -> tuple[list[Case], int]:
        """The cases that are asked, in the order in which a mutant is asked them, and how many of
        them call the function that it changes: these come first, the quick ones before the others,
        of which the quickest of each family comes first, then the second of each.
        """
        asked = [case for case in cases if case.id in self.milliseconds]
        reached = self.reached(mutant)
        first = [case for case in asked if case.id in reached]
        first.sort(key=lambda case: self.milliseconds[case.id])
        turns: Counter[str] = Counter()
        turn = {}
        for case in first:
            slow = self.milliseconds[case.id] > QUICK
            turns[case.family] += slow
            turn[case.id] = turns[case.family] if slow else 0
        first.sort(key=lambda case: turn[case.id])
        return [*first, *(case for case in asked if case.id not in reached)], len(first)

    def within(self, cases: Sequence[Case], seconds: float) -> int:
        """How many of the cases, from the first on, take the original no more than so long; at
        least one.
        """
        ends = accumulate(self.milliseconds[case.id] for case in cases)
        return max(1, sum(end <= 1000 * seconds for end in ends))

    def reached(self, mutant: Mutant) -> set[str]:
        """The ids of the cases that call what a mutant changes: the innermost function that holds
        the change, or for a change outside of functions any function of the module.
        """
        module = mutant.module
        if module.endswith(".py"):
            if mutant.function:
                return self._with({f"{module}:{mutant.function}"})
            return {
                case
                for case, names in self.called.items()
                if any(name.startswith(f"{module}:") for name in names)
            }
        every = {name for names in self.called.values() for name in names}
        holding = []
        for name in every:
            where, start, end = name.rsplit(" ", 2)
            if where == module and int(start) <= mutant.offset < int(end):
                holding.append((int(end) - int(start), name))
        # the whole module counts as a function that only its loading calls
        size = len(mutant.text)
        inner = [pair for pair in holding if pair[0] < size // 2]
        if not inner:
            return {
                case
                for case, names in self.called.items()
                if any(name.startswith(f"{module} ") for name in names)
            }
        return self._with({min(inner)[1]})

    def _with(self, wanted: set[str]) -> set[str]:
        return {case for case, names in self.called.items() if wanted & set(names)}


USED = ("conformance", "reference", "secure", "spec")
"""The folders of the packages that adapters and the suite use."""


def code_of(target: Target) -> str:
    """The digest of all code that a verdict on a survivor rests upon."""
    return _digest(*USED, target.folder)


def _digest(*folders: str) -> str:
    whole = hashlib.sha256()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".mjs"}:
                whole.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def content(case: Case) -> str:
    """The digest of a case."""
    whole = json.dumps([case.op, case.given, case.steps, case.expect], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:24]


def contents(vectors: Vectors) -> dict[str, str]:
    """The digest of each case, by its id."""
    return {case.id: content(case) for case in vectors.cases}


def measured(target: Target, vectors: Vectors, work: Path) -> Baseline:
    """The baseline of a target; as long as its code is the same, only cases that are new are asked.

    Raises ValueError if the original does not pass them. What it is kept in is a file in `work`.
    """
    kept, now = work / f"{target.name}-baseline.json", contents(vectors)
    code = _digest(target.folder)
    found = Baseline(code, {}, {}, {}, [], "")
    if kept.exists():
        before = Baseline(**json.loads(kept.read_text(encoding="utf-8")))
        found = before if before.code == code else found
    known = {name for name, one in found.contents.items() if now.get(name) == one}
    new = [case for case in vectors.cases if case.id not in known]
    if not new:
        return found
    work.mkdir(parents=True, exist_ok=True)
    trace = work / f"{target.name}-trace.ndjson"
    trace.unlink(missing_ok=True)
    with copy_of(target) as folder:
        adapter = tuple(command(target, folder, trace))
        summary = runner.run(runner.Plan(adapter, tuple(new), deadlines=DEADLINES))
        wrong = [result for result in summary.results if result.fails]
        if wrong or summary.hello is None:
            why = f"{wrong[0].case.id}: {wrong[0].detail}" if wrong else summary.refusal
            raise ValueError(f"the original of {target.name} does not pass: {why}")
        asked = [one for one in summary.results if one.outcome != "undeclared"]
        spent = {one.case.id: one.milliseconds for one in asked}
        called = _called(trace, folder) if trace.exists() else {}
        found = Baseline(
            code=code,
            contents=now,
            milliseconds={n: t for n, t in found.milliseconds.items() if n in known} | spent,
            called={n: names for n, names in found.called.items() if n in known} | called,
            features=sorted(summary.hello.features | set(summary.hello.roles)),
            probe=found.probe or probe.digest(command(target, folder), DEADLINES),
        )
    kept.write_text(json.dumps(vars(found)), encoding="utf-8")
    return found


def _called(trace: Path, folder: Path) -> dict[str, list[str]]:
    """What each case calls, from the lines of a trace."""
    found: dict[str, set[str]] = defaultdict(set)
    for line in trace.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        for name in one["called"]:
            if isinstance(name, str):
                found[one["id"]].add(name)
            elif str(name[0]).startswith(f"file://{folder}/"):
                module = str(name[0]).removeprefix(f"file://{folder}/")
                found[one["id"]].add(f"{module} {name[1]} {name[2]}")
    return {case: sorted(names) for case, names in found.items()}
