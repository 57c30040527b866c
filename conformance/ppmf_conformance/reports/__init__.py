# SPDX-License-Identifier: Apache-2.0
"""Reports of a finished run: `ndjson` for programs, `junit` for CI, `html_page` for people.

`Report` and `Context`, in this module, are what the last two are made from; `ndjson` is written
while the run goes on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ppmf_conformance.cases import unknown_features
from ppmf_conformance.line_protocol import Hello
from ppmf_conformance.results import Summary


@dataclass(frozen=True, slots=True)
class Context:
    """The facts of the suite that a report states.

    version: the version of the suite; vectors: their digest; titles and sentences: those of each
    requirement, by its id; features: those that some case asks for, whichever cases are run.
    """

    version: str
    vectors: str
    titles: Mapping[str, str]
    sentences: Mapping[str, str] = field(default_factory=dict)
    features: frozenset[str] = frozenset()

    def unknown_features(self, hello: Hello | None) -> list[str]:
        """A line for each feature that an implementation declares in vain (PPMF-CON-025)."""
        return [] if hello is None else unknown_features(hello.features, self.features)


@dataclass(frozen=True, slots=True)
class Report:
    """A finished run with its context."""

    context: Context
    summary: Summary
