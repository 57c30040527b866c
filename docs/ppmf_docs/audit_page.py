# SPDX-License-Identifier: Apache-2.0
"""The page on the audit: its checks on the recorded toy training, and the leaks it must find."""

from __future__ import annotations

from ppmf_docs.tables import count, table
from ppmf_docs.toy_training import PARAMETERS, recorded
from tests.support.leaks import LEAKS


def checks() -> str:
    """Every check of `ppmf audit`, and its result for the worked example's training."""
    rows = []
    for finding in recorded(PARAMETERS.iterations).findings:
        detail = finding.detail if len(finding.detail) < 60 else finding.detail[:24] + "…"
        rows.append([finding.check, "held" if finding.ok else "**did not hold**", detail])
    return table(["check", "", "seen"], rows)


def leaks() -> str:
    """Every seeded leak, and the check that a test wants to find it."""
    headings = ["broken", "how", "found in the view of", "by the check"]
    return table(
        headings, ([leak.name, leak.description, leak.seen_by, leak.check] for leak in LEAKS)
    )


def number_of_leaks() -> str:
    """The number of seeded leaks."""
    return count(len(LEAKS))
