# SPDX-License-Identifier: Apache-2.0
"""What the original does: which cases it is asked, how long each takes, what each calls."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ppmf_conformance import runner
from ppmf_conformance.cases import Case, Vectors
from ppmf_conformance.deadline import Deadlines
from tools.mutation.suite import probe
from tools.mutation.suite.copies import command, copy_of
from tools.mutation.suite.mutants import Mutant, Target
from tools.packages import FOLDERS, ROOT

DEADLINES = Deadlines(hello=120.0, call=120.0)
"""Long enough for a machine that is busy with other things; a mutant that hangs is rare."""


@dataclass(frozen=True)
class Baseline:
    """What was found on the original.

    milliseconds: of each case that is asked, by its id. called: by its id, what it calls: of a
    Python package `module.py:Class.method`, else `module start end`. features: what is declared.
    probe: the digest of the runs of `probe`.
    """

    digest: str
    milliseconds: dict[str, int]
    called: dict[str, list[str]]
    features: list[str]
    probe: str

    def order(self, mutant: Mutant, cases: Sequence[Case]) -> tuple[list[Case], int]:
        """The cases that are asked, in the order in which a mutant is asked them, and how many of
        them call the function that it changes: these come first, the quickest of them first.
        """
        asked = [case for case in cases if case.id in self.milliseconds]
        reached = self.reached(mutant)
        first = [case for case in asked if case.id in reached]
        first.sort(key=lambda case: self.milliseconds[case.id])
        return [*first, *(case for case in asked if case.id not in reached)], len(first)

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


def digest(target: Target, vectors: Vectors) -> str:
    """The digest of all that a verdict on a survivor rests upon: code of the packages, vectors."""
    whole = hashlib.sha256(vectors.digest.encode())
    for folder in [*FOLDERS, target.folder]:
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in {".py", ".mjs"}:
                whole.update(path.relative_to(ROOT).as_posix().encode() + path.read_bytes())
    return whole.hexdigest()


def measured(target: Target, vectors: Vectors, work: Path) -> Baseline:
    """The baseline of a target, from `work` if it was measured there and nothing has changed.

    Raises ValueError if the original does not pass the suite.
    """
    kept = work / f"{target.name}-baseline.json"
    now = digest(target, vectors)
    if kept.exists():
        found = Baseline(**json.loads(kept.read_text(encoding="utf-8")))
        if found.digest == now:
            return found
    work.mkdir(parents=True, exist_ok=True)
    trace = work / f"{target.name}-trace.ndjson"
    trace.unlink(missing_ok=True)
    with copy_of(target) as folder:
        plan = runner.Plan(
            tuple(command(target, folder, trace)), vectors.cases, deadlines=DEADLINES
        )
        summary = runner.run(plan)
        wrong = [result for result in summary.results if result.fails]
        if wrong or summary.hello is None:
            why = f"{wrong[0].case.id}: {wrong[0].detail}" if wrong else summary.refusal
            raise ValueError(f"the original of {target.name} does not pass: {why}")
        asked = [one for one in summary.results if one.outcome != "undeclared"]
        found = Baseline(
            digest=now,
            milliseconds={one.case.id: one.milliseconds for one in asked},
            called=_called(trace, target, folder),
            features=sorted(summary.hello.features | set(summary.hello.roles)),
            probe=probe.digest(command(target, folder), DEADLINES),
        )
    kept.write_text(json.dumps(vars(found)), encoding="utf-8")
    return found


def _called(trace: Path, target: Target, folder: Path) -> dict[str, list[str]]:
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
