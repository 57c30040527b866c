# SPDX-License-Identifier: Apache-2.0
"""The parties of this project, which play the roles that an implementation under test does not."""

from __future__ import annotations

from typing import Any

from ppmf_conformance.adapters.line_server import answer
from ppmf_conformance.adapters.party import Parties
from ppmf_conformance.line_protocol import Answer


class OwnParties:
    """Parties of this project that answer the calls of a run in this process."""

    def __init__(self) -> None:
        self._parties = Parties()

    def run(self, case_id: str, op: str, given: Any) -> Answer:
        """The answer to a call."""
        found = answer({"seq": 0, "id": case_id, "op": op, "in": given}, self._parties.operations)
        return Answer(
            found["status"], found.get("out", {}), found.get("class", ""), found.get("message", "")
        )
