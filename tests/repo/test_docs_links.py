# SPDX-License-Identifier: Apache-2.0
"""Requirement ids, chapters and files become links, and traces lead back."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest
from docutils import nodes
from docutils.utils import new_document

from ppmf_conformance import cases as suite
from ppmf_docs import cases, links, traces
from ppmf_docs.links import pieces
from tools.packages import ROOT

TRACE = json.loads((ROOT / "spec" / "trace.json").read_text(encoding="utf-8"))
SUITE = suite.shipped()


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


def test_anchors_are_those_that_the_site_gets() -> None:
    """Docutils makes an id of an anchor, which has to be the anchor itself."""
    wanted = {cases.case_anchor(case.id) for case in SUITE.cases} | set(traces.anchors().values())
    wanted |= {cases.list_anchor(requirement) for requirement in cases.by_requirement()}
    wanted |= {cases.family_anchor(case.family) for case in SUITE.cases}
    assert [anchor for anchor in wanted if nodes.make_id(anchor) != anchor] == []


def test_every_case_is_listed_with_its_file_and_its_requirements() -> None:
    shown = cases.all_of_them()
    rows = {line.partition("]")[0]: line for line in shown.splitlines() if line.startswith("| [")}
    assert len(rows) == len(SUITE.cases)
    for case in SUITE.cases:
        row = rows[f"| [`{case.id}`"]
        assert f"{{#{cases.case_anchor(case.id)}}}" in row
        assert row.endswith(f"| {', '.join(case.requirements)} |")
    assert len({cases.case_anchor(case.id) for case in SUITE.cases}) == len(SUITE.cases)
    for family in {case.family for case in SUITE.cases}:
        assert f"({cases.family_anchor(family)})=" in shown
        assert (ROOT / cases.VECTORS / f"{family}.json").is_file()
        assert f"<../{cases.VECTORS}/{family}.json>" in shown


def test_every_requirement_with_cases_leads_to_each_of_them() -> None:
    rows = cases.of_requirements().splitlines()[2:]
    assert len(rows) == len(cases.by_requirement())
    for row, (requirement, shown) in zip(rows, cases.by_requirement().items(), strict=True):
        assert f"[{requirement}]{{#{cases.list_anchor(requirement)}}}" in row
        assert row.count("cases.md#") == len(shown)
    assert cases.summary("PPMF-FIX-001").startswith("18: ")
    assert cases.summary("PPMF-FIX-999") == "none"


def test_the_input_of_a_case_is_cut_and_cannot_break_the_page() -> None:
    told = cases._cut({"text": "<b>" + "x" * 500})
    assert told.startswith('`` {"text":"<b>x')
    assert told.endswith("characters) ``")
    assert not [case.id for case in SUITE.cases if "``" in json.dumps([case.given, case.expect])]


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


@pytest.mark.parametrize("where", ["box", "row"])
def test_the_cases_of_a_requirement_lead_to_their_lists(
    monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    text = nodes.inline("", "18: step, words", classes=["needs_cases"])
    if where == "box":
        content = nodes.table("", text, classes=["need"], ids=["PPMF-FIX-021"])
    else:
        name = nodes.entry("", nodes.paragraph("", "PPMF-FIX-021"))
        row = nodes.row("", name, nodes.entry("", nodes.paragraph("", "", text)))
        content = nodes.table("", row, classes=["NEEDS_TABLE"])
    document = built_page(monkeypatch, content)
    assert text.astext() == "18: step, words"
    assert [node["refuri"] for node in text.findall(nodes.reference)] == [
        "traces.html#cases-of-ppmf-fix-021",
        "cases.html#family-step",
        "cases.html#family-words",
    ]
    assert document.astext().endswith("18: step, words")


def test_an_id_stays_on_one_line_and_a_long_name_may_break(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    table = nodes.table("", nodes.paragraph("", "ppmf_spec.words"), classes=["need"])
    document = built_page(monkeypatch, nodes.paragraph("", "PPMF-FIX-021"), table)
    first, second = document.findall(nodes.reference)
    assert first["classes"] == ["requirement-id"]
    assert second["classes"] == ["file-name"]
    assert [node.astext() for node in second.findall(nodes.raw)] == ["<wbr>", "<wbr>"]
    style = (ROOT / "docs" / "_static" / "ppmf.css").read_text(encoding="utf-8")
    assert re.search(r"\.requirement-id[^}]*\{ white-space: nowrap", style)


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
