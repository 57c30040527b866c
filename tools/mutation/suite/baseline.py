# SPDX-License-Identifier: Apache-2.0
"""What the original does: which cases it is asked, how long each takes, what each calls."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
"""Long enough for a machine that is busy with other things."""
_LEAST, _SLOWER = 20.0, 4.0
"""The least seconds for a call to a mutant, and how much slower than the original it may be."""


QUICK = 60
"""The milliseconds that a quick case takes at most."""


@dataclass(frozen=True)
class Baseline:
    """What was found on the original.

    code: the digest of all of the target's code, on which the probe rests. modules: the digests of
    its files, by their names. contents: of each case its digest, by its id.
    milliseconds: of each case that is asked, by its id. called: by its id, what runs for it: of a
    Python package the functions, as `module.py:Class.method`, else stretches of a module's text, as
    `module start end`. functions: of the latter, the places of all functions. features: what is
    declared. probe: the digest of the runs of `probe`.
    """

    code: str
    contents: dict[str, str]
    milliseconds: dict[str, int]
    called: dict[str, list[str]]
    features: list[str]
    probe: str
    functions: list[str] = field(default_factory=list)
    modules: dict[str, str] = field(default_factory=dict)

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

    def deadlines(self, cases: Sequence[Case]) -> Deadlines:
        """How long a mutant is waited for: a call may take a multiple of the longest of the cases,
        so that one that hangs does not hold up the others for long.
        """
        longest = max(self.milliseconds[case.id] for case in cases) / 1000
        return Deadlines(DEADLINES.hello, min(DEADLINES.call, max(_LEAST, _SLOWER * longest)))

    def within(self, cases: Sequence[Case], seconds: float) -> int:
        """How many of the cases, from the first on, take the original no more than so long; at
        least one.
        """
        ends = accumulate(self.milliseconds[case.id] for case in cases)
        return max(1, sum(end <= 1000 * seconds for end in ends))

    def reached(self, mutant: Mutant) -> set[str]:
        """The ids of the cases that run what a mutant changes: of Python the function that holds
        the change, else the place of the change; for one outside of functions, or in a module that
        has changed since it was measured, those that run any part of the module.
        """
        module = mutant.module
        same = self.modules.get(module) == hashlib.sha256(mutant.original.encode()).hexdigest()
        if module.endswith(".py"):
            if mutant.function and same:
                return self._with({f"{module}:{mutant.function}"})
            return self._starting(f"{module}:")
        if not same:
            return self._starting(f"{module} ")
        holding = {
            name
            for name in {name for names in self.called.values() for name in names}
            if _holds(name, module, mutant.offset)
        }
        if holding or any(_holds(name, module, mutant.offset) for name in self.functions):
            return self._with(holding)
        return self._starting(f"{module} ")

    def _starting(self, place: str) -> set[str]:
        found = self.called.items()
        return {case for case, names in found if any(name.startswith(place) for name in names)}

    def _with(self, wanted: set[str]) -> set[str]:
        return {case for case, names in self.called.items() if wanted & set(names)}


def _holds(name: str, module: str, offset: int) -> bool:
    """Whether a stretch of a module's text holds a place."""
    where, start, end = name.rsplit(" ", 2)
    return where == module and int(start) <= offset < int(end)


USED = ("conformance", "reference", "secure", "spec")
"""The folders of the packages that adapters and the suite use."""
SOURCES = (".py", ".mjs")


def code_of(target: Target) -> str:
    """The digest of all code that a verdict on a survivor rests upon."""
    return _digest(*USED, target.folder)


def _modules(target: Target) -> dict[str, str]:
    """The digest of each file that is mutated."""
    found = (path for path in target.root.rglob("*") if path.suffix in SOURCES)
    digests = {}
    for path in sorted(found):
        text = path.read_text(encoding="utf-8")
        name = path.relative_to(target.root).as_posix()
        digests[name] = hashlib.sha256(text.encode()).hexdigest()
    return digests


def _digest(*folders: str) -> str:
    whole = hashlib.sha256()
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in SOURCES:
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
    """The baseline of a target: of one that was measured before, only cases that are new are asked.

    Raises ValueError if the original does not pass them. What it is kept in is a file in `work`,
    without which all is measured anew.
    """
    kept, now = work / f"{target.name}-baseline.json", contents(vectors)
    code = _digest(target.folder)
    found = Baseline(code, {}, {}, {}, [], "", modules=_modules(target))
    if kept.exists():
        found = Baseline(**json.loads(kept.read_text(encoding="utf-8")))
    known = {name for name, one in found.contents.items() if now.get(name) == one}
    new = [case for case in vectors.cases if case.id not in known]
    probed = found.probe if found.code == code else ""
    if not new and probed:
        return found
    work.mkdir(parents=True, exist_ok=True)
    trace = work / f"{target.name}-trace.ndjson"
    trace.unlink(missing_ok=True)
    with copy_of(target) as folder:
        adapter = tuple(command(target, folder, trace))
        summary = runner.run(runner.Plan(adapter, tuple(new), deadlines=DEADLINES, trace=False))
        wrong = [result for result in summary.results if result.fails]
        if wrong or summary.hello is None:
            why = f"{wrong[0].case.id}: {wrong[0].detail}" if wrong else summary.refusal
            raise ValueError(f"the original of {target.name} does not pass: {why}")
        asked = [one for one in summary.results if one.outcome != "undeclared"]
        spent = {one.case.id: one.milliseconds for one in asked}
        called, functions = what_ran(trace, folder) if trace.exists() else ({}, [])
        found = Baseline(
            code=code,
            contents=now,
            milliseconds={n: t for n, t in found.milliseconds.items() if n in known} | spent,
            called={n: names for n, names in found.called.items() if n in known} | called,
            features=sorted(summary.hello.features | set(summary.hello.roles)),
            probe=probed or probe.digest(command(target, folder), DEADLINES, ends=True),
            functions=found.functions or functions,
            modules=found.modules,
        )
    kept.write_text(json.dumps(vars(found)), encoding="utf-8")
    return found


def what_ran(trace: Path, folder: Path) -> tuple[dict[str, list[str]], list[str]]:
    """What runs for each case, and the functions that there are, from the lines of a trace."""
    named: dict[str, set[str]] = defaultdict(set)
    ran: dict[str, dict[str, set[tuple[int, int]]]] = defaultdict(lambda: defaultdict(set))
    functions: set[str] = set()
    below = f"file://{folder}/"
    for line in trace.read_text(encoding="utf-8").splitlines():
        one = json.loads(line)
        for url, start, end in one.get("functions", ()):
            # the text of a module counts as a function too, which begins at 0
            if url.startswith(below) and start:
                functions.add(f"{url.removeprefix(below)} {start} {end}")
        for name in one.get("called", ()):
            if isinstance(name, str):
                named[one["id"]].add(name)
            elif name[0].startswith(below):
                ran[one["id"]][name[0].removeprefix(below)].add((name[1], name[2]))
    for case, modules in ran.items():
        for module, stretches in modules.items():
            named[case] |= {f"{module} {start} {end}" for start, end in _joined(stretches)}
    return {case: sorted(names) for case, names in named.items()}, sorted(functions)


def _joined(stretches: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """The same places as stretches that do not touch."""
    found: list[tuple[int, int]] = []
    for start, end in sorted(stretches):
        if found and start <= found[-1][1]:
            found[-1] = (found[-1][0], max(end, found[-1][1]))
        else:
            found.append((start, end))
    return found
