# SPDX-License-Identifier: Apache-2.0
"""The tables of the mutation score of the suite, and the file that they are made from."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from tools.mutation.suite.mutants import Mutant
from tools.mutation.suite.verdicts import Verdict
from tools.packages import ROOT

FILE = ROOT / "docs" / "mutation_suite.json"


def record(one: Mutant, verdict: Verdict | None, reason: str) -> dict[str, Any]:
    """What the file says of a mutant."""
    outcome = verdict.outcome if verdict else "not run"
    if verdict is not None and not verdict.dead and reason:
        outcome = "equivalent"
    elif outcome == "pending":
        outcome = "not run"
    found = {
        "target": one.target,
        "kind": one.kind,
        "module": one.module,
        "function": one.function,
        "before": one.before,
        "after": one.after,
        "outcome": outcome,
        "case": verdict.case if verdict else "",
        "detail": verdict.detail if verdict else "",
        "asked": verdict.asked if verdict else 0,
        "seen": bool(verdict and verdict.seen),
    }
    return found | ({"reason": reason} if outcome == "equivalent" else {})


def written(records: Sequence[Mapping[str, Any]], vectors: str) -> str:
    """The text of the file: the digest of the vectors, and a line for each mutant."""
    lines = ",\n".join(f"  {json.dumps(one, ensure_ascii=False)}" for one in records)
    return f'{{\n "vectors": "{vectors}",\n "mutants": [\n{lines}\n ]\n}}\n'


def read() -> list[dict[str, Any]]:
    """The records of the file."""
    found: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))["mutants"]
    return found


def tables(records: Sequence[Mapping[str, Any]]) -> str:
    """Both tables as Markdown: the score of each target, and the case that stops each kind."""
    return f"{scores(records)}\n{by_kind(records)}"


DEAD = ("killed", "hung", "broken")
ALIVE = ("survived", "unreached")


def scores(records: Sequence[Mapping[str, Any]]) -> str:
    """The score of each target, the listed kinds apart from the sample."""
    rows: dict[str, Counter[str]] = {}
    for one in records:
        part = "listed kinds" if one["kind"] else "sample"
        for name in (f"`{one['target']}`, {part}", "all"):
            rows.setdefault(name, Counter())[one["outcome"]] += 1
            rows[name]["seen"] += bool(one["seen"] and one["outcome"] in ALIVE)
    rows["all"] = rows.pop("all", Counter())
    lines = [
        "| what | mutants | killed | equivalent | alive | of these seen in the probe | not run "
        "| killed of the killable |",
        "|---|---:|---:|---:|---:|---:|---:|---:|",
    ]
    for name, row in rows.items():
        dead = sum(row[outcome] for outcome in DEAD)
        alive = sum(row[outcome] for outcome in ALIVE)
        every = dead + alive + row["equivalent"] + row["not run"]
        share = f"{dead / (dead + alive):.1%}" if dead + alive else "none"
        lines.append(
            f"| {name} | {every} | {dead} | {row['equivalent']} | {alive} | {row['seen']} "
            f"| {row['not run']} | {share} |"
        )
    return "\n".join(lines) + "\n"


def by_kind(records: Iterable[Mapping[str, Any]]) -> str:
    """Each listed kind, where it was tried, and the case that failed first."""
    lines = ["| kind | in | killed by |", "|---|---|---|"]
    for one in records:
        if one["kind"]:
            place = f"`{one['module']}`" + (f", `{one['function']}`" if one["function"] else "")
            end = f"`{one['case']}`" if one["case"] else one["outcome"]
            lines.append(f"| {one['kind']} | `{one['target']}` {place} | {end} |")
    return "\n".join(lines) + "\n"
