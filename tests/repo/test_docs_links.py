# SPDX-License-Identifier: Apache-2.0
"""Requirement ids, chapters and files become links, and traces lead back."""

from __future__ import annotations

import json

import pytest

from ppmf_docs import traces
from ppmf_docs.links import pieces
from tools.packages import ROOT

TRACE = json.loads((ROOT / "spec" / "trace.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("text", "linked"),
    [
        ("See PPMF-FIX-021.", {"PPMF-FIX-021": "PPMF-FIX-021"}),
        (
            "PPMF-GCB-001 to -005, -008",
            {
                "PPMF-GCB-001": "PPMF-GCB-001",
                "-005": "PPMF-GCB-005",
                "-008": "PPMF-GCB-008",
            },
        ),
        ("chapter 4, and chapters 2 and 3", {"chapter 4": "4", "chapters 2": "2"}),
        ("a chapter 12 and a -005 alone", {}),
        ("test_words.py", {"test_words.py": "test_words.py"}),
        ("ppmf_spec.words", {"ppmf_spec.words": "ppmf_spec.words"}),
    ],
)
def test_text_is_cut_where_it_names_something(text: str, linked: dict[str, str]) -> None:
    found = list(pieces(text))
    assert "".join(words for words, _ in found) == text
    assert {words: target for words, target in found if target is not None} == linked


def test_every_traced_file_leads_back_to_its_requirements() -> None:
    for requirement, traced in TRACE.items():
        for what in ("tests", "code"):
            for place in traced.get(what, ()):
                file = place.partition("::")[0]
                assert requirement in traces.requirements_by_file(what)[file]
                assert traces.name(file) in traces.anchors()


def test_every_family_of_cases_is_listed() -> None:
    shown = traces.cases()
    for path in (ROOT / "conformance/ppmf_conformance/vectors").glob("*.json"):
        assert f"`{path.stem}`" in shown
