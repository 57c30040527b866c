# SPDX-License-Identifier: Apache-2.0
"""The site: every page is reachable, every formula converts, nothing comes from the network."""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from docutils.utils.math import MathError

from ppmf_docs import performance, search
from ppmf_docs.computed import Svg, made_by
from ppmf_docs.docstrings import to_rst
from ppmf_docs.mathml import to_mathml

DOCS = Path(__file__).resolve().parents[2] / "docs"
PAGES = sorted(DOCS.glob("*.md"))
SOURCES = [*PAGES, *sorted((DOCS.parent / "spec").glob("*.md"))]
COMPUTED = sorted(
    {
        name
        for page in PAGES
        for name in re.findall(r"\{computed\}[ `]([a-z]+\.[a-z_]+)", page.read_text())
    }
)


def formulas(text: str) -> list[tuple[str, bool]]:
    """The formulas of a page, and whether each is a block of its own."""
    text = re.sub(r"```.*?```|`[^`\n]*`", "", text, flags=re.S)
    blocks = re.findall(r"\$\$(.*?)\$\$", text, flags=re.S)
    rest = re.sub(r"\$\$.*?\$\$", "", text, flags=re.S)
    return [(tex, True) for tex in blocks] + [
        (tex, False) for tex in re.findall(r"\$([^$]+)\$", rest)
    ]


@pytest.mark.parametrize("page", SOURCES, ids=lambda page: page.stem)
def test_every_formula_becomes_mathml(page: Path) -> None:
    for tex, block in formulas(page.read_text()):
        root = ElementTree.fromstring(to_mathml(tex, block=block))
        assert root.tag.endswith("}math")
        assert len(root), tex


def test_a_formula_that_cannot_be_converted_is_an_error() -> None:
    with pytest.raises(MathError):
        to_mathml(r"\nosuchmacro x", block=False)


@pytest.mark.parametrize(
    ("tex", "shape"),
    [
        (r"\tfrac12 (p - z)", "math(mfrac(mn(1)mn(2))mo(()mi(p)mo(−)mi(z)mo()))"),
        (r"\tilde u_i", "math(msub(mover(mi(u)mo(~))mi(i)))"),
        (r"c_1, \dots, c_s", "math(msub(mi(c)mn(1))mo(,)mi(…)mo(,)msub(mi(c)mi(s)))"),
    ],
)
def test_tex_that_docutils_would_misread(tex: str, shape: str) -> None:
    def told(element: ElementTree.Element) -> str:
        inside = "".join(map(told, element)) or (element.text or "").strip()
        name = element.tag.rpartition("}")[2]
        return inside if name == "mrow" else f"{name}({inside})"

    assert told(ElementTree.fromstring(to_mathml(tex, block=False))) == shape


def test_every_page_is_in_a_table_of_contents() -> None:
    listed = set()
    for page in PAGES:
        for entries in re.findall(r"```\{toctree\}\n(.*?)```", page.read_text(), flags=re.S):
            names = [line for line in entries.splitlines() if line and not line.startswith(":")]
            listed |= {re.sub(r".*<(.*)>", r"\1", name) for name in names}
    assert {page.stem for page in PAGES} - {"index"} == {name for name in listed if "/" not in name}
    assert "spec/*" in listed


def test_the_site_asks_the_network_for_nothing() -> None:
    """No script, style, font or image from elsewhere; links in prose are for people to follow."""
    places = [
        DOCS / "conf.py",
        *(path for path in DOCS.glob("_static/*") if path.suffix != ".png"),
        *DOCS.glob("ppmf_docs/*.py"),
        *DOCS.glob("*.svg"),
    ]
    namespaces = r"http://www\.w3\.org/(2000/svg|1998/Math/MathML)"
    for place in places:
        text = re.sub(namespaces, "", place.read_text())
        assert not re.search(r"https?://|//cdn|mathjax|@import|url\(", text, re.IGNORECASE), (
            place.name
        )
    assert 'html_math_renderer = "mathml"' in (DOCS / "conf.py").read_text()


def test_the_site_is_built_without_the_tests() -> None:
    """Its programs import nothing of tests/, and no page includes a file of it."""
    places = [DOCS / "conf.py", *DOCS.rglob("*.py"), *PAGES]
    for place in places:
        text = place.read_text(encoding="utf-8")
        assert not re.search(r"^\s*(from|import) tests\b", text, re.MULTILINE), place.name
        assert "tests/support" not in text, place.name
        assert not re.search(r"include\} \S*tests/", text), place.name


@pytest.mark.parametrize("name", COMPUTED)
def test_everything_a_page_asks_to_be_computed_is(name: str) -> None:
    content = made_by(name)()
    text = content.source if isinstance(content, Svg) else str(content)
    assert text.strip()
    assert "nan" not in text.lower().split()


def test_the_picture_of_the_parties_stands_alone() -> None:
    root = ElementTree.fromstring((DOCS / "parties.svg").read_text())
    names = {str(element.tag).rpartition("}")[2] for element in root.iter()}
    assert "title" in names
    assert names <= {"svg", "title", "style", "rect", "text", "path", "polygon"}


def test_the_limits_name_the_bits_that_chapter_6_derives() -> None:
    security = (DOCS.parent / "spec" / "06-security.md").read_text()
    assert "About 114 bits" in (DOCS / "limits.md").read_text()
    assert "114 bits of computational security" in security


def test_figures_are_those_of_the_results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    phases = {"start": 1.5, "products": 20.0, "steps": 4.0, "updates": 6.0}
    run = {
        "suite": "s", "users": 1234, "items": 7, "ratings": 99, "rank": 2, "iterations": 5,
        "parameters": {"inner_steps": 2},
        "seconds": 31.5, "seconds_by_phase": phases, "bytes_sent": 5_000_000,
        "bytes_sent_by_phase": {"keys": 800, "products": 2000}, "memory_of_a_server": 3e9,
        "plain_seconds": 0.25, "equal": False,
    }  # fmt: skip
    estimated = {"estimated_seconds": 27.0, "estimated_memory_of_a_server": 3.3e9}
    run |= {**estimated, "estimated_bytes_sent": 5_000_000}
    found = {"format": performance.FORMAT, "machine": "m", "versions": {}, "training": [run]}
    found["estimates"] = [run]
    (tmp_path / "a.json").write_text(json.dumps(found))
    monkeypatch.setattr(performance, "RESULTS", tmp_path)
    monkeypatch.setattr(performance, "results", performance.results.__wrapped__)
    shown = performance.trainings().replace("\N{NO-BREAK SPACE}", " ")
    for figure in ("1,234 × 7", "31.5 s", "6.00 s", "5.0 MB", "3.0 GB", "0.25 s", "**NO**"):
        assert figure in shown, figure
    assert "800" in performance.phases()
    checked = performance.checked()
    assert all(off in checked for off in ("-14%", "+10%", "+0%"))
    assert "in none of the results" in performance.slopes()
    (tmp_path / "b.json").write_text('{"format": "other"}')
    with pytest.raises(ValueError, match=r"b\.json"):
        performance.trainings()


def test_no_table_has_an_empty_heading() -> None:
    """The pages' own tables, and those that are computed."""
    texts = {page.name: page.read_text() for page in [*SOURCES, DOCS.parent / "README.md"]}
    texts |= {name: str(made_by(name)()) for name in COMPUTED}
    for name, text in texts.items():
        for heading in re.findall(r"^(\|.*)\n\|[ :|-]+\|$", text, flags=re.M):
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", heading)[1:-1]]
            assert all(cells), (name, heading)


def test_the_sentences_of_the_search_have_no_marks() -> None:
    assert search.plain("`a` is\n$\\mathit{b}$, *not* $\\ell$") == "a is b, not ell"
    assert search.plain("$[-2^{b + f}, 2^{8}]$") == "[-2^(b + f), 2^8]"


def test_the_search_page_alone_gets_the_requirements(monkeypatch: pytest.MonkeyPatch) -> None:
    need = {"title": "A", "content": "`b` MUST <be>", "docname": "spec/02-functionality"}
    views = {"PPMF-FIX-002": need, "PPMF-FIX-001": {**need, "title": "B"}}
    monkeypatch.setattr(
        search, "SphinxNeedsData", lambda _: SimpleNamespace(get_needs_view=lambda: views)
    )
    added: list[tuple[str | None, dict[str, str]]] = []
    app: Any = SimpleNamespace(
        env=None, add_js_file=lambda name, **more: added.append((name, more))
    )
    search.add(app, "guide", "page.html", {}, None)
    assert not added
    search.add(app, "search", "page.html", {}, None)
    (_, more), (script, _) = added
    assert script == "search_requirements.js"
    assert (DOCS / "_static" / script).is_file()
    assert "<" not in more["body"]
    rows = json.loads(more["body"].partition("= ")[2].rstrip(";"))
    assert rows[0] == ["PPMF-FIX-001", "B", "b MUST <be>", "spec/02-functionality"]


def test_docstrings_keep_their_words() -> None:
    lines = ["The `row_rank` |x| * y_ of", "it.", "", "    sum |x|", "", ">>> f(|x|)", "`a`"]
    assert to_rst(lines) == [
        r"The ``row_rank`` \|x\| \* y\_ of",
        "it.",
        "",
        "::",
        "",
        "    sum |x|",
        "",
        ">>> f(|x|)",
        "`a`",
    ]
