# SPDX-License-Identifier: Apache-2.0
"""An extension of Sphinx: requirement ids and chapters become links wherever a page names them.

`PPMF-FIX-021` in prose, in a table or in code text leads to the requirement, and so does the short
form of a list (`PPMF-GCB-001 to -005, -008`). "chapter 4" leads to the page of that chapter. A test
file or a module below a requirement leads to its row of the page `traces`, which leads back; the
number of its cases leads to their list, and a family to the page `cases`. Titles, links, and blocks
of program text stay as they are, and so does what a page says of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode
from sphinx_needs.data import SphinxNeedsData

from ppmf_docs import cases, traces

ID = r"PPMF-[A-Z]{2,5}-\d{3}"
SOUGHT = re.compile(
    rf"(?P<id>{ID})|(?<=[ ,])(?P<short>-\d{{3}})\b|\b[Cc]hapters?\s(?P<chapter>[1-7])\b"
    r"|(?P<file>\btest_\w+\.py|\bppmf(?:_\w+)?(?:\.\w+)+)"
)
_CASES = re.compile(r"\d+|[a-z][a-z-]*")
_BREAKS = re.compile(r"(?<=[._])(?=\w)(?!py$)")
_LEFT_ALONE = (
    nodes.reference,
    nodes.title,
    nodes.literal_block,
    nodes.math,
    nodes.raw,
    nodes.FixedTextElement,
    addnodes.desc_signature,
)

Piece = tuple[str, str | None]
"""Text, and what it leads to: a requirement id, the number of a chapter, a file, or nothing."""


def pieces(text: str) -> Iterator[Piece]:
    """The text cut where links begin and end. The pieces joined are the text."""
    end, family = 0, ""
    for found in SOUGHT.finditer(text):
        target = found["id"] or found["chapter"] or found["file"]
        if found["id"]:
            family = found["id"][:-4]
        if found["short"]:
            if not family:
                continue
            target = family + found["short"]
        if found.start() > end:
            yield text[end : found.start()], None
        yield found[0], target
        end = found.end()
    if end < len(text):
        yield text[end:], None


def link(app: Sphinx, document: nodes.document, page: str) -> None:
    """Put references in place of the ids, chapters and files that a page names.

    It is called after sphinx-needs has built the boxes and the table of requirements.
    """
    needs = SphinxNeedsData(app.env).get_needs_view()
    chapters = {
        name.removeprefix("spec/")[1]: name
        for name in app.env.found_docs
        if re.match(r"spec/0[1-7]-", name)
    }
    rows = traces.anchors()
    for text in list(document.findall(nodes.Text)):
        if _is_left_alone(text):
            continue
        requirement = _requirement_of(text)
        new: list[nodes.Node] = []
        if requirement is not None and requirement in needs and _tells_cases(text):
            new = list(_cases(app, page, text.astext(), requirement))
            text.parent.replace(text, new)
            continue
        for words, target in pieces(text.astext()):
            place: tuple[str, str] | None = None
            if target is not None and target in needs:
                place = (needs[target]["docname"] or "", target)
            elif target in chapters:
                place = (chapters[target], "")
            elif target in rows and page != "traces" and requirement is not None:
                place = ("traces", rows[target])
            if place is None or not place[0] or (place == (page, "")):
                new.append(nodes.Text(words))
            else:
                new.append(_reference(app, page, place, words, target in needs))
        if any(isinstance(node, nodes.reference) for node in new):
            text.parent.replace(text, new)


def _reference(
    app: Sphinx, page: str, place: tuple[str, str], words: str, is_id: bool
) -> nodes.reference:
    """A link: an id stays on one line, the name of a file breaks at its dots and underscores."""
    parts: list[nodes.Node] = [nodes.Text(words)]
    if not is_id:
        first, *rest = _BREAKS.split(words)
        parts = [nodes.Text(first)]
        for one in rest:
            parts += [nodes.raw("", "<wbr>", format="html"), nodes.Text(one)]
    reference = make_refnode(app.builder, page, place[0], place[1], parts)
    reference["classes"].append("requirement-id" if is_id else "file-name")
    return reference


def _cases(app: Sphinx, page: str, words: str, requirement: str) -> Iterator[nodes.Node]:
    """The text of the cases of a requirement, such as `18: step, words`, with its links."""
    end = 0
    for found in _CASES.finditer(words):
        if found[0].isdigit():
            place = ("traces", cases.list_anchor(requirement))
        elif found[0] in cases.families():
            place = ("cases", cases.family_anchor(found[0]))
        else:
            continue
        yield nodes.Text(words[end : found.start()])
        yield make_refnode(app.builder, page, *place, nodes.Text(found[0]))
        end = found.end()
    yield nodes.Text(words[end:])


def _ancestors(node: nodes.Node) -> Iterator[nodes.Element]:
    while node.parent is not None:
        node = node.parent
        yield node


def _requirement_of(text: nodes.Text) -> str | None:
    """The requirement in whose box, or in whose row of the table of all, the text stands."""
    row: nodes.Element | None = None
    for node in _ancestors(text):
        if isinstance(node, nodes.row):
            row = node
        if isinstance(node, nodes.table):
            kinds = set(node.get("classes", ()))
            if "need" in kinds:
                return str(next(iter(node["ids"]), ""))
            return row[0].astext() if row is not None and "NEEDS_TABLE" in kinds else None
    return None


def _tells_cases(text: nodes.Text) -> bool:
    return any("needs_cases" in node.get("classes", ()) for node in _ancestors(text))


def _is_left_alone(text: nodes.Text) -> bool:
    # the id of a requirement's own box is a link already, or its heading
    return any(
        isinstance(node, _LEFT_ALONE)
        or (isinstance(node, nodes.inline) and "needs-id" in node.get("classes", ()))
        for node in _ancestors(text)
    )


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step, after those of sphinx-needs, which have the default priority."""
    app.connect("doctree-resolved", link, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
