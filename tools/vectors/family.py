# SPDX-License-Identifier: Apache-2.0
"""A family of vectors, to which cases are added, and the text of its file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ppmf_conformance import json_text
from ppmf_conformance.adapters.line_server import Operation
from ppmf_conformance.adapters.values import shown
from ppmf_conformance.cases import content_hash
from ppmf_conformance.party_runs import CALLS, OP, RESUMED
from ppmf_spec.errors import PpmfError

GENERATOR = "ppmf_conformance.suite.generate"
"""The generator's name in the vectors. It was once a module of that name; vectors do not change."""

VERSION = "1"
"""The version of the generator, raised when a change to it changes a vector."""


class Family:
    """The cases of one file; `add` computes their expected answers with `operations`."""

    def __init__(self, name: str, about: str, operations: Mapping[str, Operation]) -> None:
        self.name = name
        self.about = about
        self.cases: list[dict[str, Any]] = []
        self._operations = operations

    def add(
        self,
        name: str,
        op: str,
        requirements: str,
        comment: str,
        given: Mapping[str, Any],
        *,
        flags: str | None = None,
        seed: str | None = None,
        steps: Iterable[str] = (),
        refuse: str | None = None,
        names: Sequence[str] = (),
        hides: Sequence[str] = (),
        level: str = "MUST",
        expect: Mapping[str, Any] | None = None,
        shows: Mapping[str, Any] | None = None,
        needs: Sequence[str] = (),
    ) -> None:
        """Add one case of the id FAMILY/NAME.

        requirements, flags: separated by blanks; a requirement without its `PPMF-`. The flags are
        `negative` where something is refused, and else `positive`, unless others are given.
        steps: members of the answer that are intermediate values; shows: more of those.
        refuse: the class with which the operation must refuse the case.
        expect: the expected answer, where the operation itself cannot compute it.
        needs: features besides the operation.
        """
        given = shown(given)
        found = dict(shows or {})
        if expect is None:
            expect, computed = self._computed(name, op, given, refuse, names, hides, set(steps))
            found |= computed
        resumed = [RESUMED] if RESUMED in needs else []
        case: dict[str, Any] = {
            "id": f"{self.name}/{name}",
            "op": op,
            "requirements": [f"PPMF-{short}" for short in requirements.split()],
            "level": level,
            "features": [op, *needs],
            "flags": (flags or ("negative" if refuse else "positive")).split(),
            "comment": comment,
            **({"operations": [*CALLS, *resumed]} if op == OP else {}),
            "in": given,
            "steps": shown(found),
            "expect": shown(expect),
            "source": {
                "generator": GENERATOR,
                "version": VERSION,
                "seed": seed,
            },
        }
        self.cases.append(case)

    def _computed(
        self,
        name: str,
        op: str,
        given: Any,
        refuse: str | None,
        names: Sequence[str],
        hides: Sequence[str],
        steps: set[str],
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        try:
            out = self._operations[op](given)
        except PpmfError as refusal:
            if refusal.kind != refuse:
                raise AssertionError(f"{self.name}/{name}: {refusal.kind}: {refusal}") from refusal
            expect: dict[str, Any] = {"status": "reject", "class": refuse}
            if names:
                expect["names"] = names
            if hides:
                expect["hides"] = hides
            return expect, {}
        if refuse is not None:
            raise AssertionError(f"{self.name}/{name}: accepted, and not refused ({refuse})")
        due = {member: value for member, value in out.items() if member not in steps}
        return {"status": "ok", "out": due}, {
            member: value for member, value in out.items() if member in steps
        }

    def text(self) -> str:
        """The text of the file, with one line for each case, so that a change shows in its line."""
        head = {"format": "ppmf-vectors/1", "family": self.name, "about": self.about}
        lines = [f' "{name}": {json_text.line(value)},' for name, value in head.items()]
        hashed = ({**case, "content": content_hash(case)} for case in self.cases)
        cases = ",\n".join(f"  {json_text.line(case)}" for case in hashed)
        return "{\n" + "\n".join(lines) + f'\n "cases": [\n{cases}\n ]\n}}\n'
