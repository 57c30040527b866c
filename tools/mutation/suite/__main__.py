# SPDX-License-Identifier: Apache-2.0
"""`python -m tools.mutation.suite run [target ...]`, or `report` for the tables of what was run.

`draw` draws the samples anew, after which nearly all of them have to be run.

Verdicts are kept in the working folder after each mutant, so a run that was interrupted goes on.
`run` ends with status 1 if a mutant lives that nobody has argued about.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ppmf_conformance.cases import Vectors, matches, shipped
from ppmf_spec.files import write_atomically
from tools.mutation.suite import report
from tools.mutation.suite.baseline import code_of, measured
from tools.mutation.suite.mutants import (
    SAMPLES,
    Argued,
    Mutant,
    Target,
    listed,
    redrawn,
    sample,
    targets,
)
from tools.mutation.suite.verdicts import Cache, Verdict, judged, quick, seen
from tools.packages import ROOT

SEED = "ppmf"


def chosen(target: Target, which: str, seed: str, pattern: str) -> list[Mutant]:
    """The mutants of a target whose line the pattern finds: the listed kinds, then the sample."""
    found = listed(target) if which != "sample" else []
    known = {one.key for one in found}
    if which != "kinds":
        found += [one for one in sample(target, seed) if one.key not in known]
    return [one for one in found if re.search(pattern, line_of(one))]


def line_of(one: Mutant) -> str:
    """What a mutant is, in one line."""
    return f"{one.module} {one.function}: {one.kind or 'sample'}: {one.before}"


def run(
    target: Target,
    mutants: Sequence[Mutant],
    vectors: Vectors,
    cache: Cache,
    work: Path,
    *,
    first_pass: bool,
    only: Sequence[str],
    said: Argued,
) -> None:
    """Give every mutant that has none yet its verdict, and print it.

    The quickest cases come first for all of them; only those that these let live run the rest, but
    for those that somebody has argued to be equivalent.
    first_pass: whether to leave it at the quickest. only: globs of the cases that are asked first,
    instead of the quickest; all of them, and only those that run what is changed.
    """
    baseline = measured(target, vectors, work)
    code = code_of(target)
    traced = [case for case in vectors.cases if case.family == "trace"]
    pending: list[tuple[Mutant, Verdict]] = []
    for number, one in enumerate(mutants, start=1):
        verdict = cache.get(one, code, argued=bool(said.reason(one)))
        if verdict is None or (only and verdict.outcome == "pending"):
            cases = cache.left(one, code, vectors.cases)
            asked = [case for case in cases if any(matches(case.id, glob) for glob in only)]
            if only and not baseline.reached(one) & {case.id for case in asked}:
                continue
            verdict, left = quick(target, one, baseline, asked if only else cases)
            if only:
                left = [*left, *(case for case in cases if case not in asked)]
            if not verdict.dead:
                verdict = replace(verdict, seen=seen(target, one, baseline))
            show(one, verdict, f"{target.name} {number}/{len(mutants)}")
            cache.put(one, verdict, code, left)
        if verdict.outcome == "pending" and not said.reason(one):
            pending.append((one, verdict))
    if first_pass:
        return
    for number, (one, first) in enumerate(pending, start=1):
        left = baseline.order(one, cache.left(one, code, vectors.cases))[0]
        last = judged(target, one, baseline, left, traced)
        verdict = replace(last, asked=first.asked + last.asked, reached=first.reached)
        show(one, verdict, f"{target.name}, second pass {number}/{len(pending)}")
        cache.put(one, verdict, code)


def show(one: Mutant, verdict: Verdict, where: str) -> None:
    """Print a verdict: a line, and the change for one that lives."""
    end = f"{verdict.outcome} by {verdict.case}" if verdict.case else verdict.outcome
    print(f"{where}: {one.module} {one.function}: {one.kind or 'sample'}: {end}", flush=True)
    if not verdict.dead:
        also = ", and the probe sees it" if verdict.seen else ""
        print(f"  - {one.before}\n  + {one.after}\n  asked {verdict.asked}{also}", flush=True)


def main() -> int:
    """Run or report."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("action", choices=["run", "report", "draw"])
    parser.add_argument("target", nargs="*", help=f"of {', '.join(targets())}; all when none")
    parser.add_argument("--only", choices=["kinds", "sample", "both"], default="both")
    parser.add_argument("--match", default="", help="a pattern for MODULE FUNCTION: KIND: BEFORE")
    parser.add_argument("--seed", default=SEED, help="of the sample")
    parser.add_argument("--work", type=Path, default=ROOT / ".cache" / "mutation-suite")
    parser.add_argument("--first-pass", action="store_true", help="ask the quickest cases alone")
    parser.add_argument("--cases", action="append", default=[], help="a glob of cases to ask first")
    parser.add_argument("--write", action="store_true", help="write the data of the page anew")
    told = parser.parse_args()
    names = told.target or list(targets())
    if unknown := set(names) - set(targets()):
        parser.error(f"no target {', '.join(sorted(unknown))}")
    if told.action == "draw":
        write_atomically(SAMPLES, redrawn(told.seed).encode())
        return 0
    vectors, said = shipped(), Argued()
    cache = Cache(told.work / "verdicts.json", vectors)
    records = []
    for name in names:
        target = targets()[name]
        mutants = chosen(target, told.only, told.seed, told.match)
        if told.action == "run":
            run(
                target,
                mutants,
                vectors,
                cache,
                told.work,
                first_pass=told.first_pass,
                only=told.cases,
                said=said,
            )
        now = code_of(target)
        for mutant in mutants:
            reason = said.reason(mutant)
            verdict = cache.get(mutant, now, argued=bool(reason))
            records.append(report.record(mutant, verdict, reason))
    made = report.tables(records)
    print(made)
    alive = [one for one in records if one["outcome"] in report.ALIVE]
    for one in alive:
        seen = ", seen in the probe" if one["seen"] else ""
        print(f"{one['outcome']}{seen}: {one['target']} {one['module']} {one['function']}")
        print(f"  - {one['before']}\n  + {one['after']}")
    if told.write:
        write_atomically(report.FILE, report.written(records, vectors.digest).encode())
    return 1 if alive else 0


if __name__ == "__main__":
    sys.exit(main())
