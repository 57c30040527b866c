# SPDX-License-Identifier: Apache-2.0
"""A run written down: NDJSON for programs, JUnit for CI, one page of HTML for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ppmf_conformance.results import Summary


@dataclass(frozen=True, slots=True)
class Context:
    """What a report says of the suite itself.

    version: of the suite; vectors: their digest; titles: what each requirement is called.
    """

    version: str
    vectors: str
    titles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run with its context."""

    context: Context
    summary: Summary
