# SPDX-License-Identifier: Apache-2.0
"""Requirement ids, chapters and files become links, and traces lead back."""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import Any

import pytest
from docutils import nodes
from docutils.utils import new_document

from ppmf_docs import links, traces
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


def built_page(monkeypatch: pytest.MonkeyPatch, *content: nodes.Node) -> nodes.document:
    """A page of this content, linked as if it were `guide` of a small site."""
    views = {"PPMF-FIX-021": {"docname": "spec/02-functionality"}}
    monkeypatch.setattr(
        links, "SphinxNeedsData", lambda _: SimpleNamespace(get_needs_view=lambda: views)
    )
    builder = SimpleNamespace(get_relative_uri=lambda _, page: f"{page}.html")
    found = {"guide", "spec/02-functionality", "spec/04-protocol"}
    app: Any = SimpleNamespace(builder=builder, env=SimpleNamespace(found_docs=found))
    document = new_document("guide")
    document.extend(content)
    links.link(app, document, "guide")
    return document


def test_prose_leads_to_rules_and_chapters(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "PPMF-FIX-021 of chapter 2, not PPMF-FIX-999, nor chapter 7"
    document = built_page(monkeypatch, nodes.paragraph("", text))
    assert document.astext() == text
    assert [node["refuri"] for node in document.findall(nodes.reference)] == [
        "spec/02-functionality.html#PPMF-FIX-021",
        "spec/02-functionality.html",
    ]


def test_titles_links_and_programs_stay_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    text = "PPMF-FIX-021"
    inside = nodes.reference("", text, refuri="elsewhere")
    kept = nodes.title("", text), nodes.literal_block("", text), nodes.paragraph("", "", inside)
    document = built_page(monkeypatch, *kept)
    assert [node["refuri"] for node in document.findall(nodes.reference)] == ["elsewhere"]


def test_the_files_in_a_box_lead_to_the_page_that_leads_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def table(text: str, *classes: str) -> nodes.table:
        return nodes.table("", nodes.paragraph("", text), classes=list(classes))

    tables = table("ppmf_spec.words", "need"), table("ppmf_spec.ids", "other")
    document = built_page(monkeypatch, *tables)
    (reference,) = document.findall(nodes.reference)
    assert reference["refuri"] == "traces.html#trace-spec-ppmf-spec-words"
