# SPDX-License-Identifier: Apache-2.0
"""The tables of the mutation score of the suite, from the file that its last run wrote."""

from __future__ import annotations

from tools.mutation.suite import report


def scores() -> str:
    """The score of each implementation."""
    return report.scores(report.read())


def kinds() -> str:
    """The listed kinds, and the case that stops each."""
    return report.by_kind(report.read())
