# SPDX-License-Identifier: Apache-2.0
"""The page on the audit: its checks on the recorded toy training, and the leaks it must find."""

from __future__ import annotations

import tomllib
from pathlib import Path

from ppmf_docs.tables import count, table
from ppmf_docs.toy_training import PARAMETERS, recorded

SEEDED = Path(__file__).parents[1] / "seeded_leaks.toml"
"""Where the tests take them from too."""


def checks() -> str:
    """Every check of `ppmf audit`, and its result for the worked example's training."""
    rows = []
    for finding in recorded(PARAMETERS.iterations).findings:
        detail = finding.detail if len(finding.detail) < 60 else finding.detail[:24] + "…"
        rows.append([finding.check, "held" if finding.ok else "**did not hold**", detail])
    return table(["check", "result", "seen"], rows)


def leaks() -> str:
    """Every seeded leak, and the check that a test wants to find it."""
    headings = ["broken", "how", "found in the view of", "by the check"]
    columns = ("name", "broken", "seen_by", "check")
    return table(headings, ([leak[name] for name in columns] for leak in _seeded()))


def number_of_leaks() -> str:
    """How many there are."""
    return count(len(_seeded()))


def _seeded() -> list[dict[str, str]]:
    found: list[dict[str, str]] = tomllib.loads(SEEDED.read_text(encoding="utf-8"))["leak"]
    return found
