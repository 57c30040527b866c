# SPDX-License-Identifier: Apache-2.0
"""An extension of Sphinx: requirement ids and chapters become links wherever a page names them.

`PPMF-FIX-021` in prose, in a table or in code text leads to the requirement, and so does the short
form of a list (`PPMF-GCB-001 to -005, -008`). "chapter 4" leads to the page of that chapter. A test
file or a module below a requirement leads to its row of the page `traces`, which leads back.
Titles, links, and blocks of program text stay as they are, and so does what a page says of itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.util.nodes import make_refnode
from sphinx_needs.data import SphinxNeedsData

from ppmf_docs import traces

ID = r"PPMF-[A-Z]{2,5}-\d{3}"
SOUGHT = re.compile(
    rf"(?P<id>{ID})|(?<=[ ,])(?P<short>-\d{{3}})\b|\b[Cc]hapters?\s(?P<chapter>[1-7])\b"
    r"|(?P<file>\btest_\w+\.py|\bppmf_\w+(?:\.\w+)+)"
)
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
        found = list(pieces(text.astext()))
        new: list[nodes.Node] = []
        for words, target in found:
            place = None
            if target is not None and target in needs:
                place = (needs[target]["docname"], target)
            elif target in chapters:
                place = (chapters[target], "")
            elif target in rows and page != "traces" and _is_of_a_requirement(text):
                place = ("traces", rows[target])
            if place is None or not place[0] or (place == (page, "")):
                new.append(nodes.Text(words))
            else:
                child = nodes.Text(words)
                new.append(make_refnode(app.builder, page, place[0], place[1], child))
        if any(isinstance(node, nodes.reference) for node in new):
            text.parent.replace(text, new)


def _is_of_a_requirement(text: nodes.Text) -> bool:
    """Whether the text stands in a requirement's box or in the table of all of them."""
    node: nodes.Node | None = text.parent
    while node is not None:
        if isinstance(node, nodes.table):
            return bool({"need", "NEEDS_TABLE"} & set(node.get("classes", ())))
        node = node.parent
    return False


def _is_left_alone(text: nodes.Text) -> bool:
    node: nodes.Node | None = text.parent
    while node is not None:
        if isinstance(node, _LEFT_ALONE):
            return True
        # the id of a requirement's own box is a link already, or its heading
        if isinstance(node, nodes.inline) and "needs-id" in node.get("classes", ()):
            return True
        node = node.parent
    return False


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the step, after those of sphinx-needs, which have the default priority."""
    app.connect("doctree-resolved", link, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
