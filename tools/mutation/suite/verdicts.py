# SPDX-License-Identifier: Apache-2.0
"""The verdict on a mutant: the first case that fails, or that it passed all of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from ppmf_conformance import runner
from ppmf_conformance.cases import Case, Vectors
from ppmf_conformance.line_protocol import Hello
from ppmf_conformance.results import Outcome, Result
from ppmf_spec.files import write_atomically
from tools.mutation.suite import probe
from tools.mutation.suite.baseline import DEADLINES, Baseline
from tools.mutation.suite.copies import command, copy_of
from tools.mutation.suite.mutants import Mutant, Target


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant.

    outcome: `killed` by the answer to a case, `hung`, `broken` (it does not start), `survived`, or
    `unreached` (no case calls the function, so none was asked).
    case: the case that failed first, and detail: how. asked: the number of cases asked.
    reached: of how many cases it changes a function.
    seen: of a survivor, whether a run of `probe` differs from that of the original.
    digest: what the verdict rests upon: the content of the case, or all code and vectors.
    """

    outcome: str
    case: str
    detail: str
    asked: int
    reached: int
    seen: bool
    digest: str

    @property
    def dead(self) -> bool:
        """Whether the suite stops the mutant."""
        return self.outcome in {"killed", "hung", "broken"}


class _Failed(Exception):  # noqa: N818 (an end, and no error)
    def __init__(self, result: Result) -> None:
        self.result = result


def judged(target: Target, mutant: Mutant, baseline: Baseline, cases: Sequence[Case]) -> Verdict:
    """The verdict on a mutant, from a run of the suite that ends at the first failure."""
    ordered, reached = baseline.order(mutant, cases)
    if not reached:
        return Verdict("unreached", "", "", 0, 0, seen=False, digest=baseline.digest)
    asked = 0

    def on_result(result: Result) -> None:
        nonlocal asked
        asked += 1
        if result.fails:
            raise _Failed(result)

    def on_hello(hello: Hello) -> None:
        if sorted(hello.features | set(hello.roles)) != baseline.features:
            raise ValueError("other features")

    with copy_of(target, mutant) as folder:
        adapter = command(target, folder)
        plan = runner.Plan(tuple(adapter), tuple(ordered), deadlines=DEADLINES, give_up=1)
        try:
            runner.run(plan, on_hello=on_hello, on_result=on_result)
        except _Failed as failed:
            case, outcome = failed.result.case, failed.result.outcome
            said = " ".join(failed.result.detail.split())[:160].replace(str(folder.parent), "")
            name = {Outcome.HANG: "hung", Outcome.NOT_RUN: "broken"}.get(outcome, "killed")
            return Verdict(name, case.id, said, asked, reached, seen=False, digest=content(case))
        except ValueError as wrong:
            return Verdict("broken", "", str(wrong), 0, reached, seen=False, digest="")
        seen = probe.digest(adapter, DEADLINES) != baseline.probe
    return Verdict("survived", "", "", asked, reached, seen=seen, digest=baseline.digest)


def content(case: Case) -> str:
    """The digest of a case."""
    whole = json.dumps([case.op, case.given, case.steps, case.expect], sort_keys=True)
    return hashlib.sha256(whole.encode()).hexdigest()[:24]


class Cache:
    """The verdicts of earlier runs, in one file, so that an interrupted run goes on.

    A mutant that died stays dead as long as its text and the case that killed it are the same; one
    that lived is tried again when anything has changed.
    """

    def __init__(self, file: Path, vectors: Vectors) -> None:
        self._file = file
        self._kept: dict[str, Verdict] = {}
        self._contents = {case.id: content(case) for case in vectors.cases} | {"": ""}
        if file.exists():
            table = json.loads(file.read_text(encoding="utf-8"))
            self._kept = {key: Verdict(**one) for key, one in table.items()}

    def get(self, mutant: Mutant, digest: str) -> Verdict | None:
        """The verdict on a mutant that still holds; `digest` is that of all code and vectors."""
        found = self._kept.get(mutant.key)
        if found is None:
            return None
        due = self._contents.get(found.case) if found.dead else digest
        return found if found.digest == due else None

    def put(self, mutant: Mutant, verdict: Verdict) -> None:
        """Keep a verdict."""
        self._kept[mutant.key] = verdict
        table = {key: asdict(one) for key, one in self._kept.items()}
        self._file.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._file, json.dumps(table, indent=1).encode())
