# SPDX-License-Identifier: Apache-2.0
"""The conformance cases as pages show them: the page of all, and the lists of each requirement."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ppmf_docs.tables import table

ROOT = Path(__file__).parents[2]
VECTORS = "conformance/ppmf_conformance/vectors"
SHOWN = 200
"""The characters of an input, or of what is due, that the page shows."""


@cache
def families() -> dict[str, dict[str, Any]]:
    """The content of each file of vectors, by the name of the family."""
    files = sorted((ROOT / VECTORS).glob("*.json"))
    return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in files}


@cache
def by_requirement() -> dict[str, list[str]]:
    """The ids of the cases that show each requirement."""
    found: dict[str, list[str]] = {}
    for family in families().values():
        for case in family["cases"]:
            for requirement in case["requirements"]:
                found.setdefault(requirement, []).append(case["id"])
    return dict(sorted(found.items()))


def summary(requirement: str) -> str:
    """How many cases show a requirement, and their families: `18: step, words`."""
    shown = by_requirement().get(requirement, ())
    names = dict.fromkeys(case.partition("/")[0] for case in shown)
    return f"{len(shown)}: {', '.join(names)}" if shown else "none"


def family_anchor(family: str) -> str:
    """The anchor of a family on the page `cases`."""
    return f"family-{family}"


def case_anchor(case: str) -> str:
    """The anchor of a case on the page `cases`."""
    return "case-" + case.replace("/", "-").replace("--", "-minus-").lower()


def list_anchor(requirement: str) -> str:
    """The anchor of a requirement's list of cases on the page `traces`."""
    return f"cases-of-{requirement.lower()}"


def all_of_them() -> str:
    """Every family with its file, and every case with its input and what is due."""
    parts = []
    for name, family in families().items():
        rows = [
            [
                f"[`{case['id']}`]{{#{case_anchor(case['id'])}}}",
                f"`{case['op']}`: {case['comment']} {_folded(case)}",
                ", ".join(case["requirements"]),
            ]
            for case in family["cases"]
        ]
        parts += [
            f"({family_anchor(name)})=\n## {name}",
            f"{family['about']} {{download}}`{name}.json <../{VECTORS}/{name}.json>` has them "
            "whole, a line a case.",
            table(["case", "what it is for", "requirements"], rows),
        ]
    return "\n\n".join(parts)


def of_requirements() -> str:
    """The cases of each requirement, each a link to its row of the page `cases`."""
    rows = (
        [
            f"[{requirement}]{{#{list_anchor(requirement)}}}",
            ", ".join(f"[{case}](cases.md#{case_anchor(case)})" for case in shown),
        ]
        for requirement, shown in by_requirement().items()
    )
    return table(["requirement", "cases"], rows)


def _folded(case: dict[str, Any]) -> str:
    """Input and answer of a case, behind a word that opens them."""
    told = "".join(
        f"<dt>{words}</dt><dd>{_cut(case[name])}</dd>"
        for words, name in (("input", "in"), ("due", "expect"))
    )
    return f"<details><summary>input, answer</summary><dl>{told}</dl></details>"


def _cut(value: Any) -> str:
    """The value as code, which is left as it is where quotation marks of prose are curled."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"))
    if len(text) > SHOWN:
        text = f"{text[:SHOWN]}… ({len(text):,} characters)"
    return f"`` {text} ``"
